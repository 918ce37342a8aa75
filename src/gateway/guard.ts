import type { Exchange } from '../core/exchange.ts'
import { isGrpcType, renderGrpcProblem } from '../core/grpc-status.ts'
import { H } from '../core/header-names.ts'
import type { Problem } from '../core/problem.ts'
import { readPath } from '../routing/read-path.ts'
import { originBehindProxies } from './forwarded.ts'
import { createRequestIds, isRequestId } from './request-id.ts'
import { isTraceparent } from './trace-context.ts'

export interface GuardOptions {
  /** Whether an address belongs to a proxy whose forwarding fields are believed. */
  readonly isTrustedProxy: (address: string) => boolean
  /** Canonical text of an address, or undefined. */
  readonly parseAddress: (text: string) => string | undefined
  /** Decides whether an exchange is traced, when it is known what came of its trace; absent: none is. */
  readonly trace?: ((x: Exchange) => void) | undefined
}

/** Establishes what everything behind relies on; gives the problem of an exchange that must go no further. */
export type Guard = (x: Exchange) => Problem | undefined

/** A caller of gRPC understands no other answer. It exists over HTTP/2 only. */
function speakGrpc(x: Exchange): void {
  const type = x.headers.first(H.contentType)
  if (type !== undefined && isGrpcType(type)) x.renderProblem = renderGrpcProblem
}

/**
 * The first thing an exchange meets: its id, its trace, the client's address, and the one reading of its path. A
 * service and the router must never see two readings, so no one else looks at the target.
 */
export function createGuard(options: GuardOptions): Guard {
  const { isTrustedProxy, parseAddress, trace } = options
  const nextId = createRequestIds()
  return (x) => {
    if (x.version === '2' && x.method === 'POST') speakGrpc(x)
    const isProxied = isTrustedProxy(x.connection.remoteAddress)
    let id: string | undefined
    if (isProxied) {
      id = x.headers.first(H.requestId)
      const origin = originBehindProxies(x, isTrustedProxy, parseAddress)
      x.clientAddress = origin.address
      x.scheme = origin.scheme
      x.isProxied = true
    }
    x.id = id !== undefined && isRequestId(id) ? id : nextId()
    const traceparent = x.headers.first(H.traceparent)
    if (traceparent !== undefined && isTraceparent(traceparent)) x.traceparent = traceparent
    if (trace !== undefined) trace(x)
    const reading = readPath(x.target)
    if (reading.fault !== undefined) return { name: 'malformed', detail: reading.fault }
    x.path = reading.path
    x.query = reading.query
    x.hasEncodedSlash = reading.hasEncodedSlash
    x.hasSemicolon = reading.hasSemicolon
    return undefined
  }
}
