import assert from 'node:assert/strict'
import type { MessageSource } from '../../../src/bridges/grpc/message-source.ts'
import type { Chunk, End } from '../../../src/core/body.ts'
import { END, StreamBody } from '../../../src/core/body.ts'
import { Fault } from '../../../src/core/fault.ts'
import type { MaybePromise } from '../../../src/core/handler.ts'
import type { Headers } from '../../../src/core/headers.ts'

/** The largest message or value: small, so that there are some on either side of it. */
export const maxBytes = 48

/** A content that comes in these pieces, some of them later than asked for. */
export class Pieces extends StreamBody {
  /** Bytes that have been given. */
  given = 0
  /** Called before each piece. */
  asked = (): void => {}
  readonly #pieces: readonly Buffer[]
  readonly #trailers: Headers | undefined
  #next = 0

  constructor(bytes: Buffer, cuts: readonly number[], trailers?: Headers) {
    super(undefined)
    const places = [0, ...cuts, bytes.length]
    this.#pieces = places.slice(1).map((end, i) => bytes.subarray(places[i], end))
    this.#trailers = trailers
  }

  trailers(): Headers | undefined {
    return this.#trailers
  }

  protected read(): MaybePromise<Chunk | End> {
    this.asked()
    const piece = this.#pieces[this.#next++]
    if (piece === undefined) return END
    this.given += piece.length
    return this.#next % 3 === 0 ? Promise.resolve(piece) : piece
  }

  protected stop(): void {
    this.#next = this.#pieces.length
  }
}

/** What came of a source. */
export interface Reading {
  readonly messages: string[]
  /** The code of the Fault that ended it. */
  fault: string | undefined
}

/** Everything that a source gives; `took` hears of each message. */
export async function readingOf(source: Pick<MessageSource, 'pull'>, took = (): void => {}): Promise<Reading> {
  const reading: Reading = { messages: [], fault: undefined }
  try {
    for (let next = await source.pull(); next !== END; next = await source.pull()) {
      reading.messages.push(Buffer.from(next).toString('latin1'))
      took()
    }
  } catch (thrown) {
    assert.ok(thrown instanceof Fault, String((thrown as Error).stack))
    reading.fault = thrown.code
  }
  return reading
}
