import type { ExternalDecision } from './external-decision.ts'

const defaultMaxKept = 10_000

interface Kept {
  readonly decision: ExternalDecision
  /** Monotonic milliseconds. */
  readonly freshUntil: number
  readonly keptUntil: number
}

/** Decisions by all that they were made of. Bounded: the oldest leaves first. */
export class DecisionMemory {
  readonly #cacheMs: number
  readonly #staleMs: number
  readonly #maxKept: number
  readonly #kept = new Map<string, Kept>()

  constructor(cacheMs: number, staleMs: number, maxKept = defaultMaxKept) {
    this.#cacheMs = cacheMs
    this.#staleMs = staleMs
    this.#maxKept = maxKept
  }

  get size(): number {
    return this.#kept.size
  }

  /** What still holds. */
  fresh(key: string, now: number): ExternalDecision | undefined {
    const kept = this.#kept.get(key)
    return kept !== undefined && now < kept.freshUntil ? kept.decision : undefined
  }

  /** A permission that may stand in while nobody can be asked; a refusal never does more than hold. */
  stale(key: string, now: number): ExternalDecision | undefined {
    const kept = this.#kept.get(key)
    return kept !== undefined && kept.decision.isAllowed && now < kept.keptUntil ? kept.decision : undefined
  }

  keep(key: string, decision: ExternalDecision, now: number): void {
    this.#kept.delete(key)
    const freshMs = Math.min(this.#cacheMs, decision.keepMs)
    const keptMs = freshMs + (decision.isAllowed && decision.keepMs > 0 ? this.#staleMs : 0)
    if (keptMs <= 0) return
    this.#kept.set(key, { decision, freshUntil: now + freshMs, keptUntil: now + keptMs })
    if (this.#kept.size > this.#maxKept) this.#kept.delete(this.#kept.keys().next().value!)
  }
}
