import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Answer } from '../../core/answer.ts'
import { END, emptyBody } from '../../core/body.ts'
import type { Connection } from '../../core/exchange.ts'
import { Exchange } from '../../core/exchange.ts'
import type { ExchangeLink } from '../../core/exchange.ts'
import { Fault, faultFrom } from '../../core/fault.ts'
import type { Headers } from '../../core/headers.ts'
import type { Outcome } from '../../core/policy.ts'
import { problemOf } from '../../core/problem.ts'
import type { Due } from '../../core/sweeper.ts'
import { bodyWaitMs } from '../body-pace.ts'
import { outcomeEnd } from '../outcome-end.ts'
import type { ServerWireOptions } from '../server-wire.ts'
import { NodeBody } from './node-body.ts'
import type { NodeRequest } from './node-request.ts'

/** What one exchange of the adapter came by and goes out by. */
export interface NodeTurnParts {
  readonly options: ServerWireOptions
  readonly connection: Connection
  readonly request: NodeRequest
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** Behind an 'upgrade' event: the bytes that came behind the request. */
  readonly early: Buffer | undefined
  readonly owesContinue: boolean
  /** Whether the connection is to be closed behind this answer. */
  readonly isLast: () => boolean
  /** Whether the connection is kept for another request. */
  readonly over: (isKept: boolean) => void
}

const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'te',
  'trailer',
  'transfer-encoding',
  'content-length',
  'http2-settings',
])
const notWanted = new Fault('cancelled', 'the answer has no content')
const answered = new Fault('cancelled', 'the answer is complete')

/** One exchange over node:http. Plain rather than quick: it exists to be compared with and to fall back on. */
export class NodeTurn implements ExchangeLink, Due {
  dueAt = Infinity
  sweepSlot: number | undefined = undefined
  readonly #parts: NodeTurnParts
  readonly #x: Exchange
  readonly #body: NodeBody | undefined
  #owesContinue: boolean
  #waitedMs = 0
  #waitingSince = 0
  #isWriting = false
  #isKept = true
  #sentBytes = 0
  #receivedBytes = 0
  #answer: Answer | undefined = undefined
  #left: Fault | undefined = undefined
  #isOver = false

  constructor(parts: NodeTurnParts) {
    this.#parts = parts
    this.#owesContinue = parts.owesContinue
    const { request, options, req, res } = parts
    const { fields } = request
    const hasBody = fields.isChunked || fields.contentLength > 0
    const size = fields.isChunked ? undefined : fields.contentLength
    this.#body = hasBody ? new NodeBody(req, size, (isWaiting) => this.#waits(isWaiting)) : undefined
    this.#x = new Exchange({
      method: request.method,
      target: request.target,
      headers: request.headers,
      version: request.version,
      authority: fields.authority,
      upgrade: parts.early === undefined ? undefined : fields.upgrade,
      connection: parts.connection,
      link: this,
      body: this.#body ?? emptyBody,
      startedAt: options.clock.now(),
      startedMono: options.clock.monotonic(),
    })
    res.on('error', () => {}) // 'close' follows
    res.on('close', () => {
      if (!res.writableFinished && res.statusCode !== 101) this.#leave(new Fault('client-left'))
    })
    options.sweeper.watch(this)
  }

  /** The body's framing is broken; false when that is no business of this turn's, whose body is complete. */
  breakBody(why: Fault): boolean {
    const body = this.#body
    if (body === undefined || this.#parts.req.complete) return false
    body.fail(why)
    if (this.#parts.res.headersSent) this.#isKept = false
    return true
  }

  /** The connection is to go: a tunnel that has words for it is told. */
  drain(): void {
    if (this.#parts.res.statusCode === 101) this.#answer?.hangUp?.('draining')
  }

  async run(): Promise<void> {
    const { options } = this.#parts
    try {
      await this.#send(await options.served.handle(this.#x))
    } catch (thrown) {
      await this.#send(this.#problem(thrown))
    }
  }

  inform(status: number, headers: Headers): void {
    const { res } = this.#parts
    if (res.headersSent || res.destroyed || this.#x.version === '1.0' || status < 102 || status > 199) return
    const lines: string[] = []
    headers.forEach((name, value) => void lines.push(name, value))
    res.writeInformation(status, lines)
  }

  onDue(): void {
    this.dueAt = Infinity
    if (this.#isWriting) {
      this.#parts.res.destroy()
      this.#leave(new Fault('write-timeout'))
    } else this.#body?.fail(new Fault('body-timeout'))
  }

  #waits(isWaiting: boolean): void {
    const { options, res } = this.#parts
    const now = options.clock.monotonic()
    if (!isWaiting) {
      this.#waitedMs += now - this.#waitingSince
      this.dueAt = Infinity
      return
    }
    this.#waitingSince = now
    this.dueAt = now + bodyWaitMs(options.limits, this.#body!.received, this.#waitedMs)
    if (this.#owesContinue && !res.headersSent) res.writeContinue()
    this.#owesContinue = false
  }

  #problem(thrown: unknown): Answer {
    const fault = faultFrom(thrown)
    this.#x.fault = fault
    return this.#x.renderProblem(problemOf(fault), this.#x)
  }

  #leave(why: Fault): void {
    if (this.#isOver || this.#left !== undefined) return
    this.#left = why
    this.#x.leave(why)
    this.#body?.fail(why)
    if (this.#answer === undefined) return // the handler must settle first
    this.#answer.body.cancel(why)
    this.#finish(outcomeEnd(why), why)
  }

  async #send(answer: Answer): Promise<void> {
    const { res } = this.#parts
    const { body, status } = answer
    this.#answer = answer
    if (this.#left !== undefined) {
      body.cancel(this.#left)
      this.#finish(outcomeEnd(this.#left), this.#left)
      return
    }
    if (answer.tunnel !== undefined) {
      await this.#switch(answer)
      return
    }
    if (status < 200 || status > 999) {
      await this.#send(this.#problem(new Fault('internal', `an answer has the status ${status}`)))
      return
    }
    const isBare = this.#x.method === 'HEAD' || status === 204 || status === 304
    try {
      // What fails at once is still answered; what has to be waited for does not hold the head back.
      const first = isBare ? END : body.pull()
      this.#head(answer, isBare)
      if (isBare) body.cancel(notWanted)
      else await this.#stream(answer, await first)
    } catch (thrown) {
      if (res.headersSent) this.#break(thrown)
      else await this.#send(this.#problem(thrown))
      return
    }
    if (this.#isOver) return
    await this.#flushed((done) => void res.end(done))
    this.#finish('complete', this.#x.fault)
  }

  async #stream(answer: Answer, first: Buffer | null): Promise<void> {
    const { res } = this.#parts
    const { body } = answer
    let allowed = body.size ?? Infinity
    for (let chunk = first; chunk !== END; chunk = await body.pull()) {
      if (this.#isOver) return
      if (chunk.length > allowed) throw new Fault('internal', 'a body is longer than its announced size')
      allowed -= chunk.length
      this.#sentBytes += chunk.length
      const piece = chunk
      await this.#flushed((done) => void res.write(piece, done))
    }
    if (allowed !== Infinity && allowed > 0) throw new Fault('internal', 'a body is shorter than its announced size')
    const trailers = body.trailers()
    if (trailers === undefined || body.size !== undefined) return
    const pairs: [string, string][] = []
    trailers.forEach((name, value) => void pairs.push([name, value]))
    res.addTrailers(pairs)
  }

  #head(answer: Answer, isBare: boolean): void {
    const { res } = this.#parts
    const { body, status } = answer
    const lines: string[] = []
    answer.headers.forEach((name, value) => {
      const lower = name.toLowerCase()
      if (!hopByHop.has(lower) && (lower !== 'upgrade' || status === 426)) lines.push(name, value)
    })
    const isTold = isBare ? status !== 204 && body !== emptyBody : true
    if (isTold && body.size !== undefined) lines.push('Content-Length', String(body.size))
    if (this.#parts.isLast() || this.#mustClose()) {
      this.#isKept = false
      res.shouldKeepAlive = false
      lines.push('Connection', 'close')
    }
    res.writeHead(status, lines)
    if (!isBare) res.flushHeaders()
  }

  #mustClose(): boolean {
    const body = this.#body
    return body !== undefined && (body.fault !== undefined || this.#owesContinue)
  }

  /** Waits for the socket, no longer than a client may take. Never settles when the client is gone: `#leave` ends it. */
  #flushed(write: (done: (failure?: Error | null) => void) => void): Promise<void> {
    const { options } = this.#parts
    this.#isWriting = true
    this.dueAt = options.clock.monotonic() + options.limits.writeMs
    return new Promise((resolve) => {
      write((failure) => {
        if (failure) return
        this.#isWriting = false
        this.dueAt = Infinity
        resolve()
      })
    })
  }

  #break(thrown: unknown): void {
    if (this.#isOver) return
    const fault = faultFrom(thrown)
    this.#x.fault ??= fault
    this.#answer?.body.cancel(fault)
    const { socket } = this.#parts.req
    if (this.#x.version === '1.0' && !(socket instanceof TLSSocket)) socket.resetAndDestroy()
    else socket.destroy()
    this.#finish(outcomeEnd(fault), fault)
  }

  async #switch(answer: Answer): Promise<void> {
    const { req, res, early } = this.#parts
    const socket: Socket = req.socket
    if (answer.status !== 101 || early === undefined) {
      await this.#send(this.#problem(new Fault('internal', 'a tunnel was answered to a request that offered none')))
      return
    }
    res.detachSocket(socket)
    res.statusCode = 101
    let head = 'HTTP/1.1 101 Switching Protocols\r\n'
    answer.headers.forEach((name, value) => {
      if (!hopByHop.has(name.toLowerCase())) head += `${name}: ${value}\r\n`
    })
    if (!answer.headers.has('upgrade')) head += `Upgrade: ${this.#x.upgrade}\r\n`
    socket.write(`${head}Connection: Upgrade\r\n\r\n`, 'latin1')
    try {
      const end = await answer.tunnel!(socket, early)
      this.#sentBytes = end.sentBytes
      this.#receivedBytes = end.receivedBytes
      this.#finish('complete', this.#x.fault)
      socket.destroySoon()
    } catch (thrown) {
      const fault = faultFrom(thrown)
      this.#x.fault ??= fault
      socket.destroy()
      this.#finish(outcomeEnd(fault), fault)
    }
  }

  #finish(end: Outcome['end'], fault: Fault | undefined): void {
    if (this.#isOver) return
    this.#isOver = true
    const { options, res } = this.#parts
    options.sweeper.unwatch(this)
    options.served.done(this.#x, {
      end,
      status: res.headersSent || res.statusCode === 101 ? res.statusCode : 0,
      fault,
      receivedBytes: this.#body === undefined ? this.#receivedBytes : this.#body.received,
      sentBytes: this.#sentBytes,
      endedAt: options.clock.monotonic(),
    })
    this.#body?.cancel(answered)
    this.#parts.over(end === 'complete' && this.#isKept)
  }
}
