import { emptyBody } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import { derivedExchange } from '../core/derived-exchange.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Policy } from '../core/policy.ts'

/** A GET of the same thing by the same caller, for which no client waits: to bring a stored answer up to date. */
export function detachedFrom(x: Exchange, clock: Clock): Exchange {
  return derivedExchange(x, { method: 'GET', body: emptyBody, startedAt: clock.now(), startedMono: clock.monotonic() })
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
