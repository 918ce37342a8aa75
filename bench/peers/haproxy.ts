import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startServer } from '../support/processes.ts'
import type { Peer } from './peer.ts'

/** HAProxy from Debian's package: one thread, its HTTP log in a file, forwarding fields set. */
export const haproxy: Peer = {
  name: 'HAProxy',
  start({ port, tlsPort, upstreamPort, cores, folder, cert, key }) {
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
  bind 127.0.0.1:${port}
  bind 127.0.0.1:${tlsPort} ssl crt ${folder}/pair.pem ssl-min-ver TLSv1.2
  option forwardfor
  unique-id-format %{+X}o%ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto https if { ssl_fc }
  default_backend service
backend service
  server one 127.0.0.1:${upstreamPort}
`,
    )
    return startServer('/usr/sbin/haproxy', ['-f', config, '-db'], { cores, port, output: join(folder, 'access.log') })
  },
}
