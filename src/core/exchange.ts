import type { PeerCertificate } from 'node:tls'
import type { Body } from './body.ts'
import type { Fault } from './fault.ts'
import type { Headers } from './headers.ts'
import type { Identity } from './identity.ts'
import type { Policy } from './policy.ts'
import type { ProblemRenderer } from './problem.ts'
import { renderHttpProblem } from './problem.ts'
import type { Trace } from './trace.ts'
import type { Verdict } from './verdict.ts'

/** What is known of the connection that an exchange came by. One object per connection. */
export interface Connection {
  /** The listener's name in the configuration. */
  readonly listener: string
  /** The peer's address in canonical text (IPv4-mapped IPv6 as IPv4); '' when the socket died first. */
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localPort: number
  readonly tls: TlsFacts | undefined
}

export interface TlsFacts {
  readonly protocol: string
  readonly cipher: string
  /** The name asked for by SNI, or undefined. */
  readonly serverName: string | undefined
  /** The client's certificate when one was given and verified. */
  clientCertificate(): PeerCertificate | undefined
}

export type HttpVersion = '1.0' | '1.1' | '2'

/** What policies, log and metrics need to know of the matched route; the compiled route extends it. */
export interface RouteFacts {
  readonly name: string
  /** Position among the generation's routes. */
  readonly index: number
  /** Names of the path parameters, in the order of `Exchange.params`. */
  readonly paramNames: readonly string[]
  /** Every policy an exchange may meet from here on, in order; indexes `Exchange.verdicts`. */
  readonly policies: readonly Policy[]
}

/** The wire's side of an exchange. */
export interface ExchangeLink {
  /** Sends an interim (1xx) head now, if the client's protocol knows them and no final head was sent. */
  inform(status: number, headers: Headers): void
}

/**
 * One request and, in time, its response. Made by the wire from a validated message; the guard and the router fill in
 * what they establish; policies read it. Its own model, lean and lazy: no web Request, no object keyed by client input.
 */
export class Exchange {
  // The request as the wire validated it.
  readonly method: string
  /** The request target as it came, for the log; everything else uses `path` and `query`. */
  readonly target: string
  readonly headers: Headers
  readonly version: HttpVersion
  /** The validated Host or :authority, lower case, with port when one was given; '' only for HTTP/1.0 without Host. */
  readonly authority: string
  /** The protocol the client offers to switch to, or undefined. */
  readonly upgrade: string | undefined
  readonly connection: Connection
  readonly link: ExchangeLink
  body: Body
  /** Milliseconds since 1970, and on the monotonic clock, of the first byte's arrival. */
  readonly startedAt: number
  readonly startedMono: number

  // Established by the guard.
  /** The request id: from a trusted proxy, else made here. */
  id = ''
  /** Normalised path, always beginning with "/". The one reading that router, policies and services see. */
  path = ''
  /** Whether `path` holds an encoded slash or a semicolon, which only some routes allow. */
  hasEncodedSlash = false
  hasSemicolon = false
  /** Query without "?", as it came; undefined when there was none. */
  query: string | undefined = undefined
  /** The client's address, from the connection or from trusted proxies' fields. */
  clientAddress: string
  scheme: 'http' | 'https'
  /** Whether the peer is a trusted proxy, so that its forwarding fields were believed. */
  isProxied = false
  /** What the service is told of the trace: the one that came, or where traces are made, this exchange's own span. */
  traceparent: string | undefined = undefined
  /** Present where this exchange is sampled. */
  trace: Trace | undefined = undefined

  // Established on the way.
  route: RouteFacts | undefined = undefined
  /** By name index of the route, as they stand in `path` (percent-encoded); a hole where the route matched without it. */
  params: readonly (string | undefined)[] = noParams
  identity: Identity | undefined = undefined
  /** By policy index of the route; holes where a policy was not reached. */
  readonly verdicts: (Verdict | undefined)[] = []
  /** By policy index, how many were reached (their onDone is owed). */
  reached = 0
  /** The refusal that ended this exchange, and the policy that gave it. */
  refusedBy: Policy | undefined = undefined
  refusal: Verdict | undefined = undefined
  /** The failure that ended this exchange. */
  fault: Fault | undefined = undefined
  renderProblem: ProblemRenderer = renderHttpProblem

  // What the services' side notes for log and metrics.
  service = ''
  targetAddress = ''
  attempts = 0
  /** Monotonic milliseconds when the service's head arrived; 0 while it has not. */
  serviceHeadAt = 0

  #slots: unknown[] | undefined = undefined
  #leavers: ((why: Fault) => void)[] | undefined = undefined
  #left: Fault | undefined = undefined

  constructor(request: RequestFacts) {
    this.method = request.method
    this.target = request.target
    this.headers = request.headers
    this.version = request.version
    this.authority = request.authority
    this.upgrade = request.upgrade
    this.connection = request.connection
    this.link = request.link
    this.body = request.body
    this.startedAt = request.startedAt
    this.startedMono = request.startedMono
    this.clientAddress = request.connection.remoteAddress
    this.scheme = request.connection.tls === undefined ? 'http' : 'https'
  }

  /**
   * The value of a path parameter, decoded; undefined when the route has none of that name or it did not match. `**` is
   * the rest of the path from its slash on and stays encoded, so that its slashes can be told from its content.
   */
  param(name: string): string | undefined {
    const index = this.route === undefined ? -1 : this.route.paramNames.indexOf(name)
    const value = index === -1 ? undefined : this.params[index]
    return value === undefined || name === '**' || !value.includes('%') ? value : decodeURIComponent(value)
  }

  /** Sends an interim response: the only word spoken before the answer is returned. */
  inform(status: number, headers: Headers): void {
    this.link.inform(status, headers)
  }

  /** Whether the client is gone, and why. */
  get left(): Fault | undefined {
    return this.#left
  }

  /** Calls `run` when the client leaves before its answer is complete; at once if it has left already. */
  whenLeft(run: (why: Fault) => void): void {
    if (this.#left !== undefined) run(this.#left)
    else (this.#leavers ??= []).push(run)
  }

  /** Said by the wire, at most once: the client is gone. Whatever still works for it should stop. */
  leave(why: Fault): void {
    if (this.#left !== undefined) return
    this.#left = why
    const leavers = this.#leavers
    this.#leavers = undefined
    if (leavers !== undefined) for (const run of leavers) run(why)
  }

  /** Used by Slot. */
  slotValue(index: number): unknown {
    return this.#slots === undefined ? undefined : this.#slots[index]
  }

  /** Used by Slot. */
  setSlotValue(index: number, value: unknown): void {
    ;(this.#slots ??= [])[index] = value
  }
}

const noParams: readonly (string | undefined)[] = []

/** What the wire gives for a new Exchange. */
export interface RequestFacts {
  readonly method: string
  readonly target: string
  readonly headers: Headers
  readonly version: HttpVersion
  readonly authority: string
  readonly upgrade: string | undefined
  readonly connection: Connection
  readonly link: ExchangeLink
  readonly body: Body
  readonly startedAt: number
  readonly startedMono: number
}

let slotCount = 0

/** A typed place on every exchange for one policy's own state. Make it once per policy kind, at module level. */
export class Slot<T> {
  readonly #index = slotCount++

  get(x: Exchange): T | undefined {
    return x.slotValue(this.#index) as T | undefined
  }

  set(x: Exchange, value: T | undefined): void {
    x.setSlotValue(this.#index, value)
  }
}
