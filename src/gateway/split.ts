import type { Exchange } from '../core/exchange.ts'

/** Something drawn in proportion to its weight. */
export interface Weighted {
  readonly weight: number
}

/** Draws by weight with a number in [0, 1). The total must be above zero. */
export function drawByWeight<T extends Weighted>(choices: readonly T[], at: number): T {
  let total = 0
  for (const choice of choices) total += choice.weight
  let left = at * total
  for (const choice of choices) {
    left -= choice.weight
    if (left < 0) return choice
  }
  return choices.findLast((choice) => choice.weight > 0)!
}

/**
 * The draw of a weighted route: anew for each request, or sticky by subject or address so that one caller always meets
 * the same service (an anonymous caller is told apart by address). FNV-1a with a final mix spreads the keys.
 */
export function createDraw<T extends Weighted>(
  choices: readonly T[],
  split: 'request' | 'subject' | 'address',
  random: () => number,
): (x: Exchange) => T {
  if (split === 'request') return () => drawByWeight(choices, random())
  return (x) => {
    const subject =
      split === 'subject' && x.identity !== undefined ? `${x.identity.issuer}\0${x.identity.subject}` : x.clientAddress
    return drawByWeight(choices, hashFraction(subject))
  }
}

/** A fraction in [0, 1) that depends on nothing but the text. */
export function hashFraction(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
