import { Answer } from '../../src/core/answer.ts'
import { BytesBody, readAll } from '../../src/core/body.ts'
import type { Body } from '../../src/core/body.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import { Headers } from '../../src/core/headers.ts'
import type { Link } from '../../src/core/link.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import { silentMeter } from '../../src/core/meter.ts'
import { allocateCache } from '../../src/cache/cache-memory.ts'
import { Cache } from '../../src/cache/cache.ts'
import { CacheRoute } from '../../src/cache/cache-route.ts'
import type { CacheRouteOptions } from '../../src/cache/cache-route.ts'
import type { RunningPurge } from '../../src/cache/purges.ts'
import type { ExchangeParts } from './exchange.ts'
import { exchangeOf } from './exchange.ts'

/** What a service answers in a cache's world. */
export interface Given {
  readonly status?: number
  readonly isUntilClose?: boolean
  readonly headers?: readonly (readonly [string, string])[]
  readonly body?: Body | string
}

/** What a service was asked. */
export interface Seen {
  readonly method: string
  readonly headers: Headers
}

/** A client's view of an answer. */
export interface Got {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Ours among the `Cache-Status` lines. */
  readonly status9211: string
}

export const plainOptions: CacheRouteOptions = {
  ttlMs: undefined,
  staleWhileRevalidateMs: 0,
  staleIfErrorMs: 0,
  isHeuristic: false,
  vary: [],
  tags: [],
  authorized: 'bypass',
  obeysClients: false,
  maxBytes: 1024 ** 2,
  waitMs: 5000,
}

/** A cache on a clock that is moved by hand, with as many workers as wanted and a programmable service behind. */
export class CacheWorld {
  readonly clock: ManualClock
  readonly memory: SharedArrayBuffer
  readonly seen: Seen[] = []
  purges: readonly RunningPurge[] = []
  respond: (x: Exchange, seen: Seen) => Given | Promise<Given> = () => ({})
  readonly #listeners: ((message: unknown) => void)[] = []
  readonly #link: Link = {
    ask: () => Promise.resolve(this.purges),
    tell() {},
    hear: (_topic, listener) => {
      this.#listeners.push(listener)
      return () => {}
    },
  }

  constructor(
    maxBytes = 8 * 1024 ** 2,
    workers = 2,
    memory = allocateCache({ maxBytes, workers }),
    clock = new ManualClock(Date.UTC(2026, 10, 24)),
  ) {
    this.memory = memory
    this.clock = clock
  }

  /** One worker's cache, once it has heard what is being purged: from `tell`, or by a link of its own. */
  async worker(worker = 0, link = this.#link): Promise<Cache> {
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const cache = new Cache(this.memory, worker, { clock: this.clock, link, log })
    await new Promise((resolve) => void setImmediate(resolve))
    return cache
  }

  /** Tells every worker what is being purged. */
  tell(purges: readonly RunningPurge[]): void {
    this.purges = purges
    for (const listener of this.#listeners) listener(purges)
  }

  /** Sends requests through one route of one worker. */
  client(
    cache: Cache,
    options: Partial<CacheRouteOptions> = {},
    shape = 'route',
  ): (parts?: ExchangeParts, edit?: (x: Exchange) => void) => Promise<Got> {
    const route = new CacheRoute(
      { ...plainOptions, ...options },
      {
        cache,
        meter: silentMeter,
        route: 'test',
        source: 'routes[0].cache',
        shape,
        passesCookies: (headers) => headers.has('cookie'),
      },
    )
    const handler = route.wrap(async (x) => {
      const headers = x.headers.derive()
      route.requestEdit(headers, x)
      const seen = { method: x.method, headers }
      this.seen.push(seen)
      const given = await this.respond(x, seen)
      const body =
        typeof given.body === 'string' || given.body === undefined ? new BytesBody(Buffer.from(given.body ?? '')) : given.body
      const answer = new Answer(given.status ?? 200, Headers.from(given.headers ?? []), body)
      answer.isUntilClose = given.isUntilClose ?? false
      if (!answer.headers.has('date')) answer.headers.set('date', new Date(this.clock.now()).toUTCString())
      return answer
    })
    return async (parts = {}, edit = () => {}) => {
      const x = exchangeOf(parts)
      edit(x)
      const answer = await handler(x)
      const bytes = parts.method === 'HEAD' ? Buffer.alloc(0) : await readAll(answer.body, Infinity)
      const ours = answer.headers.all('cache-status').filter((line) => line.startsWith('velum'))
      return { status: answer.status, headers: answer.headers, text: bytes.toString(), status9211: ours.join(' | ') }
    }
  }
}
