import { Fault } from '../../core/fault.ts'
import { H, nameFold } from '../../core/header-names.ts'
import { Headers } from '../../core/headers.ts'
import type { HeadLimits } from '../request-fields.ts'
import { RequestFields } from '../request-fields.ts'
import { isOriginForm, targetByte } from '../request-target.ts'
import { fieldId } from './field-list.ts'

// Made once, as in RequestFields.
const otherAuthority = new Fault('malformed', ':authority names another authority than Host')
const notTarget = new Fault('malformed', 'the request target is not valid')
const notMethod = new Fault('malformed', 'the method is not a token')
const notScheme = new Fault('malformed', 'the scheme is neither http nor https')
const repeatedPseudo = new Fault('malformed', 'a pseudo-header field is repeated, unknown or misplaced')
const ownConnection = new Fault('malformed', 'a field of HTTP/1 connections stands in an HTTP/2 request')
const otherTe = new Fault('malformed', 'TE holds something else than trailers')
const connectRefused = new Fault('method-not-supported', 'CONNECT is not served here')
const targetTooLong = new Fault('target-too-long')
const tooManyLines = new Fault('head-too-large', 'there are too many header lines')
const headTooLarge = new Fault('head-too-large', 'the request head is too large')

const colon = 58
const maxMethodLength = 32

/** Fields that speak of one HTTP/1 connection: their presence makes a message malformed (RFC 9113 §8.2.2). */
const forbidden: ReadonlySet<number> = new Set([
  H.connection,
  H.keepAlive,
  H.proxyConnection,
  H.transferEncoding,
  H.upgrade,
  -H.connection,
  -H.transferEncoding,
])

/**
 * Reads the field list of one HTTP/2 request, as name, value, name, value …, and holds it to the rules of HTTP/1.1:
 * from here on nothing depends on the version. Nghttp2 has checked order and characters of the fields; what it does not
 * know (Host against `:authority`, targets, our limits) is checked here. One object serves many messages.
 */
export class RequestMessage {
  method = ''
  target = ''
  headers = new Headers()
  readonly fields = new RequestFields()
  /** Bytes of the head, written as HTTP/1.1 would. */
  headBytes = 0

  readonly #limits: HeadLimits
  #path: string | undefined
  #method: string | undefined
  #authority: string | undefined
  #scheme: string | undefined

  constructor(limits: HeadLimits) {
    this.#limits = limits
  }

  /** Gives the fault that refuses the message, or undefined. */
  read(raw: readonly string[]): Fault | undefined {
    const regularAt = this.#pseudo(raw)
    if (regularAt === -1) return repeatedPseudo
    return this.#requestLine() ?? this.#lines(raw, regularAt) ?? this.#host()
  }

  /** Takes the pseudo-header fields and returns where the others begin; -1 when they are not as they must be. */
  #pseudo(raw: readonly string[]): number {
    this.#path = this.#method = this.#authority = this.#scheme = undefined
    let at = 0
    for (; at + 1 < raw.length && raw[at].charCodeAt(0) === colon; at += 2) {
      const value = raw[at + 1]
      switch (raw[at]) {
        case ':method':
          if (this.#method !== undefined) return -1
          this.#method = value
          break
        case ':path':
          if (this.#path !== undefined) return -1
          this.#path = value
          break
        case ':scheme':
          if (this.#scheme !== undefined) return -1
          this.#scheme = value
          break
        case ':authority':
          if (this.#authority !== undefined) return -1
          this.#authority = value
          break
        default:
          return -1
      }
    }
    return at
  }

  #requestLine(): Fault | undefined {
    const method = this.#method ?? ''
    const path = this.#path ?? ''
    if (method === 'CONNECT') return connectRefused
    if (!isMethod(method)) return notMethod
    if (this.#scheme !== 'https' && this.#scheme !== 'http') return notScheme
    if (path.length > this.#limits.maxTargetBytes) return targetTooLong
    for (let i = 0; i < path.length; i++) if (targetByte[path.charCodeAt(i)] !== 1) return notTarget
    if (!isOriginForm(method, path)) return notTarget
    this.method = method
    this.target = path
    return undefined
  }

  /** The fields as lines of HTTP/1.1, led by the authority as Host, with the crumbs of a cookie joined (RFC 9113 §8.2.3). */
  #lines(raw: readonly string[], from: number): Fault | undefined {
    const marks: number[] = []
    let text = ''
    let cookie: string | undefined
    if (this.#authority !== undefined) {
      text = `host: ${this.#authority}\r\n`
      marks.push(H.host, 0, 4, 6, 6 + this.#authority.length)
    }
    for (let i = from; i + 1 < raw.length; i += 2) {
      const name = raw[i]
      const value = raw[i + 1]
      const id = fieldId(name)
      if (id === H.cookie) {
        cookie = cookie === undefined ? value : `${cookie}; ${value}`
        continue
      }
      if (id === H.host && this.#authority !== undefined) {
        // One Host, whoever reads it: a second one is found below.
        if (value.toLowerCase() !== this.#authority.toLowerCase()) return otherAuthority
        this.#authority = undefined
        continue
      }
      if (id === 0 && name.charCodeAt(0) === colon) return repeatedPseudo
      if (forbidden.has(id)) return ownConnection
      if (id === H.te && value.toLowerCase() !== 'trailers') return otherTe
      const start = text.length
      const nameEnd = start + name.length
      text += `${name}: ${value}\r\n`
      marks.push(id, start, nameEnd, nameEnd + 2, nameEnd + 2 + value.length)
    }
    if (cookie !== undefined) {
      const start = text.length
      text += `cookie: ${cookie}\r\n`
      marks.push(H.cookie, start, start + 6, start + 8, start + 8 + cookie.length)
    }
    this.headers = new Headers(text, marks)
    this.headBytes = text.length + this.method.length + this.target.length + versionBytes
    if (this.headers.lineCount > this.#limits.maxHeaderCount) return tooManyLines
    return this.headBytes > this.#limits.maxHeadBytes ? headTooLarge : undefined
  }

  #host(): Fault | undefined {
    return this.fields.read(this.headers.text, this.headers.marks, '1.1')
  }
}

/** Two spaces, `HTTP/1.1` and two line ends: what a request line and the end of a head have besides. */
const versionBytes = 14

function isMethod(method: string): boolean {
  if (method === 'GET' || method === 'POST') return true
  if (method === '' || method.length > maxMethodLength) return false
  for (let i = 0; i < method.length; i++) if (method.charCodeAt(i) > 127 || nameFold[method.charCodeAt(i)] === 0) return false
  return true
}
