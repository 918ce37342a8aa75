import type { Body, Chunk, End } from '../../core/body.ts'
import { BytesBody, END, StreamBody } from '../../core/body.ts'
import type { Fault } from '../../core/fault.ts'
import { Fault as FaultError, faultFrom } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import type { Headers } from '../../core/headers.ts'
import type { RequestFields } from '../request-fields.ts'
import type { BodyFraming } from './body-decoder.ts'
import { BodyDecoder } from './body-decoder.ts'
import { giveBack, takeMemory } from './slabs.ts'

const maxQueuedBytes = 65_536
const maxQueuedPieces = 32
const noBytes = Buffer.alloc(0)

/** What a body asks of the connection that it comes by. */
export interface BodySource {
  /** Somebody waits for more of this body. */
  bodyWanted(body: IncomingBody): void
  /** The queue has been emptied: more may be read ahead. */
  bodyTaken(body: IncomingBody): void
}

/**
 * The body of a request, filled by its connection through `take` and emptied by one reader. The connection stops
 * reading while much is queued, so a slow reader slows the client down and nothing else.
 */
export class IncomingBody extends StreamBody {
  /** Bytes taken and not pulled yet. */
  queued = 0
  /** Milliseconds for which the reader has waited for the client, over the whole body. */
  waitedMs = 0
  /** Nobody will read the rest. */
  isStopped = false
  /** Bytes that arrived after that. */
  discarded = 0
  /** Somebody has asked for the body. */
  isPulled = false

  readonly #decoder: BodyDecoder
  readonly #source: BodySource
  #queue: Buffer[] = []
  #fault: Fault | undefined = undefined
  #waiting: { resolve(chunk: Chunk | End): void; reject(why: Fault): void } | undefined = undefined

  constructor(framing: BodyFraming, source: BodySource) {
    super(framing.kind === 'length' ? framing.length : undefined)
    this.#decoder = new BodyDecoder(framing)
    this.#source = source
  }

  /** Every byte of it has arrived. */
  get isComplete(): boolean {
    return this.#decoder.done
  }

  /** Content bytes that have arrived. */
  get received(): number {
    return this.#decoder.received
  }

  /** So much waits for the reader that reading more has to wait. A piece of one byte costs us a hundred. */
  get isFull(): boolean {
    return this.queued >= maxQueuedBytes || this.#queue.length >= maxQueuedPieces
  }

  /** Content bytes that are to come, where the length was announced. */
  get left(): number | undefined {
    return this.#decoder.left
  }

  get isWaiting(): boolean {
    return this.#waiting !== undefined
  }

  get fault(): Fault | undefined {
    return this.#fault
  }

  /**
   * Takes what belongs to this body from `bytes[at..end)`, which are only lent, and returns where it ends. When the
   * bytes break the framing it fails, and `fault` says so; the connection is then of no more use.
   */
  take(bytes: Buffer, at: number, end: number): number {
    if (this.#fault !== undefined) return end
    const decoder = this.#decoder
    let from = at
    let out: Buffer | undefined
    let length = 0
    try {
      while (from < end && !decoder.done) {
        from = decoder.step(bytes, from, end)
        const { payloadStart, payloadEnd } = decoder
        if (payloadEnd === payloadStart) continue
        if (this.isStopped) {
          this.discarded += payloadEnd - payloadStart
          continue
        }
        out ??= takeMemory(end - payloadStart)
        length += bytes.copy(out, length, payloadStart, payloadEnd)
      }
    } catch (thrown) {
      this.fail(faultFrom(thrown))
      return end
    }
    if (out !== undefined) this.#put(out.subarray(0, length))
    if (decoder.done && this.#waiting !== undefined) this.#settle(END)
    return from
  }

  /** The content, when all of it has come in one `take` and nothing more is to be said of it. */
  whole(): Buffer | undefined {
    const isWhole = this.#decoder.done && this.#decoder.trailers === undefined && this.#queue.length < 2
    return isWhole ? (this.#queue[0] ?? noBytes) : undefined
  }

  /** The rest will never come. The reader learns why at its next pull; what is queued is dropped. */
  fail(why: Fault): void {
    if (this.#fault !== undefined) return
    this.#fault = why
    this.#drop()
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(why)
  }

  trailers(): Headers | undefined {
    return this.#decoder.done && this.#queue.length === 0 ? this.#decoder.trailers : undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    this.isPulled = true
    if (this.#fault !== undefined) throw this.#fault
    const chunk = this.#queue.shift()
    if (chunk !== undefined) {
      this.queued -= chunk.length
      if (this.queued === 0 && !this.#decoder.done) this.#source.bodyTaken(this)
      return chunk
    }
    if (this.isStopped) throw new FaultError('cancelled', 'the body was given up by its reader')
    if (this.#decoder.done) return END
    const wait = new Promise<Chunk | End>((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
    this.#source.bodyWanted(this)
    return wait
  }

  protected stop(why: Fault): void {
    if (this.isStopped) return
    this.isStopped = true
    this.discarded += this.queued
    this.#drop()
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(why)
    if (!this.#decoder.done && this.#fault === undefined) this.#source.bodyTaken(this)
  }

  protected override reuse(chunk: Chunk): void {
    giveBack(chunk)
  }

  #put(chunk: Buffer): void {
    if (this.#waiting !== undefined) this.#settle(chunk)
    else {
      this.#queue.push(chunk)
      this.queued += chunk.length
    }
  }

  #settle(chunk: Chunk | End): void {
    const waiting = this.#waiting!
    this.#waiting = undefined
    waiting.resolve(chunk)
  }

  #drop(): void {
    this.#queue = []
    this.queued = 0
  }
}

const maxTrailerBytes = 8192
const maxTrailerCount = 32
const chunkedFraming: BodyFraming = { kind: 'chunked', maxTrailerBytes, maxTrailerCount }

/** What came of a body together with its head. */
export interface Arrival {
  readonly body: Body
  /** The same body, while more is to come or trailers are to be told. */
  readonly incoming: IncomingBody | undefined
  /** Where the bytes of the body end. */
  readonly at: number
  /** The framing is broken already; there is no body then. */
  readonly fault: Fault | undefined
}

/** The body of a head that announces one, from `bytes[from..end)`: whole when all of it is there, else to be filled. */
export function receiveBody(fields: RequestFields, bytes: Buffer, from: number, end: number, source: BodySource): Arrival {
  const length = fields.contentLength
  if (!fields.isChunked && length <= end - from) {
    const at = from + length
    return { body: new BytesBody(Buffer.from(bytes.subarray(from, at))), incoming: undefined, at, fault: undefined }
  }
  const incoming = new IncomingBody(fields.isChunked ? chunkedFraming : { kind: 'length', length }, source)
  const at = incoming.take(bytes, from, end)
  const whole = incoming.whole()
  return whole === undefined
    ? { body: incoming, incoming, at, fault: incoming.fault }
    : { body: new BytesBody(whole), incoming: undefined, at, fault: undefined }
}
