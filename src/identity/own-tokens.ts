import { randomUUID } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { Fault } from '../core/fault.ts'
import { headerBlock } from '../core/headers.ts'
import type { HeaderBlock } from '../core/headers.ts'
import type { Identity } from '../core/identity.ts'
import type { OwnIssuerSpec } from './identity-spec.ts'
import { KnownIdentity } from './known-identity.ts'
import type { ReadyKey, Signer } from './signer.ts'
import type { AccessGrant, AccessToken, TokenIssuer } from './token-issuer.ts'

/** Larger tokens would not fit where headers of services usually end. */
export const maxOwnTokenLength = 4096
/** How long a token for a service lives; it is reused for half of that. */
export const serviceTokenMs = 60_000

/** Signs Velum's own tokens with whatever key is current. */
export class OwnTokens implements TokenIssuer {
  readonly #spec: OwnIssuerSpec
  readonly #signer: Signer
  readonly #clock: Clock
  /** Headers of tokens by key, in base64url. */
  readonly #fronts = new Map<string, string>()

  constructor(spec: OwnIssuerSpec, signer: Signer, clock: Clock) {
    this.#spec = spec
    this.#signer = signer
    this.#clock = clock
  }

  accessToken(grant: AccessGrant): AccessToken {
    const { issuer, tokens } = this.#spec
    const iat = Math.floor(this.#clock.now() / 1000)
    const id = randomUUID()
    const expiresInS = Math.floor(tokens.accessMs / 1000)
    const text = this.#signed('at+jwt', {
      iss: issuer,
      aud: issuer,
      sub: grant.subject,
      client_id: grant.client ?? issuer,
      tenant: grant.tenant,
      scope: grant.scopes.join(' '),
      roles: grant.roles.length === 0 ? undefined : grant.roles,
      sid: grant.session,
      gen: grant.generation,
      jti: id,
      iat,
      exp: iat + expiresInS,
    })
    return { text, id, expiresInS }
  }

  serviceToken(identity: Identity, audience: string): HeaderBlock {
    const now = this.#clock.now()
    const known = identity instanceof KnownIdentity ? identity.served : undefined
    if (known !== undefined) {
      for (const token of known) if (token.issuer === this && token.audience === audience && now < token.until) return token.block
    }
    const text = this.#signed('gw+jwt', this.#serviceClaims(identity, audience, now))
    const block = headerBlock([['authorization', `Bearer ${text}`]])
    if (identity instanceof KnownIdentity) {
      const until = Math.min(now + serviceTokenMs / 2, identity.expiresAt)
      const others = (known ?? []).filter((token) => now < token.until && !(token.issuer === this && token.audience === audience))
      identity.served = [...others, { issuer: this, audience, until, block }]
    }
    return block
  }

  #serviceClaims(identity: Identity, audience: string, now: number): Readonly<Record<string, unknown>> {
    const { issuer } = this.#spec
    const iat = Math.floor(now / 1000)
    const gen = identity.issuer === issuer ? identity.claims['gen'] : undefined
    return {
      iss: issuer,
      aud: audience,
      sub: identity.subject,
      // A subject is unique only with its issuer: two of one name must not become one person to a service.
      sub_iss: identity.issuer === issuer ? undefined : identity.issuer,
      tenant: identity.tenant,
      client_id: identity.client,
      scope: identity.scopes.length === 0 ? undefined : identity.scopes.join(' '),
      roles: identity.roles.length === 0 ? undefined : identity.roles,
      sid: identity.issuer === issuer ? identity.session : undefined,
      gen,
      jti: randomUUID(),
      iat,
      exp: Math.min(iat + serviceTokenMs / 1000, Math.ceil(identity.expiresAt / 1000)),
    }
  }

  #signed(type: string, claims: Readonly<Record<string, unknown>>): string {
    const key = this.#signer.current()
    if (key === undefined) throw new Fault('store-down', 'there is no key to sign with')
    const front = `${this.#frontOf(type, key)}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`
    // 88 characters of signature at least; an RSA one has 342.
    if (front.length + (key.algorithm === 'RS256' ? 343 : 87) > maxOwnTokenLength) {
      throw new Fault('head-too-large', 'what would have to be said of the caller is more than 4 KiB: too many roles or scopes')
    }
    return `${front}.${key.sign(front)}`
  }

  #frontOf(type: string, { kid, algorithm }: ReadyKey): string {
    const name = `${type} ${kid}`
    let front = this.#fronts.get(name)
    if (front === undefined) {
      front = Buffer.from(JSON.stringify({ alg: algorithm, typ: type, kid })).toString('base64url')
      if (this.#fronts.size > 100) this.#fronts.clear()
      this.#fronts.set(name, front)
    }
    return front
  }
}
