import type { Clock, Timer } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import { stableJson } from '../lib/stable-json.ts'
import type { Endpoint } from './discovery-spec.ts'
import type { NameResolver } from './dns-resolver.ts'

/** No name leads to more: an answer that does is cut. */
const maxEndpoints = 256
const leastWaitMs = 1000
const mostWeight = 1000

export interface NameWatchOptions {
  readonly host: string
  readonly isSrv: boolean
  readonly resolver: NameResolver
  readonly refreshMs: number
  readonly clock: Clock
  /** What was known of the name before. */
  readonly known: NameWatch | undefined
  /** Hears how each question ended. */
  readonly counted: (outcome: 'answered' | 'failed') => void
  /** Hears that the name leads elsewhere, fails, or fails no more. */
  readonly changed: (watch: NameWatch) => void
}

/**
 * Asks where a name leads, again and again: when its answer grows old, and sooner when there was none. What was last
 * answered stands, however long there is no other answer, and also when the answer is that there is nothing.
 */
export class NameWatch implements Closable {
  readonly host: string
  /** Resolves when the first question is answered, or will not be. */
  readonly asked: Promise<void>
  /** Undefined: never answered. */
  endpoints: readonly Endpoint[] | undefined
  /** Milliseconds since 1970 of the last answer; 0: none yet. */
  resolvedAt: number
  /** Why the last question had no answer; '' when it had one. */
  failure = ''
  readonly #options: NameWatchOptions
  /** The last addresses of each host in an SRV answer. */
  #hosts = new Map<string, readonly string[]>()
  #failuresInRow = 0
  #timer: Timer | undefined
  #isClosed = false

  constructor(options: NameWatchOptions) {
    this.#options = options
    this.host = options.host
    this.endpoints = options.known?.endpoints
    this.resolvedAt = options.known?.resolvedAt ?? 0
    this.asked = this.#ask()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  async #ask(): Promise<void> {
    const { clock, refreshMs, counted, changed } = this.#options
    let waitMs: number
    try {
      const { endpoints, ttlMs } = await this.#resolve()
      if (this.#isClosed) return
      counted('answered')
      const isNews = this.failure !== '' || stableJson(endpoints) !== stableJson(this.endpoints)
      this.endpoints = endpoints
      this.resolvedAt = clock.now()
      this.failure = ''
      this.#failuresInRow = 0
      if (isNews) changed(this)
      waitMs = Math.max(leastWaitMs, Math.min(refreshMs, ttlMs))
    } catch (thrown) {
      if (this.#isClosed) return
      counted('failed')
      const failure = failureText(thrown)
      const isNews = failure !== this.failure
      this.failure = failure
      if (isNews) changed(this)
      waitMs = Math.min(refreshMs, leastWaitMs * 2 ** Math.min(10, this.#failuresInRow++))
    }
    this.#timer = clock.after(waitMs, () => void this.#ask())
  }

  async #resolve(): Promise<{ endpoints: readonly Endpoint[]; ttlMs: number }> {
    const { resolver, host, isSrv } = this.#options
    if (isSrv) return this.#resolveServices()
    const { records, ttlMs } = await resolver.addresses(host)
    const endpoints = records.map((address) => ({ host: address, port: undefined, rank: 0, weight: 1 }))
    return { endpoints: inOrder(endpoints), ttlMs }
  }

  async #resolveServices(): Promise<{ endpoints: readonly Endpoint[]; ttlMs: number }> {
    const { resolver, host } = this.#options
    const { records, ttlMs } = await resolver.services(host)
    const hosts = new Map<string, readonly string[]>()
    let leastMs = ttlMs
    let failure: unknown
    const ask = async (name: string): Promise<void> => {
      try {
        const found = await resolver.addresses(name)
        hosts.set(name, found.records)
        leastMs = Math.min(leastMs, found.ttlMs)
      } catch (thrown) {
        failure = thrown
        const before = this.#hosts.get(name)
        if (before !== undefined) hosts.set(name, before)
      }
    }
    await Promise.all([...new Set(records.map((record) => record.host))].slice(0, maxEndpoints).map(ask))
    if (hosts.size === 0) throw failure
    this.#hosts = hosts
    const live = records.filter((record) => hosts.has(record.host))
    const ranks = [...new Set(live.map(({ priority }) => priority))].sort((a, b) => a - b)
    // As configured weights are: in the hundreds at most, however large the records'.
    const scale = Math.min(1, mostWeight / Math.max(1, ...live.map(({ weight }) => weight)))
    const endpoints = live.flatMap(({ host: name, port, priority, weight }) =>
      // Weight 0 asks for few calls, not for none.
      hosts.get(name)!.map((address) => ({
        host: address,
        port,
        rank: ranks.indexOf(priority),
        weight: Math.max(1, Math.round(weight * scale)),
      })),
    )
    return { endpoints: inOrder(endpoints), ttlMs: failure === undefined ? leastMs : leastWaitMs }
  }
}

/** The DNS answers in any order; the same answer must look the same. */
function inOrder(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  return endpoints.toSorted((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1)).slice(0, maxEndpoints)
}

function orderOf({ rank, host, port }: Endpoint): string {
  return `${String(rank).padStart(5)} ${host} ${port}`
}

const failures: ReadonlyMap<string, string> = new Map([
  ['ENOTFOUND', 'there is no such name'],
  ['ENODATA', 'the name has no addresses'],
  ['ETIMEOUT', 'no DNS server answered in time'],
  ['ESERVFAIL', 'the DNS server failed'],
  ['EREFUSED', 'the DNS server refused the question'],
  ['ECONNREFUSED', 'no DNS server can be reached'],
  ['EBADNAME', 'it cannot be a DNS name'],
  ['EAI_AGAIN', 'no DNS server answered'],
])

function failureText(thrown: unknown): string {
  const { code = '', message } = thrown as NodeJS.ErrnoException
  const text = failures.get(code)
  return text === undefined ? message : `${text} (${code})`
}
