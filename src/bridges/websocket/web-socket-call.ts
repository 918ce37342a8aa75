import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { TunnelNotice } from '../../core/answer.ts'
import type { End } from '../../core/body.ts'
import { END, emptyBody } from '../../core/body.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault, faultFrom } from '../../core/fault.ts'
import { grpcCodes } from '../../core/grpc-status.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { isPromise } from '../../core/handler.ts'
import { Headers } from '../../core/headers.ts'
import type { Call, Service } from '../../core/service.ts'
import type { Due } from '../../core/sweeper.ts'
import type { BridgeEnv } from '../bridge.ts'
import type { Descriptors } from '../descriptors/descriptors.ts'
import { callDeadline, grpcTimeoutAt } from '../grpc/call-deadline.ts'
import type { GrpcAnswer } from '../grpc/grpc-call.ts'
import { startGrpcCall, unaryEnd } from '../grpc/grpc-call.ts'
import type { GrpcStatus } from '../grpc/grpc-status.ts'
import { callersCode, statusOfFault } from '../grpc/grpc-status.ts'
import type { MessageSource } from '../grpc/message-source.ts'
import { MessageQueue } from '../grpc/message-source.ts'
import { toMetadata } from '../grpc/metadata.ts'
import { closeCodeOf } from '../web-socket/accept-web-socket.ts'
import type { CalledMethod } from './called-method.ts'
import type { WebSocketForm } from './form.ts'
import { HALF_CLOSE, statusFrame } from './form.ts'

/** What a call over a WebSocket is made of. */
export interface WebSocketCallSpec {
  readonly call: Call
  readonly x: Exchange
  readonly upstream: Service
  readonly called: CalledMethod
  readonly form: WebSocketForm
  readonly descriptors: Descriptors
  readonly env: BridgeEnv
}

/** A caller who has one message to send must have sent it by then: an open connection is worth something. */
const firstMessageMs = 60_000
/** No more of the service's messages are taken while so much waits for the client. */
const maxUnsentBytes = 65_536
/** 4000 and the code of gRPC: the codes from 4000 on are for applications (RFC 6455 §7.4.2). */
const firstCode = 4000

/**
 * One call whose messages are the frames of a WebSocket. It begins when its messages can: at once where the caller streams
 * them, else with the first. Its last frame says how it ended, whatever happened; a client that leaves ends it at once.
 */
export class WebSocketCall implements Due {
  dueAt: number
  readonly #socket: WebSocket
  readonly #connection: Duplex
  readonly #spec: WebSocketCallSpec
  /** Where the caller streams. */
  readonly #queue: MessageQueue | undefined
  #answer: GrpcAnswer | undefined = undefined
  #hasBegun = false
  #isHalfClosed = false
  #isOver = false

  constructor(socket: WebSocket, connection: Duplex, spec: WebSocketCallSpec) {
    this.#socket = socket
    this.#connection = connection
    this.#spec = spec
    const resume = (): void => socket.resume()
    this.#queue = spec.called.method.streamsIn ? new MessageQueue(resume, resume) : undefined
    socket.on('message', (frame: Buffer, isBinary) => this.#received(frame, isBinary))
    socket.on('error', this.#left)
    socket.on('close', this.#left)
    this.dueAt = Infinity
    if (this.#queue !== undefined) this.#begin(this.#queue)
    else {
      this.dueAt = spec.env.clock.monotonic() + firstMessageMs
      spec.env.sweeper.watch(this)
    }
  }

  onDue(): void {
    this.#end(statusOfFault(new Fault('body-timeout', 'the message did not come')), noTrailers)
  }

  /** See `WebSocketSpec.hangUp`. What the caller has asked for whole is answered still while the node drains. */
  hangUp(why: TunnelNotice): void {
    const { method } = this.#spec.called
    const isAnsweredSoon = this.#hasBegun && !method.streamsOut && (this.#isHalfClosed || !method.streamsIn)
    if (this.#isOver || (why === 'draining' && isAnsweredSoon)) return
    const status = noticeStatus(why)
    this.#stop(status.fault ?? new Fault('cancelled', status.message))
    this.#end(status, noTrailers, closeCodeOf(why))
  }

  #received(frame: Buffer, isBinary: boolean): void {
    if (this.#isOver) return
    try {
      const read = this.#spec.form.read(frame, isBinary)
      if (read === HALF_CLOSE) this.#halfClosed()
      else this.#take(read)
    } catch (thrown) {
      this.#break(faultFrom(thrown))
    }
  }

  #take(message: Uint8Array): void {
    const { behind } = this.#spec.called
    const whole = behind.length === 0 ? message : Buffer.concat([message, behind])
    if (this.#queue === undefined) {
      if (this.#hasBegun) throw new Fault('malformed', 'the method takes one message only')
      this.#begin(whole)
    } else {
      if (this.#isHalfClosed) throw new Fault('malformed', 'a message came behind the last')
      if (!this.#queue.push(whole)) this.#socket.pause()
    }
  }

  #halfClosed(): void {
    if (this.#queue === undefined && !this.#hasBegun) throw new Fault('malformed', 'the method takes one message, and none came')
    this.#isHalfClosed = true
    this.#queue?.end()
  }

  #begin(messages: Uint8Array | MessageSource): void {
    this.#hasBegun = true
    this.#unwatch()
    const { call, x, upstream, called, env } = this.#spec
    const { method } = called
    const ownCall: Call = { ...call, body: emptyBody, upgrade: undefined, headBy: this.#headBy() }
    const deadlineAt = callDeadline(ownCall, method, grpcTimeoutAt(x))
    const request = { path: method.path, metadata: toMetadata(call.headers), messages, deadlineAt }
    let answer: MaybePromise<GrpcAnswer>
    try {
      answer = startGrpcCall(upstream, ownCall, x, request, env)
    } catch (thrown) {
      this.#failed(thrown)
      return
    }
    if (isPromise(answer)) answer.then(this.#answered, this.#failed)
    else this.#answered(answer)
  }

  /** The caller may take its time before it sends, so a wait for the head is counted from now; while it streams there is none. */
  #headBy(): number {
    const { call, x, called, env } = this.#spec
    if (call.isCallersDeadline === true) return call.headBy
    return called.method.streamsIn ? Infinity : env.clock.monotonic() + call.headBy - x.startedMono
  }

  readonly #answered = (answer: GrpcAnswer): void => {
    if (this.#isOver) {
      answer.cancel(clientLeft)
      return
    }
    this.#answer = answer
    if (this.#spec.called.method.streamsOut) this.#pump()
    else void this.#single(answer)
  }

  readonly #failed = (thrown: unknown): void => {
    if (this.#isOver) return
    const fault = faultFrom(thrown)
    this.#spec.x.fault ??= fault
    this.#end(statusOfFault(fault), noTrailers)
  }

  async #single(answer: GrpcAnswer): Promise<void> {
    const { message, status, trailers } = await unaryEnd(answer)
    if (message !== undefined && !this.#isOver && !this.#send(message)) return
    this.#end(status, trailers)
  }

  /** Gives the client what there is, and waits for it when it lags. */
  readonly #pump = (): void => this.#give(this.#answer!.pull())

  readonly #pulled = (message: Buffer | End): void => this.#give(message)

  /** Many small messages are one write: the connection is corked while there are some. */
  #give(first: MaybePromise<Buffer | End>): void {
    const answer = this.#answer!
    let next = first
    this.#connection.cork()
    while (!this.#isOver) {
      if (isPromise(next)) {
        next.then(this.#pulled, this.#failed)
        break
      }
      if (!this.#put(next)) break
      next = answer.pull()
    }
    this.#connection.uncork()
  }

  /** Sends a message or the end. Returns whether the next one may be pulled at once. */
  #put(message: Buffer | End): boolean {
    if (message !== END) return this.#send(message)
    const { status, trailers } = this.#answer!
    this.#end(status!, trailers)
    return false
  }

  #send(message: Buffer): boolean {
    // The client has said that it goes, and has not gone yet.
    if (this.#socket.readyState !== this.#socket.OPEN) {
      this.#left()
      return false
    }
    let frame: string | Buffer
    try {
      frame = this.#spec.form.write(message)
    } catch (thrown) {
      this.#break(faultFrom(thrown))
      return false
    }
    if (this.#socket.bufferedAmount + frame.length < maxUnsentBytes || !this.#spec.called.method.streamsOut) {
      this.#socket.send(frame)
      return true
    }
    this.#socket.send(frame, this.#sent)
    return false
  }

  /** A failure is followed by 'close'. */
  readonly #sent = (failure?: Error | null): void => {
    if ((failure === undefined || failure === null) && !this.#isOver) this.#pump()
  }

  /** A frame of either side was no good. */
  #break(fault: Fault): void {
    this.#stop(fault)
    this.#end(statusOfFault(fault), noTrailers)
  }

  #end(status: GrpcStatus, trailers: Headers, closeCode?: number): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#unwatch()
    const socket = this.#socket
    const { descriptors, x } = this.#spec
    const { fault } = status
    if (fault !== undefined && fault.code !== 'cancelled') x.fault ??= fault
    const code = callersCode(status)
    socket.resume()
    socket.send(statusFrame(status, trailers, descriptors.registry))
    socket.close(closeCode ?? (code === grpcCodes.ok ? 1000 : firstCode + code))
  }

  readonly #left = (): void => {
    if (this.#isOver) return
    this.#isOver = true
    this.#unwatch()
    this.#stop(clientLeft)
  }

  #unwatch(): void {
    if (this.dueAt === Infinity) return
    this.dueAt = Infinity
    this.#spec.env.sweeper.unwatch(this)
  }

  /** The service need not go on. */
  #stop(why: Fault): void {
    this.#queue?.fail(why)
    if (this.#answer === undefined) this.#spec.x.leave(why)
    else this.#answer.cancel(why)
  }
}

const clientLeft = new Fault('client-left')
const noTrailers = new Headers()

function noticeStatus(why: TunnelNotice): GrpcStatus {
  if (why === 'deadline') return statusOfFault(new Fault('service-timeout', 'the deadline of the route has passed'))
  const code = why === 'draining' ? grpcCodes.unavailable : grpcCodes.unauthenticated
  const message = why === 'draining' ? 'The gateway goes away; another one may answer.' : 'The session or token has ended.'
  return { code, message, details: undefined, fault: undefined }
}
