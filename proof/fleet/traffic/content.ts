import { setTimeout as sleep } from 'node:timers/promises'
import type { Promised } from '../../support/promises.ts'
import type { Balancer } from '../balancer.ts'
import { counted, recoveryMs, wasKilledWith } from '../episode.ts'
import type { Episode, Traffic } from '../episode.ts'
import { Pace } from '../pace.ts'
import type { Told } from '../told.ts'
import type { Upstream } from '../upstream.ts'

/** What is purged on one node is purged on every node that hears the store within this (`Bus`). */
const boundMs = 1000
const paths = ['/kept/a', '/kept/b', '/kept/c']

/** Cached content that changes and is purged on one node, and read on all. */
export class ContentTraffic implements Traffic {
  readonly #balancer: Balancer
  readonly #upstream: Upstream
  readonly #pace = new Pace()
  readonly #told: { readonly path: string; readonly told: Told }[] = []
  /** Purges that were accepted, with the version that nothing older may be served after. */
  readonly #purges: { readonly path: string; readonly version: number; readonly at: number }[] = []
  #failed = 0
  #turn = 0

  constructor(balancer: Balancer, upstream: Upstream) {
    this.#balancer = balancer
    this.#upstream = upstream
  }

  async prepare(): Promise<void> {}

  start(): void {
    this.#pace.every(40, async () => {
      const path = paths[this.#turn++ % paths.length]
      this.#told.push({ path, told: await this.#balancer.ask(path) })
    })
    this.#pace.every(700, async () => {
      const path = paths[this.#turn++ % paths.length]
      const version = this.#upstream.change(path)
      for (let tries = 0; tries < 5; tries++) {
        const { status, doneAt } = await this.#balancer.next().admin('/api/cache/purge', { url: path })
        if (status === 204) {
          this.#purges.push({ path, version, at: doneAt })
          return
        }
        await sleep(100)
      }
      this.#failed++
    })
  }

  stop(): Promise<void> {
    return this.#pace.stop()
  }

  judge(episode: Episode): Promised[] {
    const told = this.#told.filter((one) => !(one.told.status === 0 && wasKilledWith(one.told, episode)))
    const odd = told.filter((one) => one.told.status !== 200).map((one) => one.told)
    let slowest = 0
    let late = 0
    let excused = 0
    for (const { path, told: one } of told) {
      const due = this.#purges.filter((purge) => purge.path === path && purge.version > Number(one.text))
      for (const { at } of due) {
        const ms = one.sentAt - at
        if (ms > boundMs && isDeaf(one, at, episode)) excused++
        else {
          slowest = Math.max(slowest, ms)
          if (ms > boundMs) late++
        }
      }
    }
    return [
      {
        done: episode.done,
        promised: `purges: on all nodes that hear the store within ${boundMs} ms; no 5xx`,
        seen: `${this.#purges.length} purged, ${this.#failed} refused; ${told.length} read, slowest ${Math.round(slowest)} ms, ${late} late${excused > 0 ? `, ${excused} on a node cut off` : ''}${odd.length > 0 ? `; ${counted(odd)}` : ''}`,
        holds: this.#purges.length > 0 && late === 0 && odd.length === 0,
      },
    ]
  }
}

/** Whether the node could not hear of what was purged then. */
function isDeaf({ node, sentAt }: Told, at: number, { withoutStore, away, beganAt, endedAt }: Episode): boolean {
  const isIn = (from: number, to: number): boolean => at >= from - boundMs && sentAt <= to + recoveryMs
  if (withoutStore.includes(node) && isIn(beganAt, endedAt)) return true
  return away.some((one) => one.node === node && isIn(one.from, one.to))
}
