import type { Penalty } from './penalty-spec.ts'

/** What becomes of a client: it is boxed, or let out before its time. */
export type PenaltyChange = { readonly kind: 'boxed'; readonly penalty: Penalty } | { readonly kind: 'lifted'; readonly id: string }

/** Who is in the box, as one thread knows it. Penalties that are over are not there. */
export class PenaltyList {
  readonly #byId = new Map<string, Penalty>()
  /** By name and parts, then by key: what a request is looked up in. */
  readonly #byScope = new Map<string, Map<string, Penalty>>()

  /** With those that are over and not yet forgotten. */
  get size(): number {
    return this.#byId.size
  }

  get(id: string, now: number): Penalty | undefined {
    const penalty = this.#byId.get(id)
    return penalty === undefined || penalty.until <= now ? undefined : penalty
  }

  /** Those of one penalty by the keys that they concern; live. */
  scope(name: string, per: string): ReadonlyMap<string, Penalty> {
    return this.#scope(name, per)
  }

  apply(change: PenaltyChange): void {
    if (change.kind === 'lifted') return this.#remove(change.id)
    const { penalty } = change
    this.#remove(penalty.id)
    this.#byId.set(penalty.id, penalty)
    this.#scope(penalty.penalty, penalty.per).set(penalty.key, penalty)
  }

  /** Forgets what is over; gives what it forgot. */
  sweep(now: number): Penalty[] {
    const over = [...this.#byId.values()].filter(({ until }) => until <= now)
    for (const { id } of over) this.#remove(id)
    return over
  }

  /** The ones that end last first. */
  all(now: number): Penalty[] {
    return [...this.#byId.values()].filter(({ until }) => until > now).toSorted((a, b) => b.until - a.until)
  }

  clear(): void {
    this.#byId.clear()
    for (const scope of this.#byScope.values()) scope.clear()
  }

  #remove(id: string): void {
    const penalty = this.#byId.get(id)
    if (penalty === undefined) return
    this.#byId.delete(id)
    this.#scope(penalty.penalty, penalty.per).delete(penalty.key)
  }

  /** Kept once made, so that who holds one sees what comes. */
  #scope(name: string, per: string): Map<string, Penalty> {
    const place = `${name} ${per}`
    let scope = this.#byScope.get(place)
    if (scope === undefined) this.#byScope.set(place, (scope = new Map()))
    return scope
  }
}
