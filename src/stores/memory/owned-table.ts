/** What every row of an `OwnedTable` has. */
export interface OwnedRow {
  readonly id: string
  /** '' for nobody's. */
  readonly owner: string
  readonly expiresAt: number
}

/** Rows by id with an index by owner. A row whose time has come is not there, swept away or not. */
export class OwnedTable<Row extends OwnedRow> {
  readonly #rows = new Map<string, Row>()
  readonly #byOwner = new Map<string, Set<string>>()
  #sweeping: IterableIterator<[string, Row]> | undefined

  get(id: string, now: number): Row | undefined {
    const row = this.#rows.get(id)
    return row === undefined || row.expiresAt <= now ? undefined : row
  }

  /** Puts it in the place of whatever has its id. */
  set(row: Row): void {
    const before = this.#rows.get(row.id)
    if (before !== undefined && before.owner !== row.owner) this.delete(row.id)
    this.#rows.set(row.id, row)
    if (row.owner === '') return
    const ids = this.#byOwner.get(row.owner)
    if (ids === undefined) this.#byOwner.set(row.owner, new Set([row.id]))
    else ids.add(row.id)
  }

  delete(id: string): void {
    const row = this.#rows.get(id)
    if (row === undefined) return
    this.#rows.delete(id)
    const ids = this.#byOwner.get(row.owner)
    ids?.delete(id)
    if (ids?.size === 0) this.#byOwner.delete(row.owner)
  }

  /** The longest-lived first. */
  owned(owner: string, now: number): Row[] {
    const rows: Row[] = []
    for (const id of this.#byOwner.get(owner) ?? []) {
      const row = this.get(id, now)
      if (row !== undefined) rows.push(row)
    }
    return rows.sort(longestLivedFirst)
  }

  /** In the order of their ids, after `id`. */
  after(id: string, limit: number, now: number): Row[] {
    const ids = [...this.#rows.keys()].filter((other) => other > id).sort()
    const rows: Row[] = []
    for (const other of ids) {
      const row = this.get(other, now)
      if (row !== undefined) rows.push(row)
      if (rows.length === limit) break
    }
    return rows
  }

  /** Looks at `limit` rows, going on where it stopped, and deletes those whose time has come; returns how many. */
  sweep(now: number, limit: number): number {
    let deleted = 0
    for (let i = 0; i < limit; i++) {
      this.#sweeping ??= this.#rows.entries()
      const { done, value } = this.#sweeping.next()
      if (done === true) {
        this.#sweeping = undefined
        break
      }
      if (value[1].expiresAt > now) continue
      this.delete(value[0])
      deleted++
    }
    return deleted
  }
}

/** The order of `owned`. */
export function longestLivedFirst(a: OwnedRow, b: OwnedRow): number {
  if (a.expiresAt !== b.expiresAt) return b.expiresAt > a.expiresAt ? 1 : -1
  return a.id < b.id ? -1 : 1
}
