import type { FaultCode } from '../core/fault.ts'
import type { Count, Meter } from '../core/meter.ts'

/** Counts how calls to one service ended: by the class of the status, or by what failed. */
export interface ServiceCounts {
  answered(status: number): void
  failed(code: FaultCode): void
}

/** Faults that a service's side gives; every other one is the client's or ours and counts as `other`. */
const outcomes: Partial<Record<FaultCode, string>> = {
  'no-target': 'no-target',
  overloaded: 'overloaded',
  'service-refused': 'refused',
  'service-reset': 'reset',
  'service-nonsense': 'nonsense',
  'service-timeout': 'timeout',
  'client-left': 'client-left',
}

/** The series `velum_service_requests_total` of one service; all of them exist from the start. */
export function createServiceCounts(meter: Meter, service: string): ServiceCounts {
  const open = (outcome: string): Count =>
    meter.counter('velum_service_requests_total', 'Tries at the targets of a service, by class of status or by what failed.', {
      service,
      outcome,
    })
  const classes = ['1xx', '2xx', '3xx', '4xx', '5xx'].map(open)
  const other = open('other')
  const faults = new Map(Object.entries(outcomes).map(([code, outcome]) => [code, open(outcome)]))
  return {
    answered: (status) => classes[((status / 100) | 0) - 1].add(),
    failed: (code) => (faults.get(code) ?? other).add(),
  }
}
