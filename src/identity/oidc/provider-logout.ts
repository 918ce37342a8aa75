import type { Clock } from '../../core/clock.ts'
import type { Stores } from '../../core/stores.ts'
import type { Audit } from '../audit.ts'
import type { Sessions } from '../sessions.ts'
import type { LogoutOrder } from './logout-token.ts'
import { readLogoutToken } from './logout-token.ts'
import type { OidcLogout } from './oidc-messages.ts'
import type { Provider } from './provider.ts'
import { providerKey, ProviderLogins } from './provider-logins.ts'
import { TokenFault } from './signed-token.ts'

export interface ProviderLogoutEnv {
  readonly stores: Stores
  readonly clock: Clock
  readonly audit: Audit
  readonly sessions: Pick<Sessions, 'end'>
}

/** Carries out what providers say by logout tokens (OpenID Connect Back-Channel Logout 1.0), each token once. */
export class ProviderLogout {
  readonly #env: ProviderLogoutEnv
  readonly #logins: ProviderLogins

  constructor(env: ProviderLogoutEnv) {
    this.#env = env
    this.#logins = new ProviderLogins(env.stores)
  }

  /** Resolves when every session that is meant has ended in the store. Throws `TokenFault`, `ProviderUnreachable` and `store-down`. */
  async carryOut(provider: Provider, { token, address, request }: OidcLogout): Promise<void> {
    const { stores, clock, audit } = this.#env
    const { spec } = provider
    const { keys } = await provider.known()
    const order = await readLogoutToken(token, spec, keys, clock.now())
    const used = providerKey('jti', spec.issuer, order.id)
    if ((await stores.records.get('login', used)) !== undefined) throw new TokenFault('used before')
    const ended = await this.#endAll(spec.issuer, order)
    // Only now: what was not carried out to its end, the provider may send again. Twice at once ends nothing more.
    await stores.records.create({ kind: 'login', id: used, owner: '', value: {}, schema: 1, expiresAt: order.expiresAt })
    audit.write('provider-logout', { provider: spec.name, ended, address, request })
  }

  async #endAll(issuer: string, { session, subject, issuedAt }: LogoutOrder): Promise<number> {
    const key = session === undefined ? providerKey('sub', issuer, subject!) : providerKey('sid', issuer, session)
    await this.#logins.markEnded(key, issuedAt, this.#env.clock.now())
    return this.#logins.takeAll(key, subject, (id) => this.#end(id))
  }

  async #end(session: string): Promise<void> {
    const record = await this.#env.stores.records.get('session', session)
    if (record !== undefined) await this.#env.sessions.end(record.owner, session, 'provider-logout')
  }
}
