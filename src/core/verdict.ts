import type { Problem } from './problem.ts'

/**
 * What a policy decided and why. Kept with the exchange by reference, so passing verdicts should be shared constants;
 * `words` is called only when someone asks (explain, a traced request, the dashboard, replay).
 */
export interface Verdict {
  /** Stable, kebab-case, unique within the policy: `valid`, `no-credential`, `over-limit` … */
  readonly code: string
  /** Set when the exchange is refused with this problem. */
  readonly refusal: Problem | undefined
  /** What would have been refused had the policy not been in shadow. */
  readonly shadowed?: Problem | undefined
  /** The label of a refused client (`limited:perTenant`), for log, metrics and dashboard. */
  readonly label?: string | undefined
  /** The decision in a sentence for the operator. */
  readonly words?: (() => string) | undefined
  /** Where in the configuration the very rule stands that decided, where that is narrower than the policy's `source`. */
  readonly rule?: string | undefined
  /** In a peek: what would be decided cannot be told without asking somebody, which a peek does not. */
  readonly isOpen?: boolean | undefined
  /** The status with which the policy itself answers an exchange that it passes: nothing behind it is asked. */
  readonly answers?: number | undefined
}

/** A passing verdict; make it once and share it. */
export function pass(code: string, words?: () => string): Verdict {
  return { code, refusal: undefined, label: undefined, words, rule: undefined }
}

/** A refusing verdict; make it once where nothing in it changes. */
export function refuse(code: string, problem: Problem, label?: string, words?: () => string, rule?: string): Verdict {
  return { code, refusal: problem, label, words, rule }
}
