import type { Headers } from '../core/headers.ts'
import { trimSpace } from '../lib/trim-space.ts'

/**
 * What a message says about caching, from `Cache-Control` (RFC 9111 §5.2) or from a field aimed at caches of one kind
 * (RFC 9213). Seconds; undefined where a directive is absent.
 */
export interface Directives {
  /** What was written is no list of directives: to be read as cautiously as can be. */
  readonly isMalformed: boolean
  readonly noStore: boolean
  /** Also when it names fields: then the whole answer is validated before each use. */
  readonly noCache: boolean
  /** Also when it names fields, or names them badly: then nothing of the answer is shared. */
  readonly isPrivate: boolean
  readonly isPublic: boolean
  readonly mustRevalidate: boolean
  readonly proxyRevalidate: boolean
  readonly onlyIfCached: boolean
  /** The smallest, where it was said more than once; 0 where it was said wrongly. */
  readonly maxAge: number | undefined
  readonly sharedMaxAge: number | undefined
  readonly staleWhileRevalidate: number | undefined
  readonly staleIfError: number | undefined
  readonly minFresh: number | undefined
  /** Infinity where no number stands behind it. */
  readonly maxStale: number | undefined
}

type Mutable = { -readonly [K in keyof Directives]: Directives[K] }

function none(): Mutable {
  return {
    isMalformed: false,
    noStore: false,
    noCache: false,
    isPrivate: false,
    isPublic: false,
    mustRevalidate: false,
    proxyRevalidate: false,
    onlyIfCached: false,
    maxAge: undefined,
    sharedMaxAge: undefined,
    staleWhileRevalidate: undefined,
    staleIfError: undefined,
    minFresh: undefined,
    maxStale: undefined,
  }
}

/** Nothing was said. */
export const noDirectives: Directives = Object.freeze(none())

/** RFC 9111 §1.2.2: larger numbers are as good as this one, some 68 years. */
const mostSeconds = 2 ** 31

// One directive: a token, perhaps "=" and a token or a quoted string. Sticky: a gap between two of them is an error.
const directive = /[ \t]*([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(?:=(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)|"((?:[^"\\]|\\[^])*)"))?[ \t]*(?:,|$)/y
const emptyElement = /[ \t]*,/y

/** Reads the value of `Cache-Control`, several lines joined by ", ". Never throws. */
export function parseCacheControl(value: string | undefined): Directives {
  if (value === undefined) return noDirectives
  const read = none()
  let at = 0
  while (at < value.length) {
    directive.lastIndex = at
    const found = directive.exec(value)
    if (found === null) {
      // Empty elements of a list are nothing (RFC 9110 §5.6.1).
      emptyElement.lastIndex = at
      if (emptyElement.exec(value) !== null) {
        at = emptyElement.lastIndex
        continue
      }
      if (trimSpace(value.slice(at)) !== '') read.isMalformed = true
      break
    }
    at = directive.lastIndex
    note(read, found[1].toLowerCase(), found[2] ?? found[3])
  }
  return read
}

/** What a request says about caching; `Pragma` counts where nothing else is said (RFC 9111 §5.4). */
export function requestDirectives(headers: Headers): Directives {
  return parseCacheControl(headers.get('cache-control') ?? (headers.has('pragma') ? 'no-cache' : undefined))
}

// A member of an RFC 8941 dictionary, as far as directives need one: a key, perhaps an item, perhaps parameters.
const base64 = '(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?'
const item = `-?(?:\\d{1,12}\\.\\d{1,3}|\\d{1,15})|[A-Za-z*][!#$%&'*+\\-.^_\`|~0-9A-Za-z:/]*|"(?:[ !#-[\\]-~]|\\\\["\\\\])*"|\\?[01]|:${base64}:`
const key = '[a-z*][a-z0-9_\\-.*]*'
const member = new RegExp(`[ \\t]*(${key})(?:=(${item}))?(?:; *${key}(?:=(?:${item}))?)*[ \\t]*(,|$)`, 'y')

/**
 * Reads a targeted field (RFC 9213 §2.1), a dictionary of structured fields. Undefined when it is absent, empty or does
 * not parse: then it says nothing and the next field is asked.
 */
export function parseTargeted(value: string | undefined): Directives | undefined {
  if (value === undefined || trimSpace(value) === '') return undefined
  const read = none()
  const said = new Map<string, string | undefined>()
  let at = 0
  for (;;) {
    member.lastIndex = at
    const found = member.exec(value)
    if (found === null) return undefined
    // The last one of a key counts (RFC 8941 §3.2); `?0` says that it does not hold.
    if (found[2] === '?0') said.delete(found[1])
    else said.set(found[1], found[2] === '?1' ? undefined : found[2])
    at = member.lastIndex
    if (found[3] === '') break
    if (trimSpace(value.slice(at)) === '') return undefined
  }
  for (const [name, text] of said) note(read, name, text?.startsWith('"') ? text.slice(1, -1) : text)
  return read
}

function note(read: Mutable, name: string, text: string | undefined): void {
  switch (name) {
    case 'no-store':
      read.noStore = true
      break
    case 'no-cache':
      read.noCache = true
      break
    case 'private':
      read.isPrivate = true
      break
    case 'public':
      read.isPublic = true
      break
    case 'must-revalidate':
      read.mustRevalidate = true
      break
    case 'proxy-revalidate':
      read.proxyRevalidate = true
      break
    case 'only-if-cached':
      read.onlyIfCached = true
      break
    case 'max-age':
      read.maxAge = smallest(read.maxAge, seconds(text))
      break
    case 's-maxage':
      read.sharedMaxAge = smallest(read.sharedMaxAge, seconds(text))
      break
    case 'stale-while-revalidate':
      read.staleWhileRevalidate = smallest(read.staleWhileRevalidate, seconds(text))
      break
    case 'stale-if-error':
      read.staleIfError = smallest(read.staleIfError, seconds(text))
      break
    case 'min-fresh':
      // A wrong number would weaken a wish for freshness: read as the strongest.
      read.minFresh = /^\d+$/.test(text ?? '') ? seconds(text) : mostSeconds
      break
    case 'max-stale':
      read.maxStale = text === undefined ? Infinity : smallest(read.maxStale, seconds(text))
      break
    default:
  }
}

/** Delta seconds; anything else is 0, which makes an answer stale and a permission void. */
function seconds(text: string | undefined): number {
  if (text === undefined || !/^\d+$/.test(text)) return 0
  return Math.min(Number(text), mostSeconds)
}

function smallest(before: number | undefined, now: number): number {
  return before === undefined ? now : Math.min(before, now)
}
