import { rateText } from '../lib/rate.ts'
import type { EdgeBounds } from '../limits/edge-limits.ts'
import { findEdgeRateFault } from '../limits/edge-limits.ts'
import type { CheckContext } from './check-context.ts'
import type { ConfigPath } from './finding.ts'

/** Bounds of an edge with what they stand beside. */
export interface CheckedEdge extends EdgeBounds {
  readonly maxConnections: number
  readonly isTls: boolean
}

/** A browser opens so many connections to one host over HTTP/1.1. */
const browserConnections = 6

/** Bounds per address that cannot be counted, never apply, or shut out ordinary clients. */
export function checkEdge(context: CheckContext, path: ConfigPath, edge: CheckedEdge): void {
  const { findings } = context
  const { connectionsPerAddress, connectionRate, handshakeRate, maxConnections, isTls } = edge
  for (const [name, rate] of [
    ['connectionRate', connectionRate],
    ['handshakeRate', handshakeRate],
  ] as const) {
    const fault = rate === undefined ? undefined : findEdgeRateFault(rate)
    if (fault !== undefined) findings.error([...path, name], fault, 'choose a smaller rate, or a shorter period')
  }
  if (connectionsPerAddress !== undefined && connectionsPerAddress > maxConnections) {
    findings.warn(
      [...path, 'connectionsPerAddress'],
      `${connectionsPerAddress} connections of one address are never reached: the listener takes ${maxConnections} in all`,
      'choose less than maxConnections, or raise that',
    )
  } else if (connectionsPerAddress !== undefined && connectionsPerAddress < browserConnections) {
    findings.warn(
      [...path, 'connectionsPerAddress'],
      `a browser opens up to ${browserConnections} connections over HTTP/1.1, and many people share one address behind a NAT`,
      `choose ${browserConnections} or more`,
    )
  }
  if (handshakeRate !== undefined && !isTls) {
    findings.warn(
      [...path, 'handshakeRate'],
      'a listener without TLS has no handshakes, so this does nothing',
      'use connectionRate, or add tls',
    )
  } else if (handshakeRate !== undefined && connectionRate !== undefined && isFaster(handshakeRate, connectionRate)) {
    findings.warn(
      [...path, 'handshakeRate'],
      `this is never reached: connectionRate lets fewer through (${rateText(connectionRate)})`,
      'choose a lower rate than connectionRate, or leave it out',
    )
  }
}

function isFaster(one: NonNullable<EdgeBounds['connectionRate']>, other: NonNullable<EdgeBounds['connectionRate']>): boolean {
  return one.units >= other.units && one.units / one.periodMs >= other.units / other.periodMs
}
