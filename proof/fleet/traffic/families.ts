import { setTimeout as sleep } from 'node:timers/promises'
import type { Promised } from '../../support/promises.ts'
import type { Balancer } from '../balancer.ts'
import { reuseGraceMs } from '../config.ts'
import { counted } from '../episode.ts'
import type { Episode, Traffic } from '../episode.ts'
import { Pace } from '../pace.ts'
import type { Told } from '../told.ts'

const refreshCookie = /__Host-Http-velum-refresh=([^;]+)/

/** A page with a refresh cookie and an access token. */
interface Page {
  token: string
  access: string
  isBusy: boolean
  lost: string
}

/** What a login in memory or a refresh gave. */
export function tokensOf(told: Told): { token: string; access: string } | undefined {
  const [, token] = refreshCookie.exec(String(told.headers['set-cookie'])) ?? []
  if (told.status !== 200 || token === undefined) return undefined
  return { token, access: (JSON.parse(told.text) as { access_token: string }).access_token }
}

/**
 * Pages that refresh silently, some from two tabs at once on two nodes, and use their access tokens anywhere. Each retries
 * with the token it has until the grace of reuse is over.
 */
export class FamilyTraffic implements Traffic {
  readonly #balancer: Balancer
  readonly #pages: Page[] = []
  readonly #logIn: () => Promise<Told>
  readonly #pace = new Pace()
  /** By the token presented, all that it was answered with. */
  readonly #successors = new Map<string, Set<string>>()
  readonly #answers: Told[] = []
  readonly #bearers: Told[] = []
  #rotations = 0
  #races = 0
  #turn = 0

  constructor(balancer: Balancer, logIn: () => Promise<Told>) {
    this.#balancer = balancer
    this.#logIn = logIn
  }

  async prepare(): Promise<void> {
    while (this.#pages.length < 5) {
      const told = await this.#logIn()
      const tokens = tokensOf(told)
      if (tokens === undefined) throw new Error(`a login failed: ${told.status} ${told.text}`)
      this.#pages.push({ ...tokens, isBusy: false, lost: '' })
    }
  }

  start(): void {
    this.#pace.every(150, async () => {
      const page = this.#pages[this.#turn++ % this.#pages.length]
      if (page.isBusy || page.lost !== '') return
      page.isBusy = true
      await this.#refresh(page, this.#turn % 3 === 0)
      page.isBusy = false
      if (page.lost !== '') return
      const headers = { authorization: `Bearer ${page.access}` }
      this.#bearers.push(await this.#balancer.ask('/mine', { headers }))
    })
  }

  stop(): Promise<void> {
    return this.#pace.stop()
  }

  judge({ done, forgets }: Episode): Promised[] {
    const doubles = [...this.#successors.values()].filter(({ size }) => size > 1).length
    const lost = this.#pages.filter((page) => page.lost !== '')
    const odd = [...this.#answers, ...this.#bearers].filter(({ status }) => status >= 500 && status !== 503)
    const strangers = this.#bearers.filter(({ status }) => status === 401)
    const isLossDue = forgets === 'all'
    return [
      {
        done,
        promised: `refreshes: one successor each${isLossDue ? '' : ', no family lost, access tokens good on all nodes'}`,
        seen: `${this.#rotations} rotations, ${this.#races} of them races: ${counted(this.#answers)}; ${doubles} double successors, ${lost.length} families lost${lost.length > 0 ? ` (${lost.map((page) => page.lost).join(', ')})` : ''}; bearers ${counted(this.#bearers)}`,
        holds:
          this.#rotations > 0 && doubles === 0 && odd.length === 0 && (isLossDue || (lost.length === 0 && strangers.length === 0)),
      },
    ]
  }

  async #refresh(page: Page, isRace: boolean): Promise<void> {
    const presented = page.token
    const headers = { cookie: `__Host-Http-velum-refresh=${presented}`, 'sec-fetch-site': 'same-origin' }
    const startedAt = performance.now()
    if (isRace) this.#races++
    while (performance.now() - startedAt < reuseGraceMs / 2) {
      const asked = Array.from({ length: isRace ? 2 : 1 }, () => this.#balancer.ask('/auth/refresh', { method: 'POST', headers }))
      const answers = await Promise.all(asked)
      this.#answers.push(...answers)
      const got = answers.map(tokensOf).filter((tokens) => tokens !== undefined)
      const successors = this.#successors.get(presented) ?? new Set()
      this.#successors.set(presented, successors)
      for (const { token } of got) successors.add(token)
      const refused = answers.find(({ status }) => status === 400 || status === 401 || status === 403)
      if (refused !== undefined) {
        page.lost = `${refused.status} on node ${refused.node} after ${Math.round(refused.sentAt - startedAt)} ms`
        return
      }
      if (got.length > 0) {
        this.#rotations++
        page.token = got[0].token
        page.access = got[0].access
        return
      }
      await sleep(100)
    }
    // Whether it was rotated is unknown, and by now asking again could be taken for a theft: the page would log in anew.
    const told = await this.#logIn()
    const tokens = tokensOf(told)
    if (tokens !== undefined) Object.assign(page, tokens)
  }
}
