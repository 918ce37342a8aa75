import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Answer, TunnelEnd } from '../../core/answer.ts'
import type { Body, Chunk, End } from '../../core/body.ts'
import { END, emptyBody, releaseChunk } from '../../core/body.ts'
import type { Exchange, ExchangeLink } from '../../core/exchange.ts'
import { Fault, faultFrom } from '../../core/fault.ts'
import { isPromise } from '../../core/handler.ts'
import type { Headers } from '../../core/headers.ts'
import type { Outcome } from '../../core/policy.ts'
import { problemOf } from '../../core/problem.ts'
import type { ServerWireOptions } from '../server-wire.ts'
import type { AnswerFraming, AnswerHeads } from './answer-head.ts'
import type { IncomingBody } from './incoming-body.ts'
import { trailerDrop } from './body-decoder.ts'
import type { Outbox } from './outbox.ts'
import { smallestSlabPiece } from './slabs.ts'
import { outcomeEnd } from '../outcome-end.ts'

/** What one exchange needs of its connection. */
export interface TurnOwner {
  readonly options: ServerWireOptions
  readonly heads: AnswerHeads
  readonly socket: Socket
  /** For whole messages. Before the socket is written to, it has to be flushed. */
  readonly outbox: Outbox
  /** Whether another request may follow, as far as is known when the answer's head is written. */
  persists(turn: Turn): boolean
  /** Calls `turn.flushed` once the socket has taken everything; `turn.stalled` if the client stops reading before. */
  awaitFlush(turn: Turn): void
  /** Hands the socket over for a tunnel; returns what the client sent behind its request. */
  release(): Buffer
  /** The turn has ended and its outcome is known. */
  turnOver(turn: Turn, persists: boolean): void
}

/** What may lie unsent in the socket when the next piece is pulled: TLS sockets report a write done a tick later. */
const maxUnsentBytes = 16_384
/** Up to here head and body go out as one string (measured: at 4 KB an eighth cheaper than two buffers in one call). */
const maxJoinedBytes = 16_384
const corkedBytes = 65_536
/** After so much at a stretch other connections get their turn, however fast body and client are. */
const burstBytes = 1_048_576
const maxUnreleased = 16
const notWanted = new Fault('cancelled', 'the answer has no content')
const lastChunk = '0\r\n\r\n'

/**
 * One exchange on its connection, from the valid head to the outcome: calls the handler, writes what it answers at the
 * client's pace, and says exactly once how it ended. A body that breaks off takes the connection with it.
 */
export class Turn implements ExchangeLink {
  readonly #owner: TurnOwner
  /** The request's body, when it did not come whole with its head. */
  readonly body: IncomingBody | undefined
  readonly #wholeBytes: number
  #x!: Exchange
  #answer: Answer | undefined = undefined
  #left: Fault | undefined = undefined
  #status = 0
  #sentBytes = 0
  /** Content bytes that the announced length still allows. */
  #allowed = Infinity
  #isChunked = false
  #isUntilClose = false
  #persists = false
  #isCorked = false
  /** Large pieces that the socket may still be reading. */
  #unreleased: Chunk[] = []
  #isEnding = false
  #isOver = false
  /** Of the last look; see `isStill`. */
  #seenBytes = -1

  constructor(owner: TurnOwner, body: IncomingBody | undefined, wholeBytes: number) {
    this.#owner = owner
    this.body = body
    this.#wholeBytes = wholeBytes
  }

  /** Whether the final head has been written. */
  get isAnswering(): boolean {
    return this.#status !== 0
  }

  /** Whether nothing of the answer was sent since this was last asked, though the socket would have taken it. */
  isStill(): boolean {
    const isStill = this.#seenBytes === this.#sentBytes && this.#owner.socket.writableLength === 0
    this.#seenBytes = this.#sentBytes
    return isStill
  }

  /** The exchange that this turn is the link of. Before anything else. */
  attach(x: Exchange): void {
    this.#x = x
  }

  run(): void {
    let answer
    try {
      answer = this.#owner.options.served.handle(this.#x)
    } catch (thrown) {
      this.#fail(thrown)
      return
    }
    if (!isPromise(answer)) this.#send(answer)
    else {
      answer.then(
        (a) => this.#send(a),
        (thrown: unknown) => this.#fail(thrown),
      )
    }
  }

  inform(status: number, headers: Headers): void {
    if (this.#status !== 0 || this.#isOver || this.#left !== undefined || this.#x.version === '1.0') return
    // 100 is this wire's own business, 101 an answer. A client that does not read gets no hints.
    if (status < 102 || status > 199 || this.#owner.outbox.unsentBytes > maxUnsentBytes) return
    this.#owner.outbox.post(this.#owner.heads.interim(status, headers))
  }

  /** The connection is to go: a tunnel that has words for it is told. */
  drain(): void {
    if (this.#status === 101) this.#answer!.hangUp?.('draining')
  }

  /** The client is gone. */
  leave(why: Fault): void {
    if (this.#isOver || this.#left !== undefined || this.#status === 101) return
    this.#left = why
    this.#x.leave(why)
    this.body?.fail(why)
    const answer = this.#answer
    if (answer === undefined) return // the handler must settle first: policies are still being reached
    answer.body.cancel(why)
    this.#finish(outcomeEnd(why), why)
  }

  /** The socket has taken everything. */
  flushed(): void {
    if (this.#isOver || this.#left !== undefined) return
    this.#release()
    if (this.#isEnding) this.#finish('complete', this.#x.fault)
    else this.#pump()
  }

  /** The client does not read. */
  stalled(): void {
    this.#owner.socket.destroy()
    this.leave(new Fault('write-timeout'))
  }

  #fail(thrown: unknown): void {
    const fault = faultFrom(thrown)
    this.#x.fault = fault
    this.#send(this.#x.renderProblem(problemOf(fault), this.#x))
  }

  #send(answer: Answer): void {
    const { status, body } = answer
    this.#answer = answer
    if (this.#left !== undefined) {
      body.cancel(this.#left)
      this.#finish(outcomeEnd(this.#left), this.#left)
    } else if (answer.tunnel !== undefined) this.#switch(answer)
    else if (status < 200 || status > 999) this.#replace(new Fault('internal', `an answer has the status ${status}`))
    else if (this.#x.method === 'HEAD' || status === 204 || status === 304) {
      // What the content would have been; nothing is known of it when there never was any.
      const isTold = status !== 204 && body !== emptyBody
      const head = this.#head(answer, isTold ? (body.size ?? 'none') : 'none')
      body.cancel(notWanted)
      this.#owner.outbox.post(head)
      this.#end()
    } else if (body.bytes !== undefined) this.#sendWhole(answer, body.bytes)
    else this.#sendStream(answer, body)
  }

  #sendWhole(answer: Answer, bytes: Buffer): void {
    const { outbox, socket } = this.#owner
    const head = this.#head(answer, bytes.length)
    this.#sentBytes = bytes.length
    if (bytes.length <= maxJoinedBytes) outbox.post(bytes.length === 0 ? head : head + bytes.toString('latin1'))
    else {
      socket.cork()
      outbox.post(head)
      outbox.flush()
      socket.write(bytes)
      socket.uncork()
    }
    this.#end()
  }

  #sendStream(answer: Answer, body: Body): void {
    let first
    try {
      // Before the head, so that what fails at once is still answered, and what is there goes out with it.
      first = body.pull()
    } catch (thrown) {
      this.#replace(faultFrom(thrown))
      return
    }
    let framing: AnswerFraming = 'until-close'
    if (body.size !== undefined) framing = this.#allowed = body.size
    else if (this.#x.version === '1.1') framing = 'chunked'
    this.#isChunked = framing === 'chunked'
    this.#isUntilClose = framing === 'until-close'
    // Held back with it: the first piece may come within this turn of the event loop.
    this.#owner.outbox.post(this.#head(answer, framing))
    this.#follow(first)
  }

  /** Instead of an answer that cannot be sent. */
  #replace(fault: Fault): void {
    this.#answer!.body.cancel(fault)
    this.#answer = undefined
    this.#fail(fault)
  }

  #head(answer: Answer, framing: AnswerFraming): string {
    this.#persists = framing !== 'until-close' && this.#owner.persists(this)
    this.#status = answer.status
    const kept = this.#x.version === '1.0' ? 'keep-alive' : 'default'
    return this.#owner.heads.final(answer.status, answer.headers, framing, this.#persists ? kept : 'close')
  }

  /** Pulls until there is something to wait for. */
  #pump(): void {
    let next
    try {
      next = this.#answer!.body.pull()
    } catch (thrown) {
      this.#break(thrown)
      return
    }
    this.#follow(next)
  }

  #follow(pulled: Chunk | End | Promise<Chunk | End>): void {
    if (this.#isOver) return
    let next = pulled
    const { body } = this.#answer!
    while (!isPromise(next)) {
      if (!this.#put(next)) return
      try {
        next = body.pull()
      } catch (thrown) {
        this.#break(thrown)
        return
      }
    }
    this.#uncork()
    next.then(
      (chunk) => this.#follow(chunk),
      (thrown: unknown) => this.#break(thrown),
    )
  }

  /** Writes a piece or the end. Returns whether the next one may be pulled at once. */
  #put(chunk: Chunk | End): boolean {
    const { socket } = this.#owner
    if (chunk === END) {
      this.#endStream()
      return false
    }
    const { length } = chunk
    if (socket.destroyed) return false // 'close' follows
    if (length === 0) return true
    if (length > this.#allowed) {
      this.#break(new Fault('internal', 'a body is longer than its announced size'))
      return false
    }
    const isBurst = (this.#sentBytes % burstBytes) + length >= burstBytes
    this.#allowed -= length
    this.#sentBytes += length
    this.#cork()
    if (length >= smallestSlabPiece && this.#unreleased.length < maxUnreleased) this.#unreleased.push(chunk)
    if (this.#isChunked) {
      socket.write(`${length.toString(16)}\r\n`, 'latin1')
      socket.write(chunk)
      socket.write('\r\n', 'latin1')
    } else {
      socket.write(chunk)
    }
    if (socket.writableLength < corkedBytes && !isBurst) return true
    this.#uncork()
    if (socket.writableLength > maxUnsentBytes) this.#owner.awaitFlush(this)
    else if (isBurst) setImmediate(() => this.flushed())
    else return true
    return false
  }

  #endStream(): void {
    if (this.#allowed !== Infinity && this.#allowed > 0) {
      this.#break(new Fault('internal', 'a body is shorter than its announced size'))
      return
    }
    if (this.#isChunked) {
      const trailers = this.#answer!.body.trailers()
      this.#cork()
      this.#owner.socket.write(trailers === undefined ? lastChunk : `0\r\n${trailers.toLines(trailerDrop)}\r\n`, 'latin1')
    }
    this.#uncork()
    this.#end()
  }

  #end(): void {
    this.#isEnding = true
    if (this.#owner.outbox.unsentBytes <= maxUnsentBytes) this.#finish('complete', this.#x.fault)
    else this.#owner.awaitFlush(this)
  }

  /** The body broke off behind its head. The client must not take what it has for the whole. */
  #break(thrown: unknown): void {
    if (this.#isOver) return
    const fault = faultFrom(thrown)
    this.#x.fault ??= fault
    const { outbox, socket } = this.#owner
    this.#answer!.body.cancel(fault)
    outbox.flush()
    // Where the end of the connection is the end of the content, only a reset tells the truth.
    if (this.#isUntilClose && !(socket instanceof TLSSocket)) socket.resetAndDestroy()
    else socket.destroy()
    this.#finish(outcomeEnd(fault), fault)
  }

  #switch(answer: Answer): void {
    const protocol = this.#x.upgrade
    if (answer.status !== 101 || protocol === undefined) {
      this.#replace(new Fault('internal', 'a tunnel was answered to a request that offered none'))
      return
    }
    const { outbox, socket, heads } = this.#owner
    const early = this.#owner.release()
    this.#status = 101
    outbox.post(heads.switching(answer.headers, protocol))
    outbox.flush()
    answer.tunnel!(socket, early).then(
      (end) => this.#tunnelOver(end),
      (thrown: unknown) => this.#break(thrown),
    )
  }

  #tunnelOver(end: TunnelEnd): void {
    this.#sentBytes = end.sentBytes
    this.#finish('complete', this.#x.fault, end.receivedBytes)
  }

  #cork(): void {
    if (this.#isCorked) return
    this.#isCorked = true
    this.#owner.socket.cork()
    this.#owner.outbox.flush()
  }

  #uncork(): void {
    if (!this.#isCorked) return
    this.#isCorked = false
    this.#owner.socket.uncork()
    if (this.#owner.socket.writableLength === 0) this.#release()
  }

  /** The socket has read what it was given. */
  #release(): void {
    const body = this.#answer!.body
    for (let chunk = this.#unreleased.pop(); chunk !== undefined; chunk = this.#unreleased.pop()) releaseChunk(body, chunk)
  }

  #finish(end: Outcome['end'], fault: Fault | undefined, tunnelBytes = 0): void {
    if (this.#isOver) return
    this.#isOver = true
    const { options } = this.#owner
    const outcome: Outcome = {
      end,
      status: this.#status,
      fault,
      receivedBytes: this.body === undefined ? this.#wholeBytes + tunnelBytes : this.body.received,
      sentBytes: this.#sentBytes,
      endedAt: options.clock.monotonic(),
    }
    options.served.done(this.#x, outcome)
    this.#owner.turnOver(this, end === 'complete' && this.#persists)
  }
}
