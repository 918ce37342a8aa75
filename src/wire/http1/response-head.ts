import { Fault } from '../../core/fault.ts'
import { H } from '../../core/header-names.ts'
import { Headers, dropTable, marksPerLine } from '../../core/headers.ts'
import type { DropTable } from '../../core/headers.ts'
import { trimSpace } from '../../lib/trim-space.ts'
import { FieldLines, fieldFaults, fieldsMore } from './field-lines.ts'

/** What follows a head: nothing, a known number of bytes, chunks, or bytes until the connection ends. */
export type Content = 'none' | 'length' | 'chunked' | 'until-close'

const hopByHop = [
  H.connection,
  H.keepAlive,
  H.proxyConnection,
  H.proxyAuthenticate,
  H.te,
  H.trailer,
  H.transferEncoding,
  H.contentLength,
  H.http2Settings,
]
/** Fields that end at this connection. A switch of protocols (101) and a demand for one (426) are told by `Upgrade`. */
const answerDrop = dropTable([...hopByHop, H.upgrade])
const upgradeDrop = dropTable(hopByHop)

/** What of an answer with this status is not passed on. */
export function answerDropOf(status: number): DropTable {
  return status === 101 || status === 426 ? upgradeDrop : answerDrop
}

const noHeaders = new Headers()
const prefix = Buffer.from('HTTP/1.')
const zero = 48
const nine = 57
const space = 32
const carriageReturn = 13
const lineFeed = 10
/** Digits of a Content-Length: 15 make a petabyte, and every value is exact in a double. */
const maxLengthDigits = 15

/**
 * Reads the heads of one connection's answers, incrementally and as strictly as requests are read (RFC 9112 §4, §5, §6.3).
 * Throws `service-nonsense` on anything else, since two readings of an answer let one caller see another's.
 * The facts of a head stand until `begin`; its `headers` are the message's own and stay valid for ever.
 */
export class ResponseHead {
  status = 0
  headers = noHeaders
  content: Content = 'none'
  /** Bytes of the content, or of the content that a HEAD or a 304 speaks of; undefined: not told. */
  length: number | undefined = undefined
  /** Whether the service keeps the connection after this answer, and how long it said it would; Infinity: not told. */
  keepsAlive = false
  keepAliveMs = Infinity
  /** Where the head ends, behind `base`. */
  size = 0

  readonly #lines: FieldLines
  readonly #maxHeadBytes: number
  #isOld = false
  #hasLine = false

  constructor(maxHeadBytes: number, maxHeaderCount: number) {
    this.#maxHeadBytes = maxHeadBytes
    this.#lines = new FieldLines(maxHeaderCount)
  }

  /** A new head starts with the next byte. */
  begin(): void {
    this.#hasLine = false
  }

  /**
   * Reads on in `bytes[base..end)`, which holds the head from its first byte. False when more bytes are needed; the
   * bytes may then stand elsewhere the next time. `method` is the request's, which bears on the framing.
   */
  read(bytes: Buffer, base: number, end: number, method: string): boolean {
    if (!this.#hasLine && !this.#statusLine(bytes, base, end)) return this.#wait(end - base)
    const lines = this.#lines
    const scanned = lines.scan(bytes, base, end)
    if (scanned === fieldsMore) return this.#wait(end - base)
    if (scanned < 0) throw nonsense(fieldFaults[-scanned])
    if (lines.at > this.#maxHeadBytes) throw tooLarge()
    this.size = lines.at
    this.#understand(bytes.toString('latin1', base, base + lines.at), lines.marks, method)
    return true
  }

  #wait(received: number): false {
    if (received > this.#maxHeadBytes) throw tooLarge()
    return false
  }

  #statusLine(bytes: Buffer, base: number, end: number): boolean {
    const known = Math.min(prefix.length, end - base)
    for (let i = 0; i < known; i++) if (bytes[base + i] !== prefix[i]) throw nonsense('an answer does not begin with HTTP/1')
    if (end - base < 14) return false
    const minor = bytes[base + 7]
    const a = bytes[base + 9] - zero
    const b = bytes[base + 10] - zero
    const c = bytes[base + 11] - zero
    if ((minor !== zero && minor !== zero + 1) || bytes[base + 8] !== space) throw nonsense('an answer has no HTTP/1 version')
    if (a < 1 || a > 5 || b < 0 || b > 9 || c < 0 || c > 9) throw nonsense('an answer has no valid status')
    let at = base + 12
    if (bytes[at] === space) at++
    // The reason may be missing with its space (some servers leave both out); it is never forwarded.
    else if (bytes[at] !== carriageReturn) throw nonsense('a status has more than three digits')
    while (at < end && isReasonByte(bytes[at])) at++
    if (at === end) return false
    if (bytes[at] !== carriageReturn) throw nonsense('a status line does not end with CRLF')
    if (at + 1 === end) return false
    if (bytes[at + 1] !== lineFeed) throw nonsense('a status line does not end with CRLF')
    this.status = a * 100 + b * 10 + c
    this.#isOld = minor === zero
    this.#hasLine = true
    this.#lines.begin(at + 2 - base)
    return true
  }

  #understand(text: string, marks: number[], method: string): void {
    let length: number | undefined
    let isChunked = false
    let close = false
    let keepAlive = false
    let nominates = false
    this.keepAliveMs = Infinity
    for (let i = 0; i < marks.length; i += marksPerLine) {
      switch (marks[i]) {
        case H.contentLength:
          if (length !== undefined) throw nonsense('an answer has more than one Content-Length')
          length = parseLength(text, marks[i + 3], marks[i + 4])
          break
        case H.transferEncoding:
          // A second line would make a list, and only the single word is understood.
          if (isChunked || text.slice(marks[i + 3], marks[i + 4]).toLowerCase() !== 'chunked') {
            throw nonsense('an answer has a transfer coding other than chunked')
          }
          isChunked = true
          break
        case H.connection: {
          const value = text.slice(marks[i + 3], marks[i + 4]).toLowerCase()
          if (value === 'keep-alive') keepAlive = true
          else if (value === 'close') close = true
          else nominates = true
          break
        }
        case H.keepAlive:
          this.keepAliveMs = hintMs(text, marks[i + 3], marks[i + 4])
          break
      }
    }
    const { status } = this
    const headers = new Headers(
      text,
      marks,
      marks.length / marksPerLine,
      status === 101 || status === 426 ? upgradeDrop : answerDrop,
    )
    if (nominates && removeNominated(headers)) close = true
    if (isChunked && this.#isOld) throw nonsense('an answer of HTTP/1.0 has a transfer coding')
    if (isChunked && length !== undefined) throw nonsense('an answer has both Content-Length and Transfer-Encoding')
    this.headers = headers
    this.length = length
    // RFC 9112 §6.3, in its order.
    if (status < 200 || status === 204 || status === 304 || method === 'HEAD' || (method === 'CONNECT' && status < 300)) {
      this.content = 'none'
    } else if (isChunked) {
      this.content = 'chunked'
    } else if (length === undefined) {
      this.content = 'until-close'
      close = true
    } else {
      this.content = length === 0 ? 'none' : 'length'
    }
    this.keepsAlive = !close && (keepAlive || !this.#isOld) && this.keepAliveMs > 0
  }
}

/** Removes the fields that `Connection` nominates (RFC 9110 §7.6.1). Returns whether it lists `close`. */
export function removeNominated(headers: Headers): boolean {
  const { text, marks } = headers
  let isClosing = false
  for (let i = 0; i < marks.length; i += marksPerLine) {
    if (marks[i] !== H.connection) continue
    for (const option of text
      .slice(marks[i + 3], marks[i + 4])
      .toLowerCase()
      .split(',')) {
      const name = trimSpace(option)
      if (name === 'close') isClosing = true
      else if (name !== '' && name !== 'keep-alive' && name !== 'upgrade') headers.remove(name)
    }
  }
  return isClosing
}

function parseLength(text: string, start: number, end: number): number {
  if (end === start || end - start > maxLengthDigits) throw nonsense('an answer has no valid Content-Length')
  let length = 0
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code < zero || code > nine) throw nonsense('an answer has no valid Content-Length')
    length = length * 10 + code - zero
  }
  return length
}

/**
 * How long an idle connection is good for, from `Keep-Alive: timeout=…`, less a margin: a request that meets a
 * connection being closed is lost, and one that is not idempotent must not be repeated.
 */
function hintMs(text: string, start: number, end: number): number {
  const at = text.indexOf('timeout=', start)
  if (at === -1 || at >= end) return Infinity
  let seconds = -1
  for (let i = at + 8; i < end && i < at + 16; i++) {
    const code = text.charCodeAt(i)
    if (code < zero || code > nine) break
    seconds = Math.max(seconds, 0) * 10 + code - zero
  }
  return seconds === -1 ? Infinity : seconds * 1000 - Math.min(1000, seconds * 500)
}

function isReasonByte(byte: number): boolean {
  return (byte >= space && byte !== 127) || byte === 9
}

function nonsense(why: string): Fault {
  return new Fault('service-nonsense', why)
}

function tooLarge(): Fault {
  return nonsense('the head of an answer is too large')
}
