import type { Body } from '../../src/core/body.ts'
import { Headers } from '../../src/core/headers.ts'
import type { IncomingBody } from '../../src/wire/http1/incoming-body.ts'
import type { HeadLender, IntakeOwner } from '../../src/wire/http1/intake.ts'
import { Intake } from '../../src/wire/http1/intake.ts'
import { RequestHead } from '../../src/wire/http1/request-head.ts'
import type { HeadLimits } from '../../src/wire/request-fields.ts'

/** One request as our wire reads it, complete with its body. */
export interface ReadRequest {
  readonly method: string
  readonly target: string
  readonly authority: string
  readonly version: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly content: string
}

/** What our wire makes of a stream of bytes. */
export interface Reading {
  readonly requests: readonly ReadRequest[]
  /** The code of the fault that ended it. */
  readonly refusal: string | undefined
  /** Whether more bytes were needed for the last request. */
  readonly isPartial: boolean
  /** The last request, when its head is valid and more of its body was needed. */
  readonly open: ReadRequest | undefined
}

const wide: HeadLimits = { maxHeadBytes: 16_384, maxHeaderCount: 100, maxTargetBytes: 8192 }

/**
 * Reads requests out of bytes that arrive in pieces, cut at these places, as a connection of our server would; what
 * follows the last request of a connection, or an offer of another protocol, is not looked at.
 */
export function readRequests(bytes: Buffer, cuts: readonly number[] = [], limits = wide): Reading {
  const reader = new Reader(limits)
  let from = 0
  for (const to of [...cuts, bytes.length]) {
    // A lent buffer of its own, spoilt afterwards: nothing may be kept that was not copied.
    const piece = Buffer.from(bytes.subarray(from, to))
    reader.receive(piece)
    piece.fill('#')
    from = to
  }
  return reader.reading()
}

class Reader implements IntakeOwner, HeadLender {
  readonly #intake: Intake
  readonly #limits: HeadLimits
  readonly #requests: ReadRequest[] = []
  #refusal: string | undefined = undefined
  #isLast = false
  #open: { request: ReadRequest; body: IncomingBody; content: string } | undefined = undefined

  constructor(limits: HeadLimits) {
    this.#limits = limits
    this.#intake = new Intake(this, this)
  }

  get isReady(): boolean {
    return this.#open === undefined && !this.#isLast
  }

  get isReading(): boolean {
    return this.#refusal === undefined
  }

  receive(piece: Buffer): void {
    if (piece.length > 0 && this.isReading) this.#intake.receive(piece, piece.length)
  }

  reading(): Reading {
    const isPartial = this.#refusal === undefined && (this.#open !== undefined || this.#intake.hasPartOfHead)
    const open = this.#refusal === undefined ? this.#open?.request : undefined
    return { requests: this.#requests, refusal: this.#refusal, isPartial, open }
  }

  lendHead(): RequestHead {
    const head = new RequestHead(this.#limits)
    head.begin()
    return head
  }

  keepHead(): void {}
  headBegan(): void {}
  headPending(): void {}
  bodyWanted(): void {}
  bodyTaken(): void {}

  requestCame(parser: RequestHead, body: Body, incoming: IncomingBody | undefined): void {
    this.#isLast = !parser.fields.isPersistent || parser.fields.offersUpgrade
    const fields: [string, string][] = []
    new Headers(parser.text, parser.lines.marks).forEach((name, value) => void fields.push([name, value]))
    const request: ReadRequest = {
      method: parser.method,
      target: parser.target,
      authority: parser.fields.authority,
      version: parser.version,
      fields,
      content: body.bytes?.toString('latin1') ?? '',
    }
    if (incoming === undefined) this.#requests.push(request)
    else {
      this.#open = { request, body: incoming, content: '' }
      this.bodyMoved(incoming)
    }
  }

  otherVersion(): boolean {
    return false
  }

  refuse(fault: { readonly code: string }): void {
    this.#refusal = fault.code
  }

  bodyMoved(body: IncomingBody): void {
    const open = this.#open!
    while (body.fault === undefined && body.queued > 0) open.content += (body.pull() as Buffer).toString('latin1')
    if (body.fault !== undefined) this.#refusal = body.fault.code
    else if (body.isComplete) {
      this.#requests.push({ ...open.request, content: open.content })
      this.#open = undefined
    }
  }
}
