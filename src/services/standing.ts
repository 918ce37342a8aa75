import type { Closable } from '../core/lasting.ts'
import type { EjectSpec } from './service-spec.ts'
import type { StandingBoard } from './standing-board.ts'
import type { TargetState } from './standing-messages.ts'
import { standingKey } from './standing-messages.ts'

export interface StandingOptions {
  readonly service: string
  readonly address: string
  /** Undefined: never left out. */
  readonly eject: EjectSpec | undefined
  readonly board: StandingBoard
}

/** How a try ended, for the standing of its target: `void` says nothing about it. */
export type TryEnd = 'good' | 'failed' | 'void'

/**
 * Whether a target may be sent to, as one worker knows it. Failures in a row leave it out: at once here, and a moment
 * later, by way of main, on every worker of the node. Main says for how long. When the time is over the target is on
 * trial: its next failure leaves it out again, its next good answer gives it all its failures back. Outlives
 * Generations, so that a reload forgives nobody.
 */
export class Standing implements Closable {
  readonly #options: StandingOptions
  #blockedUntil = 0
  #failuresInRow = 0
  #underWay = 0
  #isUnreachable = false
  #isDown = false

  constructor(options: StandingOptions) {
    this.#options = options
    options.board.add(this)
  }

  get key(): string {
    return standingKey(this.#options.service, this.#options.address)
  }

  /** Whether it was ever said to be left out since it was last found well; asked before the clock is. */
  get isMarked(): boolean {
    return this.#blockedUntil !== 0
  }

  /** Whether it is one of those to choose from. */
  isUsable(now: number): boolean {
    if (this.#blockedUntil > now) return false
    this.#blockedUntil = 0
    return true
  }

  /**
   * Whether it may be sent to when nobody is left to choose from. Where no connection comes about, one call finds out
   * for all: the others would only wait for the same end.
   */
  get mayTryAnyway(): boolean {
    return !this.#isUnreachable || this.#underWay === 0
  }

  /** A try begins. Tells whether the target was left out, to be given back with `note`. */
  enter(now: number): boolean {
    this.#underWay++
    return this.#blockedUntil > now
  }

  /** A try is over, for `reason` when it failed. */
  note(wasOut: boolean, now: number, end: TryEnd, reason: string): void {
    this.#underWay--
    const { eject, board, service, address } = this.#options
    if (end === 'void' || eject === undefined) return
    const isOut = this.#blockedUntil > now
    if (end === 'good') {
      this.#failuresInRow = 0
      this.#isUnreachable = false
      // A target that probes found down is for probes to bring back.
      if (this.#isDown) return
      // Only a call that was sent to it while it was out proves anything: others may have begun before it fell ill.
      if (!wasOut || !isOut) return
      this.#blockedUntil = 0
      board.recovered({ service, address })
      return
    }
    this.#isUnreachable = reason === 'service-refused'
    if (isOut || ++this.#failuresInRow < eject.failures) return
    this.#failuresInRow = eject.failures - 1
    this.#blockedUntil = now + eject.baseMs
    board.failed({ service, address, reason })
  }

  /** Takes what main says of this target. */
  set(state: TargetState): void {
    const { eject } = this.#options
    if (eject !== undefined && state.ejectedUntil > 0) this.#failuresInRow = eject.failures - 1
    this.#isDown = state.isDown
    this.#blockedUntil = state.isDown ? Infinity : state.ejectedUntil
  }

  close(): void {
    this.#options.board.remove(this)
  }
}
