import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { Log } from '../../core/log.ts'
import type { Count, Meter } from '../../core/meter.ts'
import type { Stores } from '../../core/stores.ts'
import type { Audit } from '../audit.ts'
import type { ProviderSpec } from '../identity-spec.ts'
import type { LoginState, LoginStates } from '../login/login-states.ts'
import type { DerivedKeys } from '../sealing.ts'
import { seal, unseal } from '../sealing.ts'
import type { Sessions } from '../sessions.ts'
import type { OidcAnswer, OidcBegin, OidcFinish, OidcLogout, OidcQuestion, ProviderTicket } from './oidc-messages.ts'
import type { KnownProvider, Provider } from './provider.ts'
import { mapClaims, ProviderAccounts } from './provider-accounts.ts'
import { isUnreachable, reasonOf, wordsOf } from './provider-faults.ts'
import { ProviderLogins } from './provider-logins.ts'
import { ProviderLogout } from './provider-logout.ts'
import { sealTokens, unsealTokens } from './provider-tokens.ts'
import { TokenFault, verifySigned } from './signed-token.ts'

/** What one provider may be asked at once: one that hangs must not take main's memory, nor the others' turn. */
const maxUnderWay = 250
/** Anybody may send a logout token: what is wrong with them is said so often for each provider, and counted always. */
const sayEveryMs = 60_000
const maxSubjectLength = 255
const logoutHelp = 'Logouts that providers told of, by what came of them.'

export interface OidcDeskEnv {
  readonly stores: Stores
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  readonly audit: Audit
  readonly keys: DerivedKeys
  readonly states: LoginStates
  readonly sessions: Pick<Sessions, 'endAll' | 'end'>
  readonly providers: ReadonlyMap<string, Provider>
  /** Where the endpoints are as browsers see them: `https://api.example.com/auth`. */
  readonly address: string
}

/** What came of a code: who it is, and what the provider said of them. */
interface Vouched {
  readonly subject: string
  readonly claims: Readonly<Record<string, unknown>>
  readonly refreshToken: string | undefined
  readonly idToken: string
}

/** Speaks to providers for a whole node: sends browsers there, judges what they come back with, hears logouts. */
export class OidcDesk {
  readonly #env: OidcDeskEnv
  readonly #accounts: ProviderAccounts
  readonly #logins: ProviderLogins
  readonly #logout: ProviderLogout
  readonly #counts = new Map<string, Count>()
  readonly #underWay = new Map<string, number>()
  /** When something was last said of a refused logout token, by provider (monotonic ms). */
  readonly #saidAt = new Map<string, number>()

  constructor(env: OidcDeskEnv) {
    this.#env = env
    this.#accounts = new ProviderAccounts(env)
    this.#logins = new ProviderLogins(env.stores)
    this.#logout = new ProviderLogout(env)
  }

  /** Rejects with `store-down` and `overloaded`; whatever a provider does becomes an answer. */
  async answer(question: OidcQuestion): Promise<OidcAnswer> {
    if (question.kind === 'leave') return this.#leave(question.session)
    const { provider: name } = question
    const provider = this.#env.providers.get(name)
    if (provider === undefined) return { kind: 'unknown' }
    const underWay = this.#underWay.get(name) ?? 0
    if (underWay >= maxUnderWay) throw new Fault('overloaded', 'too much is under way at this provider')
    this.#underWay.set(name, underWay + 1)
    try {
      if (question.kind === 'begin') return await this.#begin(provider, question)
      if (question.kind === 'finish') return await this.#finish(provider, question)
      return await this.#hearLogout(provider, question)
    } finally {
      this.#underWay.set(name, this.#underWay.get(name)! - 1)
    }
  }

  async #begin(provider: Provider, { returnTo, browser, address }: OidcBegin): Promise<OidcAnswer> {
    const { keys, states } = this.#env
    const { spec } = provider
    let known: KnownProvider
    try {
      known = await provider.known()
    } catch (thrown) {
      if (!isUnreachable(thrown)) throw thrown
      this.#count(spec, 'unavailable')
      return { kind: 'unavailable', returnTo }
    }
    const { library } = known
    const verifier = library.randomPKCECodeVerifier()
    const nonce = library.randomNonce()
    // The verifier is sealed: a copied store finishes nobody's login.
    const kept = {
      provider: spec.name,
      issuer: spec.issuer,
      browser,
      returnTo,
      nonce,
      verifier: seal(verifier, `pkce ${nonce}`, keys),
    }
    const state = await states.begin('oidc', kept, address)
    const url = library.buildAuthorizationUrl(known.configuration, {
      ...Object.fromEntries(spec.parameters),
      redirect_uri: this.#callbackOf(spec),
      scope: spec.scopes.join(' '),
      response_type: 'code',
      code_challenge: await library.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
    })
    return { kind: 'go', url: url.href }
  }

  async #finish(provider: Provider, question: OidcFinish): Promise<OidcAnswer> {
    const { spec } = provider
    const { states, audit } = this.#env
    const facts = { provider: spec.name, address: question.address, request: question.request }
    const refused = (why: string, returnTo?: string): OidcAnswer => {
      audit.write('login-failed', { ...facts, why })
      this.#count(spec, 'refused')
      return { kind: 'refused', returnTo }
    }
    const given = new URLSearchParams(question.query).getAll('state')
    const state = given.length === 1 ? await states.take('oidc', given[0]) : undefined
    if (state === undefined) {
      // Nothing was begun: anybody can send that, as often as they like, and no log may be filled by it.
      this.#count(spec, 'refused')
      return { kind: 'refused', returnTo: undefined }
    }
    // One that somebody else began, or at another provider, whose code must not be shown to this one (RFC 9700 §4.4).
    if (question.browser === undefined || state['browser'] !== question.browser) return refused('another-browser')
    if (state['provider'] !== spec.name || state['issuer'] !== spec.issuer) return refused('another-provider')
    const returnTo = state['returnTo'] as string | undefined
    try {
      const known = await provider.known()
      const vouched = await this.#exchange(known, spec, question.query, state, given[0])
      const { subject, claims } = vouched
      const { account, generation } = await this.#accounts.find(spec, subject, mapClaims(claims, spec))
      if (!account.isEnabled) return refused('disabled', returnTo)
      this.#count(spec, 'proved')
      return { kind: 'proved', account, generation, methods: ['fed'], returnTo, ticket: this.#ticket(spec, vouched) }
    } catch (thrown) {
      if (thrown instanceof Fault) throw thrown
      const isOut = isUnreachable(thrown)
      this.#env.log.warn(isOut ? 'a provider is not available' : 'a provider was not believed', {
        provider: spec.name,
        reason: isOut ? undefined : reasonOf(thrown),
        error: wordsOf(thrown),
      })
      if (!isOut) return refused(reasonOf(thrown), returnTo)
      audit.write('login-failed', { ...facts, why: 'unavailable' })
      this.#count(spec, 'unavailable')
      return { kind: 'unavailable', returnTo }
    }
  }

  async #exchange(
    { library, configuration, keys }: KnownProvider,
    spec: ProviderSpec,
    query: string,
    state: LoginState,
    expectedState: string,
  ): Promise<Vouched> {
    const nonce = state['nonce'] as string
    const verifier = unseal(state['verifier'] as string, `pkce ${nonce}`, this.#env.keys)?.toString()
    if (verifier === undefined) throw new Error('sealed by another secret')
    const came = new URL(`${this.#callbackOf(spec)}?${query}`)
    const granted = await library.authorizationCodeGrant(configuration, came, {
      expectedNonce: nonce,
      expectedState,
      pkceCodeVerifier: verifier,
      idTokenExpected: true,
    })
    const idToken = granted.id_token!
    // Whoever stands between us and the provider could have made the answer, but not the signature.
    const { claims } = await verifySigned(idToken, keys)
    const { sub, iat } = claims
    if (typeof sub !== 'string' || sub === '' || sub.length > maxSubjectLength) throw new TokenFault('its subject cannot be one')
    if (typeof iat !== 'number' || iat * 1000 > this.#env.clock.now() + spec.skewMs) throw new TokenFault('issued in the future')
    return { refreshToken: granted.refresh_token, idToken, subject: sub, claims }
  }

  #ticket(spec: ProviderSpec, { subject, claims, refreshToken, idToken }: Vouched): ProviderTicket {
    const { sid, iat } = claims
    const tokens = { refreshToken, idToken: spec.isIdTokenHinted ? idToken : undefined }
    return {
      provider: spec.name,
      issuer: spec.issuer,
      subject,
      session: typeof sid === 'string' && sid !== '' ? sid : undefined,
      issuedAt: (iat as number) * 1000,
      sealed: sealTokens(tokens, spec.issuer, subject, this.#env.keys),
    }
  }

  async #hearLogout(provider: Provider, question: OidcLogout): Promise<OidcAnswer> {
    const { spec } = provider
    const counted = (result: string): void => this.#counted('velum_provider_logouts_total', logoutHelp, spec, result)
    try {
      await this.#logout.carryOut(provider, question)
      counted('done')
      return { kind: 'done' }
    } catch (thrown) {
      if (thrown instanceof Fault) throw thrown
      const isOut = isUnreachable(thrown)
      counted(isOut ? 'unavailable' : 'refused')
      if (isOut) return { kind: 'unavailable', returnTo: undefined }
      const now = this.#env.clock.monotonic()
      if (now - (this.#saidAt.get(spec.name) ?? -Infinity) >= sayEveryMs) {
        this.#saidAt.set(spec.name, now)
        const { address, request } = question
        const fields = { provider: spec.name, reason: reasonOf(thrown), error: wordsOf(thrown), address, request }
        this.#env.log.warn('a logout token was refused', fields)
      }
      return { kind: 'refused', returnTo: undefined }
    }
  }

  /** Lets go of what was kept of a login; gives the address at which the browser can log out at the provider (RP-Initiated Logout 1.0). */
  async #leave(session: string): Promise<OidcAnswer> {
    const { providers, keys, address } = this.#env
    const ticket = await this.#logins.remove(session)
    const provider = ticket === undefined ? undefined : providers.get(ticket.provider)
    if (ticket === undefined || provider === undefined || provider.spec.issuer !== ticket.issuer) return { kind: 'done' }
    const endpoint = await endSessionOf(provider)
    if (endpoint === undefined) return { kind: 'done' }
    const url = new URL(endpoint)
    url.searchParams.set('client_id', provider.spec.clientId)
    url.searchParams.set('post_logout_redirect_uri', `${address}/login`)
    const hint = provider.spec.isIdTokenHinted ? unsealTokens(ticket, keys)?.idToken : undefined
    if (hint !== undefined) url.searchParams.set('id_token_hint', hint)
    return { kind: 'go', url: url.href }
  }

  #count(spec: ProviderSpec, result: string): void {
    this.#counted('velum_provider_logins_total', 'Logins at providers, by what came of them.', spec, result)
  }

  #counted(metric: string, help: string, { name: provider }: ProviderSpec, result: string): void {
    const key = `${metric} ${provider} ${result}`
    let count = this.#counts.get(key)
    if (count === undefined) {
      count = this.#env.meter.counter(metric, help, { provider, result })
      this.#counts.set(key, count)
    }
    count.add()
  }

  #callbackOf({ name }: ProviderSpec): string {
    return `${this.#env.address}/oidc/${name}/callback`
  }
}

/** Undefined also while the provider cannot be reached: nobody has to be asked for a logout here. */
async function endSessionOf(provider: Provider): Promise<string | undefined> {
  try {
    return (await provider.known()).metadata.end_session_endpoint
  } catch (thrown) {
    if (isUnreachable(thrown)) return undefined
    throw thrown
  }
}
