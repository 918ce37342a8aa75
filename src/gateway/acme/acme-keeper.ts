import type { Clock, Timer } from '../../core/clock.ts'
import type { Closable } from '../../core/lasting.ts'
import type { Log } from '../../core/log.ts'
import type { Meter } from '../../core/meter.ts'
import type { Following, StoredRecord, Stores } from '../../core/stores.ts'
import type { DerivedKeys } from '../../identity/sealing.ts'
import { AcmeRefusal } from '../../wire/tls/acme-order.ts'
import type { AcmeIssued } from '../../wire/tls/acme-order.ts'
import type { CertificateMaterial } from '../../wire/tls/tls-spec.ts'
import type { AcmeStatus } from '../certificate-status.ts'
import { acmeSchema, certificateId, isSealedByPrevious, sealCertificate, stateOf, unsealCertificate } from './acme-record.ts'
import type { AcmeState, AcmeWant } from './acme-record.ts'
import { backOffMs, renewalAt } from './acme-schedule.ts'

export interface AcmeKeeperOptions {
  readonly stores: Stores
  readonly keys: DerivedKeys
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  /** This node, among those that share the store. */
  readonly holder: string
  /** 0 to 1. */
  readonly random: () => number
  /** Orders a certificate; rejects with an `AcmeRefusal`, or with `store-down`. */
  readonly order: (want: AcmeWant, signal: AbortSignal) => Promise<AcmeIssued>
  /** A certificate is there that was not before. */
  readonly changed: () => void
}

const kind = 'acme-certificate'
const changedTopic = 'acme.certificate'
const pollMs = 300_000
const retryMs = 10_000
/** How long a node that has died keeps others from ordering in its place. */
export const leaseMs = 60_000
/** Longest time for one order. */
const orderMs = 180_000
/** A certificate that cannot be unsealed is ordered anew so long after its issue: a node with a wrong secret must not spend the limits of an authority. */
const unreadableMs = 86_400_000

interface Kept {
  readonly id: string
  want: AcmeWant
  record: StoredRecord | undefined
  material: CertificateMaterial | undefined
  /** What `material` was unsealed from. */
  sealed: string | undefined
  timer: Timer | undefined
  /** What is being done for it; one thing at a time. */
  tail: Promise<void>
  isServed: boolean
}

/**
 * The certificates that authorities issue by ACME: kept in the store, ordered by one node of a fleet at a time, renewed in
 * time, and tried again with growing patience. While store or authority are down, what was loaded stays in use.
 */
export class AcmeKeeper implements Closable {
  readonly #options: AcmeKeeperOptions
  readonly #kept = new Map<string, Kept>()
  readonly #ended = new AbortController()
  #following: Following | undefined
  /** Orders of this node run one after the other. */
  #ordering: Promise<void> = Promise.resolve()

  constructor(options: AcmeKeeperOptions) {
    this.#options = options
  }

  /** Loads what the store has of these. Rejects with `store-down`. */
  async prepare(wants: readonly AcmeWant[]): Promise<void> {
    if (wants.length === 0) return
    this.#following ??= await this.#options.stores.bus.follow({
      reload: (_live, isFirst) => {
        if (!isFirst) for (const kept of this.#kept.values()) this.#lookNow(kept)
      },
      hear: ({ topic, data }) => {
        const kept = topic === changedTopic ? this.#kept.get(String(data)) : undefined
        if (kept !== undefined) this.#lookNow(kept)
      },
    })
    for (const want of wants) {
      const id = certificateId(want)
      if (this.#kept.has(id)) continue
      const kept: Kept = {
        id,
        want,
        record: undefined,
        material: undefined,
        sealed: undefined,
        timer: undefined,
        tail: Promise.resolve(),
        isServed: false,
      }
      const record = await this.#options.stores.records.get(kind, id)
      if (record !== undefined) this.#take(kept, record)
      this.#kept.set(id, kept)
    }
  }

  /** These are served from now on: what they lack is ordered. */
  commit(wants: readonly AcmeWant[]): void {
    const wanted = new Map(wants.map((want) => [certificateId(want), want]))
    for (const [id, kept] of this.#kept) {
      const want = wanted.get(id)
      if (want === undefined) this.#drop(kept)
      else {
        kept.want = want
        if (kept.isServed) continue
        kept.isServed = true
        this.#lookNow(kept)
      }
    }
  }

  /** What was prepared last will not be served. */
  discard(): void {
    for (const kept of this.#kept.values()) if (!kept.isServed) this.#drop(kept)
  }

  /** The certificate for a name, if there is one. */
  materialOf(want: AcmeWant): CertificateMaterial | undefined {
    return this.#kept.get(certificateId(want))?.material
  }

  statusOf(want: AcmeWant): AcmeStatus {
    const kept = this.#kept.get(certificateId(want))
    const state = kept?.record === undefined ? undefined : stateOf(kept.record)
    const isOrdering = state?.lease !== undefined && state.lease.until > this.#options.clock.now()
    // The one under way was counted before it was made.
    const failures = (state?.failures ?? 0) - (isOrdering ? 1 : 0)
    return {
      name: want.name,
      directory: want.directory,
      state: isOrdering ? 'ordering' : failures > 0 ? 'failing' : kept?.material === undefined ? 'waiting' : 'issued',
      failures,
      lastOrderAt: state?.lastOrderAt,
      lastError: state?.lastError,
      nextOrderAt: isOrdering ? undefined : state?.nextOrderAt,
    }
  }

  close(): void {
    this.#ended.abort()
    this.#following?.stop()
    for (const kept of this.#kept.values()) this.#drop(kept)
  }

  #drop(kept: Kept): void {
    kept.timer?.cancel()
    this.#kept.delete(kept.id)
  }

  #isGone(kept: Kept): boolean {
    return this.#ended.signal.aborted || this.#kept.get(kept.id) !== kept
  }

  #lookNow(kept: Kept): void {
    kept.timer?.cancel()
    kept.tail = kept.tail.then(() => this.#lookAndWait(kept))
  }

  async #lookAndWait(kept: Kept): Promise<void> {
    if (this.#isGone(kept) || !kept.isServed) return
    let waitMs = retryMs
    try {
      waitMs = await this.#look(kept)
    } catch (error) {
      this.#options.log.warn('the store of certificates does not answer: the known ones stay in use', {
        name: kept.want.name,
        error,
      })
    }
    if (this.#isGone(kept)) return
    kept.timer?.cancel()
    kept.timer = this.#options.clock.after(Math.min(pollMs, waitMs), () => this.#lookNow(kept))
  }

  /** Reads the record, and orders when that is due and nobody else does. Resolves with how long to wait. */
  async #look(kept: Kept): Promise<number> {
    const { clock } = this.#options
    this.#take(kept, await this.#read(kept))
    await this.#sealAnew(kept)
    const waitMs = this.#dueAt(kept) - clock.now()
    if (waitMs > 0) return waitMs
    const mine = this.#ordering.then(() => this.#orderIfDue(kept))
    this.#ordering = mine.catch(() => undefined)
    await mine
    return Math.max(1000, this.#dueAt(kept) - clock.now())
  }

  /** So that the previous secret can be forgotten before the next renewal. */
  async #sealAnew(kept: Kept): Promise<void> {
    const { keys } = this.#options
    const { id, material, record, sealed: before } = kept
    if (material === undefined || before !== stateOf(record!).sealed || !isSealedByPrevious(stateOf(record!), id, keys)) return
    const sealed = sealCertificate(material, id, keys)
    await this.#write(kept, (state) => (state.sealed === before ? { ...state, sealed } : state))
  }

  #dueAt(kept: Kept): number {
    const { lease, nextOrderAt, sealed, issuedAt = 0 } = stateOf(kept.record!)
    const unreadableUntil = sealed !== undefined && kept.material === undefined ? issuedAt + unreadableMs : 0
    const dueAt = unreadableUntil > 0 && stateOf(kept.record!).failures === 0 ? unreadableUntil : nextOrderAt
    return Math.max(dueAt, lease?.until ?? 0)
  }

  async #read(kept: Kept): Promise<StoredRecord> {
    const { records } = this.#options.stores
    for (;;) {
      const found = await records.get(kind, kept.id)
      if (found !== undefined) return found
      const { name, directory } = kept.want
      const value = { name, directory, failures: 0, nextOrderAt: 0 } satisfies AcmeState
      await records.create({ kind, id: kept.id, owner: '', value, schema: acmeSchema, expiresAt: Infinity })
    }
  }

  /** Learns what a record says. */
  #take(kept: Kept, record: StoredRecord): void {
    const { keys, log } = this.#options
    kept.record = record
    const state = stateOf(record)
    if (state.sealed === undefined || state.sealed === kept.sealed) return
    kept.sealed = state.sealed
    const material = unsealCertificate(state, kept.id, keys)
    if (material === undefined) {
      log.error('a certificate was sealed by another secret and cannot be used: is `secret` the same on all nodes?', {
        name: kept.want.name,
      })
    } else this.#serve(kept, material)
  }

  #serve(kept: Kept, material: CertificateMaterial): void {
    if (kept.material?.fingerprint === material.fingerprint) return
    kept.material = material
    if (kept.isServed) this.#options.changed()
  }

  /** Puts a change in the store; false when somebody else was quicker, whose record is then known. */
  async #write(kept: Kept, change: (state: AcmeState) => AcmeState): Promise<boolean> {
    const { records } = this.#options.stores
    const read = kept.record!
    const value = change(stateOf(read)) as unknown as StoredRecord['value']
    const version = await records.update(kind, read, { value, schema: acmeSchema, expiresAt: Infinity })
    if (version === undefined) {
      this.#take(kept, await this.#read(kept))
      return false
    }
    this.#take(kept, { ...read, value, version })
    return true
  }

  async #orderIfDue(kept: Kept): Promise<void> {
    const { clock, random, holder, log } = this.#options
    // Others may have been at it while this one waited for its turn.
    this.#take(kept, await this.#read(kept))
    if (this.#isGone(kept) || this.#dueAt(kept) > clock.now()) return
    const now = clock.now()
    const isMine = await this.#write(kept, (state) => ({
      ...state,
      failures: state.failures + 1,
      lastOrderAt: now,
      lastError: undefined,
      nextOrderAt: now + backOffMs(state.failures + 1, random()),
      lease: { holder, until: now + leaseMs },
    }))
    if (!isMine) return
    log.info('a certificate is ordered', { name: kept.want.name, directory: kept.want.directory })
    const issued = await this.#order(kept)
    if (issued !== undefined) await this.#issued(kept, issued)
  }

  /** Orders while it holds the lease; undefined, with everything noted, when that fails. */
  async #order(kept: Kept): Promise<AcmeIssued | undefined> {
    const { clock, order, holder } = this.#options
    const late = new AbortController()
    const deadline = clock.after(orderMs, () => late.abort())
    let renewing: Promise<unknown> = Promise.resolve()
    let beat: Timer | undefined
    const renewLater = (): void => {
      beat = clock.after(leaseMs / 3, () => {
        if (this.#ended.signal.aborted) return
        const until = clock.now() + leaseMs
        renewing = this.#write(kept, (state) => (state.lease?.holder === holder ? { ...state, lease: { holder, until } } : state))
          .catch(() => false)
          .then(renewLater)
      })
    }
    renewLater()
    const stop = async (): Promise<void> => {
      deadline.cancel()
      beat?.cancel()
      await renewing
      beat?.cancel()
    }
    try {
      const issued = await order(kept.want, AbortSignal.any([late.signal, this.#ended.signal]))
      await stop()
      return issued
    } catch (thrown) {
      await stop()
      await this.#failed(kept, thrown)
      return undefined
    }
  }

  async #issued(kept: Kept, { material }: AcmeIssued): Promise<void> {
    const { clock, random, keys, log, stores } = this.#options
    const sealed = sealCertificate(material, kept.id, keys)
    // It is served at once, also while the store is down.
    kept.sealed = sealed
    this.#serve(kept, material)
    this.#count('issued')
    log.info('a certificate was issued', { name: kept.want.name, expires: new Date(material.expiresAt).toISOString() })
    const issuedAt = clock.now()
    const nextOrderAt = renewalAt(material, issuedAt, random())
    await this.#note(kept, (state) => {
      return { ...state, sealed, issuedAt, failures: 0, lastError: undefined, nextOrderAt, lease: undefined }
    })
    await stores.bus.append({ topic: changedTopic, key: '', data: kept.id, keepUntil: 0 })
  }

  async #failed(kept: Kept, thrown: unknown): Promise<void> {
    const { clock, log, holder } = this.#options
    const lastError = thrown instanceof Error ? thrown.message : String(thrown)
    if (this.#ended.signal.aborted) return
    const earliestAt = clock.now() + (thrown instanceof AcmeRefusal ? thrown.retryAfterMs : 0)
    this.#count('failed')
    await this.#note(kept, (state) => {
      if (state.lease?.holder !== holder) return state
      return { ...state, lastError, nextOrderAt: Math.max(state.nextOrderAt, earliestAt), lease: undefined }
    })
    const { failures, nextOrderAt } = stateOf(kept.record!)
    log.warn('a certificate could not be had; another attempt will be made', {
      name: kept.want.name,
      reason: lastError,
      failures,
      next: new Date(nextOrderAt).toISOString(),
      isServed: kept.material !== undefined,
    })
  }

  #count(result: 'issued' | 'failed'): void {
    const help = 'Orders of certificates by ACME, by what came of them.'
    this.#options.meter.counter('velum_acme_orders_total', help, { result }).add()
  }

  /** Writes for sure: whatever others did meanwhile, and when the store is there again. */
  async #note(kept: Kept, change: (state: AcmeState) => AcmeState): Promise<void> {
    while (!this.#ended.signal.aborted) {
      try {
        if (await this.#write(kept, change)) return
      } catch {
        await new Promise<void>((resolve) => void this.#options.clock.after(retryMs, resolve))
      }
    }
  }
}
