/** Draws numbers of targets; see `createRotation`. */
export interface Rotation {
  /** The next target; -1 when none has any weight. */
  readonly next: () => number
  /** The target to try after `index` failed, skipping those in `tried`; -1 when none is left. */
  readonly after: (index: number, tried: readonly number[]) => number
}

/**
 * Smooth weighted round-robin: over any stretch each target gets its share, and the picks of a heavy one are spread out
 * (5:1:1 gives a a b a c a a). `offset` starts workers at different targets, so that they do not move in step.
 */
export function createRotation(weights: readonly number[], offset = 0): Rotation {
  const drawn = weights.flatMap((weight, index) => (weight > 0 ? [index] : []))
  const isEven = drawn.every((index) => weights[index] === weights[drawn[0]])
  return {
    next: isEven ? createEven(drawn, offset) : createSmooth(weights, offset),
    after(index, tried) {
      for (let step = 1; step < weights.length; step++) {
        const candidate = (index + step) % weights.length
        if (weights[candidate] > 0 && !tried.includes(candidate)) return candidate
      }
      return -1
    },
  }
}

function createEven(drawn: readonly number[], offset: number): () => number {
  if (drawn.length === 0) return () => -1
  let at = offset % drawn.length
  return () => {
    const index = drawn[at]
    at = at + 1 === drawn.length ? 0 : at + 1
    return index
  }
}

/** nginx's algorithm: everyone gains its weight, the richest is drawn and pays the sum. */
function createSmooth(weights: readonly number[], offset: number): () => number {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const current = weights.map(() => 0)
  const next = (): number => {
    let best = -1
    for (let i = 0; i < weights.length; i++) {
      if (weights[i] === 0) continue
      current[i] += weights[i]
      if (best === -1 || current[i] > current[best]) best = i
    }
    current[best] -= total
    return best
  }
  for (let i = 0; i < offset % total; i++) next()
  return next
}
