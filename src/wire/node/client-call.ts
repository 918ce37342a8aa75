import type { Duplex } from 'node:stream'
import type { Dispatcher, Pool } from 'undici'
import { Answer } from '../../core/answer.ts'
import { END, emptyBody } from '../../core/body.ts'
import type { Body, Chunk } from '../../core/body.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import { H, findHeaderIdOf } from '../../core/header-names.ts'
import { Headers } from '../../core/headers.ts'
import type { Call } from '../../core/service.ts'
import type { Due } from '../../core/sweeper.ts'
import type { ClientWireOptions } from '../client-wire.ts'
import { trailerDrop } from '../http1/body-decoder.ts'
import { callDrop, offers } from '../http1/call-head.ts'
import { ClientBody, describedBody, tunnelBody } from '../http1/client-body.ts'
import type { BodySource } from '../http1/client-body.ts'
import { answerDropOf, removeNominated } from '../http1/response-head.ts'
import { ServiceTunnel, tunnelWaitMs } from '../http1/service-tunnel.ts'
import type { TunnelOwner } from '../http1/service-tunnel.ts'
import { clientFault } from './client-fault.ts'

/** The client, as its calls see it. */
export interface UndiciCallOwner {
  readonly options: ClientWireOptions
  readonly pool: Pool
  /** The call waits no more and uses no connection any more. */
  over(call: UndiciCall): void
  /** A tunnel was opened (its socket leaves the pool) or closed. */
  tunnelled(change: 1 | -1): void
}

type Phase = 'waiting' | 'connecting' | 'head' | 'body' | 'tunnel' | 'over'
const maxInterims = 16

/** One call carried out by undici. */
export class UndiciCall implements Dispatcher.DispatchHandler, Due, BodySource, TunnelOwner {
  dueAt: number
  sweepSlot: number | undefined = undefined
  readonly #owner: UndiciCallOwner
  readonly #call: Call
  readonly #x: Exchange
  readonly #resolve: (answer: Answer) => void
  readonly #reject: (why: Fault) => void
  #phase: Phase = 'waiting'
  #controller: Dispatcher.DispatchController | undefined = undefined
  #body: ClientBody | undefined = undefined
  #tunnel: ServiceTunnel | undefined = undefined
  #socket: Duplex | undefined = undefined
  #interims = 0

  constructor(owner: UndiciCallOwner, call: Call, x: Exchange, resolve: (answer: Answer) => void, reject: (why: Fault) => void) {
    this.#owner = owner
    this.#call = call
    this.#x = x
    this.#resolve = resolve
    this.#reject = reject
    this.dueAt = Math.min(this.#now() + owner.options.headTimeoutMs, call.headBy)
    owner.options.sweeper.watch(this)
  }

  /** Hands the call to undici. */
  start(): void {
    const { options, pool } = this.#owner
    const { method, target, body, upgrade } = this.#call
    this.#phase = 'connecting'
    this.dueAt = Math.min(this.#now() + options.connectTimeoutMs, this.#call.headBy)
    try {
      pool.dispatch(
        {
          method,
          path: target,
          headers: this.#headers(),
          body: body.bytes ?? uploadOf(body),
          upgrade: upgrade ?? null,
          // Without it undici would take the name in `Host`, and open a new connection for each.
          ...(options.tls === undefined ? {} : { servername: options.tls.serverName }),
        } as Dispatcher.DispatchOptions,
        this,
      )
    } catch (thrown) {
      this.fail(new Fault('internal', 'a call could not be sent', { cause: thrown }))
    }
  }

  /** Ends the call with a Fault, wherever it is. Harmless when it is over. */
  fail(why: Fault): void {
    if (this.#phase === 'over') return
    if (this.#phase === 'tunnel') {
      this.#tunnel!.abort()
      return
    }
    this.#end()
    this.#controller?.abort(why)
    if (this.#body === undefined) this.#reject(why)
    else this.#body.fail(why)
  }

  onDue(): void {
    const { connectTimeoutMs } = this.#owner.options
    switch (this.#phase) {
      case 'waiting':
        this.fail(new Fault('overloaded', 'no connection became free in time', { unsent: true }))
        break
      case 'connecting':
        this.fail(new Fault('service-refused', `no connection within ${connectTimeoutMs} ms`, { unsent: true }))
        break
      default:
        this.fail(new Fault('service-timeout', 'the service did not go on in time'))
    }
  }

  // What undici says.

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#phase === 'over') {
      controller.abort(new Fault('cancelled'))
      return
    }
    this.#phase = 'head'
    this.dueAt = this.#call.body.bytes === undefined ? this.#call.headBy : this.#headBy()
  }

  onRequestSent(): void {
    if (this.#phase === 'head') this.dueAt = this.#headBy()
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.#phase !== 'head') return
    const received = receivedHeaders(controller.rawHeaders)
    if (received.lineCount > this.#owner.options.maxHeaderCount) {
      this.fail(new Fault('service-nonsense', 'an answer has too many header lines'))
      return
    }
    const headers = received.derive(answerDropOf(status))
    if (received.has('connection')) removeNominated(headers)
    if (status < 200) {
      if (++this.#interims > maxInterims) this.fail(new Fault('service-nonsense', 'the service sends interim answers without end'))
      else this.#x.inform(status, headers)
      return
    }
    const length = received.first(H.contentLength)
    const size = length === undefined ? undefined : Number(length)
    this.#phase = 'body'
    this.dueAt = Infinity
    if (this.#call.method === 'HEAD' || status === 304 || status === 204) {
      this.#resolve(new Answer(status, headers, status === 204 ? emptyBody : describedBody(size)))
      return
    }
    const body = new ClientBody(size, this)
    this.#body = body
    const answer = new Answer(status, headers, body)
    answer.isUntilClose = size === undefined && !received.has('transfer-encoding')
    this.#resolve(answer)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#body?.offer(chunk) === false) controller.pause()
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#phase !== 'body') return
    const trailers = receivedHeaders(controller.rawTrailers)
    this.#end()
    this.#body?.end(trailers.lineCount === 0 ? undefined : trailers.derive(trailerDrop))
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.fail(clientFault(error, this.#phase === 'connecting', this.#body !== undefined))
  }

  onRequestUpgrade(controller: Dispatcher.DispatchController, status: number, _headers: unknown, socket: Duplex): void {
    const headers = receivedHeaders(controller.rawHeaders).derive(answerDropOf(101))
    if (this.#phase !== 'head' || !offers(this.#call.upgrade, headers.get('upgrade'))) {
      socket.destroy()
      this.fail(new Fault('service-nonsense', 'the service switches to a protocol that nobody offered'))
      return
    }
    const tunnel = new ServiceTunnel(socket, this)
    this.#tunnel = tunnel
    this.#socket = socket
    this.#phase = 'tunnel'
    this.#owner.tunnelled(1)
    this.tunnelMoved(false)
    socket.on('data', (chunk: Buffer) => {
      if (!tunnel.offer(chunk)) socket.pause()
    })
    socket.on('drain', () => tunnel.drained())
    socket.on('end', () => tunnel.serviceEnded())
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => tunnel.serviceClosed(socket.readableEnded && socket.writableFinished && !socket.errored))
    const body = tunnelBody(() => tunnel.giveUp())
    this.#resolve(new Answer(status, headers, body, (client, early) => tunnel.run(client, early)))
  }

  // What the reader of the answer says.

  wanted(): void {
    this.dueAt = this.#now() + this.#owner.options.idleMs
    if (this.#controller!.paused) this.#controller!.resume()
  }

  served(): void {
    this.dueAt = Infinity
  }

  abandoned(why: Fault): void {
    this.fail(why)
  }

  // What the tunnel says.

  tunnelMoved(isHalfOpen: boolean): void {
    this.dueAt = this.#now() + tunnelWaitMs(this.#owner.options.idleMs, isHalfOpen)
  }

  tunnelReads(): void {
    this.#socket!.resume()
  }

  tunnelOver(): void {
    if (this.#phase !== 'tunnel') return
    this.#owner.tunnelled(-1)
    this.#end()
  }

  #end(): void {
    this.#phase = 'over'
    this.dueAt = Infinity
    this.#owner.options.sweeper.unwatch(this)
    this.#owner.over(this)
  }

  #now(): number {
    return this.#owner.options.clock.monotonic()
  }

  #headBy(): number {
    return Math.min(this.#now() + this.#owner.options.headTimeoutMs, this.#call.headBy)
  }

  #headers(): string[] {
    const { authority, body, headers } = this.#call
    const list: string[] = []
    if (authority !== undefined) list.push('host', authority)
    headers.forEach((name, value) => {
      if (callDrop[Math.abs(findHeaderIdOf(name))] !== 1) list.push(name, value)
    })
    if (body.bytes === undefined && body.size !== undefined) list.push('content-length', String(body.size))
    return list
  }
}

function receivedHeaders(raw: Dispatcher.DispatchController['rawHeaders']): Headers {
  return Headers.received(Array.isArray(raw) ? raw.map((part) => part.toString('latin1')) : [])
}

/** The body as undici takes it: a piece is pulled when the socket has room for it. */
async function* uploadOf(body: Body): AsyncGenerator<Chunk> {
  for (let chunk = await body.pull(); chunk !== END; chunk = await body.pull()) yield chunk
}
