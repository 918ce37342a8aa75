import type { Fault } from '../core/fault.ts'
import type { Call } from '../core/service.ts'
import type { CallEnd } from './breaker.ts'

/** Whether a target says by this status that it, or what it needs, is unwell: 502, 503, 504. A 500 may be about the call. */
export function isUnwell(status: number): boolean {
  return status >= 502 && status <= 504
}

/**
 * What a fault says about the target. A deadline blames it only when the time was that of the configuration: a caller
 * in a hurry, or a second try with what a first one left, could otherwise eject every target.
 */
export function tryEnd(fault: Fault, call: Call, now: number, isFirst: boolean): CallEnd {
  switch (fault.code) {
    case 'service-refused':
    case 'service-reset':
    case 'service-nonsense':
    case 'service-timeout':
      return now >= call.headBy && (call.isCallersDeadline === true || !isFirst) ? 'void' : 'failed'
    default:
      return 'void'
  }
}
