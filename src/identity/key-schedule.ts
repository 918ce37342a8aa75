import type { OwnAlgorithm } from './identity-spec.ts'

/** A signing key of Velum's as all nodes know it. */
export interface ScheduledKey {
  readonly kid: string
  readonly algorithm: OwnAlgorithm
  /** When nodes begin to sign with it: late enough that everybody who verifies has read it by then. */
  readonly activeAt: number
}

/** How long others may keep the key set (`Cache-Control` of the JWKS). */
export const keySetMaxAgeMs = 300_000
/** From the publication of a key to its first use: twice as long as others may not see it. */
export const overlapMs = 2 * keySetMaxAgeMs
/** How long a key signs before a new one is made. */
export const rotateEveryMs = 30 * 86_400_000
const skewMs = 60_000

/**
 * What each key is for at this moment. It follows from the keys alone, so that all nodes agree without talking: the
 * latest active key of the wanted algorithm signs (of another one only while there is none), and a key that has been
 * succeeded is published until everything it signed has expired. Where none is active yet, the first to be so signs: a fleet's
 * first key was made by a node whose clock is ahead of this one's.
 */
export function scheduleOf<K extends ScheduledKey>(
  keys: readonly K[],
  now: number,
  wanted: OwnAlgorithm,
  longestTtlMs: number,
): { readonly signer: K | undefined; readonly published: readonly K[]; readonly removable: readonly K[]; readonly isDue: boolean } {
  const ordered = keys.toSorted((a, b) => b.activeAt - a.activeAt || (a.kid < b.kid ? -1 : 1))
  const active = ordered.filter((key) => key.activeAt <= now)
  const isWanted = (key: K): boolean => key.algorithm === wanted
  const signer = active.find(isWanted) ?? active[0] ?? ordered.findLast(isWanted) ?? ordered.at(-1)
  const latest = ordered.find(isWanted)
  const removable = active.filter((key) => key !== signer && lastUseOf(key, active) + longestTtlMs + keySetMaxAgeMs + skewMs < now)
  return {
    signer,
    published: ordered.filter((key) => !removable.includes(key)),
    removable,
    isDue: latest === undefined || now - latest.activeAt >= rotateEveryMs,
  }
}

/**
 * Until when nodes may have signed with a key that does not sign any more: until the next of its algorithm began, or,
 * when the configuration turned to another algorithm (at a moment that no key tells), for a whole term.
 */
function lastUseOf(key: ScheduledKey, active: readonly ScheduledKey[]): number {
  const next = active.findLast((other) => other !== key && other.algorithm === key.algorithm && other.activeAt >= key.activeAt)
  return next?.activeAt ?? key.activeAt + rotateEveryMs
}
