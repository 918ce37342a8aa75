import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Running } from '../support/processes.ts'
import { filesServed, startNginx } from './nginx.ts'

/**
 * What stands behind gRPC: nginx over HTTP/2 without TLS. It answers a call of each of these paths with its bytes, frames
 * of gRPC, and a good status in the trailers.
 */
export function startGrpcUpstream(
  folder: string,
  port: number,
  cores: string,
  answers: Readonly<Record<string, Uint8Array>>,
): Promise<Running> {
  for (const [path, frames] of Object.entries(answers)) {
    const file = join(folder, 'www', path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, frames)
  }
  return startNginx(
    folder,
    port,
    cores,
    `${filesServed}
  server {
    listen 127.0.0.1:${port} http2 backlog=4096;
    http2_max_concurrent_streams 1000;
    client_max_body_size 0;
    root ${folder}/www;
    default_type application/grpc;
    add_trailer grpc-status 0 always;
    location / { error_page 405 =200 $uri; }
  }`,
  )
}
