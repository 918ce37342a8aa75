import type { Connection, Exchange } from '../core/exchange.ts'
import type { Fault } from '../core/fault.ts'
import { H, headerId } from '../core/header-names.ts'
import type { Outcome } from '../core/policy.ts'
import type { AccessTexts } from './access-log.ts'
import { redactQuery, withoutQuery } from './redact.ts'

const referer = headerId('referer')
/** Longest text of a client's own making in a line; what is longer is cut. */
const maxTextLength = 2048
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/**
 * Lines of the access log as Apache writes them: `common` is `%h %l %u %t "%r" %>s %b`, `combined` has the referrer and the
 * user agent behind it. Escaped as Apache does, so that nothing a client sends ends a field or a line; besides that, a
 * space in a user's name is `\x20`, since that field has no quotation marks. Times are UTC; secrets in queries are redacted.
 */
export class ApacheLines implements AccessTexts {
  readonly #isCombined: boolean
  #second = NaN
  #time = ''

  constructor(isCombined: boolean) {
    this.#isCombined = isCombined
  }

  line(x: Exchange, { status, sentBytes }: Outcome): string {
    const user = x.identity === undefined ? '-' : userText(x.identity.subject)
    const asked = `${x.method} ${x.path === '' ? withoutQuery(x.target) : x.path}`
    const query = x.query === undefined ? '' : `?${redactQuery(x.query)}`
    const version = x.version === '2' ? '2.0' : x.version
    let line = `${x.clientAddress === '' ? '-' : x.clientAddress} - ${user} ${this.#timeOf(x.startedAt)} "${escaped(cut(asked + query))} HTTP/${version}" `
    line += `${status === 0 ? '-' : status} ${sentBytes === 0 ? '-' : sentBytes}`
    if (!this.#isCombined) return `${line}\n`
    return `${line} "${refererText(x.headers.first(referer))}" "${quotable(x.headers.first(H.userAgent))}"\n`
  }

  /** As of a message that could not be read, which is also how Apache writes one. */
  refused(_id: string, _fault: Fault, { remoteAddress }: Connection, status: number, now: number): string {
    const line = `${remoteAddress === '' ? '-' : remoteAddress} - - ${this.#timeOf(now)} "-" ${status} -`
    return this.#isCombined ? `${line} "-" "-"\n` : `${line}\n`
  }

  /** `[10/Oct/2000:13:55:36 +0000]` */
  #timeOf(at: number): string {
    const second = Math.floor(at / 1000)
    if (second !== this.#second) {
      this.#second = second
      const date = new Date(second * 1000)
      const time = date.toISOString().slice(11, 19)
      this.#time = `[${two(date.getUTCDate())}/${months[date.getUTCMonth()]}/${date.getUTCFullYear()}:${time} +0000]`
    }
    return this.#time
  }
}

function two(number: number): string {
  return number < 10 ? `0${number}` : String(number)
}

function userText(subject: string): string {
  if (subject === '') return '""'
  return escaped(cut(subject)).replaceAll(' ', '\\x20')
}

/** A referrer is an address of another page, whose query may hold secrets too, and a password before its host. */
function refererText(value: string | undefined): string {
  if (value === undefined || value === '') return '-'
  const address = value.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1')
  const end = address.indexOf('?')
  return escaped(cut(end === -1 ? address : `${address.slice(0, end)}?${redactQuery(address.slice(end + 1))}`))
}

function quotable(value: string | undefined): string {
  return value === undefined || value === '' ? '-' : escaped(cut(value))
}

/** What Apache leaves as it is; all else it writes with a backslash. */
// oxlint-disable-next-line no-control-regex -- those are what must not stand in a line
const special = /["\\\x00-\x1f\x7f-\uffff]/
const short: ReadonlyMap<string, string> = new Map([
  ['"', '\\"'],
  ['\\', '\\\\'],
  ['\b', '\\b'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\v', '\\v'],
])

/** `ap_escape_logitem` of Apache: quotation marks, backslashes, and all that is not printable ASCII. */
function escaped(text: string): string {
  if (!special.test(text)) return text
  let out = ''
  for (const char of text) {
    if (!special.test(char)) out += char
    else out += short.get(char) ?? bytesOf(char)
  }
  return out
}

/** What came by the wire holds one byte a character, names of callers are Unicode. */
function bytesOf(char: string): string {
  let out = ''
  for (const byte of Buffer.from(char, char <= '\xff' ? 'latin1' : 'utf8')) out += `\\x${byte.toString(16).padStart(2, '0')}`
  return out
}

function cut(text: string): string {
  return text.length > maxTextLength ? text.slice(0, maxTextLength) : text
}
