import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { mixBits, textHash } from '../lib/text-hash.ts'
import type { Choice } from './choice.ts'
import type { ReadHashKey } from './hash-key.ts'
import type { Target } from './target.ts'

/*
 * Weighted rendezvous hashing: for each request every target draws a lot that depends on nothing but its address and
 * the request's key, and the best lot has it. With lots u in (0, 1), the smallest -ln(u) / weight gives each target its
 * exact share. When a target leaves, only its own keys move, and to all the others by weight; when it comes back, just
 * they return; a changed weight moves what it has to. Workers and nodes agree without a word, and nothing is kept: it
 * costs a few nanoseconds for each target. (A ring needs a hundred points a target to be within 10 %, a Maglev table
 * moves more than it must and has to be built again.)
 */

/** Chooses the same target for the same key while it can be reached; `other` chooses for requests without one. */
export function createHashChoice(targets: readonly Target[], keyOf: ReadHashKey, other: Choice, clock: Clock): Choice {
  const seeds = targets.map(({ address }) => textHash(address))
  const isEven = targets.every(({ spec }) => spec.weight > 0 && spec.weight === targets[0].spec.weight)
  const costOf = (index: number, spread: number, now: number): number => {
    const { spec, standing } = targets[index]
    return -Math.log((mixBits(spread + seeds[index]) + 0.5) / 2 ** 32) / (spec.weight * standing.warmth(now))
  }
  const best = (
    spread: number,
    now: number,
    tried: readonly number[],
    isGood: (target: Target, now: number) => boolean,
  ): number => {
    let found = -1
    let least = Infinity
    for (let i = 0; i < targets.length; i++) {
      if (targets[i].spec.weight === 0 || tried.includes(i) || !isGood(targets[i], now)) continue
      const cost = costOf(i, spread, now)
      if (cost < least || found === -1) {
        least = cost
        found = i
      }
    }
    return found
  }
  /** The best where all have the same share, without a logarithm for each; -1 when one of them is in any way special. */
  const bestOfEqual = (spread: number): number => {
    let found = -1
    let most = -1
    for (let i = 0; i < targets.length; i++) {
      if (targets[i].standing.isMarked) return -1
      const lot = mixBits(spread + seeds[i])
      if (lot > most) {
        most = lot
        found = i
      }
    }
    return found
  }
  const choose = (key: string, tried: readonly number[]): number => {
    const spread = spreadOf(key)
    if (isEven && tried.length === 0) {
      const found = bestOfEqual(spread)
      if (found !== -1) return found
    }
    const now = clock.monotonic()
    const usable = best(spread, now, tried, isUsable)
    if (usable !== -1) return usable
    // When all are out, none is; but what was tried is no reason to fall back to those that are out.
    if (tried.length > 0 && best(spread, now, none, isUsable) !== -1) return -1
    return best(spread, now, tried, mayTryAnyway)
  }
  return {
    first(x: Exchange) {
      const key = keyOf(x)
      return key === undefined ? other.first(x) : choose(key, none)
    },
    after(x, index, tried) {
      const key = keyOf(x)
      return key === undefined ? other.after(x, index, tried) : choose(key, tried)
    },
  }
}

const none: readonly number[] = []

/** The multiplication makes targets' lots independent: keys that differ by a target's seed would meet the same ones. */
function spreadOf(key: string): number {
  return Math.imul(textHash(key), 0x9e3779b1)
}

function isUsable({ standing }: Target, now: number): boolean {
  return !standing.isMarked || standing.isUsable(now)
}

function mayTryAnyway({ standing }: Target): boolean {
  return standing.mayTryAnyway
}
