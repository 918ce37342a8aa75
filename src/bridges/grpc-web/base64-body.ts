import type { Body, Chunk, End } from '../../core/body.ts'
import { END, StreamBody } from '../../core/body.ts'
import { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'

const groups = /^(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)*$/

/** The bytes of a content in base64. Each flush of a client is a run of its own, so padding may stand in the middle. */
export class Base64Body extends StreamBody {
  readonly #body: Body
  #rest = ''

  constructor(body: Body) {
    super(undefined)
    this.#body = body
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    const chunk = this.#body.pull()
    return isPromise(chunk) ? chunk.then(this.#decoded) : this.#decoded(chunk)
  }

  protected stop(why: Fault): void {
    this.#body.cancel(why)
  }

  readonly #decoded = (chunk: Chunk | End): MaybePromise<Chunk | End> => {
    if (chunk === END) {
      if (this.#rest !== '') throw new Fault('malformed', 'the content ends inside a group of base64')
      return END
    }
    const text = this.#rest + chunk.toString('latin1')
    const whole = text.length - (text.length % 4)
    this.#rest = text.slice(whole)
    if (whole === 0) return this.read()
    return decodeBase64Runs(text.slice(0, whole))
  }
}

/** Whole groups of base64 as bytes. Throws `malformed`. */
export function decodeBase64Runs(text: string): Buffer {
  if (!groups.test(text)) throw new Fault('malformed', 'the content is not base64')
  if (text.indexOf('=') === -1 || text.indexOf('=') >= text.length - 2) return Buffer.from(text, 'base64')
  // Node.js stops at the first padding.
  return Buffer.concat((text.match(/[^=]+={0,2}/g) ?? []).map((run) => Buffer.from(run, 'base64')))
}
