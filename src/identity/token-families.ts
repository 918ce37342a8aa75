import type { Exchange } from '../core/exchange.ts'
import type { Login } from './sessions.ts'

/** Who may use the refresh tokens of a family: a page by its cookie, or a program that sends it in the body. */
export type FamilyUse = 'cookie' | 'body'

/** What a client gets of a token family. The refresh token goes into a cookie or a body, never into a log. */
export interface IssuedTokens {
  /** The id of the family, `sid` in its access tokens. */
  readonly family: string
  readonly accessToken: string
  readonly expiresInS: number
  /** What the access token grants. */
  readonly scopes: readonly string[]
  readonly refreshToken: string
  /** Milliseconds since 1970: the absolute end, also the cookie's. */
  readonly endsAt: number
}

/**
 * Why there are no new tokens. `invalid`: never issued, ended, too old, for another client, or of an account that is
 * gone; the client has to log in. Its cookie is left alone: a loser of a race must not wipe what the winner got.
 * `invalid-scope`: more was asked for than the login grants; nothing has changed.
 */
export type RefreshRefusal = 'invalid' | 'invalid-scope'

/**
 * Families of refresh tokens: one login on one device. Every use rotates, in one atomic step of the store; who asks
 * twice within the grace gets the same successor; anything older ends the family. Throws `store-down`.
 */
export interface TokenFamilies {
  /** Begins a family and ends the one whose refresh cookie the request brings. With a `client`, only that one may use it. */
  start(login: Login, use: FamilyUse, x: Exchange, client?: string): Promise<IssuedTokens>
  /**
   * `scopes` narrows the new access token, and this one only (RFC 6749 §6); absent: all that the login grants. A retry
   * within the grace must ask for the same.
   */
  refresh(
    refreshToken: string,
    use: FamilyUse,
    x: Exchange,
    scopes?: readonly string[],
    client?: string,
  ): Promise<IssuedTokens | RefreshRefusal>
  /** Ends the family of a refresh token that Velum issued; false for anything else. */
  end(refreshToken: string): Promise<boolean>
  /**
   * The same on behalf of a client: only what was issued to it; undefined: to whomever. `unknown` for what Velum never
   * issued or does not keep any more.
   */
  endOf(refreshToken: string, client: string | undefined): Promise<'ended' | 'of-another' | 'unknown'>
}
