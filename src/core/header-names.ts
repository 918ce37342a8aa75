/**
 * Small integers for the header names that anything in Velum asks for. The wire's parser gives each line its id while
 * it scans the name, so that a look-up or a strip is a comparison of integers. Names enter from code and configuration
 * only, never from a message, so the table stays small and no client can fill it.
 *
 * `_` folds to `-`, because a service behind CGI-like naming cannot tell the two apart: a line `x_auth_subject`
 * gets the *negative* id of `x-auth-subject`. Look-ups do not see it, strips do.
 */

/** Value of a byte in a field name (RFC 9110 token): lower-cased, `_` as `-`; 0 where it may not stand. */
export const nameFold = new Uint8Array(256)
for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") nameFold[c.charCodeAt(0)] = c.charCodeAt(0)
for (let c = 65; c <= 90; c++) nameFold[c] = c + 32
nameFold[95] = 45

/** Next step of the hash over folded name bytes; start with 0. */
export function nameHashStep(hash: number, folded: number): number {
  return (Math.imul(hash, 31) + folded) | 0
}

const names: string[] = ['']
const ids = new Map<string, number>()
let slots = new Int32Array(1024)

function hashOf(name: string): number {
  let hash = 0
  for (let i = 0; i < name.length; i++) hash = nameHashStep(hash, nameFold[name.charCodeAt(i)])
  return hash
}

function place(table: Int32Array, id: number): void {
  let slot = hashOf(names[id]) & (table.length - 1)
  while (table[slot] !== 0) slot = (slot + 1) & (table.length - 1)
  table[slot] = id
}

const tokenPattern = /^[!#$%&'*+\-.^`|~0-9a-z]+$/

/** The id of a header name in lower case, made when it has none yet. Throws on what is not a name or has `_`. */
export function headerId(name: string): number {
  const known = ids.get(name)
  if (known !== undefined) return known
  if (!tokenPattern.test(name)) throw new Error(`not a lower-case header name without "_": ${JSON.stringify(name)}`)
  const id = names.length
  names.push(name)
  ids.set(name, id)
  if (names.length * 4 > slots.length) {
    const wider = new Int32Array(slots.length * 2)
    for (let i = 1; i < names.length; i++) place(wider, i)
    slots = wider
  } else {
    place(slots, id)
  }
  return id
}

/** The id of a lower-case name that is already known, else 0. */
export function knownHeaderId(name: string): number {
  return ids.get(name) ?? 0
}

export function headerName(id: number): string {
  return names[id]
}

/** How many ids exist; drop tables are sized by it. */
export function headerIdCount(): number {
  return names.length
}

/** The id of the name at `bytes[start..end)` whose folded hash is `hash`; negative for an `_` spelling; 0 if unknown. */
export function findHeaderId(bytes: Uint8Array, start: number, end: number, hash: number): number {
  const mask = slots.length - 1
  for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
    const id = slots[slot]
    if (id === 0) return 0
    const name = names[id]
    if (name.length !== end - start) continue
    let i = 0
    let alias = false
    while (i < name.length) {
      const byte = bytes[start + i]
      if (nameFold[byte] !== name.charCodeAt(i)) break
      if (byte === 95) alias = true
      i++
    }
    if (i === name.length) return alias ? -id : id
  }
}

/** The same for a name given as text, in any case. */
export function findHeaderIdOf(name: string): number {
  let alias = false
  let folded = ''
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i)
    if (code === 95) alias = true
    const fold = code < 256 ? nameFold[code] : 0
    if (fold === 0) return 0
    folded += String.fromCharCode(fold)
  }
  const id = ids.get(folded) ?? 0
  return alias && id !== 0 ? -id : id
}

/** Ids of the names that the gateway itself reads or writes. */
export const H = {
  host: headerId('host'),
  connection: headerId('connection'),
  keepAlive: headerId('keep-alive'),
  proxyConnection: headerId('proxy-connection'),
  transferEncoding: headerId('transfer-encoding'),
  contentLength: headerId('content-length'),
  te: headerId('te'),
  trailer: headerId('trailer'),
  upgrade: headerId('upgrade'),
  http2Settings: headerId('http2-settings'),
  proxyAuthenticate: headerId('proxy-authenticate'),
  proxyAuthorization: headerId('proxy-authorization'),
  expect: headerId('expect'),
  authorization: headerId('authorization'),
  cookie: headerId('cookie'),
  setCookie: headerId('set-cookie'),
  apiKey: headerId('x-api-key'),
  via: headerId('via'),
  forwarded: headerId('forwarded'),
  xForwardedFor: headerId('x-forwarded-for'),
  xForwardedProto: headerId('x-forwarded-proto'),
  xForwardedHost: headerId('x-forwarded-host'),
  xForwardedPort: headerId('x-forwarded-port'),
  xForwardedPrefix: headerId('x-forwarded-prefix'),
  xForwardedServer: headerId('x-forwarded-server'),
  xRealIp: headerId('x-real-ip'),
  requestId: headerId('x-request-id'),
  requestTimeout: headerId('x-request-timeout'),
  grpcTimeout: headerId('grpc-timeout'),
  grpcStatus: headerId('grpc-status'),
  mirror: headerId('x-velum-mirror'),
  explain: headerId('x-velum-explain'),
  traceparent: headerId('traceparent'),
  tracestate: headerId('tracestate'),
  origin: headerId('origin'),
  accept: headerId('accept'),
  acceptEncoding: headerId('accept-encoding'),
  userAgent: headerId('user-agent'),
  contentType: headerId('content-type'),
  contentEncoding: headerId('content-encoding'),
  date: headerId('date'),
  server: headerId('server'),
  vary: headerId('vary'),
  cacheControl: headerId('cache-control'),
  retryAfter: headerId('retry-after'),
  location: headerId('location'),
  allow: headerId('allow'),
  wwwAuthenticate: headerId('www-authenticate'),
  authSubject: headerId('x-auth-subject'),
  authTenant: headerId('x-auth-tenant'),
  authClient: headerId('x-auth-client'),
  authScopes: headerId('x-auth-scopes'),
  authRoles: headerId('x-auth-roles'),
} as const
