import type { Running } from '../support/processes.ts'

/** Where a gateway under measurement listens, and what stands behind it. */
export interface PeerOptions {
  readonly port: number
  readonly tlsPort: number
  readonly upstreamPort: number
  readonly cores: string
  /** For its configuration, log and sockets. */
  readonly folder: string
  /** PEM files. */
  readonly cert: string
  readonly key: string
}

/** A gateway under measurement. Each proxies everything to the upstream, over HTTP/1.1 with kept connections. */
export interface Peer {
  readonly name: string
  start(options: PeerOptions): Promise<Running>
}
