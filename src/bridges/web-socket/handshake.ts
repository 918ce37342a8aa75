import { createHash } from 'node:crypto'
import { headerId } from '../../core/header-names.ts'
import { headerBlock } from '../../core/headers.ts'
import type { Problem } from '../../core/problem.ts'
import type { Call } from '../../core/service.ts'
import { trimSpace } from '../../lib/trim-space.ts'

const keyId = headerId('sec-websocket-key')
const versionId = headerId('sec-websocket-version')
// RFC 6455 §1.3.
const guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
// 16 bytes in base64; the last digit holds two bits only.
const keyForm = /^[A-Za-z0-9+/]{21}[AQgw]==$/

/** The field in which subprotocols are offered and chosen. */
export const protocolField = 'sec-websocket-protocol'

/** Whether a call asks for a WebSocket (RFC 6455 §4.1). HTTP/2 cannot ask for one here: its wire has no RFC 8441. */
export function isWebSocket({ method, upgrade }: Call): boolean {
  return method === 'GET' && upgrade?.toLowerCase() === 'websocket'
}

/** The subprotocols that a call offers, in its order; empty when it offers none. */
export function offeredProtocols({ headers }: Call): readonly string[] {
  const offered = headers.get(protocolField)
  return offered === undefined ? [] : offered.split(',').map(trimSpace)
}

/** What is wrong with a handshake (RFC 6455 §4.2.1); undefined when it can be accepted. */
export function handshakeProblem({ headers }: Call): Problem | undefined {
  if (headers.single(versionId) !== '13') return wrongVersion
  return keyForm.test(headers.single(keyId) ?? '') ? undefined : wrongKey
}

/** The proof that a handshake was read, for `Sec-WebSocket-Accept`. The call has no `handshakeProblem`. */
export function acceptKey({ headers }: Call): string {
  return createHash('sha1')
    .update(headers.single(keyId)! + guid)
    .digest('base64')
}

const wrongVersion: Problem = {
  name: 'upgrade-required',
  detail: 'Sec-WebSocket-Version must be 13.',
  headers: headerBlock([
    ['upgrade', 'websocket'],
    ['sec-websocket-version', '13'],
  ]),
}
const wrongKey: Problem = { name: 'malformed', detail: 'Sec-WebSocket-Key must be 16 bytes in base64.' }
