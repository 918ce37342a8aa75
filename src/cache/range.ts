import type { Headers } from '../core/headers.ts'
import { etagOf } from './conditional.ts'

/** Part of a stored body, both ends within it. */
export interface Part {
  readonly first: number
  readonly last: number
}

/**
 * The one part of a stored answer that a GET asks for (RFC 9110 §14.2); `none` when the whole is to be sent: no range, a
 * unit we do not know, several ranges, or an `If-Range` that names another version. `unsatisfiable` is a 416.
 */
export function partOf(request: Headers, stored: Headers, size: number): Part | 'none' | 'unsatisfiable' {
  const lines = request.all('range')
  if (lines.length !== 1) return 'none'
  const match = /^bytes=(?:(\d{1,15})-(\d{0,15})|-(\d{1,15}))$/i.exec(lines[0].replaceAll(/[ \t]/g, ''))
  if (match === null || !isStillThat(request, stored)) return 'none'
  if (match[3] !== undefined) {
    const length = Number(match[3])
    return length === 0 || size === 0 ? 'unsatisfiable' : { first: Math.max(0, size - length), last: size - 1 }
  }
  const first = Number(match[1])
  const last = match[2] === '' ? size - 1 : Number(match[2])
  if (match[2] !== '' && last < first) return 'none'
  return first >= size ? 'unsatisfiable' : { first, last: Math.min(last, size - 1) }
}

/** If-Range (RFC 9110 §13.1.5): a strong tag that is equal, or the very date of the last change. */
function isStillThat(request: Headers, stored: Headers): boolean {
  const lines = request.all('if-range')
  if (lines.length === 0) return true
  if (lines.length > 1) return false
  const asked = lines[0]
  const etag = etagOf(stored)
  if (asked.startsWith('"')) return asked === etag
  return !asked.startsWith('W/') && asked === stored.get('last-modified') && etag === undefined
}
