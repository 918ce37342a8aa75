import { hash } from 'node:crypto'
import { findLimitFault } from './limit-fault.ts'
import type { LimitSpec, Rate } from './limit-spec.ts'

/** What a listener allows each address before a request exists; what is absent is not bounded. */
export interface EdgeBounds {
  /** Open connections at one time. */
  readonly connectionsPerAddress?: number | undefined
  /** New connections; as many as a period allows may come at once. */
  readonly connectionRate?: Rate | undefined
  /** Full TLS handshakes, counted when the connection comes; one that turns out to be resumed is given back. */
  readonly handshakeRate?: Rate | undefined
}

/** Why a connection is closed; the values of the metric's label `reason`. */
export const edgeReasons = {
  connectionsPerAddress: 'connections-per-address',
  connectionRate: 'connection-rate',
  handshakeRate: 'handshake-rate',
} as const satisfies Record<keyof EdgeBounds, string>
export type EdgeReason = (typeof edgeReasons)[keyof EdgeBounds]

/** Bounds of a listener as limits of the node's table, under names that no configuration can give. */
export function edgeLimits(listener: string, bounds: EdgeBounds): { readonly reason: EdgeReason; readonly spec: LimitSpec }[] {
  const limits: { reason: EdgeReason; spec: LimitSpec }[] = []
  // Of fixed length: a listener's name may be as long as a limit's.
  const tail = hash('sha256', listener, 'base64url').slice(0, 22)
  const common = (reason: EdgeReason) =>
    ({
      name: `edge:${reason}:${tail}`,
      per: [{ kind: 'address' }],
      missing: 'shared',
      shadow: false,
      tolerance: 0,
      onStoreFailure: 'local',
    }) as const
  const { connectionsPerAddress, connectionRate, handshakeRate } = bounds
  if (connectionsPerAddress !== undefined) {
    const reason = edgeReasons.connectionsPerAddress
    limits.push({ reason, spec: { ...common(reason), algorithm: 'concurrency', limit: connectionsPerAddress } })
  }
  for (const [reason, rate] of [
    [edgeReasons.connectionRate, connectionRate],
    [edgeReasons.handshakeRate, handshakeRate],
  ] as const) {
    if (rate === undefined) continue
    limits.push({ reason, spec: { ...common(reason), algorithm: 'token-bucket', capacity: rate.units, refill: rate } })
  }
  return limits
}

/** What is wrong with a rate of the edge, as a sentence; undefined when nothing is. */
export function findEdgeRateFault(rate: Rate): string | undefined {
  return edgeLimits('any', { connectionRate: rate })
    .map(({ spec }) => findLimitFault(spec))
    .find((fault) => fault !== undefined)
}
