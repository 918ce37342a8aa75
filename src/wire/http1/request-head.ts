import { Fault } from '../../core/fault.ts'
import { nameFold } from '../../core/header-names.ts'
import { isOriginForm, parseAbsoluteTarget, targetByte } from '../request-target.ts'
import type { HeadLimits } from '../request-fields.ts'
import { RequestFields } from '../request-fields.ts'
import { FieldLines, fieldFaults, fieldsDone, fieldsMore, fieldsTooMany } from './field-lines.ts'

const carriageReturn = 13
const lineFeed = 10
const space = 32
/** Longer than any registered method by far. */
const maxMethodLength = 32
/** Behind the target: ` HTTP/1.1` and CRLF, of which the two digits may differ. */
const versionForm = Buffer.from(' HTTP/d.d\r\n')

// Made once, as in RequestFields.
const notMethod = new Fault('malformed', 'the method is not a token')
const notTarget = new Fault('malformed', 'the request target is not valid')
const notVersion = new Fault('malformed', 'the request line does not end with an HTTP version')
const otherAuthority = new Fault('malformed', 'the request target names another authority than Host')
const notEmptyLine = new Fault('malformed', 'a carriage return stands without a line feed')
const headTooLarge = new Fault('head-too-large', 'the request head is too large')
const tooManyLines = new Fault('head-too-large', 'there are too many header lines')
const targetTooLong = new Fault('target-too-long')
const otherVersion = new Fault('version-not-supported')
const connectRefused = new Fault('method-not-supported', 'CONNECT is not served here')
const lineFaults = fieldFaults.map((words) => new Fault('malformed', words))

/** What `read` returns: refused (see `fault`), more bytes are needed, or else the length of the head. */
export const headRefused = -1
export const headMore = 0

/**
 * Reads a request head as it arrives, in one pass when it comes whole. One object serves one head after the other:
 * `begin`, then `read` until it returns something else than `headMore`. The verdict does not depend on how the bytes
 * are split. Accepts a strict subset of RFC 9112 §3 and §5; one empty line in front is passed over (§2.2).
 */
export class RequestHead {
  method = ''
  /** Origin form, or `*` for OPTIONS. An absolute target has been reduced to it. */
  target = ''
  version: '1.0' | '1.1' = '1.1'
  /** The head in latin1; the marks of `lines` point into it. */
  text = ''
  readonly lines: FieldLines
  readonly fields = new RequestFields()
  /** Set by whoever calls `begin`: when the first byte came. */
  startedAt = 0
  startedMono = 0
  /** Why the head was refused. */
  fault: Fault | undefined = undefined

  readonly #limits: HeadLimits
  /** Bytes of the empty line in front. */
  #skipped = 0
  /** Where the header lines start behind the skipped bytes; 0 while the request line is not complete. */
  #linesAt = 0
  #targetStart = 0
  #targetEnd = 0

  constructor(limits: HeadLimits) {
    this.#limits = limits
    this.lines = new FieldLines(limits.maxHeaderCount)
  }

  /** A new message. */
  begin(): void {
    this.#skipped = 0
    this.#linesAt = 0
    this.fault = undefined
  }

  /**
   * Reads `bytes` from `start`, where the message begins, to `end`; with more bytes, again from the same beginning
   * (wherever it lies then). Not to be called again after a refusal.
   */
  read(bytes: Buffer, start: number, end: number): number {
    if (this.#linesAt === 0 && this.#skipped === 0 && start < end && bytes[start] === carriageReturn) {
      if (start + 1 === end) return headMore
      if (bytes[start + 1] !== lineFeed) return this.#refuse(notEmptyLine)
      this.#skipped = 2
    }
    const base = start + this.#skipped
    // Beyond the bound nothing is looked at, so that a split cannot change which fault is found first.
    const bound = base + this.#limits.maxHeadBytes
    const to = end < bound ? end : bound
    if (this.#linesAt === 0) {
      if (!this.#requestLine(bytes, base, to)) return this.fault === undefined ? this.#more(end, bound) : headRefused
      this.lines.begin(this.#linesAt)
    }
    const scanned = this.lines.scan(bytes, base, to)
    if (scanned === fieldsDone) return this.#complete(bytes, base)
    if (scanned === fieldsMore) return this.#more(end, bound)
    return this.#refuse(scanned === fieldsTooMany ? tooManyLines : lineFaults[-scanned])
  }

  /** True while nothing but an empty line has come: a client that ended its last body with one, not a request. */
  get isBlank(): boolean {
    return this.#linesAt === 0 && this.#skipped === 2
  }

  #refuse(fault: Fault): number {
    this.fault = fault
    return headRefused
  }

  #more(end: number, bound: number): number {
    return end < bound ? headMore : this.#refuse(headTooLarge)
  }

  /** True when the line is complete. Otherwise more is needed, or `fault` is set. */
  #requestLine(bytes: Buffer, base: number, end: number): boolean {
    let at = base
    const methodEnd = Math.min(end, base + maxMethodLength + 1)
    while (at < methodEnd && nameFold[bytes[at]] !== 0) at++
    const methodLength = at - base
    if (methodLength > maxMethodLength) return this.#failed(notMethod)
    if (at === end) return false
    if (bytes[at] !== space || methodLength === 0) return this.#failed(notMethod)
    const targetStart = ++at
    const targetBound = targetStart + this.#limits.maxTargetBytes
    const targetEnd = Math.min(end, targetBound + 1)
    while (at < targetEnd && targetByte[bytes[at]] === 1) at++
    if (at > targetBound) return this.#failed(targetTooLong)
    if (at === end) return false
    if (bytes[at] !== space || at === targetStart) return this.#failed(notTarget)
    for (let i = 0; i < versionForm.length; i++) {
      if (at + i === end) return false
      const byte = bytes[at + i]
      if (i === 6 || i === 8 ? byte < 48 || byte > 57 : byte !== versionForm[i]) return this.#failed(notVersion)
    }
    if (bytes[at + 6] !== 49 || bytes[at + 8] > 49) return this.#failed(otherVersion)
    this.version = bytes[at + 8] === 49 ? '1.1' : '1.0'
    return this.#keepLine(bytes, base, methodLength, at)
  }

  #keepLine(bytes: Buffer, base: number, methodLength: number, targetEnd: number): boolean {
    this.method = methodAt(bytes, base, methodLength)
    if (this.method === 'CONNECT') return this.#failed(connectRefused)
    this.#linesAt = targetEnd + versionForm.length - base
    this.#targetStart = methodLength + 1
    this.#targetEnd = targetEnd - base
    return true
  }

  /** All lines are there: what they say decides. */
  #complete(bytes: Buffer, base: number): number {
    const length = this.lines.at
    const text = bytes.toString('latin1', base, base + length)
    const target = text.slice(this.#targetStart, this.#targetEnd)
    this.text = text
    this.target = target
    const fault = this.fields.read(text, this.lines.marks, this.version)
    if (fault !== undefined) return this.#refuse(fault)
    if (!isOriginForm(this.method, target)) {
      const parts = parseAbsoluteTarget(this.method, target)
      if (parts === undefined) return this.#refuse(notTarget)
      if (parts.authority !== this.fields.authority) return this.#refuse(otherAuthority)
      this.target = parts.target
    }
    return this.#skipped + length
  }

  #failed(fault: Fault): false {
    this.fault = fault
    return false
  }
}

/** The method as an interned string where it is a usual one, so that comparing it costs nothing. */
function methodAt(bytes: Buffer, start: number, length: number): string {
  if (length === 3) {
    if (bytes[start] === 71 && bytes[start + 1] === 69 && bytes[start + 2] === 84) return 'GET'
    if (bytes[start] === 80 && bytes[start + 1] === 85 && bytes[start + 2] === 84) return 'PUT'
  } else if (length === 4) {
    if (isAt(bytes, start, 'POST')) return 'POST'
    if (isAt(bytes, start, 'HEAD')) return 'HEAD'
  }
  return bytes.toString('latin1', start, start + length)
}

function isAt(bytes: Buffer, start: number, word: string): boolean {
  for (let i = 0; i < word.length; i++) if (bytes[start + i] !== word.charCodeAt(i)) return false
  return true
}
