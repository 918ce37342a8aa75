import type { Clock } from '../core/clock.ts'
import type { HashKey } from '../lib/keyed-hash.ts'
import { KeyedHash } from '../lib/keyed-hash.ts'
import { algorithmOf } from './algorithm-of.ts'
import type { Algorithm } from './algorithm.ts'
import type { LimitSpec } from './limit-spec.ts'
import type { Parameters } from './algorithm.ts'
import { recordTag, TableMemory } from './table-memory.ts'

/**
 * The calendar quotas of a node as plain JSON, so that they survive a restart. Budgets are known by the table's keyed
 * hash, so its key belongs to them: it is a secret, like the rest of the store's folder.
 */
export interface QuotaSnapshot {
  readonly hashKey: HashKey
  readonly quotas: readonly SavedQuota[]
}

/** One quota limit and what was used of each of its budgets. */
export interface SavedQuota {
  readonly name: string
  readonly parameters: Parameters
  /** Two halves of the tag, start of the period in ms since 1970, and what was used in it. */
  readonly budgets: readonly (readonly [hi: number, lo: number, periodStart: number, used: number])[]
}

interface Saving extends SavedQuota {
  readonly budgets: [hi: number, lo: number, periodStart: number, used: number][]
}

/**
 * What is used of these limits' quotas now. For main; takes each stripe's lock for some microseconds, and leaves out a
 * stripe whose lock cannot be had.
 */
export function saveQuotas(memory: SharedArrayBuffer, specs: readonly LimitSpec[]): QuotaSnapshot {
  const table = new TableMemory(memory)
  const hash = new KeyedHash(table.hashKey)
  const names = new Map(specs.map((spec) => [recordTag(hash, spec.name).join(':'), spec.name]))
  const { buckets, registry } = table
  const bySequence = new Map<number, Saving | undefined>()
  const byName = new Map<string, Saving>()

  /** Where the budgets of an edition go; undefined: it is no quota, or of none of these limits. */
  const savingOf = (sequence: number): Saving | undefined => {
    const algorithm = registry.algorithm(sequence)
    const name = names.get(registry.tagOf(sequence)?.join(':') ?? '')
    if (algorithm?.kind !== 'quota' || name === undefined) return undefined
    // Editions count alike, whatever their limits: only their period tells them apart.
    const saving = { name, parameters: algorithm.parameters, budgets: [] }
    const key = `${name} ${algorithm.parameters[1]}`
    return byName.get(key) ?? (byName.set(key, saving), saving)
  }
  const save = (slot: number, hi: number, lo: number): void => {
    const sequence = buckets.record(slot)
    if (!bySequence.has(sequence)) bySequence.set(sequence, savingOf(sequence))
    const at = buckets.stateAt(slot)
    const used = buckets.rows[at + 1]
    if (used > 0) bySequence.get(sequence)?.budgets.push([hi, lo, buckets.rows[at], used])
  }
  for (let stripe = 0; stripe < buckets.stripes; stripe++) {
    if (!table.locks.acquire(table.bucketLocks + stripe)) continue
    try {
      buckets.forEach(stripe, save)
    } finally {
      table.locks.release(table.bucketLocks + stripe)
    }
  }
  return { hashKey: table.hashKey, quotas: [...byName.values()] }
}

/** A snapshot that was kept as JSON. Throws on anything else: a file half written, or of another version. */
export function parseQuotaSnapshot(value: unknown): QuotaSnapshot {
  const snapshot = value as Partial<QuotaSnapshot> | null
  const isQuota = ({ name, parameters, budgets }: Partial<SavedQuota>): boolean =>
    typeof name === 'string' && isRow(parameters, 3) && Array.isArray(budgets) && budgets.every((budget) => isRow(budget, 4))
  if (!isRow(snapshot?.hashKey, 2) || !Array.isArray(snapshot?.quotas) || !snapshot.quotas.every(isQuota)) {
    throw new Error('not a snapshot of quotas')
  }
  return snapshot as QuotaSnapshot
}

function isRow(row: unknown, length: number): boolean {
  return Array.isArray(row) && row.length === length && row.every(Number.isFinite)
}

/** Writes saved quotas into a table that nobody uses yet; what belongs to a period that is over is left out. */
export function restoreQuotas(memory: SharedArrayBuffer, { quotas }: QuotaSnapshot, clock: Clock): void {
  const table = new TableMemory(memory)
  const hash = new KeyedHash(table.hashKey)
  const elapsed = table.elapsed(clock)
  const now = Math.floor(clock.now())
  for (const { name, parameters, budgets } of quotas) {
    const [hi, lo] = recordTag(hash, name)
    const algorithm = algorithmOf('quota', parameters)
    const sequence = table.registry.register(hi, lo, algorithm)
    for (const budget of budgets) restore(table, algorithm, sequence, budget, elapsed, now)
  }
}

function restore(
  { buckets }: TableMemory,
  algorithm: Algorithm,
  sequence: number,
  [hi, lo, start, used]: SavedQuota['budgets'][number],
  elapsed: number,
  now: number,
): void {
  const state = Float64Array.of(start, used)
  algorithm.advance(state, 0, now)
  const wholeAt = algorithm.wholeAt(state, 0)
  if (wholeAt <= now) return
  const slot = buckets.claim(buckets.stripeOf(hi), hi, lo, elapsed)
  // No room only in a table made smaller than the one before.
  if (slot === -1) return
  buckets.rows.set(state, buckets.stateAt(slot))
  buckets.setRecord(slot, sequence)
  buckets.setWholeAt(slot, elapsed + wholeAt - now)
}
