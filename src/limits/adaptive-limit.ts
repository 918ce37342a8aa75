import { noOtherRests } from './rest-board.ts'
import type { Rests } from './rest-board.ts'

/** Bounds of the limit. Fewer places than the least tell nothing of a service that works on several requests at a time. */
export const leastPlaces = 3
const mostPlaces = 4096

/** A window is judged by this many answers; one with few requests after its longest length, with a few. */
const enough = 10
const few = 3
/** What a window keeps to find its median. */
const kept = 128
/** Lengths of a window in ms: at first, later, at most. Never shorter than two answers take. */
const firstSpanMs = 20
const spanMs = 100
const longestSpanMs = 1000
const staleSpanMs = 10_000

/** An answer may take this many times what it takes at rest, or this many ms more, before the service counts as crowded. */
const tolerance = 2
const slackMs = 5
/**
 * A service that stays slow with at most the least under way is doubted after so many windows and ms in a row, and believed
 * after many, or when all of them are far above what is tolerated.
 */
const fewSlow = 4
const slowMs = 2000
const manySlow = 16
const farAbove = 1.5
/** The share of answers that are failures of an overloaded service from which a window is bad, whatever the rest took. */
const failing = 0.1
const afterFailures = 0.8

/**
 * How many requests a service should get at one time, found from how long its answers take. Own work after Gradient2 and
 * Vegas; differences answer what is known to go wrong with them:
 *
 * - **Rest**: what an answer takes when nobody waits. Followed downwards always, upwards only when answers stayed slow for
 *   seconds with so few requests under way that none of ours can have queued, and then only so far that the quickest of
 *   these windows is tolerated. Others may send more than we do, and tolerate as much as we did: what they keep the service
 *   at is then tolerated here, but never more. So none of them learns the latency of an overload, however long that
 *   lasts and however many they are, and a service that has become slower by itself is believed once it was left alone.
 * - **Growth** only while answers are as quick as at rest, and at least half of the places were in use or somebody found
 *   none: without load the limit stays where it is. At first it doubles; later it goes by its root, and slowly around where it last failed.
 * - **Shrinking** by how far the window's median lies above what is tolerated, by at most a quarter a window, and never below
 *   `leastPlaces`: no window can close a service.
 * - Failures that say "too much" shrink it too; other failures say nothing, however quick they are.
 * - When nothing at all comes back, that is noticed after a few times the usual latency and not with the first answer.
 *
 * Pure: time is given in, monotonic milliseconds. A window ends with the event that finds it over.
 */
export class AdaptiveLimit {
  readonly #rests: Rests
  #limit = leastPlaces
  #rest = 0
  #isFirst = true
  /** Windows in a row that were slow with few under way: since when, how many, and the quickest. */
  #slowSince = 0
  #slowWindows = 0
  #leastSlow = Infinity
  /** Where it shrank last; growth is careful around it. */
  #knee = Infinity
  #wasCrowded = false
  #startedAt = -1
  #lastReturnAt = 0
  #stalledAt = 0
  #lastMedian = 0
  #underWay = 0
  #peak = 0
  #count = 0
  #failures = 0
  #isWanting = false
  readonly #samples = new Float64Array(kept)

  /** `rests`: what other workers of the node found of the same service. */
  constructor(rests: Rests = noOtherRests) {
    this.#rests = rests
  }

  /** Whole places. */
  get places(): number {
    return Math.floor(this.#limit)
  }

  /** What answers take at rest, in ms; 0 while unknown. */
  get restMs(): number {
    return this.#rest
  }

  /** The median of the last window, in ms; 0 while unknown. */
  get medianMs(): number {
    return this.#lastMedian
  }

  /** A request wants a place; whether it gets one is decided afterwards. */
  asked(now: number): void {
    if (this.#startedAt === -1) this.#begin(now)
    this.#noticeStall(now)
  }

  /** There was none for it. */
  turnedAway(): void {
    this.#isWanting = true
  }

  /** A request went to the service. */
  began(now: number): void {
    if (this.#underWay === 0) this.#lastReturnAt = now
    this.#underWay++
    if (this.#underWay > this.#peak) this.#peak = this.#underWay
  }

  /** It was answered, `ms` after it began. */
  answered(ms: number, now: number): void {
    // Beyond what is kept, later ones replace earlier ones in turn: the median is of the window's end.
    this.#samples[this.#count % kept] = ms
    this.#count++
    this.#returned(now)
  }

  /** The service said that it has too much to do. */
  failed(now: number): void {
    this.#failures++
    this.#returned(now)
  }

  /**
   * There was no answer after `ms`: the wait was given up. Longer than answers may take, that is an answer of at least
   * this length; a caller who gives up sooner says nothing of the service.
   */
  gaveUp(ms: number, now: number): void {
    if (this.#rest > 0 && ms > this.#tolerated()) this.answered(ms, now)
    else this.ended(now)
  }

  /** It ended in a way that says nothing of the service. */
  ended(now: number): void {
    this.#returned(now)
  }

  #returned(now: number): void {
    this.#underWay--
    this.#lastReturnAt = now
    const results = this.#count + this.#failures
    const elapsed = now - this.#startedAt
    const least = this.#isFirst ? firstSpanMs : spanMs
    const wanted = Math.min(longestSpanMs, Math.max(least, 2 * this.#lastMedian))
    if ((results >= enough && elapsed >= wanted) || (results >= few && elapsed >= longestSpanMs)) this.#close(now)
    else if (elapsed >= staleSpanMs) this.#begin(now)
  }

  #close(now: number): void {
    const median = this.#median()
    if (this.#count > 0) {
      this.#lastMedian = median
      this.#follow(median, now)
      this.#rests.tell(this.#rest)
    }
    const tolerated = this.#tolerated()
    if (this.#failures > failing * (this.#count + this.#failures)) this.#shrink(afterFailures)
    else if (median > tolerated) this.#shrink((1 + Math.max(0.5, tolerated / median)) / 2)
    else this.#grow()
    this.#begin(now)
  }

  #follow(median: number, now: number): void {
    // Who comes late, into an overload perhaps, has others to learn from.
    if (this.#rest === 0) this.#rest = Math.min(median, this.#rests.largestOfOthers || Infinity)
    else if (median < this.#rest) this.#rest += (median - this.#rest) / 2
    if (median <= this.#tolerated() || this.#peak > leastPlaces) {
      this.#slowWindows = 0
      return
    }
    if (this.#slowWindows++ === 0) {
      this.#slowSince = this.#startedAt
      this.#leastSlow = Infinity
    }
    this.#leastSlow = Math.min(this.#leastSlow, median)
    if (this.#slowWindows >= fewSlow && now - this.#slowSince >= slowMs) this.#believe()
  }

  /** It has been slow for long with few under way: it may be so by itself, or others keep it so. */
  #believe(): void {
    const { largestOfOthers } = this.#rests
    if (largestOfOthers > this.#rest) this.#rest = Math.min(largestOfOthers, this.#leastSlow)
    else if (this.#slowWindows >= manySlow || this.#leastSlow > farAbove * this.#tolerated()) this.#rest = this.#leastSlow
    else return
    this.#slowWindows = 0
  }

  #tolerated(): number {
    return Math.max(this.#rest * tolerance, this.#rest + slackMs)
  }

  #shrink(factor: number): void {
    if (!this.#wasCrowded) this.#knee = this.#limit
    this.#wasCrowded = true
    this.#isFirst = false
    // What is slow with few under way is not slow because of the limit: there it stays at twice of what is used.
    const used = 2 * this.#peak < this.#limit ? 2 * this.#peak : 0
    this.#limit = Math.max(leastPlaces, used, this.#limit * factor)
  }

  #grow(): void {
    this.#wasCrowded = false
    if (2 * this.#peak < this.places && !this.#isWanting) return
    if (this.#limit > 1.2 * this.#knee) this.#knee = Infinity
    const isNearKnee = this.#limit >= 0.8 * this.#knee
    const step = this.#isFirst ? this.#limit : isNearKnee ? Math.max(0.2, this.#limit / 400) : Math.max(1, Math.sqrt(this.#limit))
    this.#limit = Math.min(mostPlaces, this.#limit + step)
  }

  /** Nothing has come back for long: the answers that would say so are still under way. */
  #noticeStall(now: number): void {
    if (this.#rest === 0 || this.#limit === leastPlaces || 2 * this.#underWay < this.places) return
    const patience = Math.max(4 * this.#tolerated(), 2 * spanMs)
    if (now - this.#lastReturnAt <= patience || now - this.#stalledAt < spanMs) return
    this.#stalledAt = now
    this.#shrink(afterFailures)
  }

  #median(): number {
    const size = Math.min(this.#count, kept)
    return size === 0 ? 0 : this.#samples.subarray(0, size).sort()[size >>> 1]
  }

  #begin(now: number): void {
    this.#startedAt = now
    this.#peak = this.#underWay
    this.#count = 0
    this.#failures = 0
    this.#isWanting = false
  }
}
