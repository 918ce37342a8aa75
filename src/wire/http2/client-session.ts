import type { ClientHttp2Session } from 'node:http2'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectTcp, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { TLSSocket, checkServerIdentity, connect as connectTls } from 'node:tls'
import { Fault } from '../../core/fault.ts'
import type { Due } from '../../core/sweeper.ts'
import type { ClientWireOptions } from '../client-wire.ts'
import type { TlsSession } from '../http1/dial.ts'
import type { CallCarrier, ClientCall } from './client-call.ts'

/** The pool, as its connections see it. */
export interface SessionOwner {
  readonly options: ClientWireOptions
  readonly session: TlsSession
  /** Connected: calls may begin. */
  ready(connection: ClientSession): void
  /** There is room for one more call, or none will ever be again. */
  freed(connection: ClientSession): void
  /** Closed. `why` is set when it never was connected. */
  lost(connection: ClientSession, why: Fault | undefined): void
}

/** Streams at a time where the service does not say how many it takes. */
const assumedStreams = 100
/** More are never sent over one connection: its window is shared by all. */
const mostStreams = 250
const connectionWindow = 1_048_576
const everyStream = 2 ** 31 - 1

/** One HTTP/2 connection to a service, with as many calls as both sides bear. */
export class ClientSession implements CallCarrier, Due {
  dueAt: number
  lastStream = everyStream
  readonly #owner: SessionOwner
  readonly #socket: Socket
  #active = 0
  #session: ClientHttp2Session | undefined = undefined
  /** No more calls; it closes behind the last one. */
  #isLeaving = false
  #isClosed = false
  /** The service has sent its SETTINGS: it speaks HTTP/2, and says how many streams it takes. */
  #isReady = false
  #count = 0
  #maxStreams = assumedStreams
  readonly #leaveBy: number
  #probeBy = Infinity

  constructor(owner: SessionOwner, now: number) {
    this.#owner = owner
    const { options } = owner
    this.dueAt = now + options.connectTimeoutMs
    this.#leaveBy = now + options.maxAgeMs
    options.sweeper.watch(this)
    const socket = dialHttp2(options, owner.session)
    this.#socket = socket
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => this.#connected())
    socket.once('error', (error) => this.#lost(this.#isReady ? undefined : refused('no connection to the service', error)))
    socket.once('close', () => this.#lost(this.#isReady ? undefined : refused('the connection was closed at once')))
  }

  get session(): ClientHttp2Session {
    return this.#session!
  }

  get isConnecting(): boolean {
    return !this.#isReady
  }

  get active(): number {
    return this.#active
  }

  /** Whether another call may begin here now. */
  get hasRoom(): boolean {
    return this.#isReady && !this.#isLeaving && !this.#isClosed && this.#active < this.#maxStreams
  }

  /** Carries a call out. Only where there is room. */
  start(call: ClientCall): void {
    this.#active++
    if (++this.#count >= this.#owner.options.maxCalls) this.#isLeaving = true
    this.#setDue()
    call.start(this)
  }

  callOver(): void {
    this.#active--
    if (this.#isClosed) return
    this.#setDue()
    if (this.#isLeaving && this.#active === 0) this.#end()
    this.#owner.freed(this)
  }

  suspect(): void {
    if (this.#probeBy !== Infinity || this.#session === undefined || this.#session.destroyed) return
    this.#probeBy = this.#now() + this.#owner.options.connectTimeoutMs
    this.#session.ping(() => {
      this.#probeBy = Infinity
      this.#setDue()
    })
    this.#setDue()
  }

  /** Takes no new calls; closes behind the last one. */
  leave(): void {
    this.#isLeaving = true
    if (!this.#isReady) this.#lost(refused('the pool is closed'))
    else if (this.#active === 0) this.#end()
  }

  onDue(now: number): void {
    if (!this.#isReady) {
      this.#lost(refused(`no connection within ${this.#owner.options.connectTimeoutMs} ms`))
      return
    }
    if (now >= this.#probeBy) {
      this.#lost(undefined)
      return
    }
    // Nothing was asked for long, or it is old: a name may lead elsewhere by now.
    if (this.#active === 0) this.leave()
    else if (now >= this.#leaveBy) {
      this.#isLeaving = true
      this.#setDue()
    }
  }

  #connected(): void {
    if (this.#isClosed) return
    const { options } = this.#owner
    const socket = this.#socket
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
      this.#lost(refused('the service does not speak HTTP/2 (it chose another protocol by ALPN)'))
      return
    }
    const session = connectHttp2(options.tls === undefined ? 'http://service' : 'https://service', {
      createConnection: () => socket,
      maxHeaderListPairs: options.maxHeaderCount + 8,
      strictSingleValueFields: false,
      settings: {
        enablePush: false,
        initialWindowSize: 65_535,
        maxHeaderListSize: options.maxHeadBytes + 32 * options.maxHeaderCount,
      },
    } as Parameters<typeof connectHttp2>[1])
    this.#session = session
    session.on('error', ignore) // 'close' follows
    session.on('close', () => this.#lost(this.#isReady ? undefined : refused('the service does not speak HTTP/2')))
    session.on('goaway', (_code: number, lastStream: number) => this.#told(lastStream))
    session.on('remoteSettings', (settings) => {
      this.#maxStreams = Math.min(mostStreams, settings.maxConcurrentStreams ?? assumedStreams)
      if (this.#isReady) this.#owner.freed(this)
      else {
        this.#isReady = true
        this.#setDue()
        this.#owner.ready(this)
      }
    })
    session.setLocalWindowSize(connectionWindow)
  }

  /** GOAWAY: what came after the last stream was not looked at, and nothing new will be. */
  #told(lastStream: number): void {
    this.#isLeaving = true
    this.lastStream = Math.min(this.lastStream, lastStream)
    this.#owner.freed(this)
    if (this.#active === 0) this.#end()
  }

  #end(): void {
    if (this.#session === undefined || this.#session.destroyed) return
    this.#session.close()
    // Our side has nothing more to say; a service that does not end its own is not waited for.
    this.#lost(undefined)
  }

  #lost(why: Fault | undefined): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.dueAt = Infinity
    this.#owner.options.sweeper.unwatch(this)
    const session = this.#session
    if (session === undefined) this.#socket.destroy()
    else if (session.closed && !session.destroyed) session.once('close', () => this.#socket.destroy())
    else {
      session.destroy()
      this.#socket.destroy()
    }
    this.#socket.on('error', ignore)
    this.#owner.lost(this, why)
  }

  #now(): number {
    return this.#owner.options.clock.monotonic()
  }

  #setDue(): void {
    if (this.#isClosed) return
    const idleBy = this.#active === 0 ? this.#now() + this.#owner.options.keepAliveMs : Infinity
    this.dueAt = Math.min(idleBy, this.#isLeaving ? Infinity : this.#leaveBy, this.#probeBy)
  }
}

function refused(why: string, cause?: unknown): Fault {
  return new Fault('service-refused', why, { cause, unsent: true })
}

function dialHttp2(options: ClientWireOptions, session: TlsSession): Socket {
  const { host, port, tls } = options
  if (tls === undefined) return connectTcp({ host, port, noDelay: true })
  const socket = connectTls({
    host,
    port,
    // A name is sent for SNI; an address may not be (RFC 6066 §3) and is checked against the certificate all the same.
    servername: isIP(tls.serverName) === 0 ? tls.serverName : '',
    ALPNProtocols: ['h2'],
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) => checkServerIdentity(tls.serverName, certificate),
    minVersion: 'TLSv1.2',
    ...(tls.context === undefined ? {} : { secureContext: tls.context }),
    ...(session.ticket === undefined ? {} : { session: session.ticket }),
  })
  socket.on('session', (ticket: Buffer) => {
    session.ticket = ticket
  })
  socket.once('secureConnect', () => void socket.setNoDelay(true))
  return socket
}

function ignore(): void {}
