import type { ServerHttp2Stream } from 'node:http2'
import { constants } from 'node:http2'
import type { Answer } from '../../core/answer.ts'
import { emptyBody } from '../../core/body.ts'
import type { Exchange, ExchangeLink } from '../../core/exchange.ts'
import { Fault, faultFrom } from '../../core/fault.ts'
import { isPromise } from '../../core/handler.ts'
import { H } from '../../core/header-names.ts'
import type { Headers } from '../../core/headers.ts'
import type { Outcome } from '../../core/policy.ts'
import { problemOf } from '../../core/problem.ts'
import type { Due } from '../../core/sweeper.ts'
import { bodyWaitMs } from '../body-pace.ts'
import { outcomeEnd } from '../outcome-end.ts'
import type { ServerWireOptions } from '../server-wire.ts'
import { answerSkip } from './field-list.ts'
import type { ContentOwner, StreamContent } from './stream-content.ts'
import type { SenderOwner } from './stream-sender.ts'
import { StreamSender, closeWhenSent } from './stream-sender.ts'

/** What one exchange needs of its connection. */
export interface TurnOwner {
  readonly options: ServerWireOptions
  /** The value of Date for an answer that has none. */
  date(): string
  /** The client does not take its answer in time: is it still there at all? */
  stalled(): void
  /** The turn is over; `isCutShort` when the client ended it before its answer was complete. */
  turnOver(turn: ServerTurn, isCutShort: boolean): void
}

const { NGHTTP2_NO_ERROR, NGHTTP2_PROTOCOL_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_CANCEL } = constants
/** The largest answer that counts as delivered when it was handed to the stream. */
const maxUnsentBytes = 16_384
const notWanted = new Fault('cancelled', 'the answer has no content')
const answered = new Fault('cancelled', 'the answer is complete')

/**
 * One exchange on its stream, from the valid head to the outcome: calls the handler, sends what it answers at the
 * client's pace, and says exactly once how it ended. A body that breaks off resets the stream.
 */
export class ServerTurn implements ExchangeLink, ContentOwner, SenderOwner, Due {
  dueAt = Infinity
  sweepSlot: number | undefined = undefined
  /** The session's own: where it keeps this turn. */
  slot = -1
  readonly stream: ServerHttp2Stream
  readonly #owner: TurnOwner
  #content: StreamContent | undefined = undefined
  #wholeBytes = 0
  #x!: Exchange
  #answer: Answer | undefined = undefined
  #sender: StreamSender | undefined = undefined
  #left: Fault | undefined = undefined
  #status = 0
  #sentBytes = 0
  #owesContinue = false
  #waitedMs = 0
  #waitingSince = 0
  #isSending = false
  #isEnding = false
  #isOver = false

  constructor(owner: TurnOwner, stream: ServerHttp2Stream) {
    this.#owner = owner
    this.stream = stream
  }

  /** Before anything else: the exchange, and its body when that is still arriving. */
  attach(x: Exchange, content: StreamContent | undefined, wholeBytes: number, owesContinue: boolean): void {
    this.#x = x
    this.#content = content
    this.#wholeBytes = wholeBytes
    this.#owesContinue = owesContinue
    this.stream.on('close', () => {
      this.#closed()
      // node:http2 keeps what is left of a stream until the next full collection: nothing of the exchange shall hang on it.
      this.stream.removeAllListeners().on('error', ignore)
    })
    this.#owner.options.sweeper.watch(this)
  }

  /** Content bytes taken from the client so far. */
  get receivedBytes(): number {
    return this.#content === undefined ? this.#wholeBytes : this.#content.received
  }

  /** Content bytes given to it so far. */
  get sentBytes(): number {
    return this.#sender?.sentBytes ?? this.#sentBytes
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
    // 100 is this wire's own business; 101 does not exist in HTTP/2.
    if (this.#status !== 0 || this.#isOver || this.#left !== undefined || status < 102 || status > 199) return
    const list: string[] = []
    headers.appendFields(list, answerSkip)
    const fields = Object.create(null) as Record<string, string | number | string[]>
    fields[':status'] = status
    for (let i = 0; i < list.length; i += 2) {
      const before = fields[list[i]]
      fields[list[i]] = before === undefined ? list[i + 1] : [...[before as string].flat(), list[i + 1]]
    }
    this.#interim(fields)
  }

  /** The client is gone. */
  leave(why: Fault): void {
    if (this.#isOver || this.#left !== undefined) return
    this.#left = why
    this.dueAt = Infinity
    this.#x.leave(why)
    this.#content?.fail(why)
    this.#sender?.stop()
    const answer = this.#answer
    if (answer === undefined) return // the handler must settle first: policies are still being reached
    answer.body.cancel(why)
    this.#finish(outcomeEnd(why), why)
  }

  onDue(): void {
    this.dueAt = Infinity
    if (this.#isSending) {
      this.leave(new Fault('write-timeout'))
      this.stream.close(NGHTTP2_CANCEL)
      this.#owner.stalled()
    } else this.#content?.fail(new Fault('body-timeout'))
  }

  // What the request's content says.

  contentWanted(): void {
    const { clock, limits } = this.#owner.options
    this.#waitingSince = clock.monotonic()
    if (!this.#isSending) this.dueAt = this.#waitingSince + bodyWaitMs(limits, this.#content!.received, this.#waitedMs)
    if (!this.#owesContinue) return
    this.#owesContinue = false
    if (this.#status === 0 && this.#content!.received === 0) this.#interim({ ':status': 100 })
  }

  contentServed(): void {
    this.#waitedMs += this.#owner.options.clock.monotonic() - this.#waitingSince
    if (!this.#isSending) this.dueAt = Infinity
  }

  contentComplete(): void {}

  contentAbandoned(): void {
    // The window stays shut: the stream is reset when its answer is complete.
  }

  // What the sender of the answer says.

  sendStalled(): void {
    this.#isSending = true
    const { clock, limits } = this.#owner.options
    this.dueAt = clock.monotonic() + limits.writeMs
  }

  sendGoesOn(): void {
    this.#isSending = false
    this.dueAt = Infinity
    if (this.#content?.isWaiting === true) this.contentWanted()
  }

  sent(): void {
    this.#sentBytes = this.#sender!.sentBytes
    this.#end()
  }

  sendFailed(why: Fault): void {
    this.#break(why)
  }

  #fail(thrown: unknown): void {
    const fault = faultFrom(thrown)
    this.#x.fault = fault
    this.#send(this.#x.renderProblem(problemOf(fault), this.#x))
  }

  #send(answer: Answer): void {
    const { body, status } = answer
    this.#answer = answer
    if (this.#left === undefined && (this.stream.closed || this.stream.destroyed)) this.#left = clientLeft
    if (this.#left !== undefined) {
      body.cancel(this.#left)
      this.#finish(outcomeEnd(this.#left), this.#left)
    } else if (answer.tunnel !== undefined) {
      this.#replace(new Fault('internal', 'a tunnel was answered to a request that offered none'))
    } else if (status < 200 || status > 599) this.#replace(new Fault('internal', `an answer has the status ${status}`))
    else if (this.#x.method === 'HEAD' || status === 204 || status === 304) {
      const isTold = status !== 204 && body !== emptyBody
      if (!this.#respond(answer, isTold ? body.size : undefined, true, false)) return
      body.cancel(notWanted)
      this.#end()
    } else if (body.bytes !== undefined) this.#sendWhole(answer, body.bytes)
    else this.#sendStream(answer)
  }

  #sendWhole(answer: Answer, bytes: Buffer): void {
    const isEmpty = bytes.length === 0
    // What has no content and tells no length may still be a whole message of another protocol (gRPC's trailers-only).
    if (!this.#respond(answer, isEmpty && answer.body === emptyBody ? undefined : bytes.length, isEmpty, false)) return
    this.#sentBytes = bytes.length
    if (!isEmpty) this.stream.end(bytes)
    this.#end()
  }

  #sendStream(answer: Answer): void {
    const { body } = answer
    let first
    try {
      // Before the head, so that what fails at once is still answered.
      first = body.pull()
    } catch (thrown) {
      this.#replace(faultFrom(thrown))
      return
    }
    const hasTrailers = body.size === undefined
    if (!this.#respond(answer, body.size, false, hasTrailers)) return
    this.#sender = new StreamSender(this.stream, body, hasTrailers, this)
    this.#sender.run(first)
  }

  /** Sends the head. False when it could not be sent, and something else was done instead. */
  #respond(answer: Answer, length: number | undefined, isEnd: boolean, hasTrailers: boolean): boolean {
    const list: string[] = [':status', String(answer.status)]
    answer.headers.appendFields(list, answerSkip)
    if (length !== undefined) list.push('content-length', String(length))
    if (answer.headers.first(H.date) === undefined) list.push('date', this.#owner.date())
    try {
      this.stream.respond(list, { endStream: isEnd, waitForTrailers: hasTrailers })
    } catch (thrown) {
      if (this.stream.destroyed || this.stream.closed) this.leave(clientLeft)
      else this.#replace(new Fault('internal', 'an answer cannot be sent over HTTP/2', { cause: thrown }))
      return false
    }
    this.#status = answer.status
    return true
  }

  /** Instead of an answer that cannot be sent. */
  #replace(fault: Fault): void {
    this.#answer!.body.cancel(fault)
    this.#answer = undefined
    this.#fail(fault)
  }

  #interim(fields: Record<string, string | number | string[]>): void {
    const { stream } = this
    if (stream.headersSent || stream.closed || stream.destroyed) return
    try {
      stream.additionalHeaders(fields)
    } catch {
      // A hint that cannot be sent is no loss.
    }
  }

  /** Everything was given to the stream: over when the client has taken it, or at once when that is next to nothing. */
  #end(): void {
    this.#isEnding = true
    this.#isSending = false
    const { stream } = this
    if (stream.writableFinished || this.#sentBytes <= maxUnsentBytes) {
      this.#complete()
      return
    }
    this.sendStalled()
    stream.once('finish', () => this.#complete())
  }

  #complete(): void {
    if (this.#isOver) return
    this.#finish('complete', this.#x.fault)
    this.#letGo()
  }

  /** The rest of a request that its answer did not need (RFC 9113 §8.1): the client is told to send no more of it. */
  #letGo(): void {
    const content = this.#content
    if (content === undefined || content.isComplete) return
    content.cancel(answered)
    closeWhenSent(this.stream, this.#sender)
  }

  /** The body broke off behind its head. The client must not take what it has for the whole. */
  #break(fault: Fault): void {
    if (this.#isOver) return
    this.#x.fault ??= fault
    this.#answer!.body.cancel(fault)
    this.#finish(outcomeEnd(fault), fault)
    this.stream.close(NGHTTP2_INTERNAL_ERROR)
  }

  #closed(): void {
    if (this.#isOver) return
    const { rstCode } = this.stream
    if (this.#isEnding && rstCode === NGHTTP2_NO_ERROR) this.#complete()
    // Nghttp2 resets a stream whose DATA does not add up to its Content-Length.
    else if (rstCode !== NGHTTP2_PROTOCOL_ERROR) this.leave(clientLeft)
    else this.leave(new Fault('malformed', 'the request does not keep to its own length'))
  }

  #finish(end: Outcome['end'], fault: Fault | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    this.dueAt = Infinity
    const { options } = this.#owner
    options.sweeper.unwatch(this)
    options.served.done(this.#x, {
      end,
      status: this.#status,
      fault,
      receivedBytes: this.receivedBytes,
      sentBytes: this.sentBytes,
      endedAt: options.clock.monotonic(),
    })
    this.#owner.turnOver(this, end === 'client-left')
  }
}

const clientLeft = new Fault('client-left')

function ignore(): void {}
