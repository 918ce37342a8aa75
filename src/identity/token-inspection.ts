import type { Clock } from '../core/clock.ts'
import { silentLog } from '../core/log.ts'
import { silentMeter } from '../core/meter.ts'
import type { Stores } from '../core/stores.ts'
import { believedIssuers } from './believed-issuers.ts'
import type { IdentitySpec } from './identity-spec.ts'
import type { PublicKey } from './jwk-set.ts'
import { JwtVerifier } from './jwt-verifier.ts'
import type { KeySource } from './key-source.ts'
import { Rejection, rejections } from './rejection.ts'
import { Revoked } from './revoked.ts'
import { importVerificationKey } from './verification-key.ts'
import { objectIn } from './token-part.ts'

/** What an operator may learn of a token or cookie value. Never its secret part. */
export interface InspectedToken {
  readonly kind: 'jwt' | 'session' | 'refresh-token' | 'unknown'
  /** `valid`, a reason to reject it, or `foreign` for tokens of other issuers, which are shown and not judged. */
  readonly status: string
  readonly words: string
  readonly header?: unknown
  readonly claims?: unknown
  /** Of a session or token family. */
  readonly session?: string | undefined
  readonly subject?: string | undefined
  readonly expires?: string | undefined
}

export interface InspectionEnv {
  readonly identity: IdentitySpec
  readonly stores: Stores
  readonly clock: Clock
}

const maxLength = 16_384
const opaque = /^([A-Za-z0-9_-]{22})\.[A-Za-z0-9_-]{43,64}$/

/** Says what a text is, and whether it would be accepted now. Reads only. Rejects with `store-down`. */
export async function inspectToken(typed: string, env: InspectionEnv): Promise<InspectedToken> {
  const text = typed.trim()
  const id = opaque.exec(text)?.[1]
  if (id !== undefined) return inspectOpaque(id, env)
  const [head, payload, signature, more] = text.split('.')
  const isJwt = signature !== undefined && more === undefined && text.length <= maxLength
  const header = isJwt ? objectIn(head) : undefined
  const claims = isJwt ? objectIn(payload) : undefined
  if (header === undefined || claims === undefined)
    return { kind: 'unknown', status: 'not-a-token', words: 'This is no token and no cookie value of Velum.' }
  const shown = { kind: 'jwt', header, claims } as const
  if (claims['iss'] !== env.identity.own?.issuer)
    return { ...shown, status: 'foreign', words: 'Another issuer made it: shown as it is, and not judged here.' }
  const found = await judge(text, env)
  return { ...shown, status: found.reason, words: found.words }
}

const valid = new Rejection('valid', 'It is accepted now.')

async function judge(text: string, { identity, stores, clock }: InspectionEnv): Promise<Rejection> {
  const own = believedIssuers(identity).filter(({ isOwn }) => isOwn === true)
  const verifier = new JwtVerifier(
    own.map((spec) => ({ spec, keys: storedKeys(stores) })),
    identity.tenantClaim,
  )
  const { found, key } = await verifier.verify(text, clock.now())
  if (found instanceof Rejection) return found
  const revoked = new Revoked({ clock, log: silentLog, meter: silentMeter, stores, issuer: identity.own!.issuer })
  try {
    await revoked.loaded
    return revoked.isRevoked(found, key!.kid) ? rejections.revoked : valid
  } finally {
    revoked.close()
  }
}

/** Velum's own keys, read from the store when one is asked for. */
function storedKeys(stores: Stores): KeySource {
  return {
    async find(kid) {
      const record = await stores.records.get('signing-key', kid)
      if (record === undefined) return rejections['unknown-key']
      const { algorithm, jwk } = record.value as unknown as PublicKey
      return importVerificationKey({ kid, algorithm, jwk })
    },
    close() {},
  }
}

async function inspectOpaque(id: string, { stores, clock }: InspectionEnv): Promise<InspectedToken> {
  const session = await stores.records.get('session', id)
  const family = session === undefined ? await stores.families.get(id) : undefined
  const found = session ?? family
  if (found === undefined)
    return { kind: 'unknown', status: 'unknown-session', words: 'There is no session or token family of this id (any more).' }
  const { owner: subject, expiresAt, value } = found
  const facts = { session: id, subject, expires: new Date(expiresAt).toISOString() }
  const kind = session === undefined ? 'refresh-token' : 'session'
  const isVoid = Number(value['generation']) < (await stores.generations.of(subject))
  if (family?.ended !== undefined || isVoid)
    return { kind, ...facts, status: 'revoked', words: `It has ended${family?.ended === undefined ? '' : ` (${family.ended})`}.` }
  if (family !== undefined && family.idleAt <= clock.now())
    return { kind, ...facts, status: 'session-expired', words: 'It was not used for too long.' }
  // Its secret is not judged: who asks has only to know which login it is.
  return { kind, ...facts, status: 'active', words: 'The login that it belongs to is active. Its secret was not checked.' }
}
