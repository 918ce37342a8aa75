import type { Clock } from '../../core/clock.ts'
import type { Log } from '../../core/log.ts'
import type { Stores } from '../../core/stores.ts'
import type { Audit } from '../audit.ts'
import type { DerivedKeys } from '../sealing.ts'
import type { EndReason, Sessions } from '../sessions.ts'
import type { Provider } from './provider.ts'
import { isTelling, mapClaims, ProviderAccounts } from './provider-accounts.ts'
import { isUnreachable, wordsOf } from './provider-faults.ts'
import type { KeptLogin } from './provider-logins.ts'
import { ProviderLogins } from './provider-logins.ts'
import type { ProviderTokens } from './provider-tokens.ts'
import { sealTokens, unsealTokens } from './provider-tokens.ts'
import { verifySigned } from './signed-token.ts'

/** Longer than any answer of a provider's is waited for, on top of the store. */
const leaseMs = 30_000
/** While a provider fails. */
const retryMs = 60_000
/** For sessions about which nobody can be asked. */
const neverMs = 3_600_000
const maxKnown = 50_000

export interface ProviderRefreshEnv {
  readonly stores: Stores
  readonly clock: Clock
  readonly log: Log
  readonly audit: Audit
  readonly keys: DerivedKeys
  readonly sessions: Pick<Sessions, 'endAll' | 'end'>
  readonly providers: ReadonlyMap<string, Provider>
}

/**
 * Asks providers from time to time, by refresh token, whether they still vouch for a session that is in use. One asks at a
 * time in the whole fleet (a lease), since a refresh token that is used twice looks stolen. Only a provider that says no
 * ends a session; one that says nothing, or nonsense, ends none, and what it says about a token that may be used up is no "no".
 */
export class ProviderRefresh {
  readonly #env: ProviderRefreshEnv
  readonly #logins: ProviderLogins
  readonly #accounts: ProviderAccounts
  /** Sessions that need not be looked at before a moment (monotonic ms). */
  readonly #notBefore = new Map<string, number>()
  readonly #underWay = new Map<string, Promise<void>>()

  constructor(env: ProviderRefreshEnv) {
    this.#env = env
    this.#logins = new ProviderLogins(env.stores)
    this.#accounts = new ProviderAccounts(env)
  }

  /** A session is in use. Resolves when it was looked at, if that was due; never rejects. */
  seen(session: string): Promise<void> {
    const { clock, log } = this.#env
    const now = clock.monotonic()
    let under = this.#underWay.get(session)
    if (under !== undefined) return under
    if (now < (this.#notBefore.get(session) ?? -Infinity)) return Promise.resolve()
    if (this.#notBefore.size >= maxKnown) this.#notBefore.clear()
    this.#notBefore.set(session, now + retryMs)
    under = this.#look(session)
      .then((waitMs) => void this.#notBefore.set(session, now + waitMs))
      .catch((error: unknown) => log.warn('a session could not be looked at with its provider', { session, error: wordsOf(error) }))
      .finally(() => this.#underWay.delete(session))
    this.#underWay.set(session, under)
    return under
  }

  /** Gives how long there is no need to look again. */
  async #look(session: string): Promise<number> {
    const { stores, clock, keys, providers } = this.#env
    const found = await this.#logins.find(session)
    const provider = found === undefined ? undefined : providers.get(found.ticket.provider)
    if (found === undefined || provider === undefined || unsealTokens(found.ticket, keys)?.refreshToken === undefined)
      return neverMs
    // The one that it came from, whatever a name of the configuration stands for by now.
    if (provider.spec.issuer !== found.ticket.issuer) return neverMs
    const { refreshMs } = provider.spec
    // The lease stands for as long as nobody needs to ask again; who fails gives it back.
    const lease = { kind: 'login', id: `refresh.${session}`, owner: '', value: {}, schema: 1 } as const
    const expiresAt = clock.now() + Math.max(leaseMs, refreshMs)
    // Somebody else has it; who looks now and then takes over where that one is gone.
    if ((await stores.records.create({ ...lease, expiresAt })) === undefined) return Math.max(retryMs, refreshMs / 4)
    // Anew: whoever held the lease before may have put another token there.
    const current = await this.#logins.find(session)
    const tokens = current === undefined ? undefined : unsealTokens(current.ticket, keys)
    if (current === undefined || tokens?.refreshToken === undefined) return neverMs
    try {
      await this.#refresh(session, provider, current, tokens, tokens.refreshToken)
      return refreshMs
    } catch (thrown) {
      await stores.records.remove('login', lease.id)
      throw thrown
    }
  }

  async #refresh(
    session: string,
    provider: Provider,
    read: KeptLogin,
    tokens: ProviderTokens,
    refreshToken: string,
  ): Promise<void> {
    const { keys, audit } = this.#env
    const { spec } = provider
    const { issuer, subject } = read.ticket
    const { library, configuration, keys: published } = await provider.known()
    const sealed = (next: ProviderTokens): string | undefined => sealTokens(next, issuer, subject, keys)
    // Written before it is sent: from here on, whatever happens to us, nobody can tell whether it is still good.
    const current = await this.#logins.reseal(read, sealed({ ...tokens, isDoubtful: true }))
    if (current === undefined) return
    let granted
    try {
      granted = await library.refreshTokenGrant(configuration, refreshToken)
    } catch (thrown) {
      const isRefused = thrown instanceof library.ResponseBodyError && thrown.error === 'invalid_grant' && !isUnreachable(thrown)
      if (!isRefused) throw thrown
      if (tokens.isDoubtful !== true) return this.#end(session, 'provider-refused')
      await this.#logins.reseal(current, sealed({ refreshToken: undefined, idToken: tokens.idToken }))
      audit.write('provider-refreshed', { provider: spec.name, session, refused: 'the token may have been used up' })
      return
    }
    const idToken = spec.isIdTokenHinted ? (granted.id_token ?? tokens.idToken) : undefined
    await this.#logins.reseal(current, sealed({ refreshToken: granted.refresh_token ?? refreshToken, idToken }))
    audit.write('provider-refreshed', { provider: spec.name, session })
    if (granted.id_token === undefined) return
    const { claims } = await verifySigned(granted.id_token, published)
    const owner = (await this.#env.stores.records.get('session', session))?.owner
    if (owner === undefined) return
    const isSame =
      claims['sub'] === subject && (!isTelling(claims, spec) || (await this.#accounts.isCurrent(owner, mapClaims(claims, spec))))
    // What somebody may do has changed: the next login, usually without a question, begins with it.
    if (!isSame) await this.#end(session, 'claims-changed')
  }

  async #end(session: string, why: EndReason): Promise<void> {
    const owner = (await this.#env.stores.records.get('session', session))?.owner
    if (owner !== undefined) await this.#env.sessions.end(owner, session, why)
    await this.#logins.remove(session)
  }
}
