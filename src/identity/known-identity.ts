import type { HeaderBlock } from '../core/headers.ts'
import type { CredentialKind, Identity } from '../core/identity.ts'
import { identityBlock } from './identity-block.ts'

const noClaims: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null) as Record<string, unknown>)

/** A token for a service that was made for an identity, and until when it is used. */
export interface ServedToken {
  /** Who made it: another configuration's issuer does not count. */
  readonly issuer: object
  readonly audience: string
  readonly until: number
  readonly block: HeaderBlock
}

/** An Identity that many exchanges share, with what services are told of it made once. */
export class KnownIdentity implements Identity {
  readonly kind: CredentialKind
  readonly issuer: string
  readonly subject: string
  readonly tenant: string | undefined
  readonly client: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly claims: Readonly<Record<string, unknown>>
  readonly expiresAt: number
  readonly session: string | undefined
  readonly credentialId: string | undefined
  /** Tokens that were made for services and are used again; kept by whoever makes them. */
  served: readonly ServedToken[] | undefined
  #headers: HeaderBlock | undefined

  constructor(facts: Omit<Identity, 'claims'> & { readonly claims?: Identity['claims'] | undefined }) {
    this.kind = facts.kind
    this.issuer = facts.issuer
    this.subject = facts.subject
    this.tenant = facts.tenant
    this.client = facts.client
    this.scopes = facts.scopes
    this.roles = facts.roles
    this.claims = facts.claims ?? noClaims
    this.expiresAt = facts.expiresAt
    this.session = facts.session
    this.credentialId = facts.credentialId
    this.served = undefined
    this.#headers = undefined
  }

  /** The `x-auth-*` lines for services that are told by headers. */
  get headers(): HeaderBlock {
    return (this.#headers ??= identityBlock(this))
  }
}
