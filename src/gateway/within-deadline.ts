import type { Answer } from '../core/answer.ts'
import type { Body, Chunk, End } from '../core/body.ts'
import { END, releaseChunk, StreamBody } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import type { Handler, MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type { Headers } from '../core/headers.ts'
import type { Due, Sweeper } from '../core/sweeper.ts'

/**
 * A handler whose answers are over within `deadlineMs` of the request's first byte: a body that still runs then breaks off,
 * and an upgraded connection is closed. Up to the answer's head, the handler itself keeps to the deadline.
 */
export function withinDeadline(handler: Handler, deadlineMs: number, { sweeper }: { readonly sweeper: Sweeper }): Handler {
  return (x) => {
    const dueAt = x.startedMono + deadlineMs
    const bounded = (answer: Answer): Answer => {
      const { tunnel, body } = answer
      if (tunnel !== undefined) {
        answer.tunnel = (client, early) => {
          const due: Due = {
            dueAt,
            onDue() {
              due.dueAt = Infinity
              if (answer.hangUp === undefined) client.destroy()
              else answer.hangUp('deadline')
            },
          }
          sweeper.watch(due)
          return tunnel(client, early).finally(() => sweeper.unwatch(due))
        }
      } else if (body.bytes === undefined) {
        answer.body = new DeadlineBody(body, dueAt, sweeper)
      }
      return answer
    }
    const answer = handler(x)
    return isPromise(answer) ? answer.then(bounded) : bounded(answer)
  }
}

/** A body that breaks off, `service-timeout`, when its time is over. */
class DeadlineBody extends StreamBody implements Due {
  dueAt: number
  sweepSlot: number | undefined = undefined
  readonly #source: Body
  readonly #sweeper: Sweeper
  #fault: Fault | undefined
  #fail: ((why: Fault) => void) | undefined

  constructor(source: Body, dueAt: number, sweeper: Sweeper) {
    super(source.size)
    this.#source = source
    this.dueAt = dueAt
    this.#sweeper = sweeper
    sweeper.watch(this)
  }

  onDue(): void {
    this.#fault = new Fault('service-timeout', 'the deadline of the route has passed')
    this.#over()
    this.#source.cancel(this.#fault)
    this.#fail?.(this.#fault)
  }

  trailers(): Headers | undefined {
    return this.#source.trailers()
  }

  protected read(): MaybePromise<Chunk | End> {
    if (this.#fault !== undefined) throw this.#fault
    const next = this.#source.pull()
    if (!isPromise(next)) {
      if (next === END) this.#over()
      return next
    }
    return this.#timed(next)
  }

  async #timed(next: Promise<Chunk | End>): Promise<Chunk | End> {
    const overdue = new Promise<never>((_resolve, reject) => {
      this.#fail = reject
    })
    try {
      const chunk = await Promise.race([next, overdue])
      if (chunk === END) this.#over()
      return chunk
    } catch (thrown) {
      this.#over()
      throw this.#fault ?? thrown
    } finally {
      this.#fail = undefined
    }
  }

  protected override reuse(chunk: Chunk): void {
    releaseChunk(this.#source, chunk)
  }

  protected stop(why: Fault): void {
    this.#over()
    this.#source.cancel(why)
  }

  #over(): void {
    this.dueAt = Infinity
    this.#sweeper.unwatch(this)
  }
}
