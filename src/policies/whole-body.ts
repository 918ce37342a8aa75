import type { Body, Chunk, End } from '../core/body.ts'
import { BytesBody, END, StreamBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import type { Headers } from '../core/headers.ts'

/**
 * The whole body of a request, read once; undefined when it is longer than `maxBytes`. Whatever comes out, `x.body` can
 * still be read from its start. Rejects with the fault of a body that broke off.
 */
export function wholeBody(x: Exchange, maxBytes: number): MaybePromise<Buffer | undefined> {
  const { body } = x
  if (body.size !== undefined && body.size > maxBytes) return undefined
  return body.bytes ?? readWhole(x, body, maxBytes)
}

async function readWhole(x: Exchange, body: Body, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Chunk[] = []
  let total = 0
  try {
    for (;;) {
      const next = body.pull()
      const chunk = isPromise(next) ? await next : next
      if (chunk === END) break
      chunks.push(chunk)
      total += chunk.length
      if (total <= maxBytes) continue
      x.body = new ResumedBody(chunks, body, undefined)
      return undefined
    }
  } catch (thrown) {
    x.body = new ResumedBody(chunks, body, thrown as Fault)
    throw thrown
  }
  const bytes = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, total)
  x.body = new BytesBody(bytes)
  return bytes
}

/** What was read of a body, then the rest of it, or how it broke off. */
class ResumedBody extends StreamBody {
  readonly #chunks: Chunk[]
  readonly #rest: Body
  readonly #fault: Fault | undefined

  constructor(chunks: Chunk[], rest: Body, fault: Fault | undefined) {
    super(rest.size)
    this.#chunks = chunks
    this.#rest = rest
    this.#fault = fault
  }

  trailers(): Headers | undefined {
    return this.#rest.trailers()
  }

  protected read(): MaybePromise<Chunk | End> {
    const chunk = this.#chunks.shift()
    if (chunk !== undefined) return chunk
    if (this.#fault !== undefined) throw this.#fault
    return this.#rest.pull()
  }

  protected stop(why: Fault): void {
    this.#chunks.length = 0
    this.#rest.cancel(why)
  }
}
