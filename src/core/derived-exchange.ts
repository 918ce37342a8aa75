import type { Body } from './body.ts'
import { Exchange } from './exchange.ts'

/** What a derived exchange has of its own. */
export interface DerivedParts {
  /** Default: that of the exchange it comes from. */
  readonly method?: string | undefined
  readonly body: Body
  /** Default: those of the exchange it comes from. */
  readonly startedAt?: number | undefined
  readonly startedMono?: number | undefined
}

const silent = { inform(): void {} }

/**
 * An exchange for the same request of the same caller, for which no client waits: nothing of its fate is written down as
 * that of `x`, nor ends with it. What the guard and the router established holds for it; what policies noted does not.
 */
export function derivedExchange(x: Exchange, parts: DerivedParts): Exchange {
  const derived = new Exchange({
    method: parts.method ?? x.method,
    target: x.target,
    headers: x.headers,
    version: x.version,
    authority: x.authority,
    upgrade: undefined,
    connection: x.connection,
    link: silent,
    body: parts.body,
    startedAt: parts.startedAt ?? x.startedAt,
    startedMono: parts.startedMono ?? x.startedMono,
  })
  derived.id = x.id
  derived.path = x.path
  derived.hasEncodedSlash = x.hasEncodedSlash
  derived.hasSemicolon = x.hasSemicolon
  derived.query = x.query
  derived.clientAddress = x.clientAddress
  derived.scheme = x.scheme
  derived.isProxied = x.isProxied
  derived.traceparent = x.traceparent
  derived.route = x.route
  derived.params = x.params
  derived.identity = x.identity
  derived.renderProblem = x.renderProblem
  return derived
}
