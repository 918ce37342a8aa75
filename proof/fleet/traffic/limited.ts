import type { Promised } from '../../support/promises.ts'
import type { Balancer } from '../balancer.ts'
import { largestBurst } from '../burst.ts'
import { declaredLimits } from '../config.ts'
import type { DeclaredLimit } from '../config.ts'
import { counted, recoveryMs, wasKilledWith } from '../episode.ts'
import type { Episode, Traffic } from '../episode.ts'
import { Pace } from '../pace.ts'
import type { Told } from '../told.ts'

/** Of what a store that forgets loses, nobody can know: what was admitted so shortly before counts as lost. */
const forgottenMs = 200
/** A steady view of a limit begins so long after the fault: budgets have been found, leases settled. */
const settledMs = recoveryMs / 2

const limitNames = declaredLimits.map(({ name }) => name)

/** One key of each limit, with twice to three times the demand that it admits. */
export class LimitedTraffic implements Traffic {
  readonly #balancer: Balancer
  readonly #key: string
  readonly #pace = new Pace()
  /** By node and limit, what the node counted when it was last looked at. */
  readonly #seen = new Map<string, number>()
  /** By limit, decisions that nodes made without the store. */
  readonly #alone = new Map<string, number>()
  readonly #told = new Map<string, Told[]>(declaredLimits.map(({ name }) => [name, []]))

  constructor(balancer: Balancer, key: string) {
    this.#balancer = balancer
    this.#key = key
  }

  async prepare(): Promise<void> {
    await this.#countAlone()
    this.#alone.clear()
  }

  start(): void {
    this.#pace.every(1000, () => this.#countAlone())
    for (const { name, capacity } of declaredLimits) {
      this.#pace.every(capacity > 100 ? 20 : 35, async () => {
        this.#told.get(name)!.push(await this.#balancer.ask(`/limited/${name}`, { headers: { 'x-key': this.#key } }))
      })
    }
  }

  async stop(): Promise<void> {
    await this.#pace.stop()
    await this.#countAlone()
  }

  judge(episode: Episode): Promised[] {
    return declaredLimits.map((limit) => this.#judge(limit, episode))
  }

  #judge(limit: DeclaredLimit, episode: Episode): Promised {
    const { name, capacity, perSecond, tolerance, onStoreFailure } = limit
    const told = this.#told.get(name)!.filter((one) => !(one.status === 0 && wasKilledWith(one, episode)))
    const passed = told.filter(({ status }) => status === 200)
    const isClosed = onStoreFailure === 'closed'
    const odd = told.filter(({ status }) => ![200, 429, ...(isClosed ? [503] : [])].includes(status))
    const alone = isClosed ? 0 : (this.#alone.get(name) ?? 0)
    const allowed = Math.round(capacity * (1 + tolerance)) + 1 + forgotten(passed, episode) + this.#extra(limit, episode)
    const burst = largestBurst(passed, perSecond)
    const from = Math.max(episode.startedAt, episode.endedAt + settledMs)
    const steadyS = (episode.stoppedAt - from) / 1000
    const steady = told.filter(({ sentAt }) => sentAt >= from)
    const steadyPassed = steady.filter(({ status }) => status === 200).length
    // Whoever came while the store was late was told so, and could have been one of those who pass.
    const late = steady.filter(({ status }) => status === 503).length
    const least = Math.max(0, Math.floor(perSecond * steadyS - capacity * tolerance - 2 - late))
    return {
      done: episode.done,
      promised: `${name}, ${onStoreFailure}: at most ${allowed} above ${perSecond}/s in any span; ${least} or more in the last ${steadyS.toFixed(1)} s`,
      seen: `${burst}; ${steadyPassed}; ${counted(told)}${isClosed ? '' : `, ${alone} decided alone`}`,
      holds: odd.length === 0 && burst <= allowed && steadyPassed >= least && passed.length > 0,
    }
  }

  /**
   * What may pass because a node decided alone, each of which it counts: `open` lets everybody pass; `local` counts the
   * node's share, so together at most one capacity more, and what the rate brings meanwhile.
   */
  #extra({ name, capacity, perSecond, onStoreFailure }: DeclaredLimit, { startedAt, stoppedAt }: Episode): number {
    if (onStoreFailure === 'closed') return 0
    const alone = this.#alone.get(name) ?? 0
    return onStoreFailure === 'open' ? alone : Math.min(alone, capacity + Math.ceil((perSecond * (stoppedAt - startedAt)) / 1000))
  }

  /** Adds what was decided alone since the last look. */
  async #countAlone(): Promise<void> {
    for (const node of this.#balancer.nodes) {
      const counts = await node.decidedAlone(limitNames)
      if (counts === undefined) continue
      for (const [i, name] of limitNames.entries()) {
        const seen = this.#seen.get(`${node.number} ${name}`) ?? 0
        // A node that was started anew counts from nothing.
        const grown = counts[i] < seen ? counts[i] : counts[i] - seen
        this.#seen.set(`${node.number} ${name}`, counts[i])
        this.#alone.set(name, (this.#alone.get(name) ?? 0) + grown)
      }
    }
  }
}

/** What was admitted shortly before a store forgot it. */
function forgotten(passed: readonly Told[], { forgets, beganAt }: Episode): number {
  if (forgets === 'nothing') return 0
  return passed.filter(({ doneAt }) => doneAt > beganAt - forgottenMs && doneAt <= beganAt).length
}
