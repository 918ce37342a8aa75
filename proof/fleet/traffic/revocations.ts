import { setTimeout as sleep } from 'node:timers/promises'
import type { Promised } from '../../support/promises.ts'
import type { Balancer } from '../balancer.ts'
import type { Episode, Traffic } from '../episode.ts'
import type { FleetNode } from '../nodes.ts'
import { Pace } from '../pace.ts'

/** What is revoked anywhere is refused everywhere within this (decision 0015). */
const boundMs = 1000
const pollMs = 40
const pollForMs = 12_000

/** One ended session, as another node took it. */
interface Ending {
  readonly node: number
  /** When a request was sent that was still accepted, after the logout's answer; 0: none. */
  readonly acceptedMs: number
  readonly sawUnavailable: boolean
}

/** People who log out, and everybody else's node, which is asked for them until it refuses. */
export class RevocationTraffic implements Traffic {
  readonly #balancer: Balancer
  readonly #victims: string[]
  readonly #pace = new Pace()
  readonly #endings: Ending[] = []
  readonly #ended: string[] = []
  #failed = 0
  #back = 0

  constructor(balancer: Balancer, victims: readonly string[]) {
    this.#balancer = balancer
    this.#victims = [...victims]
  }

  async prepare(): Promise<void> {}

  start(): void {
    this.#pace.every(600, async () => {
      const cookie = this.#victims.pop()
      if (cookie !== undefined) await this.#endOne(cookie)
    })
  }

  async stop(): Promise<void> {
    await this.#pace.stop()
    for (const cookie of this.#ended) {
      const told = await Promise.all(this.#balancer.nodes.map((node) => node.ask('/mine', { headers: { cookie } })))
      if (told.some(({ status }) => status === 200)) this.#back++
    }
  }

  judge({ done }: Episode): Promised[] {
    const slowest = Math.max(0, ...this.#endings.map(({ acceptedMs }) => acceptedMs))
    const late = this.#endings.filter(({ acceptedMs }) => acceptedMs > boundMs)
    const closed = this.#endings.filter(({ sawUnavailable }) => sawUnavailable).length
    return [
      {
        done,
        promised: `logouts: refused on all nodes within ${boundMs} ms, for good`,
        seen: `${this.#ended.length} ended, slowest ${Math.round(slowest)} ms, ${late.length} late${late.length > 0 ? ` (node ${late.map(({ node }) => node).join(', ')})` : ''}, ${this.#back} came back; refused unheard ${closed}; not accepted ${this.#failed}`,
        holds: this.#ended.length > 0 && late.length === 0 && this.#back === 0,
      },
    ]
  }

  async #endOne(cookie: string): Promise<void> {
    // Nodes that are there have it near; one that does not answer is not waited for.
    const seen = Promise.all(this.#balancer.nodes.map((node) => node.ask('/mine', { headers: { cookie } })))
    await Promise.race([seen, sleep(300)])
    const headers = { cookie, 'sec-fetch-site': 'same-origin' }
    for (let tries = 0; ; tries++) {
      const told = await this.#balancer.ask('/auth/logout', { method: 'POST', headers })
      if (told.status === 204) {
        this.#ended.push(cookie)
        await Promise.all(this.#balancer.nodes.map((node) => this.#watch(node, cookie, told.doneAt)))
        return
      }
      if (tries === 4) break
      await sleep(100)
    }
    this.#failed++
  }

  async #watch(node: FleetNode, cookie: string, endedAt: number): Promise<void> {
    let acceptedMs = 0
    let sawUnavailable = false
    while (performance.now() < endedAt + pollForMs) {
      const { status, sentAt } = await node.ask('/mine', { headers: { cookie } })
      if (status === 200) acceptedMs = sentAt - endedAt
      if (status === 503) sawUnavailable = true
      if (status === 401 || (acceptedMs > boundMs && status !== 200)) break
      await sleep(pollMs)
    }
    this.#endings.push({ node: node.number, acceptedMs, sawUnavailable })
  }
}
