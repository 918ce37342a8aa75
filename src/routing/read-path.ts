import type { Problem } from '../core/problem.ts'
import type { RouteMatch } from './route-match.ts'

/**
 * The one reading of a request target. Router, policies and services see nothing but its result, so no two parts of
 * Velum, and no service behind it, can disagree about which resource was asked for.
 *
 * The normal form (RFC 3986 §6.2.2, made stricter): dot segments resolved, runs of "/" merged, unreserved characters
 * decoded, every other percent-encoding kept in upper case, printable characters that may not stand in a path encoded.
 * Reading a normal form again changes nothing. A target that is already in normal form costs one scan and no copy.
 */
export class PathReading {
  /** Normalised path beginning with "/"; '' when there is a fault. */
  readonly path: string
  /** What follows the first "?", as it came; undefined when there is none. */
  readonly query: string | undefined
  /** Why the target cannot be read, as a sentence for its sender (always a 400); undefined for a good one. */
  readonly fault: string | undefined
  /** "%2F" occurs: only for routes that allow it. */
  readonly hasEncodedSlash: boolean
  /** ";" or "%3B" occurs: only for routes that allow it. */
  readonly hasSemicolon: boolean

  constructor(path: string, query: string | undefined, fault: string | undefined, hasEncodedSlash: boolean, hasSemicolon: boolean) {
    this.path = path
    this.query = query
    this.fault = fault
    this.hasEncodedSlash = hasEncodedSlash
    this.hasSemicolon = hasSemicolon
  }
}

// Refusals arrive in floods: each is one shared reading.
const refusing = (fault: string): PathReading => new PathReading('', undefined, fault, false, false)
const refused = {
  form: refusing('The request target must begin with "/".'),
  character: refusing('The request target contains a character that may not stand there.'),
  backslash: refusing('The path contains a backslash.'),
  encoding: refusing('The path contains a percent sign that does not begin a valid encoding.'),
  control: refusing('The path contains an encoded control character.'),
  utf8: refusing('The path contains an encoding that is not valid UTF-8.'),
  root: refusing('The path leads above its root.'),
  hiddenDots: refusing('The path hides a dot segment behind an encoded slash or a semicolon.'),
}

// What a character of a path asks for.
const PLAIN = 0
const SLASH = 1
const QUERY = 2
const SEMICOLON = 3
const PERCENT = 4
const ENCODE = 5
const REFUSE = 6

const kinds = new Uint8Array(128).fill(REFUSE)
const unreserved = new Uint8Array(128)
for (const c of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~') unreserved[c.charCodeAt(0)] = 1
for (let c = 0; c < 128; c++) if (unreserved[c] === 1) kinds[c] = PLAIN
for (const c of "!$&'()*+,=:@") kinds[c.charCodeAt(0)] = PLAIN
// Browsers send some of these as they are; encoded, both spellings become one.
for (const c of '"<>[]^`{|}') kinds[c.charCodeAt(0)] = ENCODE
kinds[0x2f] = SLASH
kinds[0x3f] = QUERY
kinds[0x3b] = SEMICOLON
kinds[0x25] = PERCENT

/**
 * Reads a request target in origin form; the wire takes absolute forms apart. Never throws: what cannot be read carries
 * its `fault`. `*` is refused too, since it names no path.
 */
export function readPath(target: string): PathReading {
  if (target.charCodeAt(0) !== 0x2f) return refused.form
  const length = target.length
  for (let i = 0; i < length; i++) {
    const code = target.charCodeAt(i)
    const kind = code < 128 ? kinds[code] : REFUSE
    if (kind === PLAIN) continue
    if (kind === SLASH) {
      const next = target.charCodeAt(i + 1)
      if (next !== 0x2f && next !== 0x2e) continue
    } else if (kind === QUERY) {
      return isQueryClean(target, i + 1)
        ? new PathReading(target.slice(0, i), target.slice(i + 1), undefined, false, false)
        : refused.character
    }
    return normalise(target)
  }
  return new PathReading(target, undefined, undefined, false, false)
}

/** The parts of a reading that not every route takes; an Exchange has them too. */
export interface Oddities {
  readonly hasEncodedSlash: boolean
  readonly hasSemicolon: boolean
}

/**
 * The refusal of a path that carries an encoded slash or a semicolon on a route that does not allow it, or undefined.
 * To be asked once the route is known.
 */
export function refusalUnder(reading: Oddities, allow: RouteMatch['allow']): Problem | undefined {
  if (reading.hasEncodedSlash && !allow.includes('encoded-slash')) return encodedSlashRefusal
  if (reading.hasSemicolon && !allow.includes('semicolon')) return semicolonRefusal
  return undefined
}

const encodedSlashRefusal: Problem = { name: 'malformed', detail: 'The path contains an encoded slash.' }
const semicolonRefusal: Problem = { name: 'malformed', detail: 'The path contains a semicolon.' }

/** A query stays as it came, but bytes that may stand in no target are refused; "\" and "[" are what browsers send. */
function isQueryClean(target: string, from: number): boolean {
  for (let i = from; i < target.length; i++) {
    const code = target.charCodeAt(i)
    if (code <= 0x20 || code === 0x23 || code >= 0x7f) return false
  }
  return true
}

const hex = (code: number): number => {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}

/** The byte that "%XY" at `at` stands for, or -1. */
function encodedByte(target: string, at: number): number {
  if (target.charCodeAt(at) !== 0x25) return -1
  const high = hex(target.charCodeAt(at + 1))
  const low = hex(target.charCodeAt(at + 2))
  return high < 0 || low < 0 ? -1 : high * 16 + low
}

/** How many encoded bytes the UTF-8 character at `at` takes, whose first byte is `lead` (>= 0x80); 0 if it is invalid. */
function encodedCharacterBytes(target: string, at: number, lead: number): number {
  if (lead < 0xc2 || lead > 0xf4) return 0
  const count = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
  // The second byte's range shuts out overlong forms, surrogates and what lies beyond U+10FFFF (RFC 3629 §4).
  const second = encodedByte(target, at + 3)
  const lowest = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80
  const highest = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf
  if (second < lowest || second > highest) return 0
  for (let i = 2; i < count; i++) {
    const byte = encodedByte(target, at + 3 * i)
    if (byte < 0x80 || byte > 0xbf) return 0
  }
  return count
}

// A service that decodes "%2F", or cuts at ";", would see a dot segment where we saw none.
const hiddenDots = /(?:^|%2F)\.{1,2}(?:$|%2F|;|%3B)/

/** The general case: every character looked at, segment by segment. */
function normalise(target: string): PathReading {
  const segments: string[] = []
  let hasEncodedSlash = false
  let hasSemicolon = false
  let segment = ''
  let runStart = 1
  let i = 1
  for (; ; i++) {
    const code = i < target.length ? target.charCodeAt(i) : 0x3f
    const kind = code < 128 ? kinds[code] : REFUSE
    if (kind === PLAIN) continue
    if (kind === SEMICOLON) {
      hasSemicolon = true
      continue
    }
    if (kind === REFUSE) return code === 0x5c ? refused.backslash : refused.character
    segment += target.slice(runStart, i)
    runStart = i + 1
    if (kind === ENCODE) {
      segment += encodeURIComponent(target[i])
    } else if (kind === PERCENT) {
      const byte = encodedByte(target, i)
      if (byte < 0) return refused.encoding
      if (byte < 0x20 || byte === 0x7f) return refused.control
      if (byte === 0x5c) return refused.backslash
      let count = 1
      if (byte >= 0x80) {
        count = encodedCharacterBytes(target, i, byte)
        if (count === 0) return refused.utf8
      }
      if (byte === 0x2f) hasEncodedSlash = true
      else if (byte === 0x3b) hasSemicolon = true
      const end = i + 3 * count
      segment += byte < 128 && unreserved[byte] === 1 ? String.fromCharCode(byte) : target.slice(i, end).toUpperCase()
      i = end - 1
      runStart = end
    } else {
      const isLast = kind === QUERY
      if (segment === '' || segment === '.' || segment === '..') {
        if (segment === '..' && segments.pop() === undefined) return refused.root
        // Where a path ends in nothing or in dots it names a folder: the slash in front stays.
        if (isLast && segments.length > 0) segments.push('')
      } else {
        if ((hasEncodedSlash || hasSemicolon) && hiddenDots.test(segment)) return refused.hiddenDots
        segments.push(segment)
      }
      segment = ''
      if (isLast) break
    }
  }
  let query: string | undefined
  if (i < target.length) {
    if (!isQueryClean(target, i + 1)) return refused.character
    query = target.slice(i + 1)
  }
  return new PathReading(`/${segments.join('/')}`, query, undefined, hasEncodedSlash, hasSemicolon)
}
