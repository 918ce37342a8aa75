import type { IncomingMessage } from 'node:http'
import type { Chunk, End } from '../../core/body.ts'
import { END, StreamBody } from '../../core/body.ts'
import { Fault } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'

/** The request body of node:http, pulled. Trailers of requests are read by Node and passed on to nobody. */
export class NodeBody extends StreamBody {
  received = 0
  /** Called each time the reader has to wait for the client, and when it need not wait any more. */
  readonly #waits: (isWaiting: boolean) => void
  readonly #req: IncomingMessage
  #fault: Fault | undefined = undefined
  #waiting: { resolve(chunk: Chunk | End): void; reject(why: Fault): void } | undefined = undefined

  constructor(req: IncomingMessage, size: number | undefined, waits: (isWaiting: boolean) => void) {
    super(size)
    this.#req = req
    this.#waits = waits
    req.on('readable', this.#tryAgain)
    req.on('end', this.#tryAgain)
    req.on('error', () => this.fail(new Fault('client-left')))
    req.on('close', () => {
      if (!req.readableEnded) this.fail(new Fault('client-left'))
    })
  }

  get fault(): Fault | undefined {
    return this.#fault
  }

  fail(why: Fault): void {
    this.#fault ??= why
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(this.#fault)
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    if (this.#fault !== undefined) throw this.#fault
    const chunk = this.#next()
    if (chunk !== undefined) return chunk
    const wait = new Promise<Chunk | End>((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
    this.#waits(true)
    return wait
  }

  protected stop(why: Fault): void {
    this.fail(why)
    // A 'readable' listener would hold the flow up.
    this.#req.off('readable', this.#tryAgain)
    this.#req.resume()
  }

  #next(): Chunk | End | undefined {
    const chunk = this.#req.read() as Buffer | null
    if (chunk !== null) {
      this.received += chunk.length
      return chunk
    }
    return this.#req.readableEnded ? END : undefined
  }

  readonly #tryAgain = (): void => {
    const waiting = this.#waiting
    if (waiting === undefined) return
    const chunk = this.#next()
    if (chunk === undefined) return
    this.#waiting = undefined
    this.#waits(false)
    waiting.resolve(chunk)
  }
}
