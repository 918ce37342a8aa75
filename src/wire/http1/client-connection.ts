import type { Socket } from 'node:net'
import { Answer } from '../../core/answer.ts'
import { Fault, faultFrom } from '../../core/fault.ts'
import type { Headers } from '../../core/headers.ts'
import type { Due } from '../../core/sweeper.ts'
import type { ClientWireOptions } from '../client-wire.ts'
import { AnswerReader } from './answer-reader.ts'
import type { AnswerOwner } from './answer-reader.ts'
import { callFraming, callHead, isIdempotent, offers } from './call-head.ts'
import { tunnelBody } from './client-body.ts'
import { dial } from './dial.ts'
import type { TlsSession } from './dial.ts'
import { Outbox } from './outbox.ts'
import type { Sending } from './sending.ts'
import { ServiceTunnel, tunnelWaitMs } from './service-tunnel.ts'
import type { TunnelOwner } from './service-tunnel.ts'
import { Upload } from './upload.ts'
import type { UploadOwner } from './upload.ts'

/*
 * One connection to a service and the call it carries out:
 *
 *   connecting → idle ⇄ head → body → idle …        head → tunnel        any → closed
 *
 * It goes back to the pool only when the answer is complete, the request wholly sent, and nothing came behind the
 * answer: a byte too many could be read as part of the next caller's answer.
 */
export type ConnectionPhase = 'connecting' | 'idle' | 'head' | 'body' | 'tunnel' | 'closed'

/** The pool, as its connections see it. */
export interface ConnectionOwner {
  readonly options: ClientWireOptions
  /** The Host of calls that name none. */
  readonly authority: string
  readonly session: TlsSession
  /** Takes no new calls: connections close after the one they have. */
  readonly isClosing: boolean
  /** Ready for a call: connected, or its call is complete. */
  ready(connection: ClientConnection, before: ConnectionPhase, now: number): void
  /** Closed; it was in the phase `before`. `why` is set when it never was connected. */
  lost(connection: ClientConnection, before: ConnectionPhase, why: Fault | undefined): void
  /** The call met a stale connection, nothing was answered, and it may be sent again. */
  repeat(sending: Sending): void
}

/** A body up to this size joins its head in one string and one write. */
const maxJoinedBytes = 16384

/** A connection of a pool. It never throws into the event loop. */
export class ClientConnection implements Due, AnswerOwner, UploadOwner, TunnelOwner {
  dueAt: number
  phase: ConnectionPhase = 'connecting'
  /** The call that this connection is being opened for, when it is for one alone. */
  reserved: Sending | undefined
  readonly bornAt: number
  readonly #owner: ConnectionOwner
  readonly #options: ClientWireOptions
  readonly #socket: Socket
  readonly #outbox: Outbox
  readonly #reader: AnswerReader
  #sending: Sending | undefined = undefined
  #calls = 0
  #upload: Upload | undefined = undefined
  #tunnel: ServiceTunnel | undefined = undefined
  #isPaused = false

  constructor(owner: ConnectionOwner, now: number, reserved: Sending | undefined) {
    const { options } = owner
    this.#owner = owner
    this.#options = options
    this.#reader = new AnswerReader(this, options.maxHeadBytes, options.maxHeaderCount)
    this.reserved = reserved
    this.bornAt = now
    this.dueAt = now + options.connectTimeoutMs
    options.sweeper.watch(this)
    const socket = dial(options, owner.session, (size, bytes) => this.#read(size, bytes))
    this.#socket = socket
    this.#outbox = new Outbox(socket)
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => this.#connected())
    socket.on('drain', () => this.#drained())
    socket.on('end', () => this.#ended())
    socket.on('error', (error) => this.#broke(error))
    socket.on('close', () => this.#broke(undefined))
  }

  /** Sends a call; its answer, or the Fault instead of it, goes to the sending. Only for an idle connection. */
  start(sending: Sending, now: number): void {
    const { call } = sending
    const framing = callFraming(call)
    let head: string
    try {
      head = callHead(call, this.#owner.authority, framing, this.#calls + 1 >= this.#options.maxCalls)
    } catch (thrown) {
      sending.reject(faultFrom(thrown))
      this.#owner.ready(this, 'idle', now)
      return
    }
    this.phase = 'head'
    this.#calls++
    this.#sending = sending
    sending.connection = this
    this.#reader.begin(call.method)
    const { bytes } = call.body
    if (bytes !== undefined && bytes.length <= maxJoinedBytes) {
      this.dueAt = Math.min(now + this.#options.headTimeoutMs, call.headBy)
      this.#outbox.post(bytes.length === 0 ? head : head + bytes.toString('latin1'))
      return
    }
    this.dueAt = call.headBy
    const upload = new Upload(this.#socket, call.body, framing === 'chunked', this)
    this.#upload = upload
    this.#socket.cork()
    this.#socket.write(head, 'latin1')
    upload.run()
    this.#socket.uncork()
  }

  /** The exchange of this call was left: ends it at once, if it is still this connection's. */
  leave(sending: Sending, why: Fault): void {
    if (this.#sending === sending || (this.phase === 'connecting' && this.reserved === sending)) this.#fail(why)
  }

  /** Closes a connection that has no call. */
  close(): void {
    this.#close(undefined)
  }

  onDue(): void {
    switch (this.phase) {
      case 'connecting':
        this.#close(new Fault('service-refused', `no connection within ${this.#options.connectTimeoutMs} ms`, { unsent: true }))
        break
      case 'head':
        this.#fail(new Fault('service-timeout', 'the service did not take the request or begin its answer in time'))
        break
      case 'body':
        this.#fail(new Fault('service-timeout', 'the service stopped in the middle of its answer'))
        break
      case 'tunnel':
        this.#tunnel!.abort()
        break
      default:
        this.#close(undefined)
    }
  }

  // What the reader of answers says.

  informed(status: number, headers: Headers): boolean {
    this.#sending!.x.inform(status, headers)
    return this.phase === 'head'
  }

  timedOutBefore(): boolean {
    // RFC 9110 §15.5.9: such an answer may be about the time before the call; it is then followed by the end.
    if (this.#reader.head.keepsAlive || !this.#mayRepeat()) return false
    this.#repeat()
    return true
  }

  answered(answer: Answer): void {
    this.phase = 'body'
    this.dueAt = Infinity
    // An error or redirection means that the rest of the request is not wanted; a success may still be reading it.
    if (answer.status >= 300) this.#upload?.stop()
    this.#sending!.resolve(answer)
  }

  completed(hasMore: boolean): boolean {
    const upload = this.#upload
    const isSent = (upload === undefined || upload.isDone) && this.#socket.writableLength === 0
    const now = this.#options.clock.monotonic()
    this.#sending = this.#upload = this.#reader.body = undefined
    upload?.stop()
    const { keepsAlive, keepAliveMs } = this.#reader.head
    const { maxCalls, maxAgeMs } = this.#options
    if (hasMore || !isSent || !keepsAlive || this.#calls >= maxCalls || now >= this.bornAt + maxAgeMs || this.#owner.isClosing) {
      this.#close(undefined)
      return false
    }
    this.phase = 'idle'
    this.dueAt = Math.min(now + Math.min(this.#options.keepAliveMs, keepAliveMs), this.bornAt + maxAgeMs)
    this.#owner.ready(this, 'body', now)
    return true
  }

  switched(status: number, headers: Headers, rest: Buffer): void {
    const { call, resolve } = this.#sending!
    if (status === 101 && !offers(call.upgrade, headers.get('upgrade'))) {
      throw new Fault('service-nonsense', 'the service switches to a protocol that nobody offered')
    }
    if (this.#upload !== undefined && !this.#upload.isDone) {
      throw new Fault('service-nonsense', 'the service switches protocols inside a request')
    }
    const tunnel = new ServiceTunnel(this.#socket, this)
    this.#tunnel = tunnel
    this.phase = 'tunnel'
    this.#armIdle()
    if (rest.length > 0) tunnel.offer(rest)
    const body = tunnelBody(() => tunnel.giveUp())
    resolve(new Answer(status, headers, body, (client, early) => tunnel.run(client, early)))
  }

  // What the reader of a body says.

  wanted(): void {
    this.#armIdle()
    this.#resume()
  }

  served(): void {
    this.dueAt = Infinity
  }

  abandoned(why: Fault): void {
    this.#fail(why)
  }

  // What the sender of a body says.

  uploaded(): void {
    if (this.phase !== 'head') return
    const { clock, headTimeoutMs } = this.#options
    this.dueAt = Math.min(clock.monotonic() + headTimeoutMs, this.#sending!.call.headBy)
  }

  uploadStalled(): void {
    if (this.phase !== 'head') return
    this.#armIdle()
    this.dueAt = Math.min(this.dueAt, this.#sending!.call.headBy)
  }

  uploadGoesOn(): void {
    if (this.phase === 'head') this.dueAt = this.#sending!.call.headBy
  }

  uploadFailed(why: Fault): void {
    this.#fail(why)
  }

  // What the tunnel says.

  tunnelMoved(isHalfOpen: boolean): void {
    this.dueAt = this.#options.clock.monotonic() + tunnelWaitMs(this.#options.idleMs, isHalfOpen)
  }

  tunnelReads(): void {
    this.#resume()
  }

  tunnelOver(): void {
    this.#close(undefined)
  }

  // What the socket says.

  #connected(): void {
    if (this.phase !== 'connecting') return
    const now = this.#options.clock.monotonic()
    this.phase = 'idle'
    this.dueAt = now + this.#options.keepAliveMs
    this.#owner.ready(this, 'connecting', now)
    this.reserved = undefined
  }

  #read(size: number, bytes: Buffer): boolean {
    let goesOn = false
    try {
      if (this.phase === 'body' || (this.phase === 'head' && this.#outbox.isEmpty)) goesOn = this.#reader.take(bytes, size)
      else if (this.phase === 'tunnel') goesOn = this.#tunnel!.offer(Buffer.from(bytes.subarray(0, size)))
      // The call has not been sent yet, so this is no answer to it.
      else if (this.phase === 'head') this.#broke(undefined)
      // Nobody asked: whatever it is, it must not become the next caller's answer.
      else this.#close(undefined)
    } catch (thrown) {
      const fault = faultFrom(thrown)
      this.#fail(fault.code === 'malformed' ? new Fault('service-nonsense', fault.message, { cause: fault }) : fault)
    }
    this.#isPaused = !goesOn
    return goesOn
  }

  #drained(): void {
    if (this.#tunnel === undefined) this.#upload?.drained()
    else this.#tunnel.drained()
  }

  /** The service has sent its last byte. */
  #ended(): void {
    if (this.phase === 'tunnel') this.#tunnel!.serviceEnded()
    else if (this.phase === 'body' && this.#reader.finish()) this.completed(true)
    else this.#broke(undefined)
  }

  /** The connection is of no use any more: an error, its close, or an end where none may be. */
  #broke(cause: Error | undefined): void {
    switch (this.phase) {
      case 'connecting':
        this.#close(new Fault('service-refused', 'no connection to the service', { cause, unsent: true }))
        break
      case 'idle':
        this.#close(undefined)
        break
      case 'head':
        if (!this.#reader.isBegun && this.#mayRepeat()) this.#repeat()
        else this.#fail(new Fault('service-reset', 'the connection ended before the head of the answer', { cause }))
        break
      case 'body':
        this.#fail(new Fault('service-truncated', 'the connection ended inside the answer', { cause }))
        break
      case 'tunnel': {
        const { readableEnded, writableFinished, errored } = this.#socket
        this.#socket.destroy()
        this.#tunnel!.serviceClosed(cause === undefined && errored === null && readableEnded && writableFinished)
        break
      }
      case 'closed':
    }
  }

  /**
   * A connection that was used before may have been closed by the service while the call was on its way. Sending the
   * call again is right only once, only while its body is in hand, and only if doing it twice does no harm: a proxy
   * must not repeat a method that is not idempotent (RFC 9110 §9.2.2, RFC 9112 §9.3.1).
   */
  #mayRepeat(): boolean {
    const { call, isRepeated } = this.#sending!
    // Not even written yet: it was never sent.
    if (!this.#outbox.isEmpty) return !isRepeated
    return this.#calls > 1 && !isRepeated && call.body.bytes !== undefined && isIdempotent(call.method)
  }

  #repeat(): void {
    const sending = this.#sending!
    this.#sending = undefined
    sending.isRepeated = true
    // First the new connection, so that its place does not go to a call that waits in line.
    this.#owner.repeat(sending)
    this.#close(undefined)
  }

  /** Ends the call with a Fault, and the connection with it. */
  #fail(why: Fault): void {
    if (this.phase === 'tunnel') {
      this.#tunnel!.abort()
      return
    }
    const sending = this.#sending ?? this.reserved
    const { body } = this.#reader
    this.#sending = this.#reader.body = undefined
    this.#close(undefined)
    // Once there is a body, the answer was given; its reader hears of it.
    if (body === undefined) sending?.reject(why)
    else body.fail(why)
  }

  #close(why: Fault | undefined): void {
    const before = this.phase
    if (before === 'closed') return
    this.phase = 'closed'
    this.dueAt = Infinity
    this.#options.sweeper.unwatch(this)
    this.#upload?.stop()
    this.#socket.destroy()
    this.#owner.lost(this, before, why)
  }

  #resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#socket.resume()
  }

  #armIdle(): void {
    this.dueAt = this.#options.clock.monotonic() + this.#options.idleMs
  }
}
