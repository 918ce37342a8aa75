import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { H } from '../core/header-names.ts'
import type { Stores } from '../core/stores.ts'
import type { Audit } from './audit.ts'
import { cookieNames, readCookie, setCookie } from './cookies.ts'
import { idOf, isCredential, newCredential, secretHash, secretOf } from './credential-text.ts'
import type { OwnIssuerSpec } from './identity-spec.ts'
import type { Revocations } from './revocations.ts'
import { revoke, sessionNotice } from './revoked.ts'
import { sessionIdentity, sessionRecord, sessionValue } from './session-record.ts'
import type { SessionValue } from './session-record.ts'
import type { EndReason, Login, SessionRow, Sessions, StartedSession } from './sessions.ts'

const maxListed = 100
const maxDeviceLength = 256

/** What the sessions of one issuer are kept with. */
export interface SessionsEnv {
  readonly spec: OwnIssuerSpec
  readonly stores: Stores
  readonly revocations: Pick<Revocations, 'learnEnd' | 'generationOf'>
  readonly clock: Clock
  readonly audit: Audit
}

/** Sessions in the store. */
export class StoreSessions implements Sessions {
  readonly #env: SessionsEnv

  constructor(env: SessionsEnv) {
    this.#env = env
  }

  async start({ account, methods, generation: judgedAt, provider }: Login, x: Exchange): Promise<StartedSession> {
    const { spec, stores, clock, audit } = this.#env
    const { id, secret, text } = newCredential()
    const generation = judgedAt ?? (await stores.generations.of(account.subject))
    const now = clock.now()
    const value: SessionValue = {
      secret: secretHash(secret),
      subject: account.subject,
      tenant: account.tenant,
      roles: account.roles,
      methods,
      generation,
      device: deviceOf(x),
      address: x.clientAddress,
      startedAt: now,
      seenAt: now,
      endsAt: now + spec.sessions.absoluteMs,
      ...(provider === undefined ? {} : { provider }),
    }
    if ((await stores.records.create(sessionRecord(id, value, spec.sessions))) === undefined)
      throw new Error('a session id was not unique')
    audit.write('login', { subject: account.subject, session: id, methods: methods.join(' '), deliver: 'session', provider }, x)
    await this.#endPresented(x)
    return {
      id,
      setCookie: setCookie(cookieNames.session, text, spec.sessions.sameSite),
      identity: sessionIdentity(id, value, spec),
    }
  }

  async list(subject: string): Promise<SessionRow[]> {
    const { stores, revocations } = this.#env
    const [records, families, generation] = await Promise.all([
      stores.records.owned('session', subject, maxListed),
      stores.families.owned(subject, maxListed),
      stores.generations.of(subject),
    ])
    const least = Math.max(generation, revocations.generationOf(subject))
    const rows: SessionRow[] = []
    for (const record of records) {
      const { device, address, startedAt, seenAt, endsAt, generation: own } = sessionValue(record)
      if (own >= least)
        rows.push({ id: record.id, kind: 'session', device, address, startedAt, lastSeenAt: seenAt, expiresAt: endsAt })
    }
    for (const { id, value, rotatedAt, expiresAt } of families) {
      const {
        device,
        address,
        startedAt,
        generation: own,
      } = value as { device: string; address: string; startedAt: number; generation: number }
      if (own >= least) rows.push({ id, kind: 'tokens', device, address, startedAt, lastSeenAt: rotatedAt, expiresAt })
    }
    return rows.sort((a, b) => b.lastSeenAt - a.lastSeenAt)
  }

  async end(subject: string, id: string, why: EndReason): Promise<boolean> {
    const { stores } = this.#env
    const record = await stores.records.get('session', id)
    if (record !== undefined)
      return record.owner === subject && (await this.#endSession(id, subject, sessionValue(record).endsAt, why))
    const family = await stores.families.get(id)
    if (family === undefined || family.owner !== subject || family.ended !== undefined) return false
    return this.#endFamily(id, subject, why)
  }

  async endAll(subject: string, why: EndReason): Promise<void> {
    const { spec, stores, clock, audit } = this.#env
    const { sessions, tokens } = spec
    const keepUntil = clock.now() + Math.max(sessions.absoluteMs, tokens.refreshMs, tokens.accessMs)
    await revoke(stores, { kind: 'subject', subject, keepUntil })
    audit.write('sessions-ended', { subject, why })
    // They are void already; this only tidies up, and makes known at once here what others hear from the store.
    const [records, families] = await Promise.all([
      stores.records.owned('session', subject, maxListed),
      stores.families.owned(subject, maxListed),
    ])
    await Promise.all([
      ...records.map((record) => this.#endSession(record.id, subject, sessionValue(record).endsAt, why)),
      ...families.map(({ id }) => this.#endFamily(id, subject, why)),
    ])
  }

  async #endSession(id: string, subject: string, endsAt: number, why: EndReason): Promise<boolean> {
    const { stores, revocations, audit } = this.#env
    const removed = await stores.records.remove('session', id, sessionNotice(endsAt))
    revocations.learnEnd(id, endsAt)
    if (removed !== undefined) audit.write('session-ended', { subject, session: id, why })
    return removed !== undefined
  }

  async #endFamily(id: string, subject: string, why: EndReason): Promise<boolean> {
    const { spec, stores, revocations, clock, audit } = this.#env
    const keepUntil = clock.now() + spec.tokens.accessMs
    const ended = await stores.families.end(id, why, sessionNotice(keepUntil))
    revocations.learnEnd(id, keepUntil)
    if (ended !== undefined) audit.write('tokens-ended', { subject, family: id, why })
    return ended !== undefined
  }

  /** Ends the session whose cookie came with a login: whoever knew that cookie must not come along. */
  async #endPresented(x: Exchange): Promise<void> {
    const text = readCookie(x, cookieNames.session)
    if (typeof text !== 'string' || !isCredential(text)) return
    const record = await this.#env.stores.records.get('session', idOf(text))
    if (record === undefined || sessionValue(record).secret !== secretHash(secretOf(text))) return
    await this.#endSession(record.id, record.owner, sessionValue(record).endsAt, 'replaced')
  }
}

/** What the client calls itself, cut to a bearable length. */
export function deviceOf(x: Exchange): string {
  return (x.headers.first(H.userAgent) ?? '').slice(0, maxDeviceLength).toWellFormed()
}
