import type { Promised } from '../../support/promises.ts'
import type { Balancer } from '../balancer.ts'
import { counted, wasKilledWith } from '../episode.ts'
import type { Episode, Traffic } from '../episode.ts'
import { Pace } from '../pace.ts'
import type { Told } from '../told.ts'
import type { Upstream } from '../upstream.ts'

let number = 0

/** Requests that need no store, passed to the service behind. */
export class PlainTraffic implements Traffic {
  readonly #balancer: Balancer
  readonly #upstream: Upstream
  readonly #pace = new Pace()
  readonly #told: { readonly path: string; readonly told: Told }[] = []

  constructor(balancer: Balancer, upstream: Upstream) {
    this.#balancer = balancer
    this.#upstream = upstream
  }

  async prepare(): Promise<void> {}

  start(): void {
    this.#pace.every(16, async () => {
      const path = `/plain/${number++}`
      this.#told.push({ path, told: await this.#balancer.ask(path) })
    })
  }

  stop(): Promise<void> {
    return this.#pace.stop()
  }

  judge(episode: Episode): Promised[] {
    const apart = this.#told.filter(({ told }) => told.status === 0 && wasKilledWith(told, episode))
    const rest = this.#told.filter((one) => !apart.includes(one))
    const lost = rest.filter(({ path, told }) => told.status !== 200 || told.text !== path).map(({ told }) => told)
    const twice = this.#told.filter(({ path }) => (this.#upstream.arrived.get(path) ?? 0) > 1).length
    const longest = Math.max(0, ...rest.map(({ told }) => told.doneAt - told.sentAt))
    const inFlight = episode.away.some(({ how }) => how === 'killed') ? `, in flight at the killed ${apart.length}` : ''
    return [
      {
        done: episode.done,
        promised: 'requests: none lost, none served twice',
        seen: `${rest.length} asked, ${lost.length === 0 ? 'none lost' : `lost: ${counted(lost)}`}, ${twice} twice${inFlight}, longest ${Math.round(longest)} ms`,
        holds: rest.length > 0 && lost.length === 0 && twice === 0,
      },
    ]
  }
}
