import type { Answer } from '../core/answer.ts'
import type { Body, Chunk, End } from '../core/body.ts'
import { END, StreamBody } from '../core/body.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type { Headers } from '../core/headers.ts'
import type { Identity } from '../core/identity.ts'
import type { Closable } from '../core/lasting.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { Revocations } from './revocations.ts'

const lookEveryMs = 1000

interface Live {
  readonly identity: Identity
  /** Whether it goes on until somebody ends it: a tunnel, a stream of no stated length. A download ends by itself. */
  readonly isEndless: boolean
  cut(why: Fault): void
}

/**
 * Answers that go on: WebSockets, event streams, gRPC streams, long downloads. Each is bound to whoever asked for it, and is
 * cut when they are revoked or their session ends. What has no end of its own ends with any credential that expires; a
 * download whose token expires meanwhile is let come to its end.
 */
export class LiveStreams implements Closable {
  readonly #revocations: Revocations | undefined
  readonly #clock: Clock
  readonly #cuts: Count
  readonly #live = new Set<Live>()
  readonly #stopWatching: (() => void) | undefined
  #timer: Timer | undefined
  #isLooking = false

  /** Without `revocations` nothing is ever revoked: only what has no end of its own is bound, to a credential that has one. */
  constructor(revocations: Revocations | undefined, clock: Clock, meter: Meter) {
    this.#revocations = revocations
    this.#clock = clock
    this.#cuts = meter.counter(
      'velum_streams_cut_total',
      'Streams and tunnels ended because their caller was revoked or their session or token ended.',
    )
    this.#stopWatching = revocations?.whenChanged(() => this.#lookSoon())
  }

  get size(): number {
    return this.#live.size
  }

  /** Binds an answer, if it is one that goes on. */
  bind(identity: Identity, answer: Answer): void {
    const { tunnel, body } = answer
    const isWatched = this.#revocations !== undefined || Number.isFinite(identity.expiresAt)
    if (!isWatched) return
    if (tunnel !== undefined) {
      answer.tunnel = (client, early) => {
        const live = this.#add({
          identity,
          isEndless: true,
          cut: (why) => (answer.hangUp === undefined ? void client.destroy(why) : answer.hangUp('caller-over')),
        })
        return tunnel(client, early).finally(() => this.#live.delete(live))
      }
    } else if (body.bytes === undefined && body.size !== 0 && (this.#revocations !== undefined || body.size === undefined)) {
      const bound = new BoundBody(identity, body, (live) => void this.#live.delete(live))
      this.#add(bound)
      answer.body = bound
    }
  }

  close(): void {
    this.#stopWatching?.()
    this.#timer?.cancel()
    this.#live.clear()
  }

  #add<L extends Live>(live: L): L {
    this.#live.add(live)
    this.#timer ??= this.#clock.after(lookEveryMs, this.#tick)
    return live
  }

  readonly #tick = (): void => {
    this.#look()
    this.#timer = this.#live.size === 0 ? undefined : this.#clock.after(lookEveryMs, this.#tick)
  }

  /** Once for all that is heard in one turn: a burst of revocations must not cost a look at every stream each. */
  #lookSoon(): void {
    if (this.#isLooking || this.#live.size === 0) return
    this.#isLooking = true
    setImmediate(() => {
      this.#isLooking = false
      this.#look()
    })
  }

  #look(): void {
    const now = this.#clock.now()
    for (const live of this.#live) {
      const { identity } = live
      const isOver = identity.expiresAt <= now && (live.isEndless || identity.kind === 'session')
      if (!isOver && this.#revocations?.isRevoked(identity, undefined) !== true) continue
      this.#live.delete(live)
      this.#cuts.add()
      live.cut(new Fault('cancelled', isOver ? 'the session or token has ended' : 'the caller was revoked'))
    }
  }
}

/** A body that can be cut between two pulls and during one. */
class BoundBody extends StreamBody implements Live {
  readonly identity: Identity
  readonly isEndless: boolean
  readonly #inner: Body
  readonly #over: (live: Live) => void
  #cut: Fault | undefined
  #reject: ((why: Fault) => void) | undefined

  constructor(identity: Identity, inner: Body, over: (live: Live) => void) {
    super(inner.size)
    this.identity = identity
    this.isEndless = inner.size === undefined
    this.#inner = inner
    this.#over = over
  }

  cut(why: Fault): void {
    this.#cut = why
    this.#inner.cancel(why)
    this.#reject?.(why)
  }

  trailers(): Headers | undefined {
    return this.#inner.trailers()
  }

  protected read(): MaybePromise<Chunk | End> {
    if (this.#cut !== undefined) throw this.#cut
    const next = this.#inner.pull()
    if (!isPromise(next)) return this.#took(next)
    return new Promise((resolve, reject) => {
      this.#reject = reject
      next.then(
        (chunk) => resolve(this.#took(chunk)),
        (thrown: unknown) => {
          this.#over(this)
          reject(thrown)
        },
      )
    })
  }

  protected stop(why: Fault): void {
    this.#over(this)
    this.#inner.cancel(why)
  }

  #took(chunk: Chunk | End): Chunk | End {
    this.#reject = undefined
    if (chunk === END) this.#over(this)
    return chunk
  }
}
