import type { Fault } from '../core/fault.ts'
import type { Outcome } from '../core/policy.ts'

/** How an exchange ended that was cut short by this fault. */
export function outcomeEnd(fault: Fault): Outcome['end'] {
  switch (fault.code) {
    case 'client-left':
    case 'malformed':
    case 'unfit-message':
    case 'body-too-large':
    case 'cancelled':
      return 'client-left'
    case 'body-timeout':
    case 'head-timeout':
    case 'write-timeout':
    case 'service-timeout':
      return 'timeout'
    default:
      return 'service-failed'
  }
}
