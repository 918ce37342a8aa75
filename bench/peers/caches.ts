import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Running } from '../support/processes.ts'
import { startServer } from '../support/processes.ts'
import { startVelum } from '../support/start-velum.ts'
import { filesServed, startNginx } from './nginx.ts'

/** What a cache under measurement needs: a port, what stands behind it, its core, a folder, and how much it may keep. */
export interface CachePeerOptions {
  readonly port: number
  readonly upstreamPort: number
  readonly cores: string
  readonly folder: string
  readonly maxMegabytes: number
}

/** A gateway that keeps what the service says may be kept, in memory; or passes everything, to compare a miss with. */
export interface CachePeer {
  readonly name: string
  readonly isCaching: boolean
  start(options: CachePeerOptions): Promise<Running>
}

/** nginx from Debian's package with `proxy_cache` on a memory file system where there is one. */
export function nginxCache(isCaching: boolean): CachePeer {
  return {
    name: isCaching ? 'nginx' : 'nginx, no cache',
    isCaching,
    start: ({ port, upstreamPort, cores, folder, maxMegabytes }) =>
      startNginx(
        folder,
        port,
        cores,
        `
  log_format bench '$remote_addr "$request" $status $body_bytes_sent $request_time $upstream_cache_status';
  access_log ${folder}/access.log bench;
  ${isCaching ? `proxy_cache_path ${folder}/cache levels=1:2 keys_zone=kept:200m max_size=${maxMegabytes}m use_temp_path=off;` : ''}
  upstream service { server 127.0.0.1:${upstreamPort}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port} reuseport backlog=4096;
    location / {
      ${isCaching ? 'proxy_cache kept; proxy_cache_lock on;' : ''}
      proxy_pass http://service;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $remote_addr;
    }
  }`,
      ),
  }
}

/** Varnish from Debian's package, its store in memory; cookies do not keep it from looking. */
export const varnish: CachePeer = {
  name: 'Varnish',
  isCaching: true,
  start({ port, upstreamPort, cores, folder, maxMegabytes }) {
    mkdirSync(folder, { recursive: true })
    const program = join(folder, 'bench.vcl')
    writeFileSync(
      program,
      `vcl 4.1;
backend service { .host = "127.0.0.1"; .port = "${upstreamPort}"; }
sub vcl_recv { unset req.http.Cookie; }
`,
    )
    const args = ['-F', '-n', join(folder, 'work'), '-a', `127.0.0.1:${port}`, '-f', program, '-T', 'none']
    const store = ['-s', `malloc,${maxMegabytes}m`, '-p', 'thread_pools=1', '-j', 'none']
    return startServer('/usr/sbin/varnishd', [...args, ...store], { cores, port, output: join(folder, 'output') })
  },
}

/** Velum as its users start it, with one worker and its access log in a file. */
export function velumCache(isCaching: boolean): CachePeer {
  return {
    name: isCaching ? 'velum' : 'velum, no cache',
    isCaching,
    start({ port, upstreamPort, cores, folder, maxMegabytes }) {
      const config = {
        name: 'bench',
        listeners: { plain: { host: '127.0.0.1', port, maxRequests: 1_000_000_000, timeouts: { idle: '1h' } } },
        store: { kind: 'embedded', path: join(folder, 'store') },
        services: { service: { url: `http://127.0.0.1:${upstreamPort}` } },
        log: { format: 'json', file: join(folder, 'access.log') },
        ...(isCaching ? { cache: { memory: `${maxMegabytes}mb` } } : {}),
        routes: [
          {
            name: 'all',
            match: { path: '/**', methods: ['GET'] },
            to: 'service',
            auth: 'public',
            ...(isCaching ? { cache: true } : {}),
          },
        ],
      }
      return startVelum({ folder, config, cores, port })
    },
  }
}

/** nginx with answers of 130 bytes, 4 KB and 64 KB for whatever stands behind `/130/`, `/4k/` and `/64k/`, kept an hour; for all, as the clients send cookies. */
export function startCacheableService(folder: string, port: number, cores: string): Promise<Running> {
  mkdirSync(join(folder, 'www'), { recursive: true })
  for (const [name, bytes] of [
    ['130', 130],
    ['4k', 4096],
    ['64k', 65_536],
  ] as const)
    writeFileSync(join(folder, 'www', name), `{"items":"${'x'.repeat(bytes - 12)}"}`)
  return startNginx(
    folder,
    port,
    cores,
    `${filesServed}
  default_type application/json;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    root ${folder}/www;
    add_header Cache-Control "public, max-age=3600";
    rewrite ^/(130|4k|64k)/ /$1 break;
  }`,
  )
}
