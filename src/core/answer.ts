import type { Duplex } from 'node:stream'
import type { Body } from './body.ts'
import { emptyBody, textBody } from './body.ts'
import { Headers, headerBlock } from './headers.ts'
import type { HeaderBlock } from './headers.ts'

/**
 * Takes the connection over after a 101 (or the 200 to a CONNECT): `client` carries raw bytes both ways, `early` what
 * the client sent right behind its request. Owns the closing of both sides. Resolves when the tunnel has ended.
 */
export type Tunnel = (client: Duplex, early: Buffer) => Promise<TunnelEnd>

/** How a tunnel ended, for the log. */
export interface TunnelEnd {
  readonly sentBytes: number
  readonly receivedBytes: number
}

/** Why a tunnel must end before its sides want it: the node goes, the route's time is over, the caller is nobody any more. */
export type TunnelNotice = 'draining' | 'deadline' | 'caller-over'

/** The response of an Exchange, returned and never written by anyone but `respond`. */
export class Answer {
  status: number
  headers: Headers
  body: Body
  tunnel: Tunnel | undefined
  /**
   * Asks the tunnel to end in the words of its protocol; the reason does not change if it is asked again. Absent: whoever
   * wants its end destroys the client's side, and a drain waits.
   */
  hangUp: ((why: TunnelNotice) => void) | undefined

  /** Its body ends where the connection does: whether it came whole cannot be known (RFC 9112 §8). */
  isUntilClose = false

  constructor(status: number, headers: Headers, body: Body, tunnel?: Tunnel) {
    this.status = status
    this.headers = headers
    this.body = body
    this.tunnel = tunnel
    this.hangUp = undefined
  }
}

/** An answer made here, of plain text unless `headers` say otherwise. */
export function textAnswer(status: number, text: string, type = 'text/plain; charset=utf-8'): Answer {
  return new Answer(status, Headers.from([['content-type', type]]), textBody(text))
}

const jsonType: HeaderBlock = headerBlock([['content-type', 'application/json']])

/** An answer of `value` as JSON. */
export function jsonAnswer(status: number, value: unknown): Answer {
  const headers = new Headers()
  headers.put(jsonType)
  return new Answer(status, headers, textBody(JSON.stringify(value)))
}

/** An answer without content. */
export function emptyAnswer(status: number, headers = new Headers()): Answer {
  return new Answer(status, headers, emptyBody)
}
