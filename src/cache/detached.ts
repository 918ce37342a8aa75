import { emptyBody } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import { Exchange } from '../core/exchange.ts'
import type { Policy } from '../core/policy.ts'

const silent = { inform(): void {} }

/** A GET of the same thing by the same caller, for which no client waits: to bring a stored answer up to date. */
export function detachedFrom(x: Exchange, clock: Clock): Exchange {
  const detached = new Exchange({
    method: 'GET',
    target: x.target,
    headers: x.headers,
    version: x.version,
    authority: x.authority,
    upgrade: undefined,
    connection: x.connection,
    link: silent,
    body: emptyBody,
    startedAt: clock.now(),
    startedMono: clock.monotonic(),
  })
  detached.id = x.id
  detached.path = x.path
  detached.hasEncodedSlash = x.hasEncodedSlash
  detached.hasSemicolon = x.hasSemicolon
  detached.query = x.query
  detached.clientAddress = x.clientAddress
  detached.scheme = x.scheme
  detached.isProxied = x.isProxied
  detached.traceparent = x.traceparent
  detached.route = x.route
  detached.params = x.params
  detached.identity = x.identity
  detached.renderProblem = x.renderProblem
  return detached
}

/** Tells the policies behind `policy` that a detached exchange met that it is over. `offset`: see `pipeline`. */
export function finishDetached(detached: Exchange, policy: Policy, offset: number, isComplete: boolean, clock: Clock): void {
  const policies = detached.route?.policies ?? []
  const outcome = {
    end: isComplete ? ('complete' as const) : ('service-failed' as const),
    status: 0,
    fault: detached.fault,
    receivedBytes: 0,
    sentBytes: 0,
    endedAt: clock.monotonic(),
  }
  for (let i = policies.indexOf(policy) + 1; i < Math.min(detached.reached - offset, policies.length); i++) {
    policies[i].onDone?.(detached, outcome)
  }
}
