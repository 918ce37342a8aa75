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
  const isEven = targets.every(({ spec }) => spec.weight === targets[0].spec.weight)
  const costOf = (index: number, hash: number, now: number, isPlain: boolean): number => {
    // The constant makes targets' lots independent: keys that differ by a target's seed would meet the same ones.
    const lot = mixBits(Math.imul(hash, 0x9e3779b1) + seeds[index])
    // The order of the formula below: the largest lot has the smallest logarithm.
    if (isPlain) return -lot
    const { spec, standing } = targets[index]
    return -Math.log((lot + 0.5) / 2 ** 32) / (spec.weight * standing.warmth(now))
  }
  // With equal shares the lots themselves can be compared.
  const isPlainAt = (now: number): boolean =>
    isEven && targets.every(({ standing }) => !standing.isMarked || standing.warmth(now) === 1)
  const best = (hash: number, now: number, tried: readonly number[], isGood: (target: Target, now: number) => boolean): number => {
    const isPlain = isPlainAt(now)
    let found = -1
    let least = Infinity
    for (let i = 0; i < targets.length; i++) {
      if (targets[i].spec.weight === 0 || tried.includes(i) || !isGood(targets[i], now)) continue
      const cost = costOf(i, hash, now, isPlain)
      if (cost < least || found === -1) {
        least = cost
        found = i
      }
    }
    return found
  }
  const choose = (key: string, tried: readonly number[]): number => {
    const hash = textHash(key)
    const now = clock.monotonic()
    const usable = best(hash, now, tried, isUsable)
    if (usable !== -1) return usable
    // When all are out, none is; but what was tried is no reason to fall back to those that are out.
    if (tried.length > 0 && best(hash, now, none, isUsable) !== -1) return -1
    return best(hash, now, tried, mayTryAnyway)
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

function isUsable({ standing }: Target, now: number): boolean {
  return !standing.isMarked || standing.isUsable(now)
}

function mayTryAnyway({ standing }: Target): boolean {
  return standing.mayTryAnyway
}
