import type { Body } from '../../core/body.ts'
import { emptyBody } from '../../core/body.ts'
import type { Fault } from '../../core/fault.ts'
import { Backlog } from './backlog.ts'
import type { BodySource, IncomingBody } from './incoming-body.ts'
import { receiveBody } from './incoming-body.ts'
import type { RequestHead } from './request-head.ts'
import { headMore, headRefused } from './request-head.ts'

/** Parsers for heads that begin now. One serves all connections as long as heads come whole. */
export interface HeadLender {
  lendHead(): RequestHead
  /** The head lent last is not complete: its connection keeps the parser. */
  keepHead(): void
}

/** The connection, as the place where requests arrive. */
export interface IntakeOwner extends BodySource {
  /** Whether a request may begin. */
  readonly isReady: boolean
  /** Whether bytes are still of interest. */
  readonly isReading: boolean
  headBegan(parser: RequestHead): void
  /** The head is not complete: the time for it runs. */
  headPending(): void
  /** A valid message; `incoming` is its body while more of it is to come or trailers are to be told. */
  requestCame(parser: RequestHead, body: Body, incoming: IncomingBody | undefined): void
  refuse(fault: Fault): void
  /** The head is none of HTTP/1. Returns whether the connection goes on with `bytes[from..end)` in another version. */
  otherVersion(bytes: Buffer, from: number, end: number): boolean
  /** A body has moved on; `hasServed` when its reader had been waiting. */
  bodyMoved(body: IncomingBody, hasServed: boolean): void
}

const noBytes = Buffer.alloc(0)

/**
 * The bytes of one connection, cut into requests one after another: a head, its body, the next head. What cannot be
 * used yet (part of a head, requests sent ahead) is kept; what can is used where it lies.
 */
export class Intake {
  /** The body that arriving bytes belong to. */
  body: IncomingBody | undefined = undefined
  readonly #owner: IntakeOwner
  readonly #lender: HeadLender
  #backlog: Backlog | undefined = undefined
  /** The parser of a head that came in pieces. */
  #head: RequestHead | undefined = undefined
  #isConsuming = false
  /** Bytes that came while others were being used: a TLS write can read. */
  #late: Buffer[] | undefined = undefined

  constructor(owner: IntakeOwner, lender: HeadLender) {
    this.#owner = owner
    this.#lender = lender
  }

  /** Bytes that wait for their turn. */
  get waitingBytes(): number {
    return this.#backlog === undefined ? 0 : this.#backlog.length
  }

  /** Whether part of a request's head has come (an empty line in front of one is nothing yet). */
  get hasPartOfHead(): boolean {
    return this.#head !== undefined && !this.#head.isBlank
  }

  /** Bytes `[0..end)` of a buffer that is only lent. */
  receive(bytes: Buffer, end: number): void {
    if (this.#isConsuming) {
      ;(this.#late ??= []).push(Buffer.from(bytes.subarray(0, end)))
      return
    }
    this.#use(bytes, end)
    this.#useLate()
  }

  /** Goes on with what waits after a turn; false when that is under way already, further up the stack. */
  proceed(): boolean {
    if (this.#isConsuming) return false
    if (this.#backlog !== undefined) this.#useBacklog(this.#backlog)
    this.#useLate()
    return true
  }

  /** Gives away everything that waits: the connection is no longer HTTP. */
  takeWaiting(): Buffer {
    const backlog = this.#backlog
    this.#backlog = undefined
    return backlog === undefined ? noBytes : Buffer.from(backlog.bytes.subarray(backlog.start, backlog.end))
  }

  /** Nothing more will be used. */
  drop(): void {
    this.body = undefined
    this.#backlog = undefined
    this.#head = undefined
    this.#late = undefined
  }

  #use(bytes: Buffer, end: number): void {
    if (this.#backlog !== undefined) {
      this.#backlog.append(bytes, 0, end)
      this.#useBacklog(this.#backlog)
      return
    }
    const at = this.#consume(bytes, 0, end)
    if (at === end || !this.#owner.isReading) return
    this.#backlog = new Backlog(end - at)
    this.#backlog.append(bytes, at, end)
  }

  #useBacklog(backlog: Backlog): void {
    backlog.start = this.#consume(backlog.bytes, backlog.start, backlog.end)
    if (backlog.length === 0) this.#backlog = undefined
  }

  #useLate(): void {
    for (let late = this.#late?.shift(); late !== undefined; late = this.#late?.shift()) {
      if (this.#owner.isReading) this.#use(late, late.length)
    }
  }

  /** Uses what it can and returns how far it came. */
  #consume(bytes: Buffer, from: number, end: number): number {
    let at = from
    this.#isConsuming = true
    while (at < end && this.#owner.isReading) {
      if (this.body !== undefined) at = this.#fill(this.body, bytes, at, end)
      else if (this.#owner.isReady) {
        const next = this.#readHead(bytes, at, end)
        if (next === at) break
        at = next
      } else break
    }
    this.#isConsuming = false
    return at
  }

  #fill(body: IncomingBody, bytes: Buffer, from: number, end: number): number {
    const wasWaiting = body.isWaiting
    const at = body.take(bytes, from, end)
    if (body.isComplete || body.fault !== undefined) this.body = undefined
    this.#owner.bodyMoved(body, wasWaiting && !body.isWaiting)
    return at
  }

  /** Reads on in a head; returns where it and what came of its body end, or `from` when more is needed. */
  #readHead(bytes: Buffer, from: number, end: number): number {
    let parser = this.#head
    if (parser === undefined) {
      parser = this.#lender.lendHead()
      this.#owner.headBegan(parser)
    }
    const length = parser.read(bytes, from, end)
    if (length === headMore) {
      if (this.#head === undefined) {
        this.#head = parser
        this.#lender.keepHead()
        this.#owner.headPending()
      }
      return from
    }
    this.#head = undefined
    if (length === headRefused) {
      const fault = parser.fault!
      if (fault.code !== 'version-not-supported' || !this.#owner.otherVersion(bytes, from, end)) this.#owner.refuse(fault)
      return end
    }
    return this.#request(parser, bytes, from + length, end)
  }

  #request(parser: RequestHead, bytes: Buffer, from: number, end: number): number {
    const { fields } = parser
    if (!fields.isChunked && fields.contentLength <= 0) {
      this.#owner.requestCame(parser, emptyBody, undefined)
      return from
    }
    const { at, body, incoming, fault } = receiveBody(fields, bytes, from, end, this.#owner)
    if (fault !== undefined) {
      this.#owner.refuse(fault)
      return end
    }
    if (incoming?.isComplete === false) this.body = incoming
    this.#owner.requestCame(parser, body, incoming)
    return at
  }
}
