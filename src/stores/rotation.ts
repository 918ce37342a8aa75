import type { PackedFamily, PackedOutcome, PackedRotation } from './store-verbs.ts'

const unknown: PackedOutcome = { kind: 'unknown', family: undefined, isLate: false }
const expired: PackedOutcome = { kind: 'expired', family: undefined, isLate: false }

/**
 * What one use of a refresh token does to its family; the caller must write the family of a `rotated` or `reused` outcome
 * in the same atomic step. The Lua of the Redis driver decides the same, in the same order.
 *
 * The grace belongs to the token before the current one only, and starts at its rotation: it is never renewed. Past the
 * absolute end a family is not there; an idle one is still there, and expired.
 */
export function decideRotation(family: PackedFamily | undefined, rotation: PackedRotation, now: number): PackedOutcome {
  if (family === undefined || family.expiresAt <= now) return unknown
  if (family.ended !== '') return { kind: 'ended', family, isLate: false }
  if (family.idleAt <= now) return expired
  if (family.bound !== rotation.bound) return { kind: 'mismatched', family, isLate: false }
  if (rotation.presented === family.current) return { kind: 'rotated', family: rotated(family, rotation, now), isLate: false }
  const isPrevious = family.rotations > 0 && rotation.presented === family.previous
  if (isPrevious && now - family.rotatedAt <= rotation.graceMs) {
    return { kind: family.asked === rotation.asked ? 'replayed' : 'mismatched', family, isLate: false }
  }
  if (now < family.rotatedAt) return { kind: 'overtaken', family, isLate: false }
  return { kind: 'reused', family: { ...family, ended: 'reuse', sealed: '' }, isLate: isPrevious }
}

function rotated(family: PackedFamily, rotation: PackedRotation, now: number): PackedFamily {
  return {
    ...family,
    current: rotation.successor,
    previous: rotation.presented,
    sealed: rotation.sealed,
    asked: rotation.asked,
    rotations: family.rotations + 1,
    rotatedAt: now,
    idleAt: Math.min(now + rotation.idleMs, family.expiresAt),
  }
}
