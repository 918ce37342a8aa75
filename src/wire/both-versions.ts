import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Peer } from './connection-facts.ts'
import { createHttp2Server } from './http2/http2-server.ts'
import type { ServerWire, ServerWireOptions } from './server-wire.ts'

/**
 * One wire for HTTP/1.1 and HTTP/2: by ALPN behind TLS, by the preface of HTTP/2 on plain connections, where it costs
 * HTTP/1.1 nothing: it is a request that `createHttp1` refuses anyway. The bound on connections is one for both.
 */
export function createBothVersions(
  options: ServerWireOptions,
  createHttp1: (options: ServerWireOptions) => ServerWire,
): ServerWire {
  if (options.http2 === false) return createHttp1(options)
  const http2: ServerWire = createHttp2Server({ ...options, siblings: () => http1.connections })
  const http1: ServerWire = createHttp1({
    ...options,
    siblings: () => http2.connections,
    prefaceCame: (socket, peer) => http2.accept(socket, peer),
  })
  return {
    accept(socket: Socket | TLSSocket, peer?: Peer): void {
      if (socket instanceof TLSSocket && socket.alpnProtocol === 'h2') http2.accept(socket, peer)
      else http1.accept(socket, peer)
    },
    get connections() {
      return http1.connections + http2.connections
    },
    get active() {
      return http1.active + http2.active
    },
    async drain(idleMs) {
      await Promise.all([http1.drain(idleMs), http2.drain(idleMs)])
    },
    close() {
      http1.close()
      http2.close()
    },
  }
}
