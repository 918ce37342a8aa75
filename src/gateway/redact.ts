/** What stands before the query of a target. Where a path could not be read, a query's secrets cannot be told apart either. */
export function withoutQuery(target: string): string {
  const end = target.indexOf('?')
  return end === -1 ? target : target.slice(0, end)
}

/** What stands in the place of a secret. */
export const redacted = '[redacted]'

/** Query parameters whose values are secrets, folded: lower case without "-" and "_". */
const secretNames = new Set([
  'accesskey',
  'apikey',
  'assertion',
  'auth',
  'authorization',
  'clientassertion',
  'code',
  'codeverifier',
  'cookie',
  'credential',
  'credentials',
  'devicecode',
  'idtokenhint',
  'jwt',
  'key',
  'logintokenhint',
  'otp',
  'pass',
  'passcode',
  'passphrase',
  'passwd',
  'pin',
  'pwd',
  'refresh',
  'samlrequest',
  'samlresponse',
  'session',
  'sessionid',
  'sid',
  'sig',
  'state',
  'ticket',
])
/** A name with one of these anywhere in it is a secret's, such as `X-Amz-Signature` or `new_password`. */
const secretParts = /token|secret|password|passwd|signature|apikey|credential|privatekey/

/** Whether a parameter of this name, in any spelling, may carry a secret. */
export function isSecretName(name: string): boolean {
  const folded = name.toLowerCase().replaceAll('-', '').replaceAll('_', '')
  return secretNames.has(folded) || secretParts.test(folded)
}

/** The query with the values of secret parameters replaced; everything else stays byte for byte, so that it can be replayed. */
export function redactQuery(query: string): string {
  let out = ''
  let from = 0
  for (let at = 0; at < query.length;) {
    let end = query.indexOf('&', at)
    if (end === -1) end = query.length
    const equals = query.indexOf('=', at)
    if (equals !== -1 && equals < end && isSecretName(decoded(query.slice(at, equals)))) {
      out += query.slice(from, equals + 1) + redacted
      from = end
    }
    at = end + 1
  }
  return from === 0 ? query : out + query.slice(from)
}

function decoded(name: string): string {
  if (!name.includes('%') && !name.includes('+')) return name
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}

/** Paths of operational log fields that are never printed, in pino's notation. */
export const redactedFields: readonly string[] = [
  'authorization',
  'cookie',
  'password',
  'secret',
  'token',
  'apiKey',
  'privateKey',
  'clientSecret',
].flatMap((name) => [name, `*.${name}`])
