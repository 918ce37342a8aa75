import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { startServer } from '../support/processes.ts'
import type { Peer, PeerOptions } from './peer.ts'

const program = join(import.meta.dirname, 'node-peer.ts')

const start =
  (kind: string) =>
  ({ port, tlsPort, upstreamPort, cores, folder, cert, key }: PeerOptions) => {
    mkdirSync(folder, { recursive: true })
    const args = [program, kind, String(port), String(tlsPort), String(upstreamPort), cert, key]
    return startServer(process.execPath, args, {
      cores,
      port: tlsPort,
      output: join(folder, 'output'),
      env: { NODE_ENV: 'production' },
    })
  }

/** fastify with @fastify/http-proxy, as its README shows it. */
export const fastifyHttpProxy: Peer = { name: '@fastify/http-proxy', start: start('fastify') }

/** http-proxy-3 behind node:http with a keep-alive agent. */
export const httpProxy3: Peer = { name: 'http-proxy-3', start: start('http-proxy-3') }
