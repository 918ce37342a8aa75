import type { Closable } from '../core/lasting.ts'
import type { BreakerBoard } from './breaker-board.ts'
import type { BreakerName, TripReason } from './breaker-messages.ts'
import { CallWindow } from './call-window.ts'
import type { BreakerSpec } from './service-spec.ts'

/*
 * A circuit breaker: who fails is left alone for a while instead of being waited for.
 *
 *             the share of failures or of slow calls is reached, among at least `minCalls` in the window
 *     closed ───────────────────────────────────────────────────────────────────────────────────▶ open
 *        ▲                                                                                       │  ▲
 *        │                                                                    `openMs` are over  │  │ a probe failed
 *        │   `probes` of them went well, on all workers together                                 ▼  │ or was slow
 *        └─────────────────────────────────────────────────────────────────────────────────── half-open
 *
 * closed     every call passes; each worker's window counts how those that passed there ended.
 * open       no call passes. The worker that opened told main, and main tells all workers until when.
 * half-open  a few calls at a time pass as probes, on each worker its part of `probes`. One that says nothing (its client
 *            left) gives its place back. Main counts those that went well and closes the breaker on all workers; the first
 *            that did not opens it again on all.
 *
 * A call carries the number of the phase that it began in: what ends in a later phase counts for nothing there. There is
 * no timer: that the time has passed is seen when the next call comes. A target's breaker takes the target out of the
 * choice, as long as there is another; a service's breaker refuses calls (`create-service.ts`).
 */

/** How a call ended, for a breaker: `void` says nothing about the service. */
export type CallEnd = 'good' | 'failed' | 'void'

/** The pass of a call that a breaker does not count. */
export const uncounted = -1

export interface BreakerOptions {
  readonly name: BreakerName
  readonly spec: BreakerSpec
  readonly board: BreakerBoard
  /** How many workers share the probes. */
  readonly workers: number
  /** It is closed again. */
  readonly closed?: (() => void) | undefined
}

/** One worker's side of the breaker of a target or of a service. Outlives Generations, so that a reload closes none. */
export class Breaker implements Closable {
  readonly #options: BreakerOptions
  readonly #window: CallWindow
  readonly #places: number
  /** 0: closed. */
  #openUntil = 0
  #phase = 0
  #underWay = 0
  #succeeded = 0

  constructor(options: BreakerOptions) {
    this.#options = options
    this.#window = new CallWindow(options.spec.windowMs)
    this.#places = Math.max(1, Math.ceil(options.spec.probes / options.workers))
    options.board.add(options.name, this)
  }

  /** Asked before the clock is. */
  get isClosed(): boolean {
    return this.#openUntil === 0
  }

  /** Whether it wants to know how long calls take. */
  get isTiming(): boolean {
    return this.#options.spec.slowMs !== Infinity
  }

  /** Whether `enter` would let a call pass. */
  mayEnter(now: number): boolean {
    return this.#openUntil === 0 || (now >= this.#openUntil && this.#underWay < this.#places)
  }

  /** For how long it is open yet; 0 when it is half-open or closed. */
  leftMs(now: number): number {
    return Math.max(0, this.#openUntil - now)
  }

  /** A pass for one call, to be given back with `leave`; `uncounted` for one that is sent although none may pass. */
  enter(now: number): number {
    if (this.#openUntil === 0) return this.#phase
    if (!this.mayEnter(now)) return uncounted
    this.#underWay++
    return this.#phase
  }

  /** The call with this pass is over, after `tookMs`. */
  leave(pass: number, now: number, end: CallEnd, tookMs: number): void {
    if (pass !== this.#phase) return
    const isSlow = tookMs >= this.#options.spec.slowMs
    if (this.#openUntil === 0) {
      if (end === 'void') return
      this.#window.add(now, end === 'failed', isSlow)
      if (end === 'failed' || isSlow) this.#weigh(now)
      return
    }
    this.#underWay--
    if (end === 'void') return
    if (end === 'failed' || isSlow) this.#open(now, 'probe')
    else this.#probed()
  }

  /** Takes what main says. */
  set(openUntil: number): void {
    const wasClosed = this.isClosed
    this.#enterPhase(openUntil)
    if (!wasClosed && openUntil === 0) this.#options.closed?.()
  }

  close(): void {
    this.#options.board.remove(this.#options.name, this)
  }

  #weigh(now: number): void {
    const { calls, failures, slow } = this.#window
    const { minCalls, failureRatio, slowRatio } = this.#options.spec
    if (calls < minCalls) return
    if (failures >= failureRatio * calls) this.#open(now, 'failures')
    else if (slow > 0 && slow >= slowRatio * calls) this.#open(now, 'slow')
  }

  #open(now: number, reason: TripReason): void {
    const { name, spec, board } = this.#options
    // At once here; main's word, which takes a moment, comes on top.
    this.#enterPhase(now + spec.openMs)
    board.tripped(name, reason)
  }

  #probed(): void {
    const { name, spec, board } = this.#options
    const isEnough = ++this.#succeeded >= spec.probes
    if (isEnough) this.set(0)
    board.probed(name)
  }

  #enterPhase(openUntil: number): void {
    this.#openUntil = openUntil
    this.#phase++
    this.#underWay = this.#succeeded = 0
    this.#window.clear()
  }
}
