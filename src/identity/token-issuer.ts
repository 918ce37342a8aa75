import type { Identity } from '../core/identity.ts'
import type { HeaderBlock } from '../core/headers.ts'

/** What an access token says. */
export interface AccessGrant {
  readonly subject: string
  readonly tenant: string | undefined
  readonly client: string | undefined
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  /** The family it belongs to; undefined for a program's own token. */
  readonly session: string | undefined
  /** The generation of the subject, read from the store when it is issued. */
  readonly generation: number
}

/** An access token and what its issuing needs to know of it. */
export interface AccessToken {
  readonly text: string
  readonly id: string
  readonly expiresInS: number
}

/**
 * Signs tokens with the node's current key, synchronously (about 30 µs by ES256). Throws the Fault `store-down` while no
 * key could be had, and `head-too-large` for a token above 4 KiB.
 */
export interface TokenIssuer {
  /** A new `at+jwt` (RFC 9068) for clients of this gateway. */
  accessToken(grant: AccessGrant): AccessToken
  /** The `Authorization` line with a `gw+jwt` for one service; remembered with the identity for half of its 60 seconds. */
  serviceToken(identity: Identity, audience: string): HeaderBlock
}
