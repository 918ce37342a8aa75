import { Fault } from '../../core/fault.ts'
import { headerId, nameFold } from '../../core/header-names.ts'
import { Headers, dropTable, marksPerLine } from '../../core/headers.ts'
import type { DropTable } from '../../core/headers.ts'
import { FieldLines, fieldFaults, fieldsMore } from './field-lines.ts'

/** How a body's end is found (RFC 9112 §6.3). `until-close` exists for answers only. */
export type BodyFraming =
  | { readonly kind: 'length'; readonly length: number }
  | { readonly kind: 'chunked'; readonly maxTrailerBytes: number; readonly maxTrailerCount: number }
  | { readonly kind: 'until-close' }

/** Longest chunk extension, and all extensions of one body together. Nothing reads them, so they only cost. */
export const maxExtensionBytes = 256
export const maxExtensionTotal = 8192
/** Digits of a chunk size: 12 make 256 TiB, and their value is exact in a double. */
export const maxSizeDigits = 12

/*
 * A chunked body is read by one machine, a byte at a time outside the payload:
 *
 *   size-first → size → (extension) → size-lf → data → data-cr → data-lf → size-first …
 *   a size of 0: size-lf → trailer → done
 *
 * Every line ends with CRLF and nothing else, since peers that take a bare LF for a line's end and those that do not
 * read two different messages (TERM.EXT, CVE-2025-22871).
 */
const sizeFirst = 0
const size = 1
const sizeLf = 2
const data = 3
const dataCr = 4
const dataLf = 5
const trailer = 6
const extensionFirst = 7
const extensionName = 8
const extensionValueFirst = 9
const extensionValue = 10
const extensionQuoted = 11
const extensionEnd = 12

const hexValue = new Int8Array(256).fill(-1)
for (let i = 0; i < 10; i++) hexValue[48 + i] = i
for (let i = 0; i < 6; i++) hexValue[65 + i] = hexValue[97 + i] = 10 + i

const CR = 13
const LF = 10
const SEMICOLON = 59
const EQUALS = 61
const QUOTE = 34
const BACKSLASH = 92
const noBytes = Buffer.alloc(0)

/**
 * Finds the payload in the bytes of one body, incrementally and without copying. Throws the Fault `malformed` on
 * anything but the exact grammar of RFC 9112 §7.1; after that it must not be used again.
 */
export class BodyDecoder {
  /** The payload found by the last `step`: offsets into the bytes it was given. */
  payloadStart = 0
  payloadEnd = 0
  /** The body is complete; what follows belongs to the next message. */
  done: boolean
  /** Payload bytes found so far. */
  received = 0
  /** Fields after a chunked body; undefined when there were none. */
  trailers: Headers | undefined = undefined

  readonly #framing: BodyFraming
  /** Payload bytes left of the body (length) or of the chunk at hand. */
  #left: number
  #state = sizeFirst
  #digits = 0
  #extensionBytes = 0
  #extensionTotal = 0
  #lines: FieldLines | undefined = undefined
  #section = noBytes

  constructor(framing: BodyFraming) {
    this.#framing = framing
    this.#left = framing.kind === 'length' ? framing.length : 0
    this.done = framing.kind === 'length' && framing.length === 0
  }

  /** Payload bytes still to come when the length was announced; undefined otherwise. */
  get left(): number | undefined {
    return this.#framing.kind === 'length' ? this.#left : undefined
  }

  /**
   * Reads on at `bytes[at..end)` up to the end of the next piece of payload, the end of the body or the end of the
   * bytes, and returns the offset it came to. Call it again while the offset is below `end` and `done` is not set.
   */
  step(bytes: Buffer, at: number, end: number): number {
    this.payloadStart = this.payloadEnd = at
    if (this.done) return at
    if (this.#framing.kind === 'chunked') return this.#chunked(bytes, at, end)
    let to = end
    if (this.#framing.kind === 'length') {
      to = Math.min(end, at + this.#left)
      this.#left -= to - at
      if (this.#left === 0) this.done = true
    }
    this.payloadEnd = to
    this.received += to - at
    return to
  }

  /** The connection ended. True if that is the body's proper end or it was complete already; false: it is truncated. */
  finish(): boolean {
    if (this.#framing.kind === 'until-close') this.done = true
    return this.done
  }

  #chunked(bytes: Buffer, from: number, end: number): number {
    let at = from
    let state = this.#state
    while (at < end) {
      if (state === data) {
        const to = Math.min(end, at + this.#left)
        this.payloadStart = at
        this.payloadEnd = to
        this.received += to - at
        this.#left -= to - at
        this.#state = this.#left === 0 ? dataCr : data
        return to
      }
      if (state === trailer) {
        at = this.#trailerSection(bytes, at, end)
        break
      }
      const byte = bytes[at++]
      switch (state) {
        case sizeFirst: {
          const value = hexValue[byte]
          if (value < 0) throw malformed('a chunk size does not begin with a digit')
          this.#left = value
          this.#digits = 1
          this.#extensionBytes = 0
          state = size
          break
        }
        case size: {
          const value = hexValue[byte]
          if (value >= 0) {
            if (++this.#digits > maxSizeDigits) throw malformed('a chunk size has too many digits')
            this.#left = this.#left * 16 + value
          } else if (byte === CR) state = sizeLf
          else if (byte === SEMICOLON) state = extensionFirst
          else throw malformed('a chunk size has something other than digits')
          break
        }
        case extensionFirst:
        case extensionName:
        case extensionValueFirst:
        case extensionValue:
        case extensionQuoted:
        case extensionEnd:
          state = afterExtensionByte(state, byte)
          if (state < 0) throw malformed('a chunk extension is not well-formed')
          if (state === sizeLf) break
          if (++this.#extensionBytes > maxExtensionBytes || ++this.#extensionTotal > maxExtensionTotal) {
            throw malformed('chunk extensions are too long')
          }
          break
        case sizeLf:
          if (byte !== LF) throw malformed('a chunk size line does not end with CRLF')
          state = this.#left === 0 ? trailer : data
          break
        case dataCr:
          if (byte !== CR) throw malformed('a chunk is longer than its size')
          state = dataLf
          break
        case dataLf:
          if (byte !== LF) throw malformed('a chunk does not end with CRLF')
          state = sizeFirst
          break
      }
    }
    this.#state = state
    this.payloadStart = this.payloadEnd = at
    return at
  }

  /**
   * Reads the trailer section. Its bytes are gathered in a small buffer of their own, since a read's buffer is used
   * again; a scan goes on where the last one stopped.
   */
  #trailerSection(bytes: Buffer, at: number, end: number): number {
    const { maxTrailerBytes, maxTrailerCount } = this.#framing as Extract<BodyFraming, { kind: 'chunked' }>
    const before = this.#section.length
    if (before === 0 && at + 1 < end && bytes[at] === CR && bytes[at + 1] === LF) {
      this.done = true
      return at + 2
    }
    const taken = Math.min(end - at, maxTrailerBytes + 1 - before)
    this.#section = Buffer.concat([this.#section, bytes.subarray(at, at + taken)])
    const lines = (this.#lines ??= new FieldLines(maxTrailerCount))
    const scanned = lines.scan(this.#section, 0, this.#section.length)
    if (scanned < 0) throw malformed(`in a trailer: ${fieldFaults[-scanned]}`)
    if (scanned === fieldsMore) {
      if (this.#section.length > maxTrailerBytes) throw malformed('the trailer section is too large')
      return at + taken
    }
    for (let i = 0; i < lines.marks.length; i += marksPerLine) {
      if (forbidden.has(Math.abs(lines.marks[i]))) throw malformed('a field may not stand behind the body')
    }
    if (lines.lineCount > 0) this.trailers = new Headers(this.#section.toString('latin1', 0, lines.at), lines.marks)
    this.done = true
    this.#section = noBytes
    return at + lines.at - before
  }
}

/**
 * The state behind one byte of an extension (RFC 9112 §7.1.1); below 0: not allowed. Names and values are tokens, or
 * quoted strings without escapes; white space outside quotes, which the grammar calls bad, is none of ours.
 */
function afterExtensionByte(state: number, byte: number): number {
  const isToken = nameFold[byte] !== 0
  switch (state) {
    case extensionFirst:
      return isToken ? extensionName : -1
    case extensionValueFirst:
      if (byte === QUOTE) return extensionQuoted
      return isToken ? extensionValue : -1
    case extensionQuoted:
      if (byte === QUOTE) return extensionEnd
      return (byte >= 32 || byte === 9) && byte < 127 && byte !== BACKSLASH ? extensionQuoted : -1
    default:
      if (byte === CR) return sizeLf
      if (byte === SEMICOLON) return extensionFirst
      if (byte === EQUALS && state === extensionName) return extensionValueFirst
      return isToken && state !== extensionEnd ? state : -1
  }
}

function malformed(why: string): Fault {
  return new Fault('malformed', why)
}

/**
 * What RFC 9110 §6.5.1 keeps out of trailers (framing, routing, connection, credentials, modifiers, content
 * processing), and the fields that speak for the gateway: a peer that merges trailers into its header would believe them.
 */
const forbidden: ReadonlySet<number> = new Set(
  (
    'content-length transfer-encoding trailer te host connection keep-alive proxy-connection upgrade http2-settings expect ' +
    'authorization proxy-authorization proxy-authenticate www-authenticate cookie set-cookie x-api-key ' +
    'cache-control max-forwards pragma range if-match if-none-match if-modified-since if-unmodified-since if-range ' +
    'content-type content-encoding content-range age date expires location retry-after vary ' +
    'via forwarded x-forwarded-for x-forwarded-proto x-forwarded-host x-forwarded-port x-forwarded-prefix x-forwarded-server ' +
    'x-real-ip x-request-id traceparent tracestate x-auth-subject x-auth-tenant x-auth-client x-auth-scopes x-auth-roles'
  )
    .split(' ')
    .map((name) => headerId(name)),
)

/** The same fields as a drop table, for trailers that are sent. */
export const trailerDrop: DropTable = dropTable(forbidden)
