import type { Clock, Timer } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Level, Meter } from '../core/meter.ts'
import type { Announcement, BusMessage, Following, Stores } from '../core/stores.ts'
import { stableJson } from '../lib/stable-json.ts'
import { boxedAnnouncement, liftedAnnouncement, penaltyChangeOf } from './penalty-bus.ts'
import type { RefusalReport } from './penalty-count.ts'
import { RefusalCount } from './penalty-count.ts'
import type { PenaltyChange } from './penalty-list.ts'
import { PenaltyList } from './penalty-list.ts'
import type { PenaltyOrder } from './penalty-order.ts'
import { penaltyOf } from './penalty-order.ts'
import { penaltyTopics } from './penalty-reporter.ts'
import type { Penalty, PenaltySpec } from './penalty-spec.ts'
import { penaltyId, perText, thresholdText, whoOf } from './penalty-spec.ts'

export interface PenaltyBoxEnv {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  /** Open before `prepare` of a configuration with penalties. */
  readonly store: () => { readonly stores: Stores } | undefined
}

/** What an operator's change came to. */
export interface PenaltyDone {
  readonly penalty: Penalty
  /** False: the store does not answer; this node knows already, and the fleet will once it does. */
  readonly isStored: boolean
}

const sweepMs = 5000
const retryMs = 1000
/** Clients that rules may box at one time; by hand there may be more. */
const mostBoxed = 20_000

/**
 * Main's part of penalties: counts the refusals that workers report, boxes who is due, and keeps the box: in the store,
 * so that it outlives the process and the fleet shares it, and in every worker. What the store cannot take yet is in
 * force on this node all the same.
 */
export class PenaltyBox implements Closable {
  readonly #hub: Hub
  readonly #env: PenaltyBoxEnv
  readonly #list = new PenaltyList()
  readonly #levels = new Map<string, Level>()
  readonly #stops: readonly (() => void)[]
  /** What the store has not taken yet, by id. */
  readonly #pending = new Map<string, Announcement>()
  #counts = new Map<string, RefusalCount>()
  #specs: readonly PenaltySpec[] = []
  #issuer: string | undefined
  #following: Promise<Following> | undefined
  #retry: Timer | undefined
  #sweep: Timer | undefined
  #isFull = false
  #isClosed = false

  constructor(hub: Hub, env: PenaltyBoxEnv) {
    this.#hub = hub
    this.#env = env
    this.#stops = [
      hub.answer(penaltyTopics.snapshot, () => this.#list.all(env.clock.now())),
      hub.hear(penaltyTopics.refusals, (reports) => this.#take(reports as readonly RefusalReport[])),
    ]
    this.#sweepLater()
  }

  /** Learns who is boxed, for the first configuration with penalties. Rejects with `store-down`. */
  async prepare(specs: readonly PenaltySpec[]): Promise<void> {
    const stores = this.#env.store()?.stores
    if (specs.length === 0 || stores === undefined || this.#following !== undefined) return
    const following = stores.bus.follow({
      reload: (live) => this.#apply(live),
      hear: (message) => this.#apply([message]),
    })
    this.#following = following
    try {
      await following
    } catch (thrown) {
      this.#following = undefined
      throw thrown
    }
  }

  /** These are served from now on; what was counted towards those that stay is kept. `issuer` vouches for own subjects. */
  commit(specs: readonly PenaltySpec[], issuer: string | undefined): void {
    const counts = new Map<string, RefusalCount>()
    for (const { name, per, after } of specs) {
      if (after === undefined) continue
      const place = stableJson({ name, per, after })
      counts.set(place, this.#counts.get(place) ?? new RefusalCount(after))
    }
    this.#counts = counts
    this.#specs = specs
    this.#issuer = issuer
  }

  /** Everybody who is boxed, who is longest first. */
  list(): readonly Penalty[] {
    return this.#list.all(this.#env.clock.now())
  }

  /** Boxes a client by hand. Throws PenaltyOrderError. */
  async add(order: PenaltyOrder): Promise<PenaltyDone> {
    const penalty = penaltyOf(order, this.#specs, this.#env.clock.now(), this.#issuer)
    this.#box(penalty)
    return { penalty, isStored: await this.#keep(boxedAnnouncement(penalty), 'penalty-added', penalty) }
  }

  /** Lets a client out; undefined when there is no such penalty. */
  async lift(id: string): Promise<PenaltyDone | undefined> {
    const penalty = this.#list.get(id, this.#env.clock.now())
    if (penalty === undefined) return undefined
    this.#change([{ kind: 'lifted', id }])
    this.#env.log.info('a client was let out of the penalty box', { label: `penalty:${penalty.penalty}`, id, who: penalty.who })
    return { penalty, isStored: await this.#keep(liftedAnnouncement(penalty), 'penalty-lifted', penalty) }
  }

  close(): void {
    this.#isClosed = true
    for (const stop of this.#stops) stop()
    this.#retry?.cancel()
    this.#sweep?.cancel()
    this.#following?.then(
      (following) => following.stop(),
      () => undefined,
    )
  }

  #take(reports: readonly RefusalReport[]): void {
    const now = this.#env.clock.now()
    for (const report of reports) {
      const spec = this.#specs.find(({ name, per }) => name === report.penalty && perText(per) === report.per)
      if (spec?.after === undefined) continue
      const id = penaltyId(spec.name, report.per, report.key)
      // What was refused before the box was closed is on its way still.
      if (this.#list.get(id, now) !== undefined) continue
      const { name, per, after } = spec
      const evidence = this.#counts.get(stableJson({ name, per, after }))?.add(report, now)
      if (evidence === undefined || !this.#hasRoom(now)) continue
      const penalty: Penalty = {
        id,
        penalty: name,
        who: whoOf(per, report.parts),
        per: report.per,
        key: report.key,
        by: 'rule',
        reason: thresholdText(after),
        at: now,
        until: now + spec.forMs,
        evidence,
      }
      this.#box(penalty)
      void this.#keep(boxedAnnouncement(penalty))
    }
  }

  #hasRoom(now: number): boolean {
    if (this.#list.size < mostBoxed) return true
    this.#swept(now)
    const hasRoom = this.#list.size < mostBoxed
    if (!hasRoom && !this.#isFull) this.#env.log.error('the penalty box is full: rules box nobody more', { boxed: mostBoxed })
    this.#isFull = !hasRoom
    return hasRoom
  }

  #box(penalty: Penalty): void {
    const { log, meter } = this.#env
    const { id, penalty: name, who, by, reason, until, evidence } = penalty
    this.#change([{ kind: 'boxed', penalty }])
    meter
      .counter('velum_penalties_imposed_total', 'Clients boxed on this node, by penalty and by whom.', { penalty: name, by })
      .add()
    const facts = { label: `penalty:${name}`, id, who, by, reason, until: new Date(until).toISOString() }
    log.warn('a client was put into the penalty box', evidence === undefined ? facts : { ...facts, evidence })
  }

  /** What the fleet said, or this node before. */
  #apply(messages: readonly BusMessage[]): void {
    const now = this.#env.clock.now()
    const changes: PenaltyChange[] = []
    for (const message of messages) {
      // What this node has said and the store has not heard yet is later.
      if (this.#pending.has(message.key)) continue
      const change = penaltyChangeOf(message)
      if (change === undefined || (change.kind === 'boxed' && change.penalty.until <= now)) continue
      changes.push(change)
    }
    this.#change(changes)
  }

  #change(changes: readonly PenaltyChange[]): void {
    if (changes.length === 0) return
    const now = this.#env.clock.now()
    for (const change of changes) {
      const before = this.#list.get(change.kind === 'boxed' ? change.penalty.id : change.id, now)
      if (before !== undefined) this.#level(before.penalty).add(-1)
      if (change.kind === 'boxed') this.#level(change.penalty.penalty).add(1)
      this.#list.apply(change)
    }
    this.#hub.tellAll(penaltyTopics.changes, changes)
  }

  #level(penalty: string): Level {
    let level = this.#levels.get(penalty)
    if (level === undefined) {
      level = this.#env.meter.gauge('velum_penalties', 'Clients in the penalty box, by penalty.', { penalty })
      this.#levels.set(penalty, level)
    }
    return level
  }

  /** Whether the store has it now; if not, it will be tried again until it has. */
  async #keep(announcement: Announcement, event?: string, penalty?: Penalty): Promise<boolean> {
    this.#pending.set(announcement.key, announcement)
    const isStored = await this.#append(announcement)
    if (isStored && event !== undefined && penalty !== undefined) await this.#audit(event, penalty)
    return isStored
  }

  async #append(announcement: Announcement): Promise<boolean> {
    const stores = this.#env.store()?.stores
    if (stores === undefined) return false
    try {
      await stores.bus.append(announcement)
      if (this.#pending.get(announcement.key) === announcement) this.#pending.delete(announcement.key)
      return true
    } catch (error) {
      if (this.#retry === undefined) this.#env.log.warn('the store does not take penalties yet; they hold on this node', { error })
      this.#retryLater()
      return false
    }
  }

  async #audit(event: string, { id, penalty, who, reason, until }: Penalty): Promise<void> {
    try {
      await this.#env.store()?.stores.audit.append({ at: this.#env.clock.now(), event, facts: { id, penalty, who, reason, until } })
    } catch (error) {
      this.#env.log.warn('the audit log does not take an entry', { event, error })
    }
  }

  #retryLater(): void {
    if (this.#isClosed) return
    this.#retry ??= this.#env.clock.after(retryMs, () => void this.#tryAgain())
  }

  async #tryAgain(): Promise<void> {
    const now = this.#env.clock.now()
    for (const [id, announcement] of this.#pending) {
      if (announcement.keepUntil <= now) this.#pending.delete(id)
      // One at a time: a store that is down says so once.
      else if (!(await this.#append(announcement))) break
    }
    this.#retry = undefined
    if (this.#pending.size > 0) this.#retryLater()
  }

  #swept(now: number): void {
    for (const { penalty } of this.#list.sweep(now)) this.#level(penalty).add(-1)
  }

  #sweepLater(): void {
    this.#sweep = this.#env.clock.after(sweepMs, () => {
      this.#swept(this.#env.clock.now())
      this.#sweepLater()
    })
  }
}
