import type { Promised } from '../../support/promises.ts'
import type { Balancer } from '../balancer.ts'
import { counted, mayBeWithoutStore, recoveryMs, wasKilledWith } from '../episode.ts'
import type { Episode, Traffic } from '../episode.ts'
import { Pace } from '../pace.ts'
import type { Told } from '../told.ts'

/** People who are logged in, on a route that refuses them without the store and on one that goes on with those it knows. */
export class SessionTraffic implements Traffic {
  readonly #balancer: Balancer
  readonly #cookies: string[]
  readonly #logIn: () => Promise<string | undefined>
  readonly #pace = new Pace()
  readonly #mine: Told[] = []
  readonly #known: Told[] = []
  #turn = 0
  #logins = 0

  constructor(balancer: Balancer, cookies: readonly string[], logIn: () => Promise<string | undefined>) {
    this.#balancer = balancer
    this.#cookies = [...cookies]
    this.#logIn = logIn
  }

  /** Every node has seen everybody. */
  async prepare(): Promise<void> {
    for (const cookie of this.#cookies)
      await Promise.all(this.#balancer.nodes.map((node) => node.ask('/known', { headers: { cookie } })))
  }

  start(): void {
    const seeded = this.#cookies.length
    this.#pace.every(50, async () => {
      const cookie = this.#cookies[this.#turn++ % this.#cookies.length]
      this.#mine.push(await this.#balancer.ask('/mine', { headers: { cookie } }))
    })
    this.#pace.every(70, async () => {
      const cookie = this.#cookies[this.#turn++ % seeded]
      this.#known.push(await this.#balancer.ask('/known', { headers: { cookie } }))
    })
    this.#pace.every(1500, async () => {
      const cookie = await this.#logIn()
      if (cookie === undefined) return
      this.#logins++
      this.#cookies.push(cookie)
    })
  }

  stop(): Promise<void> {
    return this.#pace.stop()
  }

  judge(episode: Episode): Promised[] {
    const { done, forgets, away, stoppedAt } = episode
    const [mine, known] = [this.#mine, this.#known].map((all) =>
      all.filter((told) => !(told.status === 0 && wasKilledWith(told, episode))),
    )
    const lost = [...mine, ...known].filter(({ status }) => status === 401)
    const odd = [...mine, ...known].filter(({ status }) => ![200, 401, 503].includes(status))
    const needless = mine.filter((told) => told.status === 503 && !mayBeWithoutStore(told, episode))
    // A machine that is busy elsewhere makes the store late, and late is away.
    const mostNeedless = Math.ceil(mine.length / 200)
    const last = mine.filter(({ sentAt }) => sentAt > stoppedAt - 1000)
    const isBack = forgets === 'all' || (last.length > 0 && last.every(({ status }) => status === 200))
    const lines = [
      {
        done,
        promised:
          forgets === 'all'
            ? 'sessions: gone with the store; nothing but 200, 401, 503'
            : `sessions: none lost; 503 while the store is away and ${recoveryMs / 1000} s after, else at most ${mostNeedless}`,
        seen: `${this.#cookies.length} people (${this.#logins} came meanwhile): ${counted(mine)}, ${lost.length} lost, ${needless.length} needless 503`,
        holds: odd.length === 0 && needless.length <= mostNeedless && isBack && (forgets === 'all' || lost.length === 0),
      },
    ]
    if (forgets === 'all') return lines
    // A node that was started anew, or slept, knows nobody.
    const mayNotKnow = (told: Told): boolean => away.some(({ node, from }) => node === told.node && told.doneAt >= from)
    const refused = known.filter((told) => told.status !== 200 && !mayNotKnow(told))
    lines.push({
      done,
      promised: 'stale 30s: whom a node knows is never refused',
      seen: `${counted(known)}, ${refused.length} of them refused`,
      holds: known.length > 0 && refused.length === 0,
    })
    return lines
  }
}
