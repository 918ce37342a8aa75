import type { FaultCode } from '../core/fault.ts'
import type { Count, Meter } from '../core/meter.ts'

/**
 * Why a call was sent again: nothing of it had been sent; its connection turned out to be stale; no connection, a reset,
 * no answer in time, or a status that asks for it.
 */
export type RetryReason = 'unsent' | 'stale' | 'refused' | 'reset' | 'timeout' | 'status'

/** Counts how tries of calls to one service ended, by the class of the status or by what failed, and why there were more. */
export interface ServiceCounts {
  answered(status: number): void
  failed(code: FaultCode): void
  /** How long a try took until the head of its answer came, or it failed. */
  took(ms: number): void
  /** A connection ended before anything was answered, and the wire sends the call again. */
  stale(): void
  retried(reason: RetryReason): void
  /** Another try would have been right, and the budget had none left. */
  exhausted(): void
}

/** Faults that a service's side gives; every other one is the client's or ours and counts as `other`. */
const outcomes: Partial<Record<FaultCode, string>> = {
  'no-target': 'no-target',
  'breaker-open': 'breaker-open',
  overloaded: 'overloaded',
  'service-refused': 'refused',
  'service-reset': 'reset',
  'service-nonsense': 'nonsense',
  'service-timeout': 'timeout',
  'client-left': 'client-left',
}
const reasons: readonly RetryReason[] = ['unsent', 'stale', 'refused', 'reset', 'timeout', 'status']

/** The series of tries, of their time and of why there were more, of one service; all exist from the start. */
export function createServiceCounts(meter: Meter, service: string): ServiceCounts {
  const open = (outcome: string): Count =>
    meter.counter('velum_service_requests_total', 'Tries at the targets of a service, by class of status or by what failed.', {
      service,
      outcome,
    })
  const openRetries = (reason: RetryReason): Count =>
    meter.counter('velum_service_retries_total', 'Tries beyond the first of a call to a service, by why there was one more.', {
      service,
      reason,
    })
  const classes = ['1xx', '2xx', '3xx', '4xx', '5xx'].map(open)
  const other = open('other')
  const stale = open('stale')
  const faults = new Map(Object.entries(outcomes).map(([code, outcome]) => [code, open(outcome)]))
  const retries = new Map(reasons.map((reason) => [reason, openRetries(reason)]))
  const exhausted = meter.counter(
    'velum_service_retries_exhausted_total',
    'Calls that were not tried again because the retry budget of their service was used up.',
    { service },
  )
  const seconds = meter.histogram(
    'velum_service_request_duration_seconds',
    "From a try at a target of a service to the head of its answer, or to the try's failure.",
    { service },
  )
  return {
    answered: (status) => classes[((status / 100) | 0) - 1].add(),
    failed: (code) => (faults.get(code) ?? other).add(),
    took: (ms) => seconds.observe(ms / 1000),
    stale() {
      stale.add()
      retries.get('stale')!.add()
    },
    retried: (reason) => retries.get(reason)!.add(),
    exhausted: () => exhausted.add(),
  }
}
