/**
 * One shape for all algorithms: pure steps over a few numbers of state that live wherever the caller keeps them (a slot of
 * the shared table, an array of a test). All arithmetic is exact on integers below 2^53; `limit-fault` refuses what would
 * leave that range. State of zeros is a budget nobody has touched.
 *
 * A question is asked in this order, with one `now`: `advance`, `retryAfter`, and, only if that is 0, `take`. So a refused
 * charge has no effect. Time may stand still or go back a little: no algorithm then gives anything twice.
 */
export interface Algorithm {
  readonly kind: AlgorithmKind
  /** What `algorithmOf` needs to make it again, for other threads. */
  readonly parameters: Parameters
  /** The most that one charge can cost; more never passes. */
  readonly largestCost: number
  /** How many numbers of state it has. */
  readonly stateLength: number
  /** Whether `now` is the calendar's time (UTC, may be corrected) or only has to pass evenly. */
  readonly time: 'elapsed' | 'calendar'
  /** Brings the state to `now`: rolls windows, forgets what is over, mends what only a jump of the clock can have made. */
  advance(s: Float64Array, at: number, now: number): void
  /** Milliseconds until `cost` would pass if no other competed: 0 now, Infinity never. Whole numbers, exact to the ms. */
  retryAfter(s: Float64Array, at: number, now: number, cost: number): number
  /** Takes `cost` without asking; what goes beyond the limit is debt, at most once the limit. Returns the ms to wait (shaping). */
  take(s: Float64Array, at: number, now: number, cost: number): number
  /** Undoes a `take` of `cost`, never beyond a whole budget. */
  giveBack(s: Float64Array, at: number, now: number, cost: number): void
  read(s: Float64Array, at: number, now: number, into: Standing): void
  /** The time from which this state says no more than zeros would. Infinity while that is unknown. */
  wholeAt(s: Float64Array, at: number): number
  /** How much is in use, in units of the limit, with fractions. */
  used(s: Float64Array, at: number, now: number): number
  /** Writes the state of a budget of which `used` is in use, as far as this limit reaches: how usage survives an edit. */
  resume(s: Float64Array, at: number, now: number, used: number): void
}

export const algorithmKinds = [
  'token-bucket',
  'leaky-meter',
  'leaky-queue',
  'fixed-window',
  'sliding-log',
  'sliding-window',
  'concurrency',
  'quota',
] as const
export type AlgorithmKind = (typeof algorithmKinds)[number]

/** Three numbers whose meaning is the algorithm's own. */
export type Parameters = readonly [number, number, number]

/** How a budget stands; filled by `read`, reused by its owner. */
export class Standing {
  /** Whole units left. */
  remaining = 0
  /** Milliseconds until one unit is left. */
  unitAfterMs = 0
  /** Milliseconds until nothing is in use. */
  resetAfterMs = 0
}

/**
 * State further in the future than an algorithm can put it, by more than this, was written before the clock was set
 * back: it is cut to the largest legitimate value, so that nobody is locked out for the length of the jump. Smaller
 * differences are skew between clocks and must stay, or every node would refill what the others drained.
 */
export const clockJumpMs = 60_000
