import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Breaker, CallEnd } from './breaker.ts'
import { uncounted } from './breaker.ts'
import type { EjectSpec } from './service-spec.ts'
import type { StandingBoard } from './standing-board.ts'
import type { TargetState } from './standing-messages.ts'
import { standingKey } from './standing-messages.ts'

export interface StandingOptions {
  readonly service: string
  readonly address: string
  /** Undefined: never left out for failures in a row. */
  readonly eject: EjectSpec | undefined
  readonly board: StandingBoard
  readonly breaker?: Breaker | undefined
  /** How long its share grows when it is new or has come back; absent: it has all of it at once. */
  readonly slowStartMs?: number | undefined
  /** When it joined others that were there before it, monotonic; absent: it needs no slow start. */
  readonly joinedAt?: number | undefined
}

/** A slow start begins with this share: enough to warm something up. */
const leastWarmth = 0.1

/** What a try began with, to be given back with its end. */
export interface Visit {
  readonly wasOut: boolean
  /** Of the target's breaker. */
  readonly pass: number
  /** Monotonic; 0 when nobody wants to know how long it takes. */
  readonly beganAt: number
}

const plainVisit: Visit = { wasOut: false, pass: uncounted, beganAt: 0 }

/**
 * Whether a target may be sent to, as one worker knows it. Failures in a row leave it out: at once here, and a moment
 * later, by way of main, on every worker of the node. Main says for how long. When the time is over the target is on
 * trial: its next failure leaves it out again, its next good answer gives it all its failures back. Its circuit breaker
 * leaves it out for the share of failures; an operator who drains it, for good. Outlives Generations, so that a reload
 * forgives nobody.
 */
export class Standing implements Closable {
  readonly #options: StandingOptions
  #blockedUntil = 0
  #failuresInRow = 0
  #underWay = 0
  #isUnreachable = false
  #isOnTrial = false
  #isDown = false
  #isDraining = false
  /** When its slow start is over; 0 when there is none. */
  #warmAt = 0
  /** The visit of most tries. */
  #plain: Visit = plainVisit

  constructor(options: StandingOptions) {
    this.#options = options
    if (options.joinedAt !== undefined) this.warmUp(options.joinedAt)
    options.board.add(this)
  }

  get key(): string {
    return standingKey(this.#options.service, this.#options.address)
  }

  /** Whether there is anything to be asked of it but `enter` and `note`; looked at before the clock is. */
  get isMarked(): boolean {
    return this.#blockedUntil !== 0 || this.#isOnTrial || this.#isDraining || this.#warmAt !== 0 || this.#isBroken
  }

  /** Whether it is one of those to choose from. */
  isUsable(now: number): boolean {
    if (this.#isDraining || this.#blockedUntil > now) return false
    if (this.#blockedUntil !== 0) this.#comeBack(this.#blockedUntil)
    // One that could not be reached is not waited for by many at once.
    if (this.#isOnTrial && !this.#isReachable) return false
    const { breaker } = this.#options
    return breaker === undefined || breaker.mayEnter(now)
  }

  /**
   * Whether it may be sent to when nobody is left to choose from. Where no connection comes about, or no answer in
   * time, one call finds out for all: the others would only wait for the same end. Never while it drains.
   */
  get mayTryAnyway(): boolean {
    return !this.#isDraining && this.#isReachable
  }

  /** What of its share it has now, above 0 and up to 1. */
  warmth(now: number): number {
    if (this.#warmAt === 0) return 1
    const slowStartMs = this.#options.slowStartMs!
    const grown = 1 - (this.#warmAt - now) / slowStartMs
    if (grown >= 1) {
      this.#warmAt = 0
      return 1
    }
    return Math.max(leastWarmth, grown)
  }

  /** A try begins. */
  enter(clock: Clock): Visit {
    this.#underWay++
    const { breaker } = this.#options
    const isTiming = breaker?.isTiming === true
    if (!isTiming && !this.isMarked) return breaker === undefined ? plainVisit : this.#pass(breaker.enter(0))
    const at = clock.monotonic()
    return { wasOut: this.#blockedUntil > at, pass: breaker?.enter(at) ?? uncounted, beganAt: isTiming ? at : 0 }
  }

  /** A try is over, for `reason` when it failed. */
  note(visit: Visit, now: number, end: CallEnd, reason: string): void {
    this.#underWay--
    const { eject, board, breaker, service, address } = this.#options
    breaker?.leave(visit.pass, now, end, now - visit.beganAt)
    if (end === 'good') this.#isUnreachable = false
    if (end === 'void' || eject === undefined) return
    const isOut = this.#blockedUntil > now
    if (end === 'good') {
      this.#failuresInRow = 0
      if (!isOut) this.#isOnTrial = false
      // A target that probes found down is for probes to bring back.
      if (this.#isDown) return
      // Only a call that was sent to it while it was out proves anything: others may have begun before it fell ill.
      if (!visit.wasOut || !isOut) return
      this.#isOnTrial = false
      this.#comeBack(now)
      board.recovered({ service, address })
      return
    }
    this.#isUnreachable = isSilence(reason)
    if (isOut || ++this.#failuresInRow < eject.failures) return
    this.#failuresInRow = eject.failures - 1
    this.#isOnTrial = true
    this.#blockedUntil = now + eject.baseMs
    board.failed({ service, address, reason })
  }

  /** Takes what main says of this target. */
  set(state: TargetState, now: number): void {
    const { eject } = this.#options
    if (eject !== undefined && state.ejectedUntil > 0) {
      this.#failuresInRow = eject.failures - 1
      this.#isOnTrial = true
    }
    const wasOut = this.#isDraining || this.#blockedUntil !== 0
    // What probes cannot reach, calls need not find out again.
    if (state.isDown) this.#isUnreachable ||= isSilence(state.reason)
    else if (this.#isDown) this.#isUnreachable = false
    this.#isDown = state.isDown
    this.#isDraining = state.isDraining
    this.#blockedUntil = state.isDown ? Infinity : state.ejectedUntil
    if (wasOut && !this.#isDraining && this.#blockedUntil <= now) this.#comeBack(now)
  }

  /** Its slow start begins, where there is one. */
  warmUp(at: number): void {
    const { slowStartMs } = this.#options
    if (slowStartMs !== undefined) this.#warmAt = at + slowStartMs
  }

  close(): void {
    this.#options.board.remove(this)
    this.#options.breaker?.close()
  }

  get #isBroken(): boolean {
    const { breaker } = this.#options
    return breaker !== undefined && !breaker.isClosed
  }

  get #isReachable(): boolean {
    return !this.#isUnreachable || this.#underWay === 0
  }

  #comeBack(at: number): void {
    this.#blockedUntil = 0
    this.warmUp(at)
  }

  /** Made anew only when the breaker's phase is another one. */
  #pass(pass: number): Visit {
    if (this.#plain.pass !== pass) this.#plain = { wasOut: false, pass, beganAt: 0 }
    return this.#plain
  }
}

/** Whether nothing came back: who asks again would wait for the same end. */
export function isSilence(reason: string): boolean {
  return reason === 'service-refused' || reason === 'service-timeout'
}
