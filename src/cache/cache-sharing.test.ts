import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import type { Identity } from '../core/identity.ts'
import { CacheWorld } from '../../test/support/cache-world.ts'
import type { Cache, Found } from './cache.ts'
import type { RunningPurge } from './purges.ts'
import { variantOf } from './vary.ts'

const fresh: [string, string] = ['cache-control', 'max-age=60']
const none = (): void => {}
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

function identity(subject: string): Identity {
  return {
    kind: 'session',
    issuer: 'https://velum.example',
    subject,
    tenant: 'acme',
    client: undefined,
    scopes: [],
    roles: [],
    claims: {},
    expiresAt: Infinity,
    session: undefined,
    credentialId: undefined,
  }
}

/** Makes an exchange one of this caller. */
const as =
  (change: Partial<Identity>) =>
  (x: Exchange): void => {
    x.identity = { ...identity('ada'), ...change }
  }

function running(
  kind: RunningPurge['kind'],
  value: string,
  epoch: number,
  hash: readonly [number, number] = [0, 0],
  isSoft = false,
): RunningPurge {
  return { kind, value, isSoft, epoch, hash }
}

const variant = (codings: string): string => variantOf(['accept-encoding'], Headers.from([['accept-encoding', codings]]))

describe('Vary', () => {
  it('keeps answers apart, and knows that some requests say the same', async () => {
    const world = new CacheWorld()
    world.respond = (_x, { headers }) => ({
      headers: [fresh, ['vary', 'Accept-Encoding'], ['vary', 'X-Lang']],
      body: `${headers.get('accept-encoding') ?? ''}|${headers.get('x-lang') ?? ''}`,
    })
    const get = world.client(await world.worker())
    const ask = async (...headers: string[]): Promise<string> => (await get({ target: '/a', headers })).text
    assert.equal(await ask('accept-encoding', 'gzip, br', 'x-lang', 'de'), 'gzip, br|de')
    assert.equal(await ask('accept-encoding', 'br;q=0.5 ,gzip;q=1', 'x-lang', 'de'), 'gzip, br|de')
    assert.equal(await ask('accept-encoding', 'br', 'x-lang', 'de'), 'br|de')
    assert.equal(await ask('accept-encoding', 'gzip, br', 'x-lang', 'en'), 'gzip, br|en')
    assert.equal(await ask(), '|')
    assert.equal(await ask('accept-encoding', 'br', 'x-lang', 'de'), 'br|de')
    assert.equal(world.seen.length, 4)
  })

  it('takes a coding that is both asked for and refused for refused', () => {
    for (const contradiction of ['*,*;q=0', '*;q=0, *', '*;q=0.5, *;q=0.000']) {
      assert.equal(variant(contradiction), variant('*;q=0'), contradiction)
      assert.notEqual(variant(contradiction), variant('*;q=0.5'), contradiction)
    }
    assert.equal(variant('gzip, *, *;q=0'), variant('gzip, *;q=0'))
    // No name of a coding ends in U+00A0: whoever says so asks for another one.
    assert.notEqual(variant('gzip\u00a0'), variant('gzip'))
  })

  it('cannot be fooled by a value that looks like two fields', async () => {
    const world = new CacheWorld()
    world.respond = (_x, { headers }) => ({ headers: [fresh, ['vary', 'a, b']], body: `${headers.get('a')}&${headers.get('b')}` })
    const get = world.client(await world.worker())
    await get({ target: '/a', headers: ['a', '1', 'b', '2'] })
    assert.equal((await get({ target: '/a', headers: ['a', '1 b:=2', 'b', ''] })).text, '1 b:=2&')
    assert.equal(world.seen.length, 2)
  })

  it('grows when later answers name more fields', async () => {
    const world = new CacheWorld()
    world.respond = (_x, { headers }) => ({
      headers: [fresh, ['vary', headers.get('a') === '1' ? 'a' : 'a, b']],
      body: String(world.seen.length),
    })
    const get = world.client(await world.worker())
    await get({ target: '/a', headers: ['a', '1'] })
    await get({ target: '/a', headers: ['a', '2', 'b', '1'] })
    assert.equal((await get({ target: '/a', headers: ['a', '2', 'b', '2'] })).text, '3')
    assert.equal((await get({ target: '/a', headers: ['a', '2', 'b', '1'] })).text, '2')
  })
})

describe('credentials', () => {
  it('bypass the cache unless the route says otherwise', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [['cache-control', 'public, max-age=60']], body: String(world.seen.length) })
    const get = world.client(await world.worker())
    await get({ target: '/a' })
    const other = await get({ target: '/a', headers: ['authorization', 'Bearer x'] })
    assert.deepEqual([other.text, other.status9211], ['2', 'velum; fwd=bypass; fwd-status=200'])
    const session = await get({ target: '/a' }, (x) => (x.identity = identity('ada')))
    assert.equal(session.text, '3')
    assert.equal((await get({ target: '/a' })).text, '1')
  })

  for (const [directives, isShared] of [
    ['max-age=60', false],
    ['max-age=60, public', true],
    ['s-maxage=60', true],
    ['max-age=60, must-revalidate', true],
  ] as const) {
    it(`by the letter of RFC 9111: ${directives} is ${isShared ? '' : 'not '}shared`, async () => {
      const world = new CacheWorld()
      world.respond = () => ({ headers: [['cache-control', directives]], body: String(world.seen.length) })
      const get = world.client(await world.worker(), { authorized: 'rfc' })
      await get({ target: '/a' }, as({}))
      assert.equal((await get({ target: '/a' }, as({ subject: 'bob' }))).text, isShared ? '1' : '2')
    })
  }

  it('per identity: each caller has his own, tenants and rights included', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: String(world.seen.length) })
    const get = world.client(await world.worker(), { authorized: 'per-identity' })
    assert.equal((await get({ target: '/a' }, as({}))).text, '1')
    assert.equal((await get({ target: '/a' }, as({ subject: 'bob' }))).text, '2')
    assert.equal((await get({ target: '/a' }, as({ tenant: 'other' }))).text, '3')
    assert.equal((await get({ target: '/a' }, as({ scopes: ['x'] }))).text, '4')
    assert.equal((await get({ target: '/a' }, as({ subject: 'ada","acme' }))).text, '5')
    assert.equal((await get({ target: '/a' })).text, '6')
    assert.equal((await get({ target: '/a' }, as({}))).text, '1')
  })

  it('per identity: whoever only the service knows shares nothing', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: String(world.seen.length) })
    const get = world.client(await world.worker(), { authorized: 'per-identity' })
    const ada = { target: '/token', headers: ['authorization', 'Bearer ada'] }
    const bob = { target: '/token', headers: ['authorization', 'Bearer bob'] }
    assert.equal((await get(ada)).text, '1')
    assert.equal((await get(bob)).text, '2')
    // One key of a frontend, and behind it the tokens of many.
    assert.equal((await get(ada, as({ kind: 'api-key' }))).text, '3')
    assert.equal((await get(bob, as({ kind: 'api-key' }))).text, '4')
    assert.equal((await get({ target: '/cookie', headers: ['cookie', 'session=ada'] })).text, '5')
    assert.equal((await get({ target: '/cookie', headers: ['cookie', 'session=bob'] })).text, '6')
    assert.equal((await get({ target: '/cookie' })).text, '7')
  })

  it('cookies that the service sees neither store nor get what is not said to be for everyone', async () => {
    const world = new CacheWorld()
    world.respond = (x) => ({
      headers: [['cache-control', x.path === '/public' ? 'public, max-age=60' : 'max-age=60']],
      body: String(world.seen.length),
    })
    const get = world.client(await world.worker())
    const cookie = ['cookie', 'sid=1']
    await get({ target: '/a', headers: cookie })
    assert.equal((await get({ target: '/a' })).text, '2')
    assert.equal((await get({ target: '/a', headers: cookie })).text, '3')
    assert.equal((await get({ target: '/a' })).text, '2')
    assert.equal((await get({ target: '/public', headers: cookie })).text, '4')
    assert.equal((await get({ target: '/public', headers: cookie })).text, '4')
  })
})

describe('unsafe methods', () => {
  it('void what is stored of their URL and of those their answer names, once they succeed', async () => {
    const world = new CacheWorld()
    world.respond = (x) =>
      x.method === 'POST'
        ? {
            status: x.path === '/fails' ? 500 : 201,
            headers: [
              ['location', '/b'],
              ['content-location', 'https://elsewhere.example/c'],
            ],
          }
        : { headers: [fresh, ['vary', 'accept']], body: String(world.seen.length) }
    const get = world.client(await world.worker())
    for (const target of ['/a', '/b', '/c', '/fails']) await get({ target })
    await get({ target: '/a', method: 'POST' })
    await get({ target: '/fails', method: 'POST' })
    assert.deepEqual(await Promise.all(['/c', '/fails'].map(async (target) => (await get({ target })).text)), ['3', '4'])
    assert.equal((await get({ target: '/a' })).text, '7')
    assert.equal((await get({ target: '/b' })).text, '8')
  })

  it('void also what was asked for before them and arrives after them', async () => {
    const world = new CacheWorld()
    let release = none
    world.respond = async (x) => {
      if (x.method === 'POST') return { status: 204 }
      const mine = world.seen.length
      if (mine === 1) await new Promise<void>((resolve) => void (release = resolve))
      return { headers: [fresh], body: String(mine) }
    }
    const get = world.client(await world.worker())
    const slow = get({ target: '/a' })
    await turn()
    await get({ target: '/a', method: 'POST' })
    release()
    assert.equal((await slow).text, '1')
    assert.equal((await get({ target: '/a' })).text, '3')
  })
})

describe('many at once', () => {
  it('make one request to the service, over all workers of a node', async () => {
    const world = new CacheWorld()
    let release = none
    const gate = new Promise<void>((resolve) => void (release = resolve))
    world.respond = async () => {
      await gate
      return { headers: [fresh], body: 'one' }
    }
    const clients = [world.client(await world.worker(0)), world.client(await world.worker(1))]
    const all = Array.from({ length: 1000 }, (_, i) => clients[i % 2]({ target: '/a' }))
    await turn()
    release()
    assert.ok((await Promise.all(all)).every(({ text }) => text === 'one'))
    assert.equal(world.seen.length, 1)
  })

  it('do not fetch what another worker stored between their look and their claim', async () => {
    const world = new CacheWorld()
    world.respond = () => ({
      headers: [['cache-control', 'max-age=60, stale-while-revalidate=60']],
      body: String(world.seen.length),
    })
    const [one, two] = [await world.worker(0), await world.worker(1)]
    const [first, second] = [world.client(one), world.client(two)]
    /** Worker two looks, then worker one asks for the same until its answer is stored, and only then two goes on. */
    const overtaken = async (): Promise<string[]> => {
      const looked: Found[] = []
      one.find = (key, request) => {
        delete (one as Partial<Cache>).find
        looked.push(two.find(key, request))
        return one.find(key, request)
      }
      const texts = [(await first({ target: '/a' })).text]
      await turn()
      two.find = () => {
        delete (two as Partial<Cache>).find
        return looked[0]
      }
      texts.push((await second({ target: '/a' })).text)
      await turn()
      return texts
    }
    assert.deepEqual(await overtaken(), ['1', '1'])
    world.clock.advance(90_000)
    assert.deepEqual(await overtaken(), ['1', '1'])
    assert.equal((await first({ target: '/a' })).text, '2')
    assert.equal(world.seen.length, 2)
  })

  it('share nothing where callers are told apart', async () => {
    const world = new CacheWorld()
    world.respond = (x) => ({ headers: [fresh], body: x.identity!.subject })
    const get = world.client(await world.worker(), { authorized: 'per-identity' })
    const answers = await Promise.all(
      Array.from({ length: 1000 }, (_, i) => get({ target: '/a' }, (x) => (x.identity = identity(`u${i}`)))),
    )
    assert.ok(answers.every(({ text }, i) => text === `u${i}`))
    assert.equal(world.seen.length, 1000)
  })

  it('do not queue for what is not kept', async () => {
    const world = new CacheWorld()
    const waiting: (() => void)[] = []
    world.respond = async () => {
      await new Promise<void>((resolve) => void waiting.push(resolve))
      return { headers: [['cache-control', 'no-store']], body: String(world.seen.length) }
    }
    const get = world.client(await world.worker())
    const all = Array.from({ length: 10 }, () => get({ target: '/a' }))
    await turn()
    assert.equal(waiting.length, 1)
    waiting[0]()
    await turn()
    assert.equal(waiting.length, 10)
    for (const go of waiting) go()
    await Promise.all(all)
  })

  it('do not fail with the one who went first', async () => {
    const world = new CacheWorld()
    world.respond = () => {
      if (world.seen.length === 1) throw new Fault('service-reset')
      return { headers: [fresh], body: 'good' }
    }
    const get = world.client(await world.worker())
    const all = await Promise.allSettled(Array.from({ length: 10 }, () => get({ target: '/a' })))
    assert.equal(all.filter(({ status }) => status === 'rejected').length, 1)
    assert.equal(world.seen.length, 2)
  })

  it('wait no longer than the bound', async () => {
    const world = new CacheWorld()
    world.respond = () => (world.seen.length === 1 ? new Promise(() => {}) : { headers: [fresh], body: String(world.seen.length) })
    const get = world.client(await world.worker(), { waitMs: 1000 })
    void get({ target: '/a' })
    const second = get({ target: '/a' })
    await turn()
    world.clock.advance(1000)
    assert.equal((await second).text, '2')
  })
})

describe('clients that ask for fresher answers', () => {
  it('are not obeyed unless the route says so', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: String(world.seen.length) })
    const cache = await world.worker()
    const get = world.client(cache)
    await get({ target: '/a' })
    for (const value of ['no-cache', 'max-age=0'])
      assert.equal((await get({ target: '/a', headers: ['cache-control', value] })).text, '1')
  })

  const rows: [directive: string, response: string, advance: number, text: string][] = [
    ['no-cache', 'max-age=60', 0, '2'],
    ['max-age=5', 'max-age=60', 6000, '2'],
    ['max-age=5', 'max-age=60', 5000, '1'],
    ['min-fresh=30', 'max-age=60', 31_000, '2'],
    ['min-fresh=30', 'max-age=60', 30_000, '1'],
    ['max-stale', 'max-age=10', 100_000, '1'],
    ['max-stale=5', 'max-age=10', 15_000, '1'],
    ['max-stale=5', 'max-age=10', 16_000, '2'],
    ['max-stale', 'max-age=10, must-revalidate', 100_000, '2'],
    ['max-stale', 's-maxage=10', 100_000, '2'],
    ['max-stale', 'max-age=10, proxy-revalidate', 100_000, '2'],
  ]
  for (const [directive, response, advance, text] of rows) {
    it(`${directive} against ${response} after ${advance / 1000} s`, async () => {
      const world = new CacheWorld()
      world.respond = () => ({ headers: [['cache-control', response]], body: String(world.seen.length) })
      const get = world.client(await world.worker(), { obeysClients: true })
      await get({ target: '/a' })
      world.clock.advance(advance)
      assert.equal((await get({ target: '/a', headers: ['cache-control', directive] })).text, text)
    })
  }

  it('only-if-cached is 504 where nothing is stored', async () => {
    const world = new CacheWorld()
    const get = world.client(await world.worker(), { obeysClients: true })
    assert.equal((await get({ target: '/a', headers: ['cache-control', 'only-if-cached'] })).status, 504)
    assert.equal(world.seen.length, 0)
  })
})

describe('a purge', () => {
  it('by URL, prefix or tag concerns what was asked for before it, on every worker', async () => {
    const world = new CacheWorld()
    world.respond = (x) => ({ headers: [fresh, ['cache-tag', `${x.path.slice(1)}, all`]], body: String(world.seen.length) })
    const one = await world.worker(0)
    const two = await world.worker(1)
    const get = world.client(one)
    for (const target of ['/a/1', '/a/2', '/b/1']) await get({ target })
    world.tell([running('prefix', '/a/', one.storage.memory.nextEpoch())])
    assert.equal((await world.client(two)({ target: '/a/1' })).text, '4')
    assert.equal((await get({ target: '/a/1' })).text, '4')
    assert.equal((await get({ target: '/b/1' })).text, '3')
    world.tell([running('tag', 'b/1', one.storage.memory.nextEpoch(), one.storage.tagHash('b/1'))])
    assert.equal((await get({ target: '/b/1' })).text, '5')
    world.tell([running('url', 'http://api.example.com/a/1', one.storage.memory.nextEpoch())])
    assert.equal((await get({ target: '/a/1' })).text, '6')
    assert.equal((await get({ target: '/b/1' })).headers.get('cache-tag'), undefined)
  })

  it('softly makes stale what it means', async () => {
    const world = new CacheWorld()
    world.respond = (_x, { headers }) =>
      headers.has('if-none-match') ? { status: 304 } : { headers: [fresh, ['etag', '"v"']], body: 'kept' }
    const cache = await world.worker()
    const get = world.client(cache)
    await get({ target: '/a' })
    world.tell([running('prefix', '/', cache.storage.memory.nextEpoch(), [0, 0], true)])
    assert.equal((await get({ target: '/a' })).status9211, 'velum; hit; ttl=60; detail=revalidated')
    assert.equal((await get({ target: '/a' })).status9211, 'velum; hit; ttl=60')
  })
})
