import type { IncomingMessage, Server } from 'node:http'
import { ServerResponse, createServer } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { Fault } from '../../core/fault.ts'
import type { Peer } from '../connection-facts.ts'
import type { ServerWire, ServerWireOptions } from '../server-wire.ts'
import { NodeConnection } from './node-connection.ts'
import { readNodeRequest } from './node-request.ts'
import type { NodeTurnParts } from './node-turn.ts'
import { NodeTurn } from './node-turn.ts'

/*
 * The same ServerWire over node:http, for `wire: 'node'` and as the oracle of our own. It accepts what both llhttp and
 * the rules of request-fields.ts accept. Where it differs from `createHttp1Server`:
 *
 *   - llhttp passes over line feeds and any number of empty lines in front of a request, takes several spaces in its
 *     first line and other protocols' names for HTTP, and longer chunk sizes, chunk extensions and trailers than we do;
 *     none of that reaches a service, since the message is written anew;
 *   - it knows only the methods of its list, and calls some malformed what we call by its name (505);
 *   - times for heads and idle connections are kept by node:http on the machine's clock, not by the injected one;
 *   - trailers of a request are dropped; a small body is not handed over whole with its head;
 *   - the rest of a body that the answer did not need is always read to its end;
 *   - a client that ends its side early gets no answer to what is still under way.
 *
 * test/security/http1-cases.ts has each difference in reading as a row.
 */

/** An adapter over node:http with the strictness of our own wire on top. */
export function createNodeServer(options: ServerWireOptions): ServerWire {
  return new NodeServer(options)
}

class NodeServer implements ServerWire {
  active = 0
  readonly #options: ServerWireOptions
  readonly #server: Server
  readonly #open = new Map<Socket, NodeConnection>()
  #isDraining = false
  #whenEmpty: (() => void)[] = []

  constructor(options: ServerWireOptions) {
    this.#options = options
    const { limits } = options
    this.#server = createServer({
      insecureHTTPParser: false,
      requireHostHeader: false, // checked by our own rules, with our own answer
      maxHeaderSize: limits.maxHeadBytes,
      headersTimeout: limits.headMs,
      requestTimeout: 0, // bodies are timed by us
      keepAliveTimeout: limits.idleMs,
      connectionsCheckingInterval: Math.max(50, Math.min(1000, limits.headMs / 4)),
      shouldUpgradeCallback: (req) => this.#offersUpgrade(req),
    })
    this.#server.maxHeadersCount = 0 // never cut silently; counted by our own rules
    this.#server.maxRequestsPerSocket = 0
    this.#server.timeout = 0
    this.#server.on('request', (req, res) => this.#request(req, res, false))
    this.#server.on('checkContinue', (req, res) => this.#request(req, res, true))
    this.#server.on('checkExpectation', (req, res) => {
      this.#open.get(req.socket)?.queue((connection) => this.#refuse(connection, new Fault('expectation-failed'), res))
    })
    this.#server.on('upgrade', (req, socket, early) => this.#upgrade(req, socket as Socket, early))
    this.#server.on('connect', (_req, socket) => this.#refuseSocket(socket as Socket, new Fault('method-not-supported')))
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#clientError(error, socket as Socket))
    // Starts Node's own watch over slow heads, which otherwise begins with listen().
    this.#server.emit('listening')
  }

  get connections(): number {
    return this.#open.size
  }

  accept(socket: Socket | TLSSocket, peer?: Peer): void {
    if (socket.destroyed) return
    const isFull = this.#open.size >= this.#options.limits.maxConnections || this.#isDraining
    this.#open.set(socket, new NodeConnection(socket, this.#options.listener, peer))
    socket.on('error', () => {}) // 'close' follows
    socket.on('close', () => {
      this.#open.delete(socket)
      this.#checkEmpty()
    })
    if (isFull) this.#refuseSocket(socket, new Fault('overloaded'))
    else this.#server.emit('connection', socket)
  }

  drain(idleMs = 0): Promise<void> {
    this.#isDraining = true
    if (idleMs === 0) this.#server.closeIdleConnections()
    else this.#options.clock.after(idleMs, () => this.#server.closeIdleConnections())
    for (const connection of this.#open.values()) connection.turn?.drain()
    return new Promise((resolve) => {
      this.#whenEmpty.push(resolve)
      this.#checkEmpty()
    })
  }

  close(): void {
    this.#isDraining = true
    this.#server.close()
    for (const socket of this.#open.keys()) socket.destroy()
  }

  #offersUpgrade(req: IncomingMessage): boolean {
    const request = readNodeRequest(req, this.#options.limits)
    return !(request instanceof Fault) && request.fields.upgrade !== undefined
  }

  #request(req: IncomingMessage, res: ServerResponse, owesContinue: boolean, early?: Buffer): void {
    const request = readNodeRequest(req, this.#options.limits)
    this.#open.get(req.socket)?.queue((connection) => {
      if (request instanceof Fault) this.#refuse(connection, request, res)
      else this.#begin(connection, { req, res, early, request, owesContinue: owesContinue && request.version === '1.1' })
    })
  }

  #begin(connection: NodeConnection, parts: Pick<NodeTurnParts, 'req' | 'res' | 'early' | 'request' | 'owesContinue'>): void {
    const { isPersistent } = parts.request.fields
    const isLast = ++connection.requests >= this.#options.limits.maxRequests || !isPersistent || parts.early !== undefined
    this.active++
    const turn = new NodeTurn({
      ...parts,
      options: this.#options,
      connection: connection.facts,
      isLast: () => isLast || this.#isDraining,
      over: (isKept) => {
        this.active--
        connection.turnOver(isKept)
        this.#checkEmpty()
      },
    })
    connection.turn = turn
    void turn.run()
  }

  #upgrade(req: IncomingMessage, socket: Socket, early: Buffer): void {
    const res = new ServerResponse(req)
    res.assignSocket(socket)
    res.on('finish', () => socket.destroySoon())
    this.#request(req, res, false, early)
  }

  #clientError(error: NodeJS.ErrnoException, socket: Socket): void {
    const connection = this.#open.get(socket)
    if (connection?.isClosing === true) return // its last answer is on its way
    if (connection === undefined || socket.destroyed || !socket.writable || error.code === 'ECONNRESET') socket.destroy()
    else if (connection.turn !== undefined) {
      // Inside a body; or behind it, where the answer under way is the last one.
      if (!connection.turn.breakBody(new Fault('malformed'))) connection.isClosing = true
    } else if (error.code === 'HPE_HEADER_OVERFLOW') this.#refuseSocket(socket, new Fault('head-too-large'))
    else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') this.#refuseSocket(socket, new Fault('head-timeout'))
    else this.#refuseSocket(socket, new Fault('malformed'))
  }

  #refuseSocket(socket: Socket, fault: Fault): void {
    this.#open.get(socket)?.queue((connection) => {
      const res = new ServerResponse({ method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 } as IncomingMessage)
      res.assignSocket(socket)
      this.#refuse(connection, fault, res)
    })
  }

  /** Answers what never became an exchange, and closes. */
  #refuse(connection: NodeConnection, fault: Fault, res: ServerResponse): void {
    const answer = this.#options.served.refused(fault, connection.facts)
    connection.isClosing = true
    const lines: string[] = []
    answer.headers.forEach((name, value) => void lines.push(name, value))
    const bytes = answer.body.bytes ?? Buffer.alloc(0)
    lines.push('Content-Length', String(bytes.length), 'Connection', 'close')
    res.shouldKeepAlive = false
    res.writeHead(answer.status, lines)
    res.end(bytes, () => connection.socket.destroySoon())
  }

  #checkEmpty(): void {
    if (this.#whenEmpty.length === 0 || this.#open.size > 0 || this.active > 0) return
    const waiting = this.#whenEmpty
    this.#whenEmpty = []
    for (const resolve of waiting) resolve()
  }
}
