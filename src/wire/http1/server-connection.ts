import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Body } from '../../core/body.ts'
import type { Connection } from '../../core/exchange.ts'
import { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import { Headers } from '../../core/headers.ts'
import { bodyWaitMs } from '../body-pace.ts'
import type { ServerWireOptions } from '../server-wire.ts'
import type { AnswerHeads } from './answer-head.ts'
import type { Peer } from '../connection-facts.ts'
import { connectionFacts } from '../connection-facts.ts'
import type { DeadlineOwner } from './deadlines.ts'
import { Deadlines } from './deadlines.ts'
import type { IncomingBody } from './incoming-body.ts'
import type { HeadLender, IntakeOwner } from './intake.ts'
import { Intake } from './intake.ts'
import { Outbox } from './outbox.ts'
import type { RequestHead } from './request-head.ts'
import { SocketReader } from './socket-reader.ts'
import type { TurnOwner } from './turn.ts'
import { Turn } from './turn.ts'

/** The server's side of a connection: what all of them share, and what it is told of each. */
export interface ConnectionOwner extends HeadLender {
  readonly options: ServerWireOptions
  readonly heads: AnswerHeads
  readonly isDraining: boolean
  turnBegan(): void
  turnEnded(): void
  connectionClosed(connection: ServerConnection): void
}

/*
 * A connection is in one of these states:
 *
 *   idle ⇄ head → busy → (rest) → idle …            a request's head is partly there; an exchange is under way;
 *                     ↘ tunnel                      what is left of an answered request's body is passed over
 *   any of them → closing → closed                  our side has ended; input is dropped until the client ends too
 *
 * Requests sent ahead wait in the backlog while one is under way; when too much waits, reading stops.
 */
const idle = 0
const head = 1
const busy = 2
const rest = 3
const tunnel = 4
const closing = 5
const closed = 6

/** Request bytes read past an answer that did not need them, so that the connection can be kept. */
const maxRestBytes = 262_144
/** How long a client that still sends may read our last answer, before a reset would take it away. */
const lingerMs = 5000
/*
 * A client that has ended its side may wait for its answer, or be gone: the FIN is the same. An interim 102 finds out, since
 * a closed socket answers it with a reset, which the next one meets; a client that waits ignores both.
 */
const probesMs = [100, 100, 5000]
/** How long an answer under way may stand still until such a client counts as gone. */
const goneAfterMs = 1000
const keepAliveMs = 15_000

/** The request line with which HTTP/2 begins (RFC 9113 §3.4); it was chosen so that HTTP/1 refuses it. */
const preface = 'PRI * HTTP/2.0\r\n'
const continueHead = 'HTTP/1.1 100 Continue\r\n\r\n'
const noBytes = Buffer.alloc(0)
const clientLeft = new Fault('client-left')
const answered = new Fault('cancelled', 'the answer is complete')

/** One accepted connection: bytes in, exchanges one after the other, answers out. */
export class ServerConnection implements TurnOwner, IntakeOwner, DeadlineOwner {
  readonly socket: Socket
  readonly outbox: Outbox
  readonly deadlines: Deadlines
  readonly #owner: ConnectionOwner
  readonly #facts: Connection
  readonly #intake: Intake
  readonly #reader: SocketReader
  #state = idle
  #turn: Turn | undefined = undefined
  #requests = 0
  /** The client has ended its side. */
  #hasEnded = false
  #isPersistent = true
  /** The request under way offers another protocol. */
  #isOffered = false
  /** The client waits for a 100. */
  #owesContinue = false
  #waitingSince = 0
  #probes = 0
  readonly #whenEnded = (): void => this.#ended()
  readonly #whenClosed = (): void => this.#closed()

  constructor(owner: ConnectionOwner, socket: Socket, peer?: Peer) {
    this.#owner = owner
    this.socket = socket
    this.outbox = new Outbox(socket)
    this.#facts = connectionFacts(socket, owner.options.listener, peer)
    this.deadlines = new Deadlines(owner.options, socket, this)
    this.#intake = new Intake(this, owner)
    socket.allowHalfOpen = true
    socket.on('error', ignore) // 'close' follows
    socket.on('end', this.#whenEnded)
    socket.on('close', this.#whenClosed)
    const early: Buffer | null = socket.readableLength > 0 ? (socket.read() as Buffer | null) : null
    this.#reader = new SocketReader(socket, (bytes, end) => this.#received(bytes, end))
    if (early !== null && !this.#received(early, early.length)) this.#reader.pause()
  }

  get options(): ServerWireOptions {
    return this.#owner.options
  }

  get heads(): AnswerHeads {
    return this.#owner.heads
  }

  /** Ends the connection after `idleMs` without a request; a busy one ends by itself, since the owner is draining. */
  drain(idleMs: number): void {
    if (this.#state === idle && idleMs > 0) this.deadlines.awaitInput(idleMs)
    else if (this.#state === idle || this.#state === rest) this.#end()
    else this.#turn?.drain()
  }

  // Turns

  persists(turn: Turn): boolean {
    const { body } = turn
    if (!this.#isPersistent || this.#owner.isDraining || this.#requests >= this.options.limits.maxRequests) return false
    if (this.#hasEnded && this.#intake.waitingBytes === 0) return false
    if (body === undefined || body.isComplete) return true
    // A client still waiting for its 100 may send the body or not: nobody can tell what its next bytes are.
    if (body.fault !== undefined || this.#owesContinue) return false
    return (body.isPulled && !body.isStopped) || (body.left ?? Infinity) + body.discarded <= maxRestBytes
  }

  awaitFlush(turn: Turn): void {
    this.outbox.flush()
    this.deadlines.awaitOutput()
    // Behind everything else in the socket's queue.
    this.socket.write(noBytes, (failure) => {
      if (failure) return // 'close' follows
      this.deadlines.outputTaken()
      turn.flushed()
    })
  }

  release(): Buffer {
    this.#state = tunnel
    this.deadlines.awaitInput(Infinity)
    this.#reader.release()
    return this.#intake.takeWaiting()
  }

  turnOver(turn: Turn, persists: boolean): void {
    this.#owner.turnEnded()
    this.#turn = undefined
    this.deadlines.outputTaken()
    if (this.#state === tunnel) this.socket.destroySoon()
    if (this.#state !== busy) return
    const { body } = turn
    const isRest = body !== undefined && !body.isComplete
    // Bytes sent right behind an offer that was declined: whether they are requests is a matter of opinion.
    const isUndecided = this.#isOffered && this.#intake.waitingBytes > 0
    if (!persists || isUndecided || body?.fault !== undefined) this.#end()
    else if (isRest) {
      this.#state = rest
      this.deadlines.awaitInput(this.options.limits.bodyMs)
    } else this.#becomeIdle()
    if (isRest) body.cancel(answered)
    if (!this.#intake.proceed()) return
    if (this.#hasEnded && this.isReady) this.#endedBetween()
    else if (!this.#isHeld()) this.#reader.resume()
  }

  // Bodies

  bodyWanted(body: IncomingBody): void {
    if (body !== this.#intake.body) return
    this.#waitingSince = this.options.clock.monotonic()
    this.deadlines.awaitInput(bodyWaitMs(this.options.limits, body.received, body.waitedMs))
    if (this.#owesContinue) {
      this.#owesContinue = false
      if (body.received === 0 && this.#turn?.isAnswering === false) this.outbox.post(continueHead)
    }
    this.#reader.resume()
  }

  bodyTaken(body: IncomingBody): void {
    if (body === this.#intake.body && !this.#isHeld()) this.#reader.resume()
  }

  // Time

  writeOverdue(): void {
    this.#turn?.stalled()
  }

  readOverdue(): void {
    switch (this.#state) {
      case head:
        if (this.#intake.hasPartOfHead) this.refuse(new Fault('head-timeout'))
        else this.#end()
        break
      case busy:
        if (this.#hasEnded) {
          this.#probe()
          break
        }
        this.#intake.body?.fail(new Fault('body-timeout'))
        this.#isPersistent = false
        break
      case idle:
      case rest:
        this.#end()
        break
      default:
        this.socket.destroy()
    }
  }

  // Input

  get isReady(): boolean {
    return this.#state === idle || this.#state === head
  }

  get isReading(): boolean {
    return this.#state < tunnel
  }

  headBegan(parser: RequestHead): void {
    parser.startedMono = this.options.clock.monotonic()
    parser.startedAt = this.options.clock.now()
  }

  headPending(): void {
    this.#state = head
    this.deadlines.awaitInput(this.options.limits.headMs)
  }

  requestCame(parser: RequestHead, body: Body, incoming: IncomingBody | undefined): void {
    const { fields } = parser
    this.#requests++
    this.#isPersistent = fields.isPersistent
    this.#owesContinue = fields.expectsContinue && this.#intake.body !== undefined && this.#intake.body.received === 0
    this.#state = busy
    if (this.#hasEnded) this.#watchEnded()
    else this.deadlines.awaitInput(Infinity)
    const turn = new Turn(this, incoming, body.bytes === undefined ? 0 : body.bytes.length)
    const x = new Exchange({
      method: parser.method,
      target: parser.target,
      headers: new Headers(parser.text, parser.lines.marks),
      version: parser.version,
      authority: fields.authority,
      upgrade: fields.upgrade,
      connection: this.#facts,
      link: turn,
      body,
      startedAt: parser.startedAt,
      startedMono: parser.startedMono,
    })
    turn.attach(x)
    this.#turn = turn
    this.#owner.turnBegan()
    this.#isOffered = fields.offersUpgrade
    // What follows an offer of another protocol must have been put aside before a tunnel can ask for it.
    if (this.#isOffered) queueMicrotask(() => turn.run())
    else turn.run()
  }

  otherVersion(bytes: Buffer, from: number, end: number): boolean {
    const { prefaceCame } = this.options
    if (prefaceCame === undefined || this.#requests > 0 || this.socket instanceof TLSSocket) return false
    if (bytes.toString('latin1', from, Math.min(end, from + preface.length)) !== preface) return false
    const received = Buffer.from(bytes.subarray(from, end))
    this.#state = closed
    this.#reader.release()
    this.socket.off('end', this.#whenEnded)
    this.socket.off('close', this.#whenClosed)
    this.#owner.connectionClosed(this)
    // Not from within the read that brought these bytes.
    setImmediate(() => {
      if (this.socket.destroyed) return
      this.socket.unshift(received)
      prefaceCame(this.socket, this.#facts)
    })
    return true
  }

  bodyMoved(body: IncomingBody, hasServed: boolean): void {
    if (hasServed) {
      body.waitedMs += this.options.clock.monotonic() - this.#waitingSince
      this.deadlines.awaitInput(Infinity)
    }
    if (this.#state !== rest) return
    if (body.fault !== undefined || body.discarded > maxRestBytes) this.#end()
    else if (body.isComplete) this.#becomeIdle()
  }

  /** Returns whether reading goes on. */
  #received(bytes: Buffer, end: number): boolean {
    if (this.isReading) this.#intake.receive(bytes, end)
    return !this.#isHeld()
  }

  /** Whether enough has been read for now. */
  #isHeld(): boolean {
    if (!this.isReading) return false
    const { body, waitingBytes } = this.#intake
    if (body === undefined) return this.#state === busy && waitingBytes >= this.options.limits.maxHeadBytes
    return body.isFull || (this.#state === busy && body.discarded > maxRestBytes)
  }

  // Ends

  /** There is no room for this connection. Without `isTold` it is closed without an answer, but counted all the same. */
  turnAway(fault: Fault, isTold: boolean): void {
    if (isTold) {
      this.refuse(fault)
    } else {
      this.options.served.refused(fault, this.#facts)
      this.socket.destroy()
    }
  }

  /** Answers what never became an exchange, and closes. */
  refuse(fault: Fault): void {
    const answer = this.options.served.refused(fault, this.#facts)
    const bytes = answer.body.bytes ?? noBytes
    if (answer.body.bytes === undefined) answer.body.cancel(answered)
    const text = this.heads.final(answer.status, answer.headers, bytes.length, 'close')
    this.outbox.post(text + bytes.toString('latin1'))
    this.#end()
  }

  #becomeIdle(): void {
    this.#state = idle
    if (this.#owner.isDraining) this.#end()
    else this.deadlines.awaitInput(this.options.limits.idleMs)
  }

  /** Ends our side; what the client still sends is read and dropped, or a reset would cost it our last answer. */
  #end(): void {
    if (this.#state >= closing) return
    this.#state = closing
    this.#intake.drop()
    this.deadlines.outputTaken()
    this.outbox.flush()
    this.socket.end()
    this.deadlines.awaitInput(this.socket.writableLength > 0 ? this.options.limits.writeMs : lingerMs)
    this.#reader.resume()
  }

  /** The client has ended its side: it may still want answers to what it asked. */
  #ended(): void {
    this.#hasEnded = true
    if (this.#state === busy) {
      this.#intake.body?.fail(new Fault('client-left', 'the client ended its side inside the request body'))
      this.socket.setKeepAlive(true, keepAliveMs)
      this.#watchEnded()
    } else if (this.#state < tunnel) this.#endedBetween()
  }

  /** Over TLS nobody ends one side only. */
  #watchEnded(): void {
    this.#probes = 0
    this.deadlines.awaitInput(this.socket instanceof TLSSocket ? 0 : probesMs[0])
  }

  /** An exchange is under way for a client that has ended its side. */
  #probe(): void {
    const turn = this.#turn!
    if (turn.isAnswering ? turn.isStill() : this.socket instanceof TLSSocket) {
      this.socket.destroy() // 'close' follows
      return
    }
    if (!turn.isAnswering) turn.inform(102, new Headers())
    this.deadlines.awaitInput(turn.isAnswering ? goneAfterMs : probesMs[Math.min(++this.#probes, 2)])
  }

  #endedBetween(): void {
    if (this.#intake.hasPartOfHead) {
      this.refuse(new Fault('malformed', 'the client ended its side inside a request head'))
    } else this.#end()
  }

  #closed(): void {
    this.#state = closed
    this.#turn?.leave(clientLeft)
    this.#intake.drop()
    this.#owner.connectionClosed(this)
  }
}

function ignore(): void {}
