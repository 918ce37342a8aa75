import type { Clock, Timer } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Level } from '../core/meter.ts'
import { AdaptiveLimit } from './adaptive-limit.ts'
import type { CapacityGate, Place, PlaceEnd } from './capacity-gate.ts'
import type { Priority } from './priority.ts'
import { placesOf, priorities } from './priority.ts'
import type { Rests } from './rest-board.ts'

/** The longest wait for a place, and how many of each priority may wait for a burst to pass. */
const waitMs = 100
const waitingRoom = 32
/** What is critical waits rather than being refused: only others of its kind are before it, and no more than there is room for. */
const criticalWaitMs = 1000
/** A thread that was busy for long finds the end of waits before it finds the answers that end them: it looks at those first. */
const secondLookMs = 1
/**
 * How many others may wait once the want of places has lasted longer than a wait: it is no burst, and a queue would only
 * cost time. What is critical comes before all others, so its queue is short by itself.
 */
const standingRoom = 2
/** A want of places is over when none was wanted for so long. */
const calmMs = 1000
const sheddable = priorities.indexOf('sheddable')

/** Those of one priority who wait. */
interface Queue {
  readonly waiters: Waiter[]
  /** Since when places have been wanted, and when one was wanted last. */
  wantedSince: number
  wantedAt: number
}

interface Waiter {
  readonly place: Place
  timer: Timer
  readonly resolve: (isAdmitted: boolean) => void
}

/**
 * The gate of one service on one worker whose number of places follows the service's latency (`AdaptiveLimit`). Each
 * worker measures and decides by itself: what the node sends is the sum of what its workers found.
 *
 * A priority's places are `placesOf` the limit. Requests of lower priority count against higher ones only as far as they
 * would get a place now: when the limit falls, what is already under way keeps nobody more important out. What is not
 * sheddable waits a tenth of a second for a place, so that a burst is no reason to refuse; what is critical comes first
 * there, and may wait for a second.
 */
export class AdaptiveGate implements CapacityGate {
  readonly #limit: AdaptiveLimit
  readonly #clock: Clock
  readonly #told: Level
  readonly #underWay: [number, number, number] = [0, 0, 0]
  readonly #queues: readonly [Queue, Queue] = [
    { waiters: [], wantedSince: 0, wantedAt: -calmMs },
    { waiters: [], wantedSince: 0, wantedAt: -calmMs },
  ]
  #present: readonly Priority[] = priorities
  #places: readonly [number, number, number] = [0, 0, 0]
  #isClosed = false

  /** `told` is the gauge that hears of every change of the limit; `rests`: what other workers of the node found. */
  constructor(clock: Clock, told: Level, rests?: Rests) {
    this.#limit = new AdaptiveLimit(rests)
    this.#clock = clock
    this.#told = told
    this.#resize()
  }

  /** The priorities of the routes that lead here, as the newest Generation has them. */
  serves(present: readonly Priority[]): void {
    this.#present = present
    this.#places = placesOf(this.#places[0], present)
  }

  enter(place: Place, x: Exchange): MaybePromise<boolean> {
    const now = this.#clock.monotonic()
    this.#limit.asked(now)
    this.#resize()
    const queue = place.rank < sheddable ? this.#queues[place.rank] : undefined
    if ((queue === undefined || queue.waiters.length === 0) && this.hasPlace(place.rank)) {
      this.#admit(place, now)
      return true
    }
    this.#limit.turnedAway()
    if (queue === undefined) return false
    if (now - queue.wantedAt >= calmMs) queue.wantedSince = now
    queue.wantedAt = now
    const room = place.rank > 0 && now - queue.wantedSince > waitMs ? standingRoom : waitingRoom
    return queue.waiters.length < room && this.#wait(queue.waiters, place, x)
  }

  hasPlace(rank: number): boolean {
    const [critical, standard, low] = this.#underWay
    const places = this.#places
    if (rank === 0) return critical + Math.min(standard + low, places[1]) < places[0]
    if (rank === 1) return critical + standard + Math.min(low, places[2]) < places[1]
    return critical + standard + low < places[2]
  }

  leave(place: Place, end: PlaceEnd): void {
    place.isHeld = false
    this.#underWay[place.rank]--
    if (place.isMeasured) {
      const now = this.#clock.monotonic()
      const ms = now - place.takenAt
      if (end === 'answered') this.#limit.answered(ms, now)
      else if (end === 'overloaded') this.#limit.failed(now)
      else if (end === 'given-up') this.#limit.gaveUp(ms, now)
      else this.#limit.ended(now)
      this.#resize()
    }
    this.#letIn()
  }

  words(rank: number): string {
    const { restMs, medianMs } = this.#limit
    const [critical, standard, low] = this.#underWay
    const latency = restMs === 0 ? 'not measured yet' : `${medianMs.toFixed(1)} ms now, ${restMs.toFixed(1)} ms at rest`
    return `${critical + standard + low} under way on this worker, ${this.#places[rank]} of ${this.#places[0]} places are open to ${priorities[rank]} requests; latency ${latency}`
  }

  /** Whoever waits goes without a place. */
  close(): void {
    for (const { waiters } of this.#queues) {
      for (const waiter of waiters.splice(0)) {
        waiter.timer.cancel()
        waiter.resolve(false)
      }
    }
    this.#told.add(-this.#places[0])
    this.#isClosed = true
  }

  #admit(place: Place, now: number): void {
    place.isHeld = true
    place.takenAt = now
    this.#underWay[place.rank]++
    if (place.isMeasured) this.#limit.began(now)
  }

  #wait(waiters: Waiter[], place: Place, x: Exchange): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        remove(waiters, waiter)
        resolve(false)
      }
      const timer = this.#clock.after(place.rank > 0 ? waitMs : criticalWaitMs, () => {
        waiter.timer = this.#clock.after(secondLookMs, giveUp)
      })
      const waiter: Waiter = { place, timer, resolve }
      waiters.push(waiter)
      x.whenLeft((why) => {
        if (!remove(waiters, waiter)) return
        waiter.timer.cancel()
        reject(new Fault('client-left', why.message, { cause: why }))
      })
    })
  }

  #letIn(): void {
    for (let rank = 0; rank < this.#queues.length; rank++) {
      const { waiters } = this.#queues[rank]
      while (waiters.length > 0 && this.hasPlace(rank)) {
        const waiter = waiters.shift()!
        waiter.timer.cancel()
        this.#admit(waiter.place, this.#clock.monotonic())
        waiter.resolve(true)
      }
    }
  }

  #resize(): void {
    const { places } = this.#limit
    const before = this.#places[0]
    if (places === before || this.#isClosed) return
    this.#places = placesOf(places, this.#present)
    this.#told.add(places - before)
  }
}

function remove(waiters: Waiter[], waiter: Waiter): boolean {
  const at = waiters.indexOf(waiter)
  if (at === -1) return false
  waiters.splice(at, 1)
  return true
}
