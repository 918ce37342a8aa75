import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Body, Chunk, End } from '../core/body.ts'
import { END, StreamBody } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import { CacheWorld } from '../../test/support/cache-world.ts'

const fresh: [string, string] = ['cache-control', 'max-age=60']

/** Pieces that come when they are asked for; a last piece `undefined` breaks off. */
class Pieces extends StreamBody {
  readonly #pieces: (string | undefined)[]

  constructor(pieces: readonly (string | undefined)[], size?: number) {
    super(size)
    this.#pieces = [...pieces]
  }

  trailers(): undefined {
    return undefined
  }

  protected async read(): Promise<Chunk | End> {
    await Promise.resolve()
    if (this.#pieces.length === 0) return END
    const piece = this.#pieces.shift()
    if (piece === undefined) throw new Fault('service-truncated')
    return Buffer.from(piece)
  }

  protected stop(): void {}
}

const none = (): void => {}
const pieces = (...all: (string | undefined)[]): Body => new Pieces(all)

describe('a fresh answer', () => {
  it('is given again without asking, with its age, until its time is over', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: `answer ${world.seen.length}` })
    const get = world.client(await world.worker())
    const first = await get({ target: '/a' })
    assert.equal(first.text, 'answer 1')
    assert.equal(first.status9211, 'velum; fwd=uri-miss; fwd-status=200; stored')
    world.clock.advance(59_000)
    const second = await get({ target: '/a' })
    assert.equal(second.text, 'answer 1')
    assert.equal(second.headers.get('age'), '59')
    assert.equal(second.status9211, 'velum; hit; ttl=1')
    world.clock.advance(1000)
    assert.equal((await get({ target: '/a' })).text, 'answer 2')
  })

  it('is shared by the workers of a node', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: 'one' })
    await world.client(await world.worker(0))({ target: '/a' })
    assert.equal((await world.client(await world.worker(1))({ target: '/a' })).status9211, 'velum; hit; ttl=60')
    assert.equal(world.seen.length, 1)
  })

  it('belongs to its host, its path and its whole query', async () => {
    const world = new CacheWorld()
    world.respond = (x) => ({ headers: [fresh], body: `${x.authority}${x.target}` })
    const get = world.client(await world.worker())
    for (const target of ['/a', '/a?', '/a?b=1', '/a?b=1&c', '/a?c&b=1', '/A'])
      assert.equal((await get({ target })).text, `api.example.com${target}`)
    assert.equal((await get({ target: '/a', authority: 'other.example' })).text, 'other.example/a')
    assert.equal(world.seen.length, 7)
  })

  it('is not given to a route whose configuration has changed', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: String(world.seen.length) })
    const cache = await world.worker()
    await world.client(cache, {}, 'before')({ target: '/a' })
    assert.equal((await world.client(cache, {}, 'after')({ target: '/a' })).text, '2')
  })

  it('answers HEAD as well', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: 'body' })
    const get = world.client(await world.worker())
    await get({ target: '/a' })
    const head = await get({ target: '/a', method: 'HEAD' })
    assert.equal(head.status9211, 'velum; hit; ttl=60')
  })

  it('lends its parts to ranges', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh, ['etag', '"v"']], body: '0123456789' })
    const get = world.client(await world.worker())
    await get({ target: '/a' })
    const part = await get({ target: '/a', headers: ['range', 'bytes=2-4'] })
    assert.deepEqual([part.status, part.text, part.headers.get('content-range')], [206, '234', 'bytes 2-4/10'])
    assert.equal((await get({ target: '/a', headers: ['range', 'bytes=-3'] })).text, '789')
    assert.equal((await get({ target: '/a', headers: ['range', 'bytes=8-'] })).text, '89')
    const beyond = await get({ target: '/a', headers: ['range', 'bytes=10-'] })
    assert.deepEqual([beyond.status, beyond.headers.get('content-range')], [416, 'bytes */10'])
    assert.equal((await get({ target: '/a', headers: ['range', 'bytes=0-1,4-5'] })).status, 200)
    assert.equal((await get({ target: '/a', headers: ['range', 'bytes=0-1', 'if-range', '"w"'] })).status, 200)
    assert.equal((await get({ target: '/a', headers: ['range', 'bytes=0-1', 'if-range', '"v"'] })).status, 206)
  })

  it('answers the conditions of clients', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh, ['etag', '"v"'], ['last-modified', 'Mon, 23 Nov 2026 00:00:00 GMT']], body: 'body' })
    const get = world.client(await world.worker())
    await get({ target: '/a' })
    for (const headers of [
      ['if-none-match', '"v"'],
      ['if-none-match', '"x", W/"v"'],
      ['if-none-match', '*'],
      ['if-modified-since', 'Mon, 23 Nov 2026 00:00:00 GMT'],
    ]) {
      const answer = await get({ target: '/a', headers })
      assert.deepEqual([answer.status, answer.text, answer.headers.get('etag')], [304, '', '"v"'], headers.join())
    }
    // The tag counts where both are given.
    const both = ['if-none-match', '"x"', 'if-modified-since', 'Mon, 23 Nov 2026 00:00:00 GMT']
    assert.equal((await get({ target: '/a', headers: both })).status, 200)
    assert.equal(world.seen.length, 1)
  })
})

describe('what is not kept', () => {
  const rows: [why: string, headers: [string, string][], status?: number][] = [
    ['no-store', [['cache-control', 'no-store, max-age=60']]],
    ['private', [['cache-control', 'private, max-age=60']]],
    ['private', [['cache-control', 'private="x-a", max-age=60']]],
    ['private', [['cache-control', 'private="", max-age=60']]],
    ['private', [['cache-control', 'max-age=60, private="a, b", private']]],
    ['private', [['Cache-Control', 'PRIVATE, max-age=60']]],
    ['malformed', [['cache-control', 'max-age=60; public']]],
    ['malformed', [['cache-control', 'max-age=60, private="']]],
    ['set-cookie', [fresh, ['set-cookie', 'a=b']]],
    ['vary-star', [fresh, ['vary', 'accept, *']]],
    ['vary-star', [fresh, ['vary', 'accept'], ['vary', '*']]],
    ['vary-wide', [fresh, ['vary', 'a,b,c,d,e,f,g,h,i']]],
    ['no-freshness', []],
    ['no-freshness', [['last-modified', 'Mon, 23 Nov 2020 00:00:00 GMT']]],
    ['stale', [['cache-control', 'max-age=0']]],
    ['stale', [['cache-control', 'max-age=abc']]],
    ['stale', [['cache-control', 'max-age=60, max-age=0']]],
    ['stale', [['expires', '0']]],
    [
      'stale',
      [
        ['expires', 'Tue, 24 Nov 2026 00:01:00 GMT'],
        ['expires', 'Tue, 24 Nov 2026 00:02:00 GMT'],
      ],
    ],
    ['stale', [['cache-control', 's-maxage=0, max-age=60']]],
    ['stale', [fresh, ['age', '60']]],
    ['no-store', [fresh, ['velum-cache-control', 'no-store']]],
    ['partial', [fresh, ['content-range', 'bytes 0-1/2']], 206],
    ['status', [fresh], 299],
  ]
  for (const [why, headers, status] of rows) {
    it(`${status ?? 200} ${headers.map((pair) => pair.join(': ')).join(' · ')}: ${why}`, async () => {
      const world = new CacheWorld()
      world.respond = () => ({ headers, status: status ?? 200, body: String(world.seen.length) })
      const get = world.client(await world.worker())
      const first = await get({ target: '/a' })
      assert.equal(first.status9211, `velum; fwd=uri-miss; fwd-status=${status ?? 200}; detail=${why}`)
      assert.equal((await get({ target: '/a' })).text, '2')
    })
  }

  it('anything a client forbids to store', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: String(world.seen.length) })
    const get = world.client(await world.worker())
    await get({ target: '/a', headers: ['cache-control', 'no-store'] })
    assert.equal((await get({ target: '/a' })).text, '2')
  })

  it('a body that breaks off', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: world.seen.length === 1 ? pieces('half', undefined) : pieces('who', 'le') })
    const get = world.client(await world.worker())
    await assert.rejects(get({ target: '/a' }), { code: 'service-truncated' })
    assert.equal((await get({ target: '/a' })).text, 'whole')
    assert.equal((await get({ target: '/a' })).status9211, 'velum; hit; ttl=60')
  })

  it('a body longer than the bound, told or not', async () => {
    const world = new CacheWorld()
    world.respond = (x) => ({
      headers: [fresh],
      body: x.path === '/told' ? 'x'.repeat(2000) : pieces('x'.repeat(600), 'x'.repeat(600)),
    })
    const get = world.client(await world.worker(), { maxBytes: 1000 })
    for (const target of ['/told', '/told', '/untold', '/untold']) assert.ok((await get({ target })).text.length >= 1200)
    assert.equal(world.seen.length, 4)
  })
})

describe('how long', () => {
  const rows: [text: string, headers: [string, string][], seconds: number][] = [
    ['s-maxage before max-age', [['cache-control', 'max-age=10, s-maxage=20']], 20],
    [
      'max-age before Expires',
      [
        ['cache-control', 'max-age=10'],
        ['expires', 'Tue, 24 Nov 2026 00:01:00 GMT'],
      ],
      10,
    ],
    [
      'Expires by Date',
      [
        ['expires', 'Tue, 24 Nov 2026 00:01:00 GMT'],
        ['date', 'Tue, 24 Nov 2026 00:00:00 GMT'],
      ],
      60,
    ],
    ['Velum-Cache-Control before all', [['velum-cache-control', 'max-age=5'], ['cdn-cache-control', 'max-age=6'], fresh], 5],
    [
      'CDN-Cache-Control before Cache-Control',
      [
        ['cdn-cache-control', 'max-age=6'],
        ['cache-control', 'no-store'],
      ],
      6,
    ],
    ['a targeted field that does not parse says nothing', [['cdn-cache-control', 'max-age=6, =='], fresh], 60],
    ['quoted seconds', [['cache-control', 'max-age="30"']], 30],
    [
      'the smallest of several',
      [
        ['cache-control', 'max-age=30'],
        ['cache-control', 'max-age=20'],
      ],
      20,
    ],
    ['empty elements are nothing', [['cache-control', ', ,max-age=30,,']], 30],
    ['less the age it came with', [fresh, ['age', '20']], 40],
    ['less its apparent age', [fresh, ['date', 'Mon, 23 Nov 2026 23:59:30 GMT']], 30],
    ['an Age that is no number is none', [fresh, ['age', 'old']], 60],
  ]
  for (const [text, headers, seconds] of rows) {
    it(text, async () => {
      const world = new CacheWorld()
      world.respond = () => ({ headers, body: String(world.seen.length) })
      const get = world.client(await world.worker())
      await get({ target: '/a' })
      world.clock.advance(seconds * 1000 - 1)
      assert.equal((await get({ target: '/a' })).text, '1')
      world.clock.advance(1)
      assert.equal((await get({ target: '/a' })).text, '2')
    })
  }

  it('as the route says where the service does not, and never against it', async () => {
    const world = new CacheWorld()
    world.respond = (x) => ({
      headers: x.path === '/silent' ? [] : [['cache-control', 'no-store']],
      body: String(world.seen.length),
    })
    const get = world.client(await world.worker(), { ttlMs: 30_000 })
    await get({ target: '/silent' })
    assert.equal((await get({ target: '/silent' })).text, '1')
    await get({ target: '/no' })
    assert.equal((await get({ target: '/no' })).text, '3')
  })

  it('a tenth of its age where heuristics are on', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [['last-modified', 'Mon, 23 Nov 2026 23:50:00 GMT']], body: String(world.seen.length) })
    const get = world.client(await world.worker(), { isHeuristic: true })
    await get({ target: '/a' })
    world.clock.advance(59_999)
    assert.equal((await get({ target: '/a' })).text, '1')
    world.clock.advance(1)
    assert.equal((await get({ target: '/a' })).text, '2')
  })
})

describe('a stale answer', () => {
  it('is asked about, and lives on by a 304 with its new fields', async () => {
    const world = new CacheWorld()
    world.respond = (_x, { headers }) =>
      headers.get('if-none-match') === '"v"'
        ? {
            status: 304,
            headers: [
              ['etag', '"v"'],
              ['cache-control', 'max-age=10'],
              ['x-new', 'yes'],
              ['content-type', 'wrong/type'],
            ],
          }
        : { headers: [fresh, ['etag', '"v"'], ['content-type', 'text/plain']], body: 'kept' }
    const get = world.client(await world.worker())
    await get({ target: '/a' })
    world.clock.advance(60_000)
    const again = await get({ target: '/a' })
    assert.deepEqual([again.status, again.text, again.headers.get('x-new')], [200, 'kept', 'yes'])
    assert.equal(again.headers.get('content-type'), 'text/plain')
    assert.equal(again.status9211, 'velum; hit; ttl=10; detail=revalidated')
    assert.equal((await get({ target: '/a' })).status9211, 'velum; hit; ttl=10')
    world.clock.advance(10_000)
    await get({ target: '/a' })
    assert.equal(world.seen.length, 3)
  })

  it('is replaced by a new one', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh, ['etag', `"${world.seen.length}"`]], body: String(world.seen.length) })
    const get = world.client(await world.worker())
    await get({ target: '/a' })
    world.clock.advance(60_000)
    assert.equal((await get({ target: '/a' })).text, '2')
    assert.equal((await get({ target: '/a' })).text, '2')
  })

  it('is served while it is asked for anew, once at a time, strictly within its window', async () => {
    const world = new CacheWorld()
    let release = none
    world.respond = async () => {
      if (world.seen.length > 1) await new Promise<void>((resolve) => void (release = resolve))
      return { headers: [['cache-control', 'max-age=10, stale-while-revalidate=5']], body: String(world.seen.length) }
    }
    const get = world.client(await world.worker())
    await get({ target: '/a' })
    world.clock.advance(12_000)
    const stale = await get({ target: '/a' })
    assert.deepEqual([stale.text, stale.status9211], ['1', 'velum; hit; ttl=-2'])
    assert.equal((await get({ target: '/a' })).text, '1')
    assert.equal(world.seen.length, 2)
    release()
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal((await get({ target: '/a' })).text, '2')
    world.clock.advance(15_000)
    const waiting = get({ target: '/a' })
    await new Promise((resolve) => setImmediate(resolve))
    release()
    assert.equal((await waiting).text, '3')
  })

  it('is served instead of a failure, where that is allowed', async () => {
    const world = new CacheWorld()
    world.respond = () =>
      world.seen.length === 1
        ? { headers: [['cache-control', 'max-age=10, stale-if-error=20']], body: 'good' }
        : { status: 503, body: 'bad' }
    const get = world.client(await world.worker())
    await get({ target: '/a' })
    world.clock.advance(29_000)
    const stale = await get({ target: '/a' })
    assert.deepEqual([stale.status, stale.text, stale.status9211], [200, 'good', 'velum; hit; ttl=-19; detail=stale-if-error'])
    world.clock.advance(1000)
    assert.equal((await get({ target: '/a' })).status, 503)
  })

  for (const directive of ['must-revalidate', 'proxy-revalidate', 's-maxage=10', 'no-cache']) {
    it(`is not served for the route's own windows against ${directive}`, async () => {
      const world = new CacheWorld()
      world.respond = () =>
        world.seen.length === 1
          ? {
              headers: [
                ['cache-control', `max-age=10, ${directive}`],
                ['etag', '"v"'],
              ],
              body: 'good',
            }
          : { status: 503, body: 'bad' }
      const get = world.client(await world.worker(), { staleWhileRevalidateMs: 60_000, staleIfErrorMs: 60_000 })
      await get({ target: '/a' })
      world.clock.advance(11_000)
      assert.equal((await get({ target: '/a' })).status, 503)
    })
  }

  it('with no-cache is asked about before each use', async () => {
    const world = new CacheWorld()
    world.respond = (_x, { headers }) =>
      headers.has('if-none-match')
        ? { status: 304 }
        : {
            headers: [
              ['cache-control', 'no-cache, max-age=60'],
              ['etag', '"v"'],
            ],
            body: 'kept',
          }
    const get = world.client(await world.worker())
    for (let i = 0; i < 3; i++) assert.equal((await get({ target: '/a' })).text, 'kept')
    assert.equal(world.seen.length, 3)
  })
})
