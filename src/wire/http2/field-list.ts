import { H, findHeaderIdOf, knownHeaderId } from '../../core/header-names.ts'
import { Headers, dropTable } from '../../core/headers.ts'
import type { DropTable } from '../../core/headers.ts'

const hopByHop = [
  H.connection,
  H.keepAlive,
  H.proxyConnection,
  H.proxyAuthenticate,
  H.te,
  H.trailer,
  H.transferEncoding,
  H.contentLength,
  H.upgrade,
  H.http2Settings,
]

/** What of an answer's head is never sent over HTTP/2: fields of one connection, and the length, which is ours. */
export const answerSkip: DropTable = dropTable(hopByHop)

/** The same for trailers, which may hold nothing that frames, routes or authorises a message (RFC 9110 §6.5.1). */
export const trailerSkip: DropTable = dropTable([
  ...hopByHop,
  H.host,
  H.expect,
  H.authorization,
  H.proxyAuthorization,
  H.cookie,
  H.setCookie,
  H.contentEncoding,
  H.contentType,
  H.cacheControl,
])

/** The id of a name that came over HTTP/2: in lower case, so that most are one look-up away. */
export function fieldId(name: string): number {
  const id = knownHeaderId(name)
  return id === 0 && name.includes('_') ? findHeaderIdOf(name) : id
}

/** The received fields from `from` on, as name, value, name, value …, without those in `drop`. Nghttp2 has checked them. */
export function receivedFields(raw: readonly string[], from: number, drop: DropTable): Headers {
  const marks: number[] = []
  let text = ''
  for (let i = from; i + 1 < raw.length; i += 2) {
    const name = raw[i]
    const value = raw[i + 1]
    const start = text.length
    const nameEnd = start + name.length
    text += `${name}: ${value}\r\n`
    marks.push(fieldId(name), start, nameEnd, nameEnd + 2, nameEnd + 2 + value.length)
  }
  return new Headers(text, marks, undefined, drop)
}

/** Trailers as node:http2 takes them; undefined when none is left. Names that repeat become one list. */
export function trailerFields(trailers: Headers | undefined): Record<string, string | string[]> | undefined {
  if (trailers === undefined) return undefined
  const list: string[] = []
  trailers.appendFields(list, trailerSkip)
  if (list.length === 0) return undefined
  // Without a prototype: the names are the peer's choice.
  const fields = Object.create(null) as Record<string, string | string[]>
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]
    const before = fields[name]
    if (before === undefined) fields[name] = list[i + 1]
    else if (typeof before === 'string') fields[name] = [before, list[i + 1]]
    else before.push(list[i + 1])
  }
  return fields
}
