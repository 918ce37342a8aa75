import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Rotation } from './round-robin.ts'
import type { Target } from './target.ts'

/** Draws numbers of targets among those that may be sent to; -1: there is none. */
export interface Choice {
  /** The target of a call's first try. */
  first(x: Exchange): number
  /** The target to try after `index` failed, skipping those in `tried`. */
  after(x: Exchange, index: number, tried: readonly number[]): number
}

export interface ChoiceOptions {
  readonly targets: readonly Target[]
  readonly draw: () => number
  readonly rotation: Rotation
  readonly clock: Clock
  readonly random: () => number
}

/**
 * Chooses among targets with weight, leaving out those of bad standing. When all are, none is left out: a target that
 * fails often is better than none, except where not even a connection comes about. What is drained by hand stays out.
 * A target that is new or has come back is passed over, less and less often, while its slow start lasts.
 */
export function createChoice({ targets, draw, rotation, clock, random }: ChoiceOptions): Choice {
  const others = targets.map((_, index) => index)
  const choose = (isGood: (target: Target) => boolean): number => {
    for (let turn = 0; turn < targets.length; turn++) {
      const index = draw()
      if (index === -1 || isGood(targets[index])) return index
    }
    return others.find((index) => targets[index].spec.weight > 0 && isGood(targets[index])) ?? -1
  }
  return {
    first() {
      const index = draw()
      if (index === -1 || !targets[index].standing.isMarked) return index
      const now = clock.monotonic()
      if (targets[index].standing.isUsable(now)) {
        const warmth = targets[index].standing.warmth(now)
        if (warmth === 1 || random() < warmth) return index
        const warm = choose(({ standing }) => standing.isUsable(now) && standing.warmth(now) === 1)
        return warm === -1 ? index : warm
      }
      const usable = choose(({ standing }) => standing.isUsable(now))
      return usable === -1 ? choose(({ standing }) => standing.mayTryAnyway) : usable
    },
    after(_x, index, tried) {
      const now = clock.monotonic()
      const isOut = ({ standing }: Target): boolean => !standing.isUsable(now)
      const isAnyUsable = targets.some((target) => target.spec.weight > 0 && !isOut(target))
      const skipped = others.filter(
        (other) => tried.includes(other) || (isAnyUsable ? isOut(targets[other]) : !targets[other].standing.mayTryAnyway),
      )
      return rotation.after(index, skipped)
    },
  }
}
