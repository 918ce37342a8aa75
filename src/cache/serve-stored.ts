import { Answer } from '../core/answer.ts'
import { emptyBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { hitLine } from './cache-status.ts'
import type { CacheStorage, Stored } from './cache-storage.ts'
import { hasAlready, notModifiedDrop } from './conditional.ts'
import { partOf } from './range.ts'

/**
 * A stored answer as this client wants it: whole, in part, or told that he has it already. Undefined when it was dropped
 * in this very moment.
 */
export function serveStored(storage: CacheStorage, x: Exchange, stored: Stored, now: number, detail?: string): Answer | undefined {
  const { record } = stored
  const ageSeconds = Math.max(0, Math.floor((now - record.freshness.bornAt) / 1000))
  const ttl = Math.floor((record.freshness.freshUntil - now) / 1000)
  const lines = `Age: ${ageSeconds}\r\n${hitLine(ttl, detail)}`
  const without = (status: number, more: string): Answer => {
    const headers = stored.headers.derive(notModifiedDrop)
    headers.putLines(more)
    return new Answer(status, headers, emptyBody)
  }
  if (hasAlready(x.headers, stored.headers, record.status, now)) return without(304, lines)
  const isPartial = x.method === 'GET' && record.status === 200 && x.headers.has('range')
  const part = isPartial ? partOf(x.headers, stored.headers, stored.size) : 'none'
  if (part === 'unsatisfiable') return without(416, `Content-Range: bytes */${stored.size}\r\n${lines}`)
  const body = part === 'none' ? storage.bodyOf(stored) : storage.partOf(stored, part.first, part.last)
  if (body === undefined) return undefined
  const headers = stored.headers.derive()
  headers.putLines(part === 'none' ? lines : `Content-Range: bytes ${part.first}-${part.last}/${stored.size}\r\n${lines}`)
  return new Answer(part === 'none' ? record.status : 206, headers, body)
}
