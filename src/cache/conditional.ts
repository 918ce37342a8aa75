import { H, headerId } from '../core/header-names.ts'
import type { Headers } from '../core/headers.ts'
import { dropTable } from '../core/headers.ts'
import { trimSpace } from '../lib/trim-space.ts'
import { parseHttpDate } from '../lib/http-date.ts'

/** What a client wants to be told instead of a whole answer. */
export const conditionIds = ['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range'].map(headerId)

/** Fields of requests that a fill must not pass on: the whole answer is wanted. */
export const conditionDrop = dropTable([...conditionIds, headerId('range')])

/** Fields of a 304 that do not update what is stored (RFC 9111 §3.2). */
const notUpdated: ReadonlySet<string> = new Set([
  'content-encoding',
  'content-type',
  'content-range',
  'content-length',
  'transfer-encoding',
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'set-cookie',
  'x-request-id',
])

const etagPattern = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/

/** The entity tag of an answer; undefined where it has none or a wrong one. */
export function etagOf(headers: Headers): string | undefined {
  const lines = headers.all('etag')
  return lines.length === 1 && etagPattern.test(lines[0]) ? lines[0] : undefined
}

/** Puts on a request what asks whether a stored answer still holds. False when it has nothing to ask by. */
export function askWhether(stored: Headers, request: Headers): boolean {
  const etag = etagOf(stored)
  const modified = stored.all('last-modified')
  if (etag !== undefined) request.set('if-none-match', etag)
  if (modified.length === 1) request.set('if-modified-since', modified[0])
  return etag !== undefined || modified.length === 1
}

/** Whether a 304 speaks of this stored answer (RFC 9111 §4.3.4): strong tags must be equal, weak ones weakly so. */
export function speaksOf(notModified: Headers, stored: Headers): boolean {
  const told = etagOf(notModified)
  const kept = etagOf(stored)
  if (told !== undefined && kept !== undefined) {
    return told.startsWith('W/') ? opaque(told) === opaque(kept) : told === kept || told === opaque(kept)
  }
  const toldModified = notModified.get('last-modified')
  const keptModified = stored.get('last-modified')
  if (told === undefined && toldModified !== undefined && keptModified !== undefined) return toldModified === keptModified
  return true
}

/** The stored fields, brought up to date by a 304 or by the answer to HEAD. */
export function updatedBy(stored: Headers, update: Headers): [string, string][] {
  const replaced = new Set<string>()
  const fresh: [string, string][] = []
  update.forEach((name, value) => {
    const lower = name.toLowerCase()
    if (notUpdated.has(lower)) return
    replaced.add(lower)
    fresh.push([name, value])
  })
  const lines: [string, string][] = []
  stored.forEach((name, value) => {
    const lower = name.toLowerCase()
    if (!replaced.has(lower) && lower !== 'age') lines.push([name, value])
  })
  return [...lines, ...fresh]
}

/**
 * Whether the client already has the answer (RFC 9110 §13.2.2, as a cache answers it): by tag where it names tags, else by
 * date. Only for GET and HEAD.
 */
export function hasAlready(request: Headers, stored: Headers, status: number, now: number): boolean {
  if (status !== 200) return false
  const tags = request.get('if-none-match')
  if (tags !== undefined) return matchesAny(tags, etagOf(stored))
  const since = request.all('if-modified-since')
  if (since.length !== 1) return false
  const sinceMs = parseHttpDate(since[0], now)
  const modified = stored.get('last-modified') ?? stored.get('date')
  const modifiedMs = modified === undefined ? undefined : parseHttpDate(modified, now)
  return sinceMs !== undefined && modifiedMs !== undefined && modifiedMs <= sinceMs
}

const tagOfList = /[ \t]*(?:(\*)|((?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"))[ \t]*(?:,|$)/y

function matchesAny(list: string, etag: string | undefined): boolean {
  if (trimSpace(list) === '*') return true
  if (etag === undefined) return false
  let at = 0
  while (at < list.length) {
    tagOfList.lastIndex = at
    const found = tagOfList.exec(list)
    // A list that cannot be read says nothing: the client gets the whole answer.
    if (found === null) return false
    if (found[2] !== undefined && opaque(found[2]) === opaque(etag)) return true
    at = tagOfList.lastIndex
  }
  return false
}

function opaque(etag: string): string {
  return etag.startsWith('W/') ? etag.slice(2) : etag
}

/** Fields of a 304 made from a stored answer (RFC 9110 §15.4.5): those that would have been sent, without the content's. */
export const notModifiedDrop = dropTable([
  H.contentType,
  H.contentEncoding,
  headerId('content-language'),
  headerId('content-range'),
])
