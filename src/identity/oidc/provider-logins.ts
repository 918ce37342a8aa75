import { hash } from 'node:crypto'
import type { StoredRecord, Stores } from '../../core/stores.ts'
import type { ProviderTicket } from './oidc-messages.ts'

const schema = 1
const pageOf = 200
/** How long a login may take from the provider's word to its place in the index: a logout meanwhile must find it. */
const endedKeptMs = 900_000
const maxTries = 10

/** Names a session or subject of a provider; of fixed length, whatever it takes for ids. */
export function providerKey(kind: 'sub' | 'sid' | 'jti', issuer: string, id: string): string {
  return `${kind}.${hash('sha256', `${issuer.length}:${issuer}${id}`, 'base64url')}`
}

/** What was kept of a login, as it was at one version of its record. */
export interface KeptLogin {
  readonly record: StoredRecord
  readonly ticket: ProviderTicket
}

/**
 * Which sessions here began by which at a provider, so that a logout there ends them. One record by the provider's subject
 * holds its tokens, sealed; one by its session id only points.
 */
export class ProviderLogins {
  readonly #stores: Stores

  constructor(stores: Stores) {
    this.#stores = stores
  }

  /**
   * Puts a session that just began in the index; false when the provider has ended it meanwhile: then it must end. A logout
   * writes its mark and then looks in the index, this the other way round, so that one of the two sees the other.
   */
  async add(session: string, ticket: ProviderTicket, endsAt: number): Promise<boolean> {
    const { records } = this.#stores
    const { issuer, subject, session: theirs } = ticket
    const bySubject = providerKey('sub', issuer, subject)
    const shared = { kind: 'provider-session', schema, expiresAt: endsAt } as const
    await records.create({ ...shared, id: session, owner: bySubject, value: { ...ticket } })
    if (theirs !== undefined) {
      const bySession = providerKey('sid', issuer, theirs)
      await records.create({ ...shared, id: `${session}.sid`, owner: bySession, value: { subject } })
      if (await this.#hasEnded(bySession, ticket)) return false
    }
    return !(await this.#hasEnded(bySubject, ticket))
  }

  /** What was kept of a session; undefined when no provider vouched for it, or it was let go of. */
  async find(session: string): Promise<KeptLogin | undefined> {
    const record = await this.#stores.records.get('provider-session', session)
    return record === undefined ? undefined : { record, ticket: record.value as unknown as ProviderTicket }
  }

  /** Puts other sealed tokens in the place of those that were read; undefined when somebody else did. */
  async reseal({ record, ticket }: KeptLogin, sealed: string | undefined): Promise<KeptLogin | undefined> {
    const value = { ...record.value, sealed }
    const change = { value, schema, expiresAt: record.expiresAt }
    const version = await this.#stores.records.update('provider-session', record, change)
    return version === undefined ? undefined : { record: { ...record, ...change, version }, ticket: { ...ticket, sealed } }
  }

  /** Takes a session out, and gives what was kept of it. */
  async remove(session: string): Promise<ProviderTicket | undefined> {
    const { records } = this.#stores
    const [record] = await Promise.all([
      records.remove('provider-session', session),
      records.remove('provider-session', `${session}.sid`),
    ])
    return record === undefined ? undefined : (record.value as unknown as ProviderTicket)
  }

  /** Remembers for a while that a session, or all of a subject (`key`), has ended at the provider: what began until `at` is void. */
  async markEnded(key: string, at: number, now: number): Promise<void> {
    const { records } = this.#stores
    const mark = { kind: 'login', id: `ended.${key}`, owner: '', schema, expiresAt: now + endedKeptMs } as const
    for (let i = 0; i < maxTries; i++) {
      if ((await records.create({ ...mark, value: { at } })) !== undefined) return
      const before = await records.get('login', mark.id)
      if (before === undefined) continue
      const value = { at: Math.max(at, before.value['at'] as number) }
      if ((await records.update('login', before, { value, schema, expiresAt: mark.expiresAt })) !== undefined) return
    }
    throw new Error('the mark of a logout changes all the time')
  }

  /** Takes out all sessions of a key, page by page, and tells each; `subject` leaves those of others alone. */
  async takeAll(key: string, subject: string | undefined, tell: (session: string) => Promise<unknown>): Promise<number> {
    const { records } = this.#stores
    let count = 0
    for (;;) {
      const found = await records.owned('provider-session', key, pageOf)
      const meant = found.filter(({ value }) => subject === undefined || value['subject'] === subject)
      // The session first: what fails in the middle is found again.
      for (const { id } of meant) {
        const session = id.replace(/\.sid$/, '')
        await tell(session)
        await this.remove(session)
        count++
      }
      if (found.length < pageOf || meant.length === 0) return count
    }
  }

  /** What the provider vouched for later is another login. */
  async #hasEnded(key: string, { issuedAt }: ProviderTicket): Promise<boolean> {
    const mark = await this.#stores.records.get('login', `ended.${key}`)
    return mark !== undefined && issuedAt <= (mark.value['at'] as number)
  }
}
