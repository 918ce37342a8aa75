/**
 * Requests, good and hostile, and what must come of them on any wire: which exchanges, and whether the connection is
 * then refused. Used by the raw-socket tests of both wires and as seeds of the fuzzer.
 */
export interface Http1Case {
  readonly name: string
  /** The bytes, in latin1. */
  readonly bytes: string
  readonly exchanges: readonly ExpectedExchange[]
  /** The status of the refusal that closes the connection; undefined: it stays open. */
  readonly refusal?: number
  /** What the adapter over node:http does instead, and why that is as safe. */
  readonly node?: {
    readonly because: string
    readonly exchanges?: readonly ExpectedExchange[]
    readonly refusal?: number | 'closed' | undefined
  }
}

export interface ExpectedExchange {
  readonly method: string
  readonly target: string
  readonly authority: string
  readonly content: string
}

const get = (target = '/', authority = 'a'): ExpectedExchange => ({ method: 'GET', target, authority, content: '' })
const post = (content: string, target = '/'): ExpectedExchange => ({ method: 'POST', target, authority: 'a', content })

const refusedAs =
  (refusal: number) =>
  (name: string, bytes: string, node?: Http1Case['node']): Http1Case => ({
    name,
    bytes,
    exchanges: [],
    refusal,
    ...(node === undefined ? {} : { node }),
  })
const malformed = refusedAs(400)
const host = 'Host: a\r\n'
const chunkedHead = `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n`
/** A body that names another request; whoever reads it as one has been smuggled to. */
const smuggled = `GET /smuggled HTTP/1.1\r\n${host}\r\n`

const nodeTrims = (exchanges: readonly ExpectedExchange[]): Http1Case['node'] => ({
  because: 'llhttp takes the tab away',
  exchanges,
  refusal: undefined,
})

/** Refused by their request line alone. */
export const requestLineCases: readonly Http1Case[] = [
  malformed('a bare line feed behind the request line', `GET / HTTP/1.1\n${host}\r\n`),
  malformed('a bare carriage return in the request line', `GET /\r HTTP/1.1\r\n${host}\r\n`),
  malformed('a space in front of the method', ` GET / HTTP/1.1\r\n${host}\r\n`),
  malformed('two spaces behind the method', `GET  / HTTP/1.1\r\n${host}\r\n`, {
    because: 'llhttp takes several',
    exchanges: [get()],
    refusal: undefined,
  }),
  malformed('two spaces behind the target', `GET /  HTTP/1.1\r\n${host}\r\n`, {
    because: 'llhttp takes several',
    exchanges: [get()],
    refusal: undefined,
  }),
  malformed('a space behind the version', `GET / HTTP/1.1 \r\n${host}\r\n`),
  malformed('a tab for a space', `GET\t/\tHTTP/1.1\r\n${host}\r\n`),
  malformed('a vertical tab for a space', `GET\x0b/ HTTP/1.1\r\n${host}\r\n`),
  malformed('a method that is not a token', `G(T / HTTP/1.1\r\n${host}\r\n`),
  malformed('an empty method', `/ HTTP/1.1\r\n${host}\r\n`),
  malformed('a method of great length', `${'A'.repeat(33)} / HTTP/1.1\r\n${host}\r\n`),
  malformed('a target with a NUL', `GET /\0 HTTP/1.1\r\n${host}\r\n`),
  malformed('a target with a control byte', `GET /\x1f HTTP/1.1\r\n${host}\r\n`),
  malformed('a target with DEL', `GET /\x7f HTTP/1.1\r\n${host}\r\n`),
  malformed('a target with a raw byte above ASCII', `GET /\xfc HTTP/1.1\r\n${host}\r\n`),
  malformed('a target with a fragment', `GET /a#b HTTP/1.1\r\n${host}\r\n`),
  malformed('a target with a quote', `GET /a"b HTTP/1.1\r\n${host}\r\n`),
  malformed('a target without a slash', `GET a HTTP/1.1\r\n${host}\r\n`),
  malformed('a query without a path', `GET ?a HTTP/1.1\r\n${host}\r\n`),
  malformed('the asterisk with GET', `GET * HTTP/1.1\r\n${host}\r\n`),
  malformed('authority form with GET', `GET a:80 HTTP/1.1\r\n${host}\r\n`),
  malformed('a target of another scheme', `GET ftp://a/ HTTP/1.1\r\n${host}\r\n`),
  malformed('an absolute target that names another authority than Host', `GET http://b/ HTTP/1.1\r\n${host}\r\n`),
  malformed('an absolute target with userinfo', `GET http://u@a/ HTTP/1.1\r\n${host}\r\n`),
  malformed('a request line of HTTP/0.9', `GET /\r\n${host}\r\n`, { because: 'llhttp calls it version 0.9', refusal: 505 }),
  malformed('a lower-case protocol name', `GET / http/1.1\r\n${host}\r\n`),
  malformed('a protocol that is not HTTP', `GET / RTSP/1.0\r\n${host}\r\n`, {
    because: 'llhttp takes RTSP and others for HTTP',
    exchanges: [get()],
    refusal: 'closed',
  }),
  malformed('a version of two digits', `GET / HTTP/1.10\r\n${host}\r\n`),
  malformed('a version without a minor number', `GET / HTTP/1\r\n${host}\r\n`),
  malformed('a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'),
  malformed('a line feed in front of the request', `\nGET / HTTP/1.1\r\n${host}\r\n`, {
    because: 'llhttp passes over it',
    exchanges: [get()],
    refusal: undefined,
  }),
  malformed('two empty lines in front of the request', `\r\n\r\nGET / HTTP/1.1\r\n${host}\r\n`, {
    because: 'llhttp passes over any number of them',
    exchanges: [get()],
    refusal: undefined,
  }),
  refusedAs(505)('version 2.0', `GET / HTTP/2.0\r\n${host}\r\n`),
  refusedAs(505)('version 1.2', `GET / HTTP/1.2\r\n${host}\r\n`, { because: 'llhttp has no name for it', refusal: 400 }),
  refusedAs(505)('version 0.9', `GET / HTTP/0.9\r\n${host}\r\n`),
  refusedAs(505)('the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', {
    because: 'llhttp calls it malformed',
    refusal: 400,
  }),
  refusedAs(501)('CONNECT', `CONNECT a:443 HTTP/1.1\r\n${host}\r\n`),
  refusedAs(414)('a target that is too long', `GET /${'a'.repeat(1024)} HTTP/1.1\r\n${host}\r\n`),
]

/** Refused by a header line. */
export const headerLineCases: readonly Http1Case[] = [
  malformed('a bare line feed behind a header line', `GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n`),
  malformed('a bare line feed for the end of the head', `GET / HTTP/1.1\r\n${host}\n`),
  malformed('a bare carriage return in a value', `GET / HTTP/1.1\r\n${host}X: a\rb\r\n\r\n`),
  malformed('a bare carriage return for a line end', `GET / HTTP/1.1\r\n${host}X: a\rY: b\r\n\r\n`),
  malformed('a carriage return too many', `GET / HTTP/1.1\r\n${host}X: a\r\r\n\r\n`),
  malformed('a bare carriage return for the end of the head', `GET / HTTP/1.1\r\n${host}\r\r\n`),
  malformed('a NUL in a value', `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`),
  malformed('a NUL in a name', `GET / HTTP/1.1\r\n${host}X\0: a\r\n\r\n`),
  malformed('a control byte in a value', `GET / HTTP/1.1\r\n${host}X: \x01\r\n\r\n`),
  malformed('a space before the colon', `GET / HTTP/1.1\r\n${host}X : a\r\n\r\n`),
  malformed('a tab before the colon', `GET / HTTP/1.1\r\n${host}X\t: a\r\n\r\n`),
  malformed('a folded line', `GET / HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`),
  malformed('a line folded by a tab', `GET / HTTP/1.1\r\n${host}X: a\r\n\tb\r\n\r\n`),
  malformed('white space in front of the first header line', `GET / HTTP/1.1\r\n ${host}\r\n`),
  malformed('a line without a colon', `GET / HTTP/1.1\r\n${host}X\r\n\r\n`),
  malformed('an empty name', `GET / HTTP/1.1\r\n${host}: a\r\n\r\n`),
  malformed('a name that is not a token', `GET / HTTP/1.1\r\n${host}X(: a\r\n\r\n`),
  malformed('a name above ASCII', `GET / HTTP/1.1\r\n${host}X\xe4: a\r\n\r\n`),
  malformed('no Host', 'GET / HTTP/1.1\r\n\r\n'),
  malformed('two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n'),
  malformed('two Hosts that differ', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'),
  malformed('an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n\r\n'),
  malformed('a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'),
  malformed('a Host with userinfo', 'GET / HTTP/1.1\r\nHost: u@a\r\n\r\n'),
  malformed('a Host with two names', 'GET / HTTP/1.1\r\nHost: a, b\r\n\r\n'),
  malformed('a Host with a space', 'GET / HTTP/1.1\r\nHost: a b\r\n\r\n'),
  malformed('a Host with a bad port', 'GET / HTTP/1.1\r\nHost: a:x\r\n\r\n'),
  malformed('a Host above ASCII', 'GET / HTTP/1.1\r\nHost: \xe4\r\n\r\n'),
  malformed('a bad Host with HTTP/1.0', 'GET / HTTP/1.0\r\nHost: a@b\r\n\r\n'),
  refusedAs(417)('another expectation', `POST / HTTP/1.1\r\n${host}Expect: 200-ok\r\nContent-Length: 1\r\n\r\nx`),
  refusedAs(431)('a head that is too large', `GET / HTTP/1.1\r\n${host}X: ${'a'.repeat(4096)}\r\n\r\n`),
  refusedAs(431)('too many header lines', `GET / HTTP/1.1\r\n${host}${'X: a\r\n'.repeat(20)}\r\n`),
]

/** Refused by what it says of its length. */
export const framingCases: readonly Http1Case[] = [
  malformed('an empty Content-Length', `POST / HTTP/1.1\r\n${host}Content-Length:\r\n\r\n`),
  malformed('a signed Content-Length', `POST / HTTP/1.1\r\n${host}Content-Length: +1\r\n\r\nx`),
  malformed('a negative Content-Length', `POST / HTTP/1.1\r\n${host}Content-Length: -1\r\n\r\nx`),
  malformed('a hexadecimal Content-Length', `POST / HTTP/1.1\r\n${host}Content-Length: 0x1\r\n\r\nx`),
  malformed('a Content-Length with a fraction', `POST / HTTP/1.1\r\n${host}Content-Length: 1.0\r\n\r\nx`),
  malformed('a Content-Length with a space inside', `POST / HTTP/1.1\r\n${host}Content-Length: 1 1\r\n\r\nxxxxxxxxxxx`),
  malformed('a list of equal lengths', `POST / HTTP/1.1\r\n${host}Content-Length: 1, 1\r\n\r\nx`),
  malformed('two equal lengths', `POST / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 1\r\n\r\nx`),
  malformed('two lengths that differ', `POST / HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx`),
  malformed('a Content-Length beyond 2^64', `POST / HTTP/1.1\r\n${host}Content-Length: 18446744073709551617\r\n\r\nx`),
  malformed('a Content-Length beyond 2^53', `POST / HTTP/1.1\r\n${host}Content-Length: 9007199254740993\r\n\r\nx`),
  malformed('a Content-Length spelt with an underscore', `POST / HTTP/1.1\r\n${host}Content_Length: 1\r\n\r\nx`),
  malformed('length and chunks', `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  malformed('chunks and length', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`),
  malformed('an empty transfer coding', `POST / HTTP/1.1\r\n${host}Transfer-Encoding:\r\n\r\n0\r\n\r\n`),
  malformed('identity', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n`),
  malformed('gzip alone', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n`),
  malformed('gzip, then chunked', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`),
  malformed('chunked, then identity', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`),
  malformed('chunked twice in a list', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`),
  malformed(
    'chunked on two lines',
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ),
  malformed('a misspelt coding', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`),
  malformed('chunked with a parameter', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n`),
  malformed('a quoted coding', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n`),
  malformed('an empty member in the list of codings', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n`),
  malformed('a coding spelt with an underscore', `POST / HTTP/1.1\r\n${host}Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n`),
  malformed('a tab in front of a length', `POST / HTTP/1.1\r\n${host}Content-Length: \t1\r\n\r\nx`, nodeTrims([post('x')])),
  malformed('a tab behind a length', `POST / HTTP/1.1\r\n${host}Content-Length: 1 \t\r\n\r\nx`, nodeTrims([post('x')])),
  malformed(
    'a tab in front of a coding',
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n`,
    nodeTrims([post('')]),
  ),
  malformed('a tab behind a coding', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n`),
  malformed('a tab behind Host', 'GET / HTTP/1.1\r\nHost: a\t\r\n\r\n', nodeTrims([get()])),
  malformed('chunked with HTTP/1.0', `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
]

const brokenChunks = (name: string, body: string, node?: Http1Case['node']): Http1Case => malformed(name, chunkedHead + body, node)

/** Refused by the chunks of a body. When the head came first alone, the exchange exists and its body fails. */
export const chunkCases: readonly Http1Case[] = [
  brokenChunks('a chunk size with a sign', '+1\r\nx\r\n0\r\n\r\n'),
  brokenChunks('a negative chunk size', '-1\r\nx\r\n0\r\n\r\n'),
  brokenChunks('a chunk size with a prefix', '0x1\r\nx\r\n0\r\n\r\n'),
  brokenChunks('a space before a chunk size', ' 1\r\nx\r\n0\r\n\r\n'),
  brokenChunks('a space behind a chunk size', '1 \r\nx\r\n0\r\n\r\n'),
  brokenChunks('an empty chunk size', '\r\nx\r\n0\r\n\r\n'),
  brokenChunks('a chunk size that is not a number', 'g\r\nx\r\n0\r\n\r\n'),
  brokenChunks('a chunk size beyond 2^64', '10000000000000001\r\nx\r\n0\r\n\r\n'),
  brokenChunks('a chunk size with very many zeros', `${'0'.repeat(40)}1\r\nx\r\n0\r\n\r\n`, {
    because: 'llhttp bounds the value alone',
    exchanges: [post('x')],
    refusal: undefined,
  }),
  brokenChunks('a bare line feed behind a chunk size', '1\nx\r\n0\r\n\r\n'),
  brokenChunks('a bare line feed behind a chunk', '1\r\nx\n0\r\n\r\n'),
  brokenChunks('a bare carriage return behind a chunk', '1\r\nx\r0\r\n\r\n'),
  brokenChunks('a chunk longer than its size', '1\r\nxy\r\n0\r\n\r\n'),
  brokenChunks('a line feed inside a chunk extension', '1;a\nb\r\nx\r\n0\r\n\r\n'),
  brokenChunks('a carriage return inside a chunk extension', '1;a\rb\r\nx\r\n0\r\n\r\n'),
  brokenChunks('an extension of great length', `1;${'a'.repeat(5000)}\r\nx\r\n0\r\n\r\n`, {
    because: 'llhttp allows 16 KiB',
    exchanges: [post('x')],
    refusal: undefined,
  }),
  brokenChunks('a bare line feed behind the last chunk', '0\n\r\n'),
  brokenChunks('a bare line feed for the end', '0\r\n\n'),
  brokenChunks('a folded trailer', '0\r\nX: a\r\n b\r\n\r\n'),
  brokenChunks('a trailer with a space before the colon', '0\r\nX : a\r\n\r\n'),
  brokenChunks('a trailer that frames', '0\r\nContent-Length: 5\r\n\r\n'),
  brokenChunks('a trailer with a bare carriage return', '0\r\nX: a\rb\r\n\r\n'),
  brokenChunks('trailers of great size', `0\r\n${'X: a\r\n'.repeat(2000)}\r\n`, {
    because: 'trailers are dropped',
    exchanges: [post('')],
    refusal: undefined,
  }),
]

/** Accepted, and read in exactly this way. */
export const acceptedCases: readonly Http1Case[] = [
  { name: 'a plain GET', bytes: `GET /a?b=c HTTP/1.1\r\n${host}\r\n`, exchanges: [get('/a?b=c')] },
  { name: 'an empty line in front', bytes: `\r\nGET / HTTP/1.1\r\n${host}\r\n`, exchanges: [get()] },
  {
    name: 'a Host in capitals with a port',
    bytes: 'GET / HTTP/1.1\r\nHOST: EXAMPLE.com:8080\r\n\r\n',
    exchanges: [get('/', 'example.com:8080')],
  },
  { name: 'an IPv6 Host', bytes: 'GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n', exchanges: [get('/', '[::1]:80')] },
  { name: 'an absolute target', bytes: `GET http://A/b?c HTTP/1.1\r\n${host}\r\n`, exchanges: [get('/b?c')] },
  { name: 'an absolute target without a path', bytes: `GET http://a HTTP/1.1\r\n${host}\r\n`, exchanges: [get('/')] },
  { name: 'OPTIONS *', bytes: `OPTIONS * HTTP/1.1\r\n${host}\r\n`, exchanges: [{ ...get('*'), method: 'OPTIONS' }] },
  {
    name: 'a method of its own',
    bytes: `BREW /pot HTTP/1.1\r\n${host}\r\n`,
    exchanges: [{ ...get('/pot'), method: 'BREW' }],
    node: { because: 'llhttp has a list of methods', exchanges: [], refusal: 400 },
  },
  {
    name: 'values with white space around and inside',
    bytes: `GET / HTTP/1.1\r\nHost:   a  \r\nX:\ta b\tc\t \r\n\r\n`,
    exchanges: [get()],
  },
  { name: 'obs-text in a value', bytes: `GET / HTTP/1.1\r\n${host}X: \x80\xff\r\n\r\n`, exchanges: [get()] },
  { name: 'an empty value', bytes: `GET / HTTP/1.1\r\n${host}X:\r\n\r\n`, exchanges: [get()] },
  { name: 'a body by length', bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 3\r\n\r\nabc`, exchanges: [post('abc')] },
  {
    name: 'a length with leading zeros',
    bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 003\r\n\r\nabc`,
    exchanges: [post('abc')],
  },
  { name: 'a length of zero', bytes: `POST / HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`, exchanges: [post('')] },
  { name: 'chunks', bytes: `${chunkedHead}3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n`, exchanges: [post('abc0123456789')] },
  {
    name: 'chunks with extensions and trailers',
    bytes: `${chunkedHead}3;a="b"\r\nabc\r\n0;c\r\nX: y\r\n\r\n`,
    exchanges: [post('abc')],
  },
  { name: 'no chunks', bytes: `${chunkedHead}0\r\n\r\n`, exchanges: [post('')] },
  {
    name: 'a coding in capitals',
    bytes: `POST / HTTP/1.1\r\n${host}Transfer-Encoding: Chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`,
    exchanges: [post('x')],
  },
  {
    name: 'GET with a body',
    bytes: `GET / HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\nx`,
    exchanges: [{ ...get(), content: 'x' }],
  },
  {
    name: 'requests sent ahead',
    bytes: `GET /1 HTTP/1.1\r\n${host}\r\nPOST /2 HTTP/1.1\r\n${host}Content-Length: 2\r\n\r\nxyGET /3 HTTP/1.1\r\n${host}\r\n`,
    exchanges: [get('/1'), post('xy', '/2'), get('/3')],
  },
]

/** The smuggling catalogue: one request in, one exchange or a refusal out; `/smuggled` is never reached. */
export const smugglingCases: readonly Http1Case[] = [
  malformed('CL.TE', `POST / HTTP/1.1\r\n${host}Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG`),
  malformed(
    'TE.CL',
    `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
  ),
  malformed(
    'TE.TE by a space before the colon',
    `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed(
    'TE.TE by a second coding',
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTransfer-encoding: cow\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed(
    'TE.TE by a tab',
    `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed('TE.TE by a vertical tab', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n${smuggled}`),
  malformed(
    'TE.TE by a line feed',
    `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nX: y\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed(
    'TE.TE by a fold',
    `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed(
    'TE.TE by a leading space',
    `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed(
    'TE.TE by a bare carriage return',
    `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed(
    'TE.TE by a NUL',
    `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding\0: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed(
    'TE.TE by a control byte in front',
    `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\n\x01Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed(
    'TE.TE by a byte above ASCII',
    `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: chunke\xe4\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed(
    'TE.TE by a word split in two',
    `POST / HTTP/1.1\r\n${host}Content-Length: 4\r\nTransfer-Encoding: ch unked\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed('CL.CL', `POST / HTTP/1.1\r\n${host}Content-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`),
  malformed('CL.CL by a fold', `POST / HTTP/1.1\r\n${host}Content-Length: 0\r\n ${smuggled.length}\r\n\r\n${smuggled}`),
  malformed('CL.CL by a name with a space', `POST / HTTP/1.1\r\n${host}Content-Length : ${smuggled.length}\r\n\r\n${smuggled}`),
  malformed('CL by a number with a comma', `POST / HTTP/1.1\r\n${host}Content-Length: 0,${smuggled.length}\r\n\r\n${smuggled}`),
  malformed(
    'a length hidden by a line feed',
    `GET / HTTP/1.1\r\n${host}X: y\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
  ),
  malformed('a head ended by a line feed', `GET / HTTP/1.1\r\n${host}\nGET /smuggled HTTP/1.1\r\n${host}\r\n`),
  {
    name: 'CL.0: a body that a service may not expect',
    bytes: `GET / HTTP/1.1\r\n${host}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`,
    exchanges: [{ ...get(), content: smuggled }],
  },
  {
    name: 'a request inside a chunk',
    bytes: `${chunkedHead}${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`,
    exchanges: [post(smuggled)],
  },
  malformed(
    'HTTP/1.0 with chunks and keep-alive',
    `POST / HTTP/1.0\r\n${host}Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
  ),
  malformed('TERM.EXT: a chunk extension ended by a line feed', `${chunkedHead}1;\nx\r\n0\r\n\r\n${smuggled}`),
  malformed('EXT.TERM: a line feed inside an extension', `${chunkedHead}2;\nxx\r\n4a\r\n0\r\n\r\n${smuggled}`),
  malformed('TERM.SPILL: a chunk ended by anything else', `${chunkedHead}5\r\nAAAAAXX2\r\n45\r\n0\r\n\r\n${smuggled}`),
  malformed('ONE.TWO: a chunk ended by a line feed', `${chunkedHead}1\r\nx\n0\r\n\r\n${smuggled}`),
  malformed('a chunk size cut to 32 bits by some', `${chunkedHead}100000000000000000\r\n\r\n${smuggled}`),
  malformed('a chunk size with an underscore', `${chunkedHead}1_0\r\nx\r\n0\r\n\r\n${smuggled}`),
  malformed('a trailer that brings a length', `${chunkedHead}0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`),
  malformed('H2.CL: a name with a colon in front', `POST / HTTP/1.1\r\n:authority: b\r\n${host}\r\n`),
  malformed('H2 request splitting in a value', `GET / HTTP/1.1\r\n${host}X: a\n\nGET /smuggled HTTP/1.1\r\n${host}\r\n`),
  malformed('a second Host for the router', `GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n`),
  malformed('an authority in the target for the router', `GET http://b/ HTTP/1.1\r\n${host}\r\n`),
  malformed('a target with a version in it', `GET / HTTP/1.1 /smuggled HTTP/1.1\r\n${host}\r\n`),
]
