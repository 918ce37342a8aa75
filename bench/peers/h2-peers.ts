import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Running } from '../support/processes.ts'
import { startServer } from '../support/processes.ts'
import { startVelum } from '../support/start-velum.ts'
import { forwarded, startNginx } from './nginx.ts'
import type { PeerOptions } from './peer.ts'

/** A gateway that speaks HTTP/2 to clients, with a service of HTTP/1.1 (all paths) and one of gRPC (`/grpc`) behind it. */
export interface H2Peer {
  readonly name: string
  start(options: H2PeerOptions): Promise<Running>
}

export interface H2PeerOptions extends PeerOptions {
  readonly grpcPort: number
}

/** One message as gRPC frames it. */
export function grpcMessage(bytes: number): Buffer {
  const message = Buffer.alloc(5 + bytes, 'x')
  message[0] = 0
  message.writeUInt32BE(bytes, 1)
  return message
}

export const nginxH2: H2Peer = {
  name: 'nginx',
  start: ({ port, tlsPort, upstreamPort, grpcPort, cores, folder, cert, key }) =>
    startNginx(
      folder,
      port,
      cores,
      `
  log_format bench '$remote_addr "$request" $status $body_bytes_sent $request_time "$http_user_agent" $request_id';
  access_log ${folder}/access.log bench;
  upstream service { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000; }
  upstream grpc { server 127.0.0.1:${grpcPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} http2 reuseport backlog=4096;
    listen 127.0.0.1:${tlsPort} ssl http2 reuseport backlog=4096;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;
    client_max_body_size 0;
    location / {
      proxy_pass http://service;
      ${forwarded}
    }
    location /grpc {
      grpc_pass grpc://grpc;
      grpc_set_header X-Forwarded-For $remote_addr;
      grpc_set_header X-Forwarded-Proto $scheme;
      grpc_set_header X-Request-Id $request_id;
    }
  }`,
    ),
}

export const haproxyH2: H2Peer = {
  name: 'HAProxy',
  start({ port, tlsPort, upstreamPort, grpcPort, cores, folder, cert, key }) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'pair.pem'), readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'), { mode: 0o600 })
    const config = join(folder, 'haproxy.cfg')
    writeFileSync(
      config,
      `
global
  nbthread 1
  maxconn 8000
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 30s
frontend in
  bind 127.0.0.1:${port} proto h2
  bind 127.0.0.1:${tlsPort} ssl crt ${folder}/pair.pem ssl-min-ver TLSv1.2 alpn h2,http/1.1
  option forwardfor
  unique-id-format %{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  use_backend grpc if { path_beg /grpc }
  default_backend service
backend service
  server one 127.0.0.1:${upstreamPort}
backend grpc
  server one 127.0.0.1:${grpcPort} proto h2
`,
    )
    return startServer('/usr/sbin/haproxy', ['-f', config, '-db'], { cores, port, output: join(folder, 'access.log') })
  },
}

/** One worker, one public route to each service, log and metrics on. */
export const velumH2: H2Peer = {
  name: 'velum',
  start({ port, tlsPort, upstreamPort, grpcPort, cores, folder, cert, key }) {
    const listener = { host: '127.0.0.1', maxRequests: 1_000_000_000, maxConnections: 15_000, timeouts: { idle: '1h' } }
    const config = {
      name: 'bench',
      listeners: { plain: { ...listener, port }, tls: { ...listener, port: tlsPort, tls: { certificates: [{ cert, key }] } } },
      store: { kind: 'embedded', path: join(folder, 'store') },
      services: {
        service: { url: `http://127.0.0.1:${upstreamPort}` },
        grpc: { url: `grpc://127.0.0.1:${grpcPort}` },
      },
      log: { format: 'json', file: join(folder, 'access.log') },
      defaults: { auth: 'public', body: { max: 'unlimited' } },
      routes: [
        { name: 'all', match: { path: '/**' }, to: 'service' },
        { name: 'grpc', match: { path: '/grpc/**' }, to: 'grpc' },
      ],
    }
    return startVelum({ folder, config, cores, port })
  },
}
