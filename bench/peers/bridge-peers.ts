import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { benchProto } from '../support/bench-messages.ts'
import type { Running } from '../support/processes.ts'
import { startServer } from '../support/processes.ts'
import { startVelum } from '../support/start-velum.ts'

export interface BridgePeerOptions {
  readonly port: number
  readonly grpcPort: number
  readonly cores: string
  readonly folder: string
  /** A file with the descriptor set of `bench.proto`. */
  readonly set: string
}

/** A gateway from JSON or GraphQL to gRPC. */
export interface BridgePeer {
  readonly name: string
  readonly speaks: 'json' | 'graphql'
  start(options: BridgePeerOptions): Promise<Running>
}

const program = join(import.meta.dirname, 'bridge-peer.ts')

function ofNode(name: string, kind: string, speaks: BridgePeer['speaks']): BridgePeer {
  return {
    name,
    speaks,
    start({ port, grpcPort, cores, folder, set }) {
      mkdirSync(folder, { recursive: true })
      const args = [program, kind, String(port), String(grpcPort), set]
      return startServer(process.execPath, args, { cores, port, output: join(folder, 'output'), env: { NODE_ENV: 'production' } })
    },
  }
}

/** The floor: node:http before, node:http2 behind, Protocol Buffers by the same library. */
export const bareHttp2 = ofNode('node:http2, bare', 'http2', 'json')
export const grpcJs = ofNode('@grpc/grpc-js', 'grpc-js', 'json')
export const connectNode = ofNode('@connectrpc/connect-node', 'connect', 'json')
export const yoga = ofNode('graphql-yoga + grpc-js', 'yoga', 'graphql')

/** Velum as its users start it, with one worker and its access log in a file. */
export function velumBridge(speaks: BridgePeer['speaks']): BridgePeer {
  return {
    name: speaks === 'json' ? 'velum' : 'velum, graphql',
    speaks,
    start({ port, grpcPort, cores, folder }) {
      const route = { to: 'service', auth: 'public' }
      const config = {
        name: 'bench',
        listeners: {
          plain: { host: '127.0.0.1', port, maxRequests: 1_000_000_000, maxConnections: 15_000, timeouts: { idle: '1h' } },
        },
        store: { kind: 'embedded', path: join(folder, 'store') },
        services: { service: { url: `grpc://127.0.0.1:${grpcPort}`, protos: [benchProto], idle: '1h' } },
        log: { format: 'json', file: join(folder, 'access.log') },
        routes: [
          { ...route, name: 'rest', match: { path: ['/v1/**', '/bench.v1.Bench/{method}'] }, bridge: ['rest', 'websocket'] },
          { ...route, name: 'graphql', match: { path: '/graphql' }, bridge: 'graphql' },
        ],
      }
      return startVelum({ folder, config, cores, port })
    },
  }
}
