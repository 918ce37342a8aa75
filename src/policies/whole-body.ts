import type { Body, Chunk, End } from '../core/body.ts'
import { BytesBody, END, StreamBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import { Gather } from '../core/gather.ts'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type { Headers } from '../core/headers.ts'
import type { Closable } from '../core/lasting.ts'

/** Bytes of bodies that one worker may hold whole at a time; shared by all routes. */
export class BodyRoom implements Closable {
  #leftBytes: number

  constructor(bytes: number) {
    this.#leftBytes = bytes
  }

  /** Whether there was room, which is then taken. */
  take(bytes: number): boolean {
    if (bytes > this.#leftBytes) return false
    this.#leftBytes -= bytes
    return true
  }

  give(bytes: number): void {
    this.#leftBytes += bytes
  }

  close(): void {}
}

/** Where a body is read to, and who hears how much room it took. */
export interface Reading {
  readonly maxBytes: number
  readonly room: BodyRoom
  readonly took: (bytes: number) => void
}

/**
 * The whole body of a request, read once; undefined when it is longer than `maxBytes`. Whatever comes out, `x.body` can
 * still be read from its start, byte for byte. Rejects with the fault of a body that broke off, and with `overloaded`
 * where there is no room for it.
 */
export function wholeBody(x: Exchange, reading: Reading): MaybePromise<Buffer | undefined> {
  const { body } = x
  if (body.size !== undefined && body.size > reading.maxBytes) return undefined
  return body.bytes ?? readWhole(x, body, reading)
}

async function readWhole(x: Exchange, body: Body, { maxBytes, room, took }: Reading): Promise<Buffer | undefined> {
  const gather = new Gather()
  try {
    for (;;) {
      const next = body.pull()
      const chunk = isPromise(next) ? await next : next
      if (chunk === END) break
      gather.add(chunk)
      if (gather.length > maxBytes) {
        x.body = new ResumedBody(gather.pieces(), body, 'more')
        return undefined
      }
      if (!room.take(chunk.length)) throw new Fault('overloaded', 'too many bodies are held to be checked')
      took(chunk.length)
    }
  } catch (thrown) {
    const isOurs = thrown instanceof Fault && thrown.code === 'overloaded'
    x.body = new ResumedBody(gather.pieces(), body, isOurs ? 'more' : (thrown as Fault))
    throw thrown
  }
  const bytes = gather.join()
  x.body = body.trailers() === undefined ? new BytesBody(bytes) : new ResumedBody([bytes], body, 'end')
  return bytes
}

/** What was read of a body, then what follows: more of it, its end, or how it broke off. */
class ResumedBody extends StreamBody {
  readonly #chunks: Chunk[]
  readonly #rest: Body
  readonly #then: 'more' | 'end' | Fault

  constructor(chunks: Chunk[], rest: Body, then: 'more' | 'end' | Fault) {
    super(rest.size)
    this.#chunks = chunks
    this.#rest = rest
    this.#then = then
  }

  trailers(): Headers | undefined {
    return this.#chunks.length === 0 ? this.#rest.trailers() : undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    const chunk = this.#chunks.shift()
    if (chunk !== undefined) return chunk
    if (this.#then === 'end') return END
    if (this.#then === 'more') return this.#rest.pull()
    throw this.#then
  }

  protected stop(why: Fault): void {
    this.#chunks.length = 0
    this.#rest.cancel(why)
  }
}
