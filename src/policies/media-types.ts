import type { Headers } from '../core/headers.ts'
import { mediaTypeOf } from '../lib/media-type.ts'

const token = "[!#$%&'+.^`|~0-9a-z_-]+"
const rangePattern = new RegExp(`^(?:\\*/\\*|${token}/(?:\\*|${token}|\\*\\+${token}))$`)

/** A media range in lower case: `application/json`, `image/*`, or `application/*+json` by suffix (RFC 6839); else undefined. */
export function parseMediaRange(text: string): string | undefined {
  const lower = text.toLowerCase()
  return rangePattern.test(lower) ? lower : undefined
}

/** A set of media ranges, compiled. */
export class MediaTypes {
  readonly #exact = new Set<string>()
  readonly #starts: string[] = []
  readonly #ends: { readonly start: string; readonly end: string }[] = []

  /** Takes what `parseMediaRange` gives. */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const star = range.indexOf('*')
      if (range === '*/*') this.#starts.push('')
      else if (star === -1) this.#exact.add(range)
      else if (star === range.length - 1) this.#starts.push(range.slice(0, star))
      else this.#ends.push({ start: range.slice(0, star), end: range.slice(star + 1) })
    }
  }

  /** Whether a message of these headers has a content type of the set. One with none, or with several, has not. */
  accept(headers: Headers): boolean {
    const values = headers.all('content-type')
    return values.length === 1 && this.has(mediaTypeOf(values[0]))
  }

  /** Whether the set holds a type in lower case, without parameters. */
  has(type: string): boolean {
    if (this.#exact.has(type)) return true
    // Every range but "*/*" ends its type at the slash, so a text without one matches none of them.
    for (const start of this.#starts) if (type.startsWith(start) && type.length > start.length) return true
    for (const { start, end } of this.#ends) {
      if (type.length > start.length + end.length && type.startsWith(start) && type.endsWith(end)) return true
    }
    return false
  }
}
