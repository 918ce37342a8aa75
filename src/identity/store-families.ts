import { randomBytes } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { Family, Stores } from '../core/stores.ts'
import type { Account, Accounts } from './accounts.ts'
import type { Audit } from './audit.ts'
import { cookieNames, readCookie } from './cookies.ts'
import type { OwnIssuerSpec } from './identity-spec.ts'
import { newRefreshToken, parseRefreshToken } from './refresh-token.ts'
import type { Revocations } from './revocations.ts'
import { sessionNotice } from './revoked.ts'
import type { DerivedKeys } from './sealing.ts'
import { seal, unseal } from './sealing.ts'
import { scopesOfRoles } from './session-record.ts'
import type { EndReason, Login } from './sessions.ts'
import { deviceOf } from './store-sessions.ts'
import type { FamilyUse, IssuedTokens, RefreshRefusal, TokenFamilies } from './token-families.ts'
import type { TokenIssuer } from './token-issuer.ts'

const schema = 1

/** What the families of one issuer are kept with. */
export interface FamiliesEnv {
  readonly spec: OwnIssuerSpec
  readonly stores: Stores
  readonly accounts: Accounts
  readonly revocations: Revocations
  readonly tokens: TokenIssuer
  readonly clock: Clock
  readonly audit: Audit
  /** What seals successors and authenticates tokens; undefined while main has not said. */
  readonly secrets: () => DerivedKeys | undefined
}

interface FamilyValue {
  readonly generation: number
  readonly methods: readonly string[]
  readonly device: string
  readonly address: string
  readonly startedAt: number
  /** Whom it was issued to; absent: to nobody in particular. */
  readonly client?: string | undefined
}

/** Families in the store. What a rotation decides is decided there, in one step. */
export class StoreFamilies implements TokenFamilies {
  readonly #env: FamiliesEnv

  constructor(env: FamiliesEnv) {
    this.#env = env
  }

  async start(
    { account, methods, generation: judgedAt }: Login,
    use: FamilyUse,
    x: Exchange,
    client?: string,
  ): Promise<IssuedTokens> {
    const { spec, stores, clock, audit } = this.#env
    const id = randomBytes(16).toString('base64url')
    const token = newRefreshToken(id, this.#secrets())
    const generation = judgedAt ?? (await stores.generations.of(account.subject))
    const now = clock.now()
    const who = client === undefined ? {} : { client }
    const value: FamilyValue = { generation, methods, device: deviceOf(x), address: x.clientAddress, startedAt: now, ...who }
    const endsAt = now + spec.tokens.refreshMs
    const isNew = await stores.families.create({
      id,
      owner: account.subject,
      value: { ...value },
      schema,
      token: token.hash,
      bound: boundTo(use, client),
      idleMs: spec.tokens.refreshIdleMs,
      expiresAt: endsAt,
    })
    if (!isNew) throw new Error('a family id was not unique')
    audit.write('tokens-started', { subject: account.subject, family: id, methods: methods.join(' '), use, client }, x)
    const replaced = use === 'cookie' ? readCookie(x, cookieNames.refresh) : undefined
    if (typeof replaced === 'string') await this.end(replaced, 'replaced')
    return this.#issued(id, account, value, token.text, endsAt)
  }

  async refresh(
    refreshToken: string,
    use: FamilyUse,
    x: Exchange,
    scopes?: readonly string[],
    client?: string,
  ): Promise<IssuedTokens | RefreshRefusal> {
    const { spec, stores, clock, audit } = this.#env
    const secrets = this.#secrets()
    const presented = parseRefreshToken(refreshToken, secrets)
    if (presented === undefined) return 'invalid'
    const { family: id } = presented
    // Before the rotation: a mistaken question must not cost the token.
    if (scopes !== undefined && !(await this.#isGranted(id, scopes))) return 'invalid-scope'
    const successor = newRefreshToken(id, secrets)
    const outcome = await stores.families.rotate({
      id,
      presented: presented.hash,
      successor: successor.hash,
      sealed: seal(successor.text, aboutFamily(id), secrets),
      bound: boundTo(use, client),
      asked: scopes === undefined ? '' : [...new Set(scopes)].sort().join(' '),
      graceMs: spec.tokens.reuseGraceMs,
      idleMs: spec.tokens.refreshIdleMs,
      onReuse: sessionNotice(this.#keepUntil()),
    })
    if (outcome.kind === 'rotated' || outcome.kind === 'replayed') {
      const text = outcome.kind === 'rotated' ? successor.text : unseal(outcome.sealed, aboutFamily(id), secrets)?.toString()
      if (text === undefined) return 'invalid'
      const issued = await this.#reissued(outcome.family, text, x, scopes)
      if (issued !== 'invalid')
        audit.write(
          'tokens-refreshed',
          { family: id, rotations: outcome.family.rotations, isReplay: outcome.kind === 'replayed' },
          x,
        )
      return issued
    }
    if (outcome.kind === 'reused') {
      this.#env.revocations.learnEnd(id, this.#keepUntil())
      const { owner, rotations, rotatedAt } = outcome.family
      const facts = { subject: owner, family: id, rotations, sinceRotationMs: clock.now() - rotatedAt, isLate: outcome.isLate }
      audit.write('refresh-reused', facts, x)
    } else audit.write('tokens-refused', { family: id, why: outcome.kind }, x)
    return 'invalid'
  }

  async end(refreshToken: string, why: EndReason = 'logout'): Promise<boolean> {
    const token = parseRefreshToken(refreshToken, this.#secrets())
    // Any token of the family may end it: whoever presents one had it from us, and an end is never what a thief wants.
    return token !== undefined && (await this.#endFamily(token.family, why)) !== undefined
  }

  async endOf(refreshToken: string, client: string | undefined): Promise<'ended' | 'of-another' | 'unknown'> {
    const token = parseRefreshToken(refreshToken, this.#secrets())
    const family = token === undefined ? undefined : await this.#env.stores.families.get(token.family)
    if (family === undefined) return 'unknown'
    if (client !== undefined && (family.value as unknown as FamilyValue).client !== client) return 'of-another'
    await this.#endFamily(family.id, 'logout')
    return 'ended'
  }

  /** New tokens, if whoever they are for may still have any: asked at every refresh, from the store. */
  async #reissued(
    family: Family,
    text: string,
    x: Exchange,
    scopes: readonly string[] | undefined,
  ): Promise<IssuedTokens | RefreshRefusal> {
    const { accounts, stores } = this.#env
    const [account, generation] = await Promise.all([accounts.find(family.owner), stores.generations.of(family.owner)])
    const value = family.value as unknown as FamilyValue
    const { generation: own } = value
    if (account?.isEnabled === true && own >= generation)
      return this.#issued(family.id, account, value, text, family.expiresAt, scopes)
    await this.#endFamily(family.id, account?.isEnabled === true ? 'ended-by-owner' : 'disabled')
    this.#env.audit.write('tokens-refused', { family: family.id, why: account?.isEnabled === true ? 'revoked' : 'disabled' }, x)
    return 'invalid'
  }

  /** Whether the login of a family grants these scopes now. One that is gone grants anything: the rotation says so. */
  async #isGranted(id: string, scopes: readonly string[]): Promise<boolean> {
    const { spec, stores, accounts } = this.#env
    const family = await stores.families.get(id)
    const account = family === undefined ? undefined : await accounts.find(family.owner)
    if (account === undefined) return true
    const granted = scopesOfRoles(account.roles, spec)
    return scopes.every((scope) => granted.includes(scope))
  }

  #issued(
    id: string,
    account: Account,
    { generation, client }: FamilyValue,
    refreshToken: string,
    endsAt: number,
    narrowed?: readonly string[],
  ): IssuedTokens {
    const { spec, tokens } = this.#env
    const granted = scopesOfRoles(account.roles, spec)
    const scopes = narrowed === undefined ? granted : granted.filter((scope) => narrowed.includes(scope))
    const { text, expiresInS } = tokens.accessToken({
      subject: account.subject,
      tenant: account.tenant,
      client,
      scopes,
      roles: account.roles,
      session: id,
      generation,
    })
    return { family: id, accessToken: text, expiresInS, scopes, refreshToken, endsAt }
  }

  async #endFamily(id: string, why: EndReason): Promise<Family | undefined> {
    const { stores, revocations, audit } = this.#env
    const keepUntil = this.#keepUntil()
    const ended = await stores.families.end(id, why, sessionNotice(keepUntil))
    revocations.learnEnd(id, keepUntil)
    if (ended !== undefined) audit.write('tokens-ended', { subject: ended.owner, family: id, why })
    return ended
  }

  /** As long as an access token of the family can live; refresh tokens are judged by the store. */
  #keepUntil(): number {
    return this.#env.clock.now() + this.#env.spec.tokens.accessMs
  }

  #secrets(): DerivedKeys {
    const secrets = this.#env.secrets()
    if (secrets === undefined) throw new Fault('store-down', 'main has not said by what to seal')
    return secrets
  }
}

/** Who may use a family, as the store compares it. */
function boundTo(use: FamilyUse, client: string | undefined): string {
  return client === undefined ? use : `${use} ${client}`
}

function aboutFamily(id: string): string {
  return `refresh-token ${id}`
}
