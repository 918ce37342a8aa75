import { Fault } from '../core/fault.ts'
import { H } from '../core/header-names.ts'
import { marksPerLine } from '../core/headers.ts'
import { trimSpace } from '../lib/trim-space.ts'
import type { ServerLimits } from './server-wire.ts'
import { parseAuthority } from './authority.ts'

// Made once: a refused message costs no stack trace, and a flood of them no time.
const repeatedHost = new Fault('malformed', 'Host is given more than once')
const invalidHost = new Fault('malformed', 'Host is not a valid authority')
const missingHost = new Fault('malformed', 'Host is missing')
const repeatedLength = new Fault('malformed', 'Content-Length is given more than once')
const invalidLength = new Fault('malformed', 'Content-Length is not a number')
const repeatedCoding = new Fault('malformed', 'Transfer-Encoding is given more than once')
const otherCoding = new Fault('malformed', 'the transfer coding is not chunked alone')
const oldCoding = new Fault('malformed', 'HTTP/1.0 knows no transfer coding')
const twoFramings = new Fault('malformed', 'Content-Length and Transfer-Encoding stand together')
const disguisedFraming = new Fault('malformed', 'a framing header is spelt with an underscore')
const tabbedValue = new Fault('malformed', 'a tab stands around the value of a header that decides on the message')
const otherExpectation = new Fault('expectation-failed')

const highestId = Math.max(H.host, H.contentLength, H.transferEncoding, H.connection, H.upgrade, H.expect)

const tab = 9
const space = 32
/** Up to 999 TB, exact in a double; longer numbers are read differently by peers with 32 or 64 bits. */
const maxLengthDigits = 15

/**
 * What the header of a request says about the request itself: whom it asks, how its body is framed, what becomes of
 * the connection. One object serves many messages; `read` overwrites it.
 */
export class RequestFields {
  /** The validated Host in lower case; '' for HTTP/1.0 without one. */
  authority = ''
  /** The announced length of the body; -1 when none was announced. */
  contentLength = -1
  isChunked = false
  /** Whether the client allows another request on this connection. */
  isPersistent = true
  /** Whether the client waits for a 100 before it sends the body. */
  expectsContinue = false
  /** The one protocol offered in exchange for HTTP, in lower case; undefined when the offer is not to be taken up. */
  upgrade: string | undefined = undefined
  /** Whether any offer was made: to some peers the bytes behind it are no HTTP any more. */
  offersUpgrade = false

  #isClosing = false
  #isKeepAlive = false
  #isUpgrading = false
  #hasHost = false

  /** Reads received lines; gives the fault that refuses the message, or undefined. */
  read(text: string, marks: readonly number[], version: '1.0' | '1.1'): Fault | undefined {
    this.authority = ''
    this.contentLength = -1
    this.isChunked = false
    this.expectsContinue = false
    this.upgrade = undefined
    this.#isClosing = false
    this.#isKeepAlive = false
    this.#isUpgrading = false
    this.#hasHost = false
    for (let at = 0; at < marks.length; at += marksPerLine) {
      const id = marks[at]
      if (id === 0 || id > highestId || id < -highestId) continue
      // Peers differ on tabs around a value; where it decides on framing or routing, none is needed.
      if (hasTab(text, marks[at + 2] + 1) || hasTab(text, marks[at + 4])) return tabbedValue
      const fault = this.#line(id, text, marks[at + 3], marks[at + 4])
      if (fault !== undefined) return fault
    }
    if (version === '1.1') {
      if (!this.#hasHost) return missingHost
      this.isPersistent = !this.#isClosing
    } else {
      if (this.isChunked) return oldCoding
      this.isPersistent = this.#isKeepAlive && !this.#isClosing
      // RFC 9110 §10.1.1 and §7.8: neither exists for 1.0.
      this.expectsContinue = false
      this.#isUpgrading = false
    }
    this.offersUpgrade = this.#isUpgrading && this.upgrade !== undefined
    // A request with a body is not switched: whose bytes they are would be a matter of opinion. It is served instead.
    if (!this.offersUpgrade || this.upgrade === '' || this.isChunked || this.contentLength > 0) this.upgrade = undefined
    return this.isChunked && this.contentLength !== -1 ? twoFramings : undefined
  }

  #line(id: number, text: string, start: number, end: number): Fault | undefined {
    switch (id) {
      case H.host: {
        if (this.#hasHost) return repeatedHost
        this.#hasHost = true
        const authority = parseAuthority(text.slice(start, end))
        if (authority === undefined) return invalidHost
        this.authority = authority
        return undefined
      }
      case H.contentLength:
        if (this.contentLength !== -1) return repeatedLength
        this.contentLength = decimal(text, start, end)
        return this.contentLength === -1 ? invalidLength : undefined
      case H.transferEncoding:
        if (this.isChunked) return repeatedCoding
        this.isChunked = true
        return isWord(text, start, end, 'chunked') ? undefined : otherCoding
      case -H.contentLength:
      case -H.transferEncoding:
        return disguisedFraming
      case H.connection:
        this.#connection(text, start, end)
        return undefined
      case H.upgrade:
        // Several protocols, or several lines: ignored, as RFC 9110 §7.8 allows.
        this.upgrade = this.upgrade === undefined ? singleProtocol(text.slice(start, end)) : ''
        return undefined
      case H.expect:
        this.expectsContinue = isWord(text, start, end, '100-continue')
        return this.expectsContinue ? undefined : otherExpectation
      default:
        return undefined
    }
  }

  #connection(text: string, start: number, end: number): void {
    if (isWord(text, start, end, 'keep-alive')) this.#isKeepAlive = true
    else if (isWord(text, start, end, 'close')) this.#isClosing = true
    else {
      for (const option of text.slice(start, end).toLowerCase().split(',')) {
        const word = trimSpace(option)
        if (word === 'close') this.#isClosing = true
        else if (word === 'keep-alive') this.#isKeepAlive = true
        else if (word === 'upgrade') this.#isUpgrading = true
      }
    }
  }
}

/** The limits that a request head is held to. */
export type HeadLimits = Pick<ServerLimits, 'maxHeadBytes' | 'maxHeaderCount' | 'maxTargetBytes'>

function decimal(text: string, start: number, end: number): number {
  if (start === end || end - start > maxLengthDigits) return -1
  let value = 0
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

/** Whether there is a tab in the white space from `start` on. */
function hasTab(text: string, start: number): boolean {
  let at = start
  while (text.charCodeAt(at) === space) at++
  return text.charCodeAt(at) === tab
}

/** Whether the text is this lower-case word, in any case. */
function isWord(text: string, start: number, end: number, word: string): boolean {
  if (end - start !== word.length) return false
  for (let i = 0; i < word.length; i++) {
    const code = text.charCodeAt(start + i)
    if (code !== word.charCodeAt(i) && (code < 65 || code > 90 || code + 32 !== word.charCodeAt(i))) return false
  }
  return true
}

const protocol = /^[!#$%&'*+\-.^_`|~0-9a-z]+(?:\/[!#$%&'*+\-.^_`|~0-9a-z]+)?$/

/** HTTP/2 over an upgraded connection (h2c) is not offered to anyone: it would slip past every policy. */
function singleProtocol(value: string): string | undefined {
  const lower = value.toLowerCase()
  return protocol.test(lower) && !lower.startsWith('h2c') ? lower : ''
}
