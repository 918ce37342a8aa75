import type { Exchange } from '../core/exchange.ts'
import { addressKey } from '../lib/address.ts'
import { mixBits, textHash } from '../lib/text-hash.ts'

/** Something drawn in proportion to its weight. */
export interface Weighted {
  readonly name: string
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
 * The draw of a weighted route: anew for each request, or sticky by subject or address, so that one caller always meets
 * the same service, on every worker and node (an anonymous caller is told apart by address; of IPv6, by its /64).
 */
export function createDraw<T extends Weighted>(
  choices: readonly T[],
  split: 'request' | 'subject' | 'address',
  random: () => number,
): (x: Exchange) => T {
  if (split === 'request') return () => drawByWeight(choices, random())
  const draw = createStickyDraw(choices)
  return (x) => {
    const { identity } = x
    if (split === 'address' || identity === undefined) return draw(addressKey(x.clientAddress))
    return draw(`${identity.issuer}\0${identity.subject}`)
  }
}

/**
 * Weighted rendezvous hashing: every choice bids for a key with a number that depends on nothing but its name and the
 * key, and the best bid for its weight wins. When weights change, keys move only to what gained and from what lost, so
 * no fewer could; the order of the choices means nothing.
 */
export function createStickyDraw<T extends Weighted>(choices: readonly T[]): (key: string) => T {
  const live = choices.filter(({ weight }) => weight > 0)
  const seeds = live.map(({ name }) => textHash(name))
  return (key) => {
    // The constant keeps bids of different names apart for keys that differ by what their names differ by.
    const hash = Math.imul(textHash(key), 0x9e3779b1)
    let best = 0
    let bestBid = Infinity
    for (let i = 0; i < live.length; i++) {
      // An exponential draw of rate `weight`: the chance to be the least of all is in proportion to it.
      const bid = -Math.log((mixBits(hash + seeds[i]) + 0.5) / 2 ** 32) / live[i].weight
      if (bid >= bestBid) continue
      bestBid = bid
      best = i
    }
    return live[best]
  }
}
