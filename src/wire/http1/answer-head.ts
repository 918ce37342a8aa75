import type { Clock } from '../../core/clock.ts'
import { H } from '../../core/header-names.ts'
import { dropTable } from '../../core/headers.ts'
import type { DropTable, Headers } from '../../core/headers.ts'

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
const finalSkip = dropTable([...hopByHop, H.upgrade])
/** A switch of protocols (101) and a demand for one (426) are told by `Upgrade` (RFC 9110 §7.8). */
const upgradeSkip = dropTable(hopByHop)

const reasons = new Map<number, string>([
  [100, 'Continue'],
  [101, 'Switching Protocols'],
  [102, 'Processing'],
  [103, 'Early Hints'],
  [200, 'OK'],
  [201, 'Created'],
  [202, 'Accepted'],
  [203, 'Non-Authoritative Information'],
  [204, 'No Content'],
  [205, 'Reset Content'],
  [206, 'Partial Content'],
  [207, 'Multi-Status'],
  [208, 'Already Reported'],
  [226, 'IM Used'],
  [300, 'Multiple Choices'],
  [301, 'Moved Permanently'],
  [302, 'Found'],
  [303, 'See Other'],
  [304, 'Not Modified'],
  [307, 'Temporary Redirect'],
  [308, 'Permanent Redirect'],
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [402, 'Payment Required'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [406, 'Not Acceptable'],
  [407, 'Proxy Authentication Required'],
  [408, 'Request Timeout'],
  [409, 'Conflict'],
  [410, 'Gone'],
  [411, 'Length Required'],
  [412, 'Precondition Failed'],
  [413, 'Content Too Large'],
  [414, 'URI Too Long'],
  [415, 'Unsupported Media Type'],
  [416, 'Range Not Satisfiable'],
  [417, 'Expectation Failed'],
  [421, 'Misdirected Request'],
  [422, 'Unprocessable Content'],
  [423, 'Locked'],
  [424, 'Failed Dependency'],
  [425, 'Too Early'],
  [426, 'Upgrade Required'],
  [428, 'Precondition Required'],
  [429, 'Too Many Requests'],
  [431, 'Request Header Fields Too Large'],
  [451, 'Unavailable For Legal Reasons'],
  [500, 'Internal Server Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Unavailable'],
  [504, 'Gateway Timeout'],
  [505, 'HTTP Version Not Supported'],
  [507, 'Insufficient Storage'],
  [508, 'Loop Detected'],
  [511, 'Network Authentication Required'],
])
const statusLines: string[] = []

/** The status line for 100 to 999, with CRLF. A service's own reason phrase is never passed on. */
export function statusLine(status: number): string {
  return (statusLines[status] ??= `HTTP/1.1 ${status} ${reasons.get(status) ?? ''}\r\n`)
}

/** How an answer's content is framed: a number is its Content-Length. */
export type AnswerFraming = number | 'none' | 'chunked' | 'until-close'

/** What becomes of the connection. `keep-alive` is said only to HTTP/1.0, `upgrade` with the protocol's name. */
export type AnswerConnection = 'default' | 'keep-alive' | 'close'

/** Writes final and interim heads. One per server: it keeps the Date line of the current second. */
export class AnswerHeads {
  readonly #clock: Clock
  #dateSecond = NaN
  #dateLine = ''

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A final head with the empty line. Framing and connection lines are ours alone; a missing Date is added. */
  final(status: number, headers: Headers, framing: AnswerFraming, connection: AnswerConnection): string {
    const skip = status === 426 ? upgradeSkip : finalSkip
    let head = this.#start(status, headers, skip)
    if (typeof framing === 'number') head += `Content-Length: ${framing}\r\n`
    else if (framing === 'chunked') head += 'Transfer-Encoding: chunked\r\n'
    if (status === 426) head += connection === 'close' ? 'Connection: close, Upgrade\r\n' : 'Connection: Upgrade\r\n'
    else if (connection === 'close') head += 'Connection: close\r\n'
    else if (connection === 'keep-alive') head += 'Connection: keep-alive\r\n'
    return `${head}\r\n`
  }

  /** The head of a 101. */
  switching(headers: Headers, protocol: string): string {
    const head = this.#start(101, headers, upgradeSkip)
    return headers.first(H.upgrade) === undefined
      ? `${head}Connection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`
      : `${head}Connection: Upgrade\r\n\r\n`
  }

  /** An interim head (RFC 9110 §15.2): no framing, no Date. */
  interim(status: number, headers: Headers): string {
    return `${statusLine(status)}${headers.toLines(finalSkip)}\r\n`
  }

  #start(status: number, headers: Headers, skip: DropTable): string {
    const head = statusLine(status) + headers.toLines(skip)
    return headers.first(H.date) === undefined ? head + this.#date() : head
  }

  #date(): string {
    const now = this.#clock.now()
    const second = Math.floor(now / 1000)
    if (second !== this.#dateSecond) {
      this.#dateSecond = second
      this.#dateLine = `Date: ${new Date(now).toUTCString()}\r\n`
    }
    return this.#dateLine
  }
}
