import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { Trace } from '../core/trace.ts'
import type { TraceIds } from './trace-ids.ts'

/** Of a trace id, the 56 bits that W3C Trace Context level 2 wants random; by these all gateways decide alike. */
const randomFrom = 18
const randomDigits = 14

/**
 * Decides which exchanges are traced, and what their services are told. A trusted proxy has decided already, by the
 * sampled flag that it sends. Of the traces that begin here, those are noted whose id lies in a share of all ids. What a
 * stranger sends is continued, but neither its flag nor its id decides: anybody could have all his requests traced.
 */
export function createTraceSampler(sample: number, clock: Clock, ids: TraceIds): (x: Exchange) => void {
  const least = leastOf(sample)
  const nextId = (): string => ids.span()
  return (x) => {
    const came = x.traceparent
    if (came === undefined) {
      const traceId = ids.trace()
      const spanId = ids.span()
      if (traceId.slice(randomFrom) < least) {
        x.traceparent = `00-${traceId}-${spanId}-00`
        return
      }
      x.traceparent = `00-${traceId}-${spanId}-01`
      x.trace = new Trace(traceId, spanId, undefined, clock, nextId)
      return
    }
    const traceId = came.slice(3, 35)
    const wasSampled = (parseInt(came.slice(53, 55), 16) & 1) === 1
    const isSampled = x.isProxied ? wasSampled : ids.trace().slice(randomFrom) >= least
    if (isSampled) {
      const spanId = ids.span()
      x.traceparent = `00-${traceId}-${spanId}-01`
      x.trace = new Trace(traceId, spanId, came.slice(36, 52), clock, nextId)
    } else if (wasSampled) {
      x.traceparent = `00-${came.slice(3, 52)}-00`
    }
  }
}

/** The least random part that is sampled; for none one that no id reaches. */
function leastOf(sample: number): string {
  if (sample <= 0) return 'g'
  const count = 2 ** (randomDigits * 4)
  return BigInt(Math.min(count - 1, Math.round((1 - sample) * count)))
    .toString(16)
    .padStart(randomDigits, '0')
}
