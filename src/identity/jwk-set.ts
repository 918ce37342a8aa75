import { parseStrictJson } from '../lib/strict-json.ts'
import { isObject } from '../lib/is-object.ts'

/** A public key as an issuer published it, reduced to what verifying needs. Plain data that crosses threads. */
export interface PublicKey {
  readonly kid: string
  /** The one algorithm it is used with. */
  readonly algorithm: string
  readonly jwk: Readonly<Record<string, string>>
}

export const maxSetBytes = 256 * 1024
const maxKeys = 100
const minRsaBits = 2048

/** What a `kid` may look like, here and in tokens: long enough for thumbprints and base64, short enough to keep. */
export const keyIdPattern = /^[A-Za-z0-9._~+/=-]{1,64}$/

const curveAlgorithm: ReadonlyMap<string, string> = new Map([
  ['P-256', 'ES256'],
  ['P-384', 'ES384'],
  ['P-521', 'ES512'],
  ['Ed25519', 'EdDSA'],
])

/** RFC 9864 names EdDSA with Ed25519 anew; both names mean one algorithm here. */
export function algorithmName(name: string): string {
  return name === 'Ed25519' ? 'EdDSA' : name
}

/** A key set that cannot be used. */
export class KeySetError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'KeySetError'
  }
}

/**
 * The usable keys of a JWK set (RFC 7517 §5). Keys that cannot verify by one of `algorithms` are passed over: of other
 * types or uses, without `kid`, too short. Throws KeySetError when it is no set, has too many keys, or none is usable.
 */
export function parseJwkSet(bytes: Buffer, algorithms: readonly string[]): PublicKey[] {
  if (bytes.length > maxSetBytes) throw new KeySetError(`the key set is larger than ${maxSetBytes / 1024} KiB`)
  const set = parseStrictJson(bytes)
  const listed: unknown = isObject(set) ? set['keys'] : undefined
  if (!Array.isArray(listed)) throw new KeySetError('this is not a JWK set: no object with a list "keys"')
  if (listed.length > maxKeys) throw new KeySetError(`the key set has more than ${maxKeys} keys`)
  const allowed = algorithms.map(algorithmName)
  const keys = new Map<string, PublicKey>()
  for (const entry of listed as unknown[]) {
    const key = usableKey(entry, allowed)
    // Of two keys with one kid the first counts: which is meant cannot be told, and trying both doubles the work.
    if (key !== undefined && !keys.has(key.kid)) keys.set(key.kid, key)
  }
  if (keys.size === 0) throw new KeySetError(`the key set has no usable key among its ${listed.length}`)
  return [...keys.values()]
}

function usableKey(entry: unknown, allowed: readonly string[]): PublicKey | undefined {
  if (!isObject(entry)) return undefined
  const { kid, use, key_ops: operations, alg } = entry
  if (typeof kid !== 'string' || !keyIdPattern.test(kid)) return undefined
  if (use !== undefined && use !== 'sig') return undefined
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined
  const jwk = publicMembers(entry)
  if (jwk === undefined) return undefined
  const fitting = new Set(algorithmsOf(jwk).filter((name) => allowed.includes(name)))
  // The key says its algorithm; an RSA key that does not gets the issuer's first one for RSA. The token never chooses.
  const algorithm =
    alg === undefined ? allowed.find((name) => fitting.has(name)) : typeof alg === 'string' ? algorithmName(alg) : ''
  if (algorithm === undefined || !fitting.has(algorithm)) return undefined
  return { kid, algorithm, jwk }
}

/** The public members of a key, and nothing else of it; undefined for key types that are of no use. */
function publicMembers(entry: Readonly<Record<string, unknown>>): Record<string, string> | undefined {
  const names =
    entry['kty'] === 'RSA' ? ['n', 'e'] : entry['kty'] === 'EC' ? ['crv', 'x', 'y'] : entry['kty'] === 'OKP' ? ['crv', 'x'] : []
  const jwk: Record<string, string> = {}
  for (const name of ['kty', ...names]) {
    const value = entry[name]
    if (typeof value !== 'string') return undefined
    jwk[name] = value
  }
  return names.length === 0 ? undefined : jwk
}

/** Every algorithm that a key of this type could be used with. */
function algorithmsOf(jwk: Readonly<Record<string, string>>): readonly string[] {
  if (jwk['kty'] === 'RSA') {
    const modulus = Buffer.from(jwk['n'], 'base64url')
    const bits = modulus.length * 8 - (modulus.length > 0 ? Math.clz32(modulus[0]) - 24 : 0)
    return bits < minRsaBits ? [] : ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
  }
  const algorithm = curveAlgorithm.get(jwk['crv'])
  const isRightType = (jwk['crv'] === 'Ed25519') === (jwk['kty'] === 'OKP')
  return algorithm === undefined || !isRightType ? [] : [algorithm]
}
