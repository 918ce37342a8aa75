import type { MaybePromise } from '../core/handler.ts'
import type { Exchange } from '../core/exchange.ts'

/** What a place was left with, for gates that learn from it: answered, overloaded, given up waiting, or nothing to learn. */
export type PlaceEnd = 'answered' | 'overloaded' | 'given-up' | 'nothing'

/** One exchange's place at a service. */
export class Place {
  /** Index into `priorities`. */
  readonly rank: number
  /** Whether the time it is held says something of the service. */
  readonly isMeasured: boolean
  isHeld = false
  /** Monotonic milliseconds of its being taken. */
  takenAt = 0

  constructor(rank: number, isMeasured: boolean) {
    this.rank = rank
    this.isMeasured = isMeasured
  }
}

/** How many requests a service gets at one time: whoever enters holds a place until he leaves. */
export interface CapacityGate {
  /** Takes the place, sets `isHeld` with it, and says whether it could. May wait shortly; rejects when the client leaves. */
  enter(place: Place, x: Exchange): MaybePromise<boolean>
  /** Whether a request of this rank would get a place now. */
  hasPlace(rank: number): boolean
  /** Gives a held place back. */
  leave(place: Place, end: PlaceEnd): void
  /** How things stand for this rank, in words for the operator. */
  words(rank: number): string
}
