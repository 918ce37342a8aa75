import type { Algorithm } from './algorithm.ts'
import { algorithmKinds } from './algorithm.ts'
import type { Columns } from './algorithm-of.ts'
import { algorithmOf } from './algorithm-of.ts'

const recordLength = 8
const field = { sequence: 0, hi: 1, lo: 2, kind: 3, parameters: 4 } as const

/** How many limits, counting superseded editions of them, are told apart. */
export const registryCapacity = 2048

/**
 * What the limits of this node are and lately were, in shared memory: each edition of a limit gets a record with a
 * growing sequence number, and each budget carries the number under which it was last written. So any worker can
 * translate what an older edition left behind, and an old Generation that meets a budget of a newer one follows the newer
 * one. Writing needs the registry's lock; reading does not, since whoever sees a number saw it under a stripe's lock.
 */
export class LimitRegistry {
  readonly #records: Float64Array
  readonly #next: Int32Array
  readonly #columns: Columns
  readonly #known = new Map<number, Algorithm>()

  /** `next` is one shared integer: the last sequence number given. */
  constructor(buffer: SharedArrayBuffer, byteOffset: number, next: Int32Array, columns: Columns) {
    this.#records = new Float64Array(buffer, byteOffset, registryCapacity * recordLength)
    this.#next = next
    this.#columns = columns
  }

  static readonly bytes = registryCapacity * recordLength * 8

  /**
   * The sequence number of this edition of the limit named by (hi, lo): the latest one if nothing changed. With all
   * records in use, those go first that a newer edition supersedes, then the oldest: what it left behind becomes unknown.
   */
  register(hi: number, lo: number, algorithm: Algorithm): number {
    const records = this.#records
    let latest = -1
    let empty = -1
    for (let at = 0; at < records.length; at += recordLength) {
      if (records[at] === 0) {
        if (empty === -1) empty = at
      } else if (records[at + field.hi] === hi && records[at + field.lo] === lo) {
        if (latest === -1 || records[at] > records[latest]) latest = at
      }
    }
    if (latest !== -1 && this.#says(latest, algorithm)) {
      const sequence = records[latest]
      this.#known.set(sequence, algorithm)
      return sequence
    }
    const at = empty === -1 ? this.#victim() : empty
    const sequence = Atomics.add(this.#next, 0, 1) + 1
    // The number last: a record half written is no record.
    records[at] = 0
    records[at + field.hi] = hi
    records[at + field.lo] = lo
    records[at + field.kind] = algorithmKinds.indexOf(algorithm.kind)
    records.set(algorithm.parameters, at + field.parameters)
    records[at] = sequence
    this.#known.set(sequence, algorithm)
    return sequence
  }

  /** The edition of that number, or undefined when its record is gone. */
  algorithm(sequence: number): Algorithm | undefined {
    if (sequence === 0) return undefined
    const known = this.#known.get(sequence)
    if (known !== undefined) return known
    const records = this.#records
    for (let at = 0; at < records.length; at += recordLength) {
      if (records[at] !== sequence) continue
      const p = at + field.parameters
      const kind = algorithmKinds[records[at + field.kind]]
      const algorithm = algorithmOf(kind, [records[p], records[p + 1], records[p + 2]], this.#columns)
      if (this.#known.size > registryCapacity) this.#known.clear()
      this.#known.set(sequence, algorithm)
      return algorithm
    }
    return undefined
  }

  /** The tag of the limit whose edition has this number, or undefined when its record is gone. */
  tagOf(sequence: number): readonly [hi: number, lo: number] | undefined {
    if (sequence === 0) return undefined
    const records = this.#records
    for (let at = 0; at < records.length; at += recordLength) {
      if (records[at] === sequence) return [records[at + field.hi], records[at + field.lo]]
    }
    return undefined
  }

  #says(at: number, algorithm: Algorithm): boolean {
    if (algorithmKinds[this.#records[at + field.kind]] !== algorithm.kind) return false
    return algorithm.parameters.every((value, i) => this.#records[at + field.parameters + i] === value)
  }

  #victim(): number {
    const records = this.#records
    const newest = new Map<string, number>()
    for (let at = 0; at < records.length; at += recordLength) {
      const name = `${records[at + field.hi]}:${records[at + field.lo]}`
      newest.set(name, Math.max(newest.get(name) ?? 0, records[at]))
    }
    const latest = new Set(newest.values())
    let victim = 0
    let victimIsLatest = true
    for (let at = 0; at < records.length; at += recordLength) {
      const isLatest = latest.has(records[at])
      if (isLatest && !victimIsLatest) continue
      if (isLatest === victimIsLatest && records[at] >= records[victim]) continue
      victim = at
      victimIsLatest = isLatest
    }
    return victim
  }
}
