import { constants } from 'node:http2'
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2'
import { Answer } from '../../core/answer.ts'
import { emptyBody } from '../../core/body.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import { H } from '../../core/header-names.ts'
import type { Call } from '../../core/service.ts'
import type { Due } from '../../core/sweeper.ts'
import type { ClientWireOptions } from '../client-wire.ts'
import { callDrop, callFraming } from '../http1/call-head.ts'
import { describedBody } from '../http1/client-body.ts'
import { answerSkip, receivedFields } from './field-list.ts'
import type { ContentOwner, EndNote } from './stream-content.ts'
import { StreamContent, noteEnd } from './stream-content.ts'
import type { SenderOwner } from './stream-sender.ts'
import { StreamSender } from './stream-sender.ts'

/** The pool and the connection, as a call sees them. */
export interface CallOwner {
  readonly options: ClientWireOptions
  /** The authority of calls that name none. */
  readonly authority: string
  /** The call waits no more for a connection: it was given up. */
  gaveUp(call: ClientCall): void
}

/** The connection that carries a call. */
export interface CallCarrier {
  readonly session: ClientHttp2Session
  /** The last stream that the service will have looked at, once it has said so. */
  readonly lastStream: number
  /** The stream of a call is gone; said once for each. */
  callOver(): void
  /** The service was silent for too long: is the connection still one? */
  suspect(): void
}

const {
  NGHTTP2_NO_ERROR,
  NGHTTP2_CANCEL,
  NGHTTP2_REFUSED_STREAM,
  NGHTTP2_PROTOCOL_ERROR,
  NGHTTP2_ENHANCE_YOUR_CALM,
  NGHTTP2_FLAG_END_STREAM,
} = constants
const maxInterims = 16

/** Waiting for a connection, for the head, reading the body, over. */
type Phase = 'waiting' | 'head' | 'body' | 'over'

/** One call on its way: it waits for a connection, then it is a stream of one. */
export class ClientCall implements ContentOwner, SenderOwner, Due {
  dueAt: number
  sweepSlot: number | undefined = undefined
  readonly #owner: CallOwner
  readonly #call: Call
  readonly #x: Exchange
  readonly #resolve: (answer: Answer) => void
  readonly #reject: (why: Fault) => void
  #phase: Phase = 'waiting'
  #carrier: CallCarrier | undefined = undefined
  #stream: ClientHttp2Stream | undefined = undefined
  #end: EndNote | undefined = undefined
  #content: StreamContent | undefined = undefined
  #sender: StreamSender | undefined = undefined
  /** How much had been sent when the silence began. */
  #sentBefore = 0
  #isStalled = false
  #interims = 0
  #isNonsense = false

  constructor(owner: CallOwner, call: Call, x: Exchange, resolve: (answer: Answer) => void, reject: (why: Fault) => void) {
    this.#owner = owner
    this.#call = call
    this.#x = x
    this.#resolve = resolve
    this.#reject = reject
    this.dueAt = Math.min(this.#now() + owner.options.headTimeoutMs, call.headBy)
    owner.options.sweeper.watch(this)
  }

  /** Opens the stream. What cannot be sent fails the call alone. */
  start(carrier: CallCarrier): void {
    const { body } = this.#call
    const isEmpty = body.size === 0
    const hasTrailers = body.size === undefined
    let stream: ClientHttp2Stream
    try {
      const fields = this.#fields()
      stream = carrier.session.request(fields, { endStream: isEmpty, waitForTrailers: hasTrailers })
      // They are sent; node:http2 would keep them, and the text that they are cut from, as long as what is left of a stream.
      fields.length = 0
    } catch (thrown) {
      this.#fail(thrown instanceof Fault ? thrown : new Fault('internal', 'a call cannot be sent over HTTP/2', { cause: thrown }))
      carrier.callOver()
      return
    }
    this.#phase = 'head'
    this.#carrier = carrier
    this.#stream = stream
    this.#end = noteEnd(stream)
    stream.on('error', (error: NodeJS.ErrnoException) => {
      // 'close' follows. This one is nghttp2's own word for a peer that does not speak HTTP/2.
      this.#isNonsense = error.code === 'ERR_HTTP2_ERROR'
    })
    stream.on('headers', (headers, _flags, raw?: readonly string[]) => this.#informed(Number(headers[':status']), raw ?? []))
    stream.on('response', (headers, flags, raw?: readonly string[]) => this.#answered(Number(headers[':status']), flags, raw ?? []))
    stream.on('close', () => this.#closed())
    if (body.bytes !== undefined) {
      this.#awaitHead()
      if (!isEmpty) stream.end(body.bytes)
      return
    }
    if (isEmpty) {
      this.#awaitHead()
      return
    }
    this.dueAt = this.#call.headBy
    this.#sender = new StreamSender(stream, body, hasTrailers, this)
    this.#sender.run()
  }

  /** Ends the call with a Fault, wherever it is. Harmless when it is over. */
  fail(why: Fault): void {
    this.#fail(why)
  }

  onDue(): void {
    const { options } = this.#owner
    switch (this.#phase) {
      case 'waiting':
        this.#fail(new Fault('overloaded', 'no connection became free in time', { unsent: true }))
        break
      case 'head':
        this.#carrier!.suspect()
        this.#fail(new Fault('service-timeout', 'the service did not take the request or begin its answer in time'))
        break
      case 'body':
        // While the request still moves, an answer may be silent: calls that stream both ways.
        if (this.#sender !== undefined && this.#sender.sentBytes !== this.#sentBefore) {
          this.#sentBefore = this.#sender.sentBytes
          this.dueAt = this.#now() + options.idleMs
          break
        }
        this.#carrier!.suspect()
        this.#fail(new Fault('service-timeout', 'the service stopped in the middle of its answer'))
        break
      default:
        this.dueAt = Infinity
    }
  }

  // What the answer's content says.

  contentWanted(): void {
    this.#sentBefore = this.#sender?.sentBytes ?? 0
    this.dueAt = this.#now() + this.#owner.options.idleMs
  }

  contentServed(): void {
    this.dueAt = this.#isStalled ? this.#now() + this.#owner.options.idleMs : Infinity
  }

  contentComplete(): void {
    if (this.#phase !== 'body') return
    this.#over()
    this.#endEarly()
  }

  contentAbandoned(why: Fault): void {
    this.#fail(why)
  }

  // What the sender of the request says.

  sendStalled(): void {
    this.#isStalled = true
    this.dueAt = Math.min(this.#now() + this.#owner.options.idleMs, this.#phase === 'head' ? this.#call.headBy : Infinity)
  }

  sendGoesOn(): void {
    this.#isStalled = false
    if (this.#phase === 'head') this.dueAt = this.#call.headBy
    else if (this.#phase === 'body')
      this.dueAt = this.#content?.isWaiting === true ? this.#now() + this.#owner.options.idleMs : Infinity
  }

  sent(): void {
    this.#isStalled = false
    if (this.#phase === 'head') this.#awaitHead()
  }

  sendFailed(why: Fault): void {
    this.#fail(why)
  }

  // What the stream says.

  #informed(status: number, raw: readonly string[]): void {
    if (this.#phase !== 'head') return
    if (++this.#interims > maxInterims) this.#fail(new Fault('service-nonsense', 'the service sends interim answers without end'))
    else if (status !== 100) this.#x.inform(status, receivedFields(raw, 2, answerSkip))
  }

  #answered(status: number, flags: number, raw: readonly string[]): void {
    if (this.#phase !== 'head') return
    if (raw.length / 2 > this.#owner.options.maxHeaderCount + 1) {
      this.#fail(new Fault('service-nonsense', 'an answer has too many header lines'))
      return
    }
    const headers = receivedFields(raw, 2, answerSkip)
    this.#phase = 'body'
    this.dueAt = this.#isStalled ? this.#now() + this.#owner.options.idleMs : Infinity
    const size = lengthOf(raw)
    const { method } = this.#call
    if (method === 'HEAD' || status === 304 || status === 204 || (flags & NGHTTP2_FLAG_END_STREAM) !== 0) {
      const isTold = method === 'HEAD' || status === 304
      this.#stream!.resume()
      this.#over()
      this.#endEarly()
      this.#resolve(new Answer(status, headers, isTold ? describedBody(size) : emptyBody))
      return
    }
    // What has trailers has no length for those behind us: over HTTP/1 only chunks can carry them.
    const isGrpc = headers.first(H.contentType)?.startsWith('application/grpc') === true
    this.#content = new StreamContent(this.#stream!, isGrpc ? undefined : size, this, this.#end)
    this.#resolve(new Answer(status, headers, this.#content))
  }

  #closed(): void {
    const carrier = this.#carrier!
    if (this.#phase !== 'over') this.#fail(this.#whyClosed(carrier))
    // node:http2 keeps what is left of a stream until the next full collection: nothing of the call shall hang on it.
    this.#stream!.removeAllListeners().on('error', ignore)
    carrier.callOver()
  }

  #whyClosed(carrier: CallCarrier): Fault {
    const stream = this.#stream!
    const code = stream.rstCode ?? NGHTTP2_NO_ERROR
    if (this.#phase === 'body') {
      return new Fault('service-truncated', `the service broke its answer off (code ${code})`)
    }
    if (code === NGHTTP2_REFUSED_STREAM || stream.id === undefined || stream.id > carrier.lastStream) {
      return new Fault('service-reset', 'the service did not take the request', { unsent: true })
    }
    if (this.#isNonsense || code === NGHTTP2_PROTOCOL_ERROR || code === NGHTTP2_ENHANCE_YOUR_CALM) {
      return new Fault('service-nonsense', `the stream broke the protocol (code ${code})`)
    }
    return new Fault('service-reset', `the stream ended before the head of the answer (code ${code})`)
  }

  #fail(why: Fault): void {
    const phase = this.#phase
    if (phase === 'over') return
    this.#over()
    this.#sender?.stop()
    if (phase === 'waiting') this.#owner.gaveUp(this)
    else if (this.#stream !== undefined) cancelSoon(this.#stream)
    if (this.#content === undefined) this.#reject(why)
    // What arrived before the service broke off is still given; what nobody wants any more is not.
    else this.#content.fail(why, why.code === 'service-truncated' || why.code === 'service-timeout')
  }

  /** The answer is complete and the service wants no more of the request. */
  #endEarly(): void {
    const stream = this.#stream!
    if (stream.writableEnded) return
    this.#sender?.stop()
    cancelSoon(stream)
  }

  #over(): void {
    this.#phase = 'over'
    this.dueAt = Infinity
    this.#owner.options.sweeper.unwatch(this)
  }

  #awaitHead(): void {
    this.dueAt = Math.min(this.#now() + this.#owner.options.headTimeoutMs, this.#call.headBy)
  }

  #now(): number {
    return this.#owner.options.clock.monotonic()
  }

  #fields(): string[] {
    const { method, target, authority = this.#owner.authority, headers, body, upgrade } = this.#call
    if (upgrade !== undefined) throw new Fault('service-refused', 'HTTP/2 does not switch protocols', { unsent: true })
    if (!isVisible(method) || !isVisible(target) || !isVisible(authority)) {
      throw new Fault('internal', 'a call has a method, target or authority that cannot be sent')
    }
    const scheme = this.#owner.options.tls === undefined ? 'http' : 'https'
    const list = [':method', method, ':scheme', scheme, ':authority', authority, ':path', target]
    headers.appendFields(list, callDrop)
    // Trailers are always welcome here; services of gRPC insist on hearing so.
    list.push('te', 'trailers')
    if (callFraming(this.#call) === 'length') list.push('content-length', String(body.size))
    return list
  }
}

/**
 * Cancels a stream, a turn of the event loop later. Node.js puts a CANCEL off that is made while frames are read, and asks
 * the stream for its trailers before: by then it is destroyed, which ends the process (an assertion in OnTrailers).
 */
function cancelSoon(stream: ClientHttp2Stream): void {
  setImmediate(() => stream.close(NGHTTP2_CANCEL))
}

function ignore(): void {}

function lengthOf(raw: readonly string[]): number | undefined {
  for (let i = 2; i < raw.length; i += 2) if (raw[i] === 'content-length') return Number(raw[i + 1])
  return undefined
}

function isVisible(text: string): boolean {
  if (text === '') return false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code <= 32 || code >= 127) return false
  }
  return true
}
