import { Fault } from '../../core/fault.ts'
import { H, nameFold } from '../../core/header-names.ts'
import { dropTable } from '../../core/headers.ts'
import type { Call } from '../../core/service.ts'
import { trimSpace } from '../../lib/trim-space.ts'

/** Fields of a call that are never sent as they are: hop-by-hop ones, and those that this wire writes itself. */
export const callDrop = dropTable([
  H.host,
  H.connection,
  H.keepAlive,
  H.proxyConnection,
  H.proxyAuthenticate,
  H.proxyAuthorization,
  H.te,
  H.trailer,
  H.transferEncoding,
  H.contentLength,
  H.upgrade,
  H.http2Settings,
  H.expect,
])

/** How a call's body is framed: no framing field at all, a length, or chunks. */
export type CallFraming = 'none' | 'length' | 'chunked'

/**
 * The framing of a call (RFC 9112 §6, RFC 9110 §8.6): a length when it is known, and none at all where a message without
 * content is the rule. `Content-Length: 0` goes with the methods whose meaning lies in their content.
 */
export function callFraming(call: Call): CallFraming {
  const { size } = call.body
  if (size === undefined) return 'chunked'
  if (size > 0) return 'length'
  const { method } = call
  return method === 'POST' || method === 'PUT' || method === 'PATCH' ? 'length' : 'none'
}

/**
 * The head of a call as it goes on the wire, with the empty line. Everything in it was validated before; what could
 * break the message's frame all the same (a rewrite, a custom policy) is a Fault `internal` and nothing is sent.
 */
export function callHead(call: Call, ownAuthority: string, framing: CallFraming, isLast: boolean): string {
  const { method, target, upgrade } = call
  const authority = call.authority ?? ownAuthority
  if (!isToken(method) || !isVisible(target) || !isVisible(authority)) {
    throw new Fault('internal', 'a call has a method, target or authority that cannot be sent')
  }
  let head = `${method} ${target} HTTP/1.1\r\nHost: ${authority}\r\n${call.headers.toLines(callDrop)}`
  if (framing === 'length') head += `Content-Length: ${call.body.size}\r\n`
  else if (framing === 'chunked') head += 'Transfer-Encoding: chunked\r\n'
  if (upgrade !== undefined) {
    if (!isFieldText(upgrade)) throw new Fault('internal', 'a call offers a protocol that cannot be sent')
    return `${head}Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n\r\n`
  }
  return isLast ? `${head}Connection: close\r\n\r\n` : `${head}\r\n`
}

/** Methods that may be sent again when nobody knows whether they were carried out (RFC 9110 §9.2.2). */
export function isIdempotent(method: string): boolean {
  switch (method) {
    case 'GET':
    case 'HEAD':
    case 'PUT':
    case 'DELETE':
    case 'OPTIONS':
    case 'TRACE':
      return true
    default:
      return false
  }
}

/** Whether every protocol that a 101 switches to (`chosen`) is among those that the call offered. */
export function offers(offered: string | undefined, chosen: string | undefined): boolean {
  if (offered === undefined || chosen === undefined) return false
  const protocols = new Set(offered.split(',').map((protocol) => trimSpace(protocol).toLowerCase()))
  return chosen.split(',').every((protocol) => protocols.has(trimSpace(protocol).toLowerCase()))
}

function isToken(text: string): boolean {
  if (text === '') return false
  for (let i = 0; i < text.length; i++) if (nameFold[text.charCodeAt(i)] === 0 || text.charCodeAt(i) > 127) return false
  return true
}

function isVisible(text: string): boolean {
  if (text === '') return false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code <= 32 || code >= 127) return false
  }
  return true
}

function isFieldText(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 32 || code >= 127) return false
  }
  return text !== ''
}
