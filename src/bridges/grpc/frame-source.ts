import type { Body, End } from '../../core/body.ts'
import { END } from '../../core/body.ts'
import { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import type { Frame } from './frames.ts'
import { FrameReader } from './frames.ts'
import { gunzipped } from './message-bytes.ts'
import type { MessageSource } from './message-source.ts'

/**
 * The messages of a caller's content that is made of frames (gRPC-Web, Connect streams), decompressed. Throws `malformed`
 * for frames that are none, `body-too-large`, and the Faults of the body.
 */
export class FrameSource implements MessageSource {
  readonly #body: Body
  readonly #maxBytes: number
  readonly #isGzip: boolean
  readonly #reader: FrameReader

  constructor(body: Body, maxBytes: number, isGzip: boolean) {
    this.#body = body
    this.#maxBytes = maxBytes
    this.#isGzip = isGzip
    this.#reader = new FrameReader(maxBytes)
  }

  pull(): MaybePromise<Buffer | End> {
    // A loop: of a body whose pieces are there already there may be as many as a message has bytes.
    for (;;) {
      const frame = this.#reader.next()
      if (frame !== undefined) return this.#message(frame)
      const chunk = this.#body.pull()
      if (isPromise(chunk)) return chunk.then(this.#took)
      if (chunk === END) return this.#ended()
      this.#reader.add(chunk)
    }
  }

  cancel(why: Fault): void {
    this.#body.cancel(why)
  }

  #message({ flag, content }: Frame): MaybePromise<Buffer> {
    if (flag === 0) return content
    if (flag === 1 && this.#isGzip) return gunzipped(content, this.#maxBytes, broken)
    throw new Fault('malformed', `a message has the flag ${flag}`)
  }

  #ended(): End {
    if (!this.#reader.isBetween) throw new Fault('malformed', 'the content ends inside a message')
    return END
  }

  readonly #took = (chunk: Buffer | End): MaybePromise<Buffer | End> => {
    if (chunk === END) return this.#ended()
    this.#reader.add(chunk)
    return this.pull()
  }
}

const broken = (): Fault => new Fault('malformed', 'a compressed message cannot be read')

/** The one message of a source. Throws `malformed` when there is none or another one follows. */
export async function onlyMessage(source: MessageSource): Promise<Uint8Array> {
  const message = await source.pull()
  if (message === END) throw new Fault('malformed', 'the content holds no message')
  if ((await source.pull()) === END) return message
  const why = new Fault('malformed', 'the content holds more than the one message that the method takes')
  source.cancel(why)
  throw why
}
