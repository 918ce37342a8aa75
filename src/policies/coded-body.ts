import type { Transform } from 'node:stream'
import type { Body, Chunk, End } from '../core/body.ts'
import { END, StreamBody } from '../core/body.ts'
import type { Fault } from '../core/fault.ts'
import { isPromise } from '../core/handler.ts'
import type { Headers } from '../core/headers.ts'

/** A stream that works in steps and may be asked to give out what it holds. */
export type Coder = Transform & { flush?(kind: number, done: () => void): void }

export interface Coding {
  /** Makes the coder, which holds memory until its end: not before the body is read. */
  readonly open: () => Coder
  /** How the coder is asked to give out what it holds; absent: it holds nothing back. */
  readonly flush?: number | undefined
  /** What a failure of the coder means. */
  readonly failed: (error: Error) => Fault
}

/**
 * A body that is coded or decoded as it is read. A piece that had to be waited for is given out at once, so that events
 * of a stream are not held back; pieces that come together are packed together.
 */
export class CodedBody extends StreamBody {
  readonly #source: Body
  readonly #coding: Coding
  #coder: Coder | undefined
  /** It still works on the piece it was given; or it has been given all. */
  #isBusy = false
  #failure: Fault | undefined
  #wake: (() => void) | undefined

  constructor(source: Body, coding: Coding) {
    super(undefined)
    this.#source = source
    this.#coding = coding
  }

  #open(): Coder {
    const { open, failed } = this.#coding
    const coder = open()
    this.#coder = coder
    coder.on('readable', this.#moved)
    coder.on('end', this.#moved)
    coder.on('error', (error: Error) => {
      if (this.#failure === undefined) this.#source.cancel((this.#failure = failed(error)))
      this.#moved()
    })
    return coder
  }

  trailers(): Headers | undefined {
    return this.#source.trailers()
  }

  protected async read(): Promise<Chunk | End> {
    const coder = this.#coder ?? this.#open()
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure
      const made = coder.read() as Buffer | null
      if (made !== null) return made
      if (coder.readableEnded) return END
      if (this.#isBusy) await new Promise<void>((resolve) => void (this.#wake = resolve))
      else await this.#feed(coder)
    }
  }

  protected stop(why: Fault): void {
    this.#failure ??= why
    this.#source.cancel(why)
    this.#coder?.destroy()
    this.#moved()
  }

  readonly #moved = (): void => {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }

  /** Gives the coder the next piece. It may not take it whole before some of what it made was read. */
  async #feed(coder: Coder): Promise<void> {
    const { flush } = this.#coding
    const next = this.#source.pull()
    const isWaited = isPromise(next)
    const chunk = isWaited ? await next : next
    if (this.#failure !== undefined) return
    this.#isBusy = true
    if (chunk === END) {
      coder.end()
      return
    }
    const taken = (): void => {
      this.#isBusy = false
      this.#moved()
    }
    coder.write(chunk, () => {
      if (isWaited && flush !== undefined && !coder.destroyed) coder.flush?.(flush, taken)
      else taken()
    })
  }
}
