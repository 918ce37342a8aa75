import type { Promised } from '../support/promises.ts'
import type { Told } from './told.ts'

/** What was done to a fleet and when, so that each kind of traffic can say what it should have seen. Times: `performance.now()`. */
export interface Episode {
  readonly done: string
  readonly startedAt: number
  beganAt: number
  endedAt: number
  stoppedAt: number
  /** Processes that were killed, stopped or paused, and when they were there again. */
  readonly away: Away[]
  /** Whether the fault lies in the store or on the way to it, and for which nodes. */
  readonly withoutStore: readonly number[]
  /** What the store loses by nature: nothing, what was written just before, or all. */
  readonly forgets: 'nothing' | 'newest' | 'all'
}

export interface Away {
  readonly node: number
  readonly how: 'killed' | 'paused' | 'stopped'
  readonly from: number
  to: number
}

/** One kind of honest traffic. */
export interface Traffic {
  /** Whatever must be there before the first request. */
  prepare(): Promise<void>
  start(): void
  /** Resolves when everything under way has its answer. */
  stop(): Promise<void>
  judge(episode: Episode): readonly Promised[]
}

/** After the end of a fault nodes find their store again within this: the longest wait between two attempts, and one attempt. */
export const recoveryMs = 5000

/** Whether it was under way on a node while that was killed. */
export function wasKilledWith(told: Told, { away }: Episode): boolean {
  return away.some(({ node, how, from, to }) => how === 'killed' && node === told.node && told.doneAt >= from && told.sentAt <= to)
}

/** Whether its node had no store, or had just been away itself, while it was under way. */
export function mayBeWithoutStore(told: Told, { away, withoutStore, beganAt, endedAt }: Episode): boolean {
  const isIn = (from: number, to: number): boolean => told.doneAt >= from && told.sentAt <= to + recoveryMs
  if (withoutStore.includes(told.node) && isIn(beganAt, endedAt)) return true
  return away.some(({ node, from, to }) => node === told.node && isIn(from, to))
}

/** How often each answer was given, as `200×12 503×3`. */
export function counted(answers: readonly Told[]): string {
  const counts = new Map<string, number>()
  for (const { status, cut } of answers) {
    const name = status === 0 ? cut : String(status)
    counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  return (
    [...counts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `${name}×${count}`)
      .join(' ') || 'nothing'
  )
}
