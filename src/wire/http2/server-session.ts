import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import { constants, performServerHandshake } from 'node:http2'
import type { Socket } from 'node:net'
import type { Body } from '../../core/body.ts'
import { BytesBody, emptyBody } from '../../core/body.ts'
import type { Connection } from '../../core/exchange.ts'
import { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import { isGrpcType } from '../../core/grpc-status.ts'
import { H } from '../../core/header-names.ts'
import type { Due } from '../../core/sweeper.ts'
import type { Peer } from '../connection-facts.ts'
import { connectionFacts } from '../connection-facts.ts'
import type { ServerWireOptions } from '../server-wire.ts'
import { answerSkip } from './field-list.ts'
import type { FloodKind } from './flood-guard.ts'
import { FloodGuard, floodWindowMs, sessionBounds } from './flood-guard.ts'
import type { RequestMessage } from './request-message.ts'
import type { TurnOwner } from './server-turn.ts'
import { ServerTurn } from './server-turn.ts'
import { StreamContent } from './stream-content.ts'
import { closeWhenSent } from './stream-sender.ts'

/** The server's side of a session. */
export interface SessionOwner {
  readonly options: ServerWireOptions
  readonly message: RequestMessage
  readonly isDraining: boolean
  date(): string
  /** A number from 0 to 1, for the spread of ages. */
  random(): number
  turnBegan(): void
  turnEnded(): void
  sessionClosed(session: ServerSession): void
}

/*
 * A connection is
 *
 *   open → ending → closing → closed
 *
 * ending: GOAWAY without a last stream was sent, so that requests on their way are still taken (RFC 9113 §6.8);
 * closing: the final GOAWAY was sent, nothing new is taken, and it closes behind its last stream.
 */
const open = 0
const ending = 1
const closing = 2
const closed = 3

const { NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM, NGHTTP2_ENHANCE_YOUR_CALM, NGHTTP2_FLAG_END_STREAM } = constants

/** Streams of one connection at a time. */
export const maxStreams = 128
/** After so long a connection is asked to go, so that clients spread over workers and nodes; give or take a tenth. */
const maxAgeMs = 600_000
/** How long a client has to hear of that before nothing more is taken. */
const noticeMs = 1000
/** How long the socket may take to end behind the last stream. */
const lingerMs = 5000
/** How long a client that does not read may take to answer a PING. */
const probeMs = 10_000
/** Given to GOAWAY when any stream may still come. */
const anyStream = 2 ** 31 - 1
const connectionWindow = 1_048_576
const abused = new Error('the client abuses its connection')

/** One accepted HTTP/2 connection: streams in, an exchange for each, answers out. */
export class ServerSession implements TurnOwner, Due {
  dueAt = Infinity
  readonly #owner: SessionOwner
  readonly #socket: Socket
  readonly #facts: Connection
  readonly #session: ServerHttp2Session
  readonly #guard = new FloodGuard()
  /** Each knows its place (no Set: see Sweeper). */
  readonly #turns: ServerTurn[] = []
  #state = open
  #requests = 0
  #idleBy: number
  #endBy: number
  #closeBy = Infinity
  #probeBy = Infinity
  #hasFallen = false
  #windowBy: number

  constructor(owner: SessionOwner, socket: Socket, peer?: Peer) {
    this.#owner = owner
    this.#socket = socket
    this.#facts = connectionFacts(socket, owner.options.listener, peer)
    const { limits, clock } = owner.options
    const { maxHeaderListPairs, maxHeaderListSize } = sessionBounds(limits)
    this.#session = performServerHandshake(socket, {
      maxHeaderListPairs,
      maxOutstandingPings: 2,
      maxSettings: 32,
      maxSessionInvalidFrames: 100,
      maxSessionRejectedStreams: 100,
      strictSingleValueFields: false,
      // Our own counts come first (flood-guard.ts); this bounds what comes within one read.
      streamResetBurst: 2000,
      streamResetRate: 200,
      settings: { maxConcurrentStreams: maxStreams, maxHeaderListSize, initialWindowSize: 65_535, enableConnectProtocol: false },
    })
    const session = this.#session
    session.on('stream', (stream, _headers, flags, raw?: readonly string[]) => this.#came(stream, flags, raw ?? []))
    session.on('error', ignore) // 'close' follows
    session.on('close', () => this.#closed())
    session.on('ping', () => this.#count('control'))
    session.on('remoteSettings', () => this.#count('control'))
    session.once('connect', () => {
      if (!session.destroyed) session.setLocalWindowSize(connectionWindow)
    })
    socket.on('error', ignore)
    // Over HTTP/2 nobody ends one side only; the listener's sockets may be half open, and this one would stay until it is idle.
    socket.once('end', () => this.destroy())
    const now = clock.monotonic()
    this.#idleBy = now + limits.idleMs
    this.#endBy = now + maxAgeMs * (0.9 + 0.2 * owner.random())
    this.#windowBy = now + floodWindowMs
    this.#setDue()
  }

  get options(): ServerWireOptions {
    return this.#owner.options
  }

  date(): string {
    return this.#owner.date()
  }

  /** Ends the connection: at once for what is new, or with patience for what is on its way. */
  drain(idleMs: number): void {
    if (idleMs === 0) this.#close()
    else this.#endGently(idleMs)
  }

  /** Closes at once. */
  destroy(): void {
    this.#session.destroy()
    this.#socket.destroy()
  }

  /** There is no room for this connection. */
  turnAway(fault: Fault): void {
    this.options.served.refused(fault, this.#facts)
    this.#fell(NGHTTP2_ENHANCE_YOUR_CALM)
  }

  stalled(): void {
    if (this.#probeBy !== Infinity || this.#session.destroyed) return
    this.#probeBy = this.#now() + probeMs
    this.#session.ping(() => {
      this.#probeBy = Infinity
      this.#setDue()
    })
    this.#setDue()
  }

  turnOver(turn: ServerTurn, isCutShort: boolean): void {
    const last = this.#turns.pop()!
    if (last !== turn) this.#turns[(last.slot = turn.slot)] = last
    this.#owner.turnEnded()
    this.#guard.moved(turn.receivedBytes, turn.sentBytes)
    if (isCutShort && this.#state < closed) this.#count('reset')
    if (this.#turns.length > 0 || this.#state >= closing) return
    this.#idleBy = this.#now() + this.options.limits.idleMs
    this.#setDue()
  }

  onDue(now: number): void {
    if (now >= this.#probeBy || (this.#state === closing && now >= this.#closeBy && this.#turns.length === 0)) {
      this.destroy()
      return
    }
    if (now >= this.#windowBy) {
      this.#windowBy = now + floodWindowMs
      let pending = 0
      for (const turn of this.#turns) pending += turn.receivedBytes
      if (this.#guard.windowOver(this.#socket.bytesRead, pending)) {
        this.#fell(NGHTTP2_ENHANCE_YOUR_CALM)
        return
      }
    }
    if (now >= this.#closeBy || now >= this.#idleBy) this.#close()
    else if (now >= this.#endBy) this.#endGently(noticeMs)
    this.#setDue()
  }

  #came(stream: ServerHttp2Stream, flags: number, raw: readonly string[]): void {
    stream.on('error', ignore) // 'close' follows
    const { message } = this.#owner
    if (stream.destroyed || stream.closed) {
      // Opened and reset in one breath: nothing was done for it.
      this.#guard.stream(0)
      this.#count('reset')
      return
    }
    // Streams that were reset count as well, until their handlers have let go.
    if (this.#turns.length >= maxStreams || this.#state >= closing) {
      stream.close(NGHTTP2_REFUSED_STREAM)
      this.#count('refused')
      return
    }
    const fault = message.read(raw)
    this.#guard.stream(fault === undefined ? message.headBytes : 0)
    if (fault !== undefined) {
      this.#refuse(stream, fault)
      return
    }
    if (++this.#requests >= this.options.limits.maxRequests && this.#state === open) this.#endGently(noticeMs)
    this.#begin(stream, (flags & NGHTTP2_FLAG_END_STREAM) !== 0)
  }

  #begin(stream: ServerHttp2Stream, isWhole: boolean): void {
    const { message } = this.#owner
    const { fields } = message
    const { clock } = this.options
    const turn = new ServerTurn(this, stream)
    let body: Body = emptyBody
    let content: StreamContent | undefined
    if (!isWhole) {
      const size = fields.contentLength === -1 ? undefined : fields.contentLength
      // What came whole behind its head is handed over whole, unless trailers may follow; requests of gRPC have none.
      const mayBeWhole = size === undefined ? isGrpc(message) : stream.readableLength === size
      if (mayBeWhole && stream.readableLength > 0 && stream.state.remoteClose === 1) {
        body = new BytesBody(stream.read() as Buffer)
        stream.resume()
      } else body = content = new StreamContent(stream, size, turn)
    }
    const x = new Exchange({
      method: message.method,
      target: message.target,
      headers: message.headers,
      version: '2',
      authority: fields.authority,
      upgrade: undefined,
      connection: this.#facts,
      link: turn,
      body,
      startedAt: clock.now(),
      startedMono: clock.monotonic(),
    })
    turn.attach(x, content, body.bytes === undefined ? 0 : body.bytes.length, content !== undefined && fields.expectsContinue)
    turn.slot = this.#turns.push(turn) - 1
    this.#idleBy = Infinity
    this.#owner.turnBegan()
    turn.run()
  }

  /** Answers what never became an exchange. */
  #refuse(stream: ServerHttp2Stream, fault: Fault): void {
    const answer = this.options.served.refused(fault, this.#facts)
    const bytes = answer.body.bytes
    const list = [':status', String(answer.status), 'date', this.date()]
    answer.headers.appendFields(list, answerSkip)
    if (bytes === undefined) answer.body.cancel(fault)
    else list.push('content-length', String(bytes.length))
    stream.respond(list)
    stream.end(bytes)
    closeWhenSent(stream, undefined)
    this.#count('refused')
  }

  #count(kind: FloodKind): void {
    if (this.#guard.isFlood(kind)) this.#fell(NGHTTP2_ENHANCE_YOUR_CALM)
  }

  /**
   * The client abuses the connection: it is told, and closed whatever is under way. A turn of the event loop later, since
   * streams that end while frames are read may still be asked for their trailers, which ends the process when they are
   * destroyed by then (an assertion of Node.js in OnTrailers).
   */
  #fell(code: number): void {
    if (this.#session.destroyed || this.#hasFallen) return
    this.#hasFallen = true
    this.#state = closing
    this.#closeBy = this.#now() + lingerMs
    setImmediate(() => this.#session.destroy(abused, code))
    this.#setDue()
  }

  /** Tells the client to open its next streams elsewhere; what it has sent before it hears that is still served. */
  #endGently(afterMs: number): void {
    if (this.#state !== open) return
    this.#state = ending
    this.#endBy = Infinity
    this.#closeBy = this.#now() + afterMs
    if (!this.#session.destroyed) this.#session.goaway(NGHTTP2_NO_ERROR, anyStream)
    this.#setDue()
  }

  #close(): void {
    if (this.#state >= closing) return
    this.#state = closing
    this.#idleBy = this.#endBy = Infinity
    this.#closeBy = this.#now() + lingerMs
    this.#session.close()
    this.#setDue()
  }

  #closed(): void {
    if (this.#state === closed) return
    this.#state = closed
    this.dueAt = Infinity
    for (const turn of this.#turns.slice()) turn.leave(new Fault('client-left'))
    if (!this.#socket.destroyed) this.#socket.destroy()
    this.#owner.sessionClosed(this)
  }

  #now(): number {
    return this.options.clock.monotonic()
  }

  #setDue(): void {
    this.dueAt = Math.min(this.#idleBy, this.#endBy, this.#closeBy, this.#probeBy, this.#windowBy)
  }
}

function isGrpc({ headers }: RequestMessage): boolean {
  const type = headers.first(H.contentType)
  return type !== undefined && isGrpcType(type)
}

function ignore(): void {}
