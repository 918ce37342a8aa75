import type { Algorithm, AlgorithmKind, Parameters } from './algorithm.ts'
import { Concurrency } from './concurrency.ts'
import { FixedWindow } from './fixed-window.ts'
import { LeakyMeter } from './leaky-meter.ts'
import { LeakyQueue } from './leaky-queue.ts'
import type { LimitSpec } from './limit-spec.ts'
import { Quota, quotaPeriods } from './quota.ts'
import { SlidingLog } from './sliding-log.ts'
import { SlidingWindow } from './sliding-window.ts'
import { TokenBucket } from './token-bucket.ts'

/** Where a concurrency limit counts: how many columns there are, and whose one is written. */
export interface Columns {
  readonly count: number
  readonly worker: number
}

const alone: Columns = { count: 1, worker: 0 }

const makers: Readonly<Record<AlgorithmKind, (parameters: Parameters, columns: Columns) => Algorithm>> = {
  'token-bucket': ([capacity, units, periodMs]) => new TokenBucket(capacity, { units, periodMs }),
  'leaky-meter': ([capacity, units, periodMs]) => new LeakyMeter(capacity, { units, periodMs }),
  'leaky-queue': ([places, units, periodMs]) => new LeakyQueue(places, { units, periodMs }),
  'fixed-window': ([limit, windowMs, isAligned]) => new FixedWindow(limit, windowMs, isAligned === 1),
  'sliding-log': ([limit, windowMs]) => new SlidingLog(limit, windowMs),
  'sliding-window': ([limit, windowMs]) => new SlidingWindow(limit, windowMs),
  concurrency: ([limit], columns) => new Concurrency(limit, columns.count, columns.worker),
  quota: ([limit, period]) => new Quota(limit, quotaPeriods[period]),
}

/** The algorithm that another thread described by its kind and parameters. */
export function algorithmOf(kind: AlgorithmKind, parameters: Parameters, columns = alone): Algorithm {
  return makers[kind](parameters, columns)
}

/** The algorithm of a checked limit. */
export function algorithmFor(spec: LimitSpec, columns = alone): Algorithm {
  if (spec.algorithm === 'token-bucket') return new TokenBucket(spec.capacity, spec.refill)
  if (spec.algorithm === 'leaky-bucket') {
    return spec.mode === 'queue' ? new LeakyQueue(spec.capacity, spec.leak) : new LeakyMeter(spec.capacity, spec.leak)
  }
  if (spec.algorithm === 'concurrency') return new Concurrency(spec.limit, columns.count, columns.worker)
  if (spec.algorithm === 'quota') return new Quota(spec.limit, spec.period)
  return algorithmOf(spec.algorithm, [spec.limit, spec.windowMs, spec.aligned === true ? 1 : 0])
}

/**
 * Makes the state that one limit left behind the state of its edited successor: what was used stays used, as far as the
 * new limit reaches. `fromNow` and `toNow` are the same moment on each one's clock.
 */
export function carryOver(from: Algorithm, to: Algorithm, s: Float64Array, at: number, fromNow: number, toNow: number): void {
  from.advance(s, at, fromNow)
  if (keepsState(from, to)) return
  const used = from.used(s, at, fromNow)
  s.fill(0, at, at + to.stateLength)
  to.resume(s, at, toNow, used)
}

/** Whether a state says the same under both: counts and times do, unless what they count by has changed. */
function keepsState(from: Algorithm, to: Algorithm): boolean {
  if (from.kind !== to.kind) return false
  switch (to.kind) {
    case 'fixed-window':
    case 'sliding-window':
    case 'quota':
      return from.parameters[1] === to.parameters[1] && from.parameters[2] === to.parameters[2]
    case 'sliding-log':
    case 'concurrency':
      return true
    default:
      return false
  }
}
