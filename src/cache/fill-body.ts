import type { Body, Chunk, End } from '../core/body.ts'
import { END, releaseChunk, StreamBody } from '../core/body.ts'
import type { Fault } from '../core/fault.ts'
import { Fault as FaultError } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type { Headers } from '../core/headers.ts'
import type { Fill } from './slab-fill.ts'

/**
 * A body that is stored while it passes. Only one that came to its proper end is; a reader that leaves on the way does
 * not end the fill, since others may be waiting for it: the rest is fetched for them, within the fill's bound.
 */
export class FillBody extends StreamBody {
  readonly #source: Body
  readonly #ended: (isComplete: boolean) => void
  #fill: Fill | undefined
  /** A pull that the reader left behind. */
  #pending: Promise<Chunk | End> | undefined

  /** `ended` is called once: whether the fill holds the whole body. */
  constructor(source: Body, fill: Fill, ended: (isComplete: boolean) => void) {
    super(source.size)
    this.#source = source
    this.#fill = fill
    this.#ended = ended
  }

  trailers(): Headers | undefined {
    return this.#source.trailers()
  }

  protected read(): MaybePromise<Chunk | End> {
    let next: MaybePromise<Chunk | End>
    try {
      next = this.#source.pull()
    } catch (thrown) {
      this.#end(false)
      throw thrown
    }
    if (!isPromise(next)) return this.#took(next)
    this.#pending = next.then(this.#took, this.#failed)
    return this.#pending
  }

  protected override reuse(chunk: Chunk): void {
    releaseChunk(this.#source, chunk)
  }

  protected stop(why: Fault): void {
    if (this.#fill === undefined) this.#source.cancel(why)
    else void this.#drain()
  }

  readonly #took = (chunk: Chunk | End): Chunk | End => {
    if (chunk === END) this.#end(true)
    else if (this.#fill !== undefined && !this.#fill.write(chunk)) this.#end(false)
    return chunk
  }

  readonly #failed = (thrown: unknown): never => {
    this.#end(false)
    throw thrown
  }

  async #drain(): Promise<void> {
    try {
      await this.#pending
      while (this.#fill !== undefined) {
        const next = this.#source.pull()
        const chunk = isPromise(next) ? await next : next
        this.#took(chunk)
        if (chunk === END) return
        releaseChunk(this.#source, chunk)
      }
    } catch {
      this.#end(false)
    }
    this.#source.cancel(new FaultError('cancelled'))
  }

  #end(isComplete: boolean): void {
    if (this.#fill === undefined) return
    this.#fill = undefined
    this.#ended(isComplete)
  }
}
