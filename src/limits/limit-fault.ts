import type { LimitSpec, Rate } from './limit-spec.ts'
import { reduced } from './token-bucket.ts'
import { largestLog } from './sliding-log.ts'

/** The algorithms that can be run, as a configuration names them. */
export const supportedAlgorithms = [
  'token-bucket',
  'leaky-bucket',
  'fixed-window',
  'sliding-log',
  'sliding-window',
  'concurrency',
  'quota',
] as const satisfies readonly LimitSpec['algorithm'][]

/** The largest capacity or limit: one less is exact in every header field and every sum. */
export const largestAmount = 1_000_000_000_000
/** The longest window, and the longest time in which an empty bucket fills. */
export const longestMs = 10 * 366 * 86_400_000
// Twice (debt) and three times (debt and a charge) of what is bounded here stays below 2^53.
const largestProduct = 2 ** 50

/**
 * What is wrong with the numbers of a limit, as a sentence for its author that says what would be right; undefined when
 * nothing is. A limit without a fault is counted exactly, whatever is charged.
 */
export function findLimitFault(spec: LimitSpec): string | undefined {
  if (!/^[!-~]{1,64}$/.test(spec.name)) return 'a limit needs a name of 1 to 64 printable ASCII characters without spaces'
  switch (spec.algorithm) {
    case 'token-bucket':
      return findBucketFault('capacity', spec.capacity, 'refill', spec.refill)
    case 'leaky-bucket':
      return findBucketFault('capacity', spec.capacity, 'leak', spec.leak)
    case 'fixed-window':
      return findWindowFault(spec.limit, spec.windowMs)
    case 'sliding-window':
      return findWindowFault(spec.limit, spec.windowMs) ?? findProductFault(spec.limit, spec.windowMs)
    case 'sliding-log':
      if (spec.limit > largestLog) {
        return `a sliding log remembers every request and can count to ${largestLog}; use sliding-window for a limit of ${spec.limit}`
      }
      return findWindowFault(spec.limit, spec.windowMs)
    default:
      return findAmountFault('limit', spec.limit)
  }
}

/** Why a charge of `cost` can be given to no limit at all; undefined when it can. */
export function findCostFault(cost: number): string | undefined {
  return Number.isSafeInteger(cost) && cost >= 0 && cost <= largestAmount ? undefined : 'a cost is a whole number from 0 on'
}

/** The most that one request can cost under this limit: what costs more is always refused. */
export function largestCostOf(spec: LimitSpec): number {
  return spec.algorithm === 'token-bucket' || spec.algorithm === 'leaky-bucket' ? spec.capacity : spec.limit
}

function findAmountFault(name: string, amount: number): string | undefined {
  if (!Number.isSafeInteger(amount) || amount < 1) return `${name} must be a whole number from 1 on`
  if (amount > largestAmount) return `${name} can be at most ${largestAmount}`
  return undefined
}

function findBucketFault(name: string, capacity: number, rateName: string, rate: Rate): string | undefined {
  const fault = findAmountFault(name, capacity) ?? findAmountFault(rateName, rate.units)
  if (fault !== undefined) return fault
  if (!Number.isSafeInteger(rate.periodMs) || rate.periodMs < 1) return `${rateName} must be per a whole number of milliseconds`
  const { units, periodMs } = reduced(rate)
  if (units > 2 ** 31) return `${rateName} can be at most ${2 ** 31} per millisecond`
  if (capacity * periodMs > largestProduct) {
    return `a ${name} of ${capacity} cannot be counted exactly at this ${rateName}: at most ${Math.floor(largestProduct / periodMs)}, or write the ${rateName} per a shorter time`
  }
  if ((capacity * periodMs) / units > longestMs) {
    return `a ${name} of ${capacity} takes more than ten years to come back at this ${rateName}`
  }
  return undefined
}

function findWindowFault(limit: number, windowMs: number): string | undefined {
  const fault = findAmountFault('limit', limit)
  if (fault !== undefined) return fault
  if (!Number.isSafeInteger(windowMs) || windowMs < 1) return 'window must be a whole number of milliseconds from 1 on'
  if (windowMs > longestMs) return 'window can be at most ten years'
  return undefined
}

function findProductFault(limit: number, windowMs: number): string | undefined {
  if (limit * windowMs <= largestProduct) return undefined
  return `a limit of ${limit} cannot be counted exactly over this window: at most ${Math.floor(largestProduct / windowMs)}`
}
