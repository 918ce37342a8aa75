import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Running } from '../support/processes.ts'
import { startServer } from '../support/processes.ts'
import type { Peer } from './peer.ts'

/** What every nginx in front of a service says to it, over connections that it keeps. */
export const forwarded = `proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Request-Id $request_id;`

/** nginx from Debian's package: one worker, the access log in a file, forwarding fields set. */
export const nginx: Peer = proxying(['/'])

/** The same with so many exact locations, `/r0` and on, as a gateway with as many routes. */
export function nginxWithLocations(count: number): Peer {
  return proxying(Array.from({ length: count }, (_, i) => `= /r${i}`))
}

function proxying(locations: readonly string[]): Peer {
  return {
    name: 'nginx',
    start: ({ port, tlsPort, upstreamPort, cores, folder, cert, key }) =>
      startNginx(
        folder,
        port,
        cores,
        `
  log_format bench '$remote_addr "$request" $status $body_bytes_sent $request_time "$http_user_agent" $request_id';
  access_log ${folder}/access.log bench;
  upstream service { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} reuseport backlog=4096;
    listen 127.0.0.1:${tlsPort} ssl reuseport backlog=4096;
    ssl_certificate ${cert};
    ssl_certificate_key ${key};
    ssl_protocols TLSv1.2 TLSv1.3;
    client_max_body_size 0;
    ${forwarded}
    ${locations.map((location) => `location ${location} { proxy_pass http://service; }`).join('\n    ')}
  }`,
      ),
  }
}

/**
 * What stands behind every gateway: nginx with answers of 130 bytes, 4 KB and 64 KB at /130, /4k and /64k. It answers
 * a POST too, having read and dropped its body.
 */
export function startUpstream(folder: string, port: number, cores: string): Promise<Running> {
  mkdirSync(join(folder, 'www'), { recursive: true })
  writeFileSync(join(folder, 'www/4k'), body(4096))
  writeFileSync(join(folder, 'www/64k'), body(65_536))
  return startNginx(
    folder,
    port,
    cores,
    `${filesServed}
  default_type application/json;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    client_max_body_size 0;
    root ${folder}/www;
    location = /130 { return 200 '${body(130)}'; }
    location = /healthz { return 200 'ok'; }
    location / { error_page 405 =200 @answered; }
    location @answered { return 200 '${body(130)}'; }
  }`,
  )
}

function body(bytes: number): string {
  return `{"items":"${'x'.repeat(bytes - 12)}"}`
}

/** Files served from memory, as it were, and no log: for what stands behind the contenders. */
export const filesServed = `
  access_log off;
  open_file_cache max=10 inactive=1h;
  open_file_cache_valid 1h;
  sendfile on;`

/** One nginx worker with this inside `http { }`. */
export function startNginx(folder: string, port: number, cores: string, http: string): Promise<Running> {
  mkdirSync(folder, { recursive: true })
  const config = join(folder, 'nginx.conf')
  writeFileSync(
    config,
    `
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log warn;
worker_rlimit_nofile 20000;
events { worker_connections 15000; }
http {
  keepalive_requests 100000000;
  keepalive_timeout 1h;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
${http}
}
`,
  )
  return startServer('/usr/sbin/nginx', ['-p', folder, '-c', config], { cores, port, output: join(folder, 'output') })
}
