import type { Clock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import type { Records, StoredRecord } from '../../core/stores.ts'

/** How fast a lock grows. */
export interface Growth {
  /** Failures that cost nothing. */
  readonly free: number
  /** One failure is forgotten in this time. */
  readonly forgetMs: number
}

/** Failures counted under one key, as the store keeps them; times since 1970, so that all nodes mean the same. */
interface Tally {
  readonly failures: number
  readonly countedAt: number
  readonly lockedUntil: number
}

/** One failure that was counted, until it is known to be none. */
export interface Charge {
  readonly key: string
  readonly growth: Growth
  readonly lockedUntil: number
}

/** What was read of a key. */
interface Read {
  readonly record: StoredRecord | undefined
}

const kind = 'login-failures'
const schema = 1
const firstLockMs = 1000
const longestLockMs = 900_000
/** Attempts under one key follow one another on a node, so only other nodes can come in between. */
const maxTries = 20
const maxLocks = 10_000

/**
 * Counts of failed logins in the store, one record for each key: the nodes of a fleet count together, and a restart forgets
 * nothing. Every change is a compare-and-set of what was read. All reject with `store-down`.
 */
export class LoginTallies {
  readonly #records: Records
  readonly #clock: Clock
  readonly #turns = new Map<string, Promise<unknown>>()
  /** Locks that were seen, so that a flood against one costs the store nothing. The oldest first. */
  readonly #locks = new Map<string, number>()

  constructor(records: Records, clock: Clock) {
    this.#records = records
    this.#clock = clock
  }

  /** The milliseconds for which a lock that was met here still holds; asks nobody. */
  seenLockMs(key: string): number {
    return this.#waitMs(this.#locks.get(key))
  }

  /** Counts a failure under each key, all of them or none; or gives the milliseconds until nothing of it is locked. */
  async charge(wanted: readonly (readonly [key: string, growth: Growth])[]): Promise<readonly Charge[] | number> {
    const seenMs = Math.max(...wanted.map(([key]) => this.#waitMs(this.#locks.get(key))))
    if (seenMs > 0) return seenMs
    const read = await Promise.all(wanted.map(async ([key]) => this.#records.get(kind, key)))
    const readMs = Math.max(...read.map((record, i) => this.#seen(wanted[i][0], record)))
    if (readMs > 0) return readMs
    const charged = await Promise.all(wanted.map(async ([key, growth], i) => this.#charge(key, growth, { record: read[i] })))
    const waitMs = Math.max(...charged.map((one) => (typeof one === 'number' ? one : 0)))
    if (waitMs === 0) return charged as readonly Charge[]
    await Promise.all(charged.map(async (one) => (typeof one === 'number' ? undefined : this.giveBack(one))))
    return waitMs
  }

  /** Takes back a failure, and the lock that it alone has caused. */
  async giveBack({ key, growth, lockedUntil }: Charge): Promise<void> {
    this.#locks.delete(key)
    await this.#change(key, growth, undefined, (tally) => {
      if (tally === undefined) return undefined
      const failures = Math.max(0, tally.failures - 1)
      return { ...tally, failures, lockedUntil: tally.lockedUntil === lockedUntil ? 0 : tally.lockedUntil }
    })
  }

  /** Forgets all failures under a key. */
  async forget(key: string): Promise<void> {
    this.#locks.delete(key)
    await this.#records.remove(kind, key)
  }

  async #charge(key: string, growth: Growth, read: Read): Promise<Charge | number> {
    let waitMs = 0
    const tally = await this.#change(key, growth, read, (before) => {
      const now = this.#clock.now()
      waitMs = this.#waitMs(before?.lockedUntil)
      if (waitMs > 0) return undefined
      const kept = before === undefined ? 0 : Math.max(0, before.failures - Math.max(0, now - before.countedAt) / growth.forgetMs)
      const beyond = Math.round(kept + 1) - growth.free
      const lockMs = beyond <= 0 ? 0 : Math.min(longestLockMs, firstLockMs * 2 ** (beyond - 1))
      return { failures: kept + 1, countedAt: now, lockedUntil: lockMs === 0 ? 0 : now + lockMs }
    })
    if (tally === undefined) return waitMs
    this.#note(key, tally.lockedUntil)
    return { key, growth, lockedUntil: tally.lockedUntil }
  }

  /** Puts what `change` makes of a tally in its place; undefined leaves it. `read` is what it was a moment ago, if it was read. */
  async #change(
    key: string,
    { forgetMs }: Growth,
    read: Read | undefined,
    change: (tally: Tally | undefined) => Tally | undefined,
  ): Promise<Tally | undefined> {
    return this.#inTurn(key, async () => {
      for (let i = 0; i < maxTries; i++) {
        const { record } = i === 0 && read !== undefined ? read : { record: await this.#records.get(kind, key) }
        const tally = change(record === undefined ? undefined : (record.value as unknown as Tally))
        if (tally === undefined) return undefined
        const end = Math.max(tally.lockedUntil, tally.countedAt + tally.failures * forgetMs, this.#clock.now() + 1)
        const next = { value: { ...tally }, schema, expiresAt: Math.ceil(end) }
        const version =
          record === undefined
            ? await this.#records.create({ kind, id: key, owner: '', ...next })
            : await this.#records.update(kind, record, next)
        if (version !== undefined) return tally
      }
      throw new Fault('store-down', 'the failed logins under one key change all the time')
    })
  }

  /** One after the other for each key. */
  async #inTurn<T>(key: string, run: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(run, run)
    this.#turns.set(key, turn)
    try {
      return await turn
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key)
    }
  }

  /** Notes a lock that was read; gives for how long it holds. */
  #seen(key: string, record: StoredRecord | undefined): number {
    if (record === undefined) return 0
    const { lockedUntil } = record.value as unknown as Tally
    this.#note(key, lockedUntil)
    return this.#waitMs(lockedUntil)
  }

  #note(key: string, lockedUntil: number): void {
    this.#locks.delete(key)
    if (this.#waitMs(lockedUntil) === 0) return
    this.#locks.set(key, lockedUntil)
    if (this.#locks.size > maxLocks) this.#locks.delete(this.#locks.keys().next().value!)
  }

  /** Bounded, since a clock may have jumped. */
  #waitMs(lockedUntil: number | undefined): number {
    return lockedUntil === undefined ? 0 : Math.min(longestLockMs, Math.max(0, lockedUntil - this.#clock.now()))
  }
}
