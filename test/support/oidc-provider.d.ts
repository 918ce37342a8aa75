/** What the tests use of `oidc-provider`, which brings no types. */
declare module 'oidc-provider' {
  import type { RequestListener } from 'node:http'

  export class Provider {
    constructor(issuer: string, configuration: Readonly<Record<string, unknown>>)
    callback(): RequestListener
    on(
      event: 'backchannel.success',
      listener: (ctx: unknown, client: { clientId: string }, accountId: string, sid: string) => void,
    ): this
    on(event: 'refresh_token.consumed' | 'grant.revoked', listener: () => void): this
    on(event: 'backchannel.error', listener: (ctx: unknown, error: Error) => void): this
  }
}
