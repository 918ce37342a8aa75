import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Exchange } from '../core/exchange.ts'
import type { Identity } from '../core/identity.ts'
import { CacheWorld } from '../../test/support/cache-world.ts'

const fresh: [string, string] = ['cache-control', 'max-age=60']
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

const ada: Identity = {
  kind: 'bearer',
  issuer: 'https://velum.example',
  subject: 'ada',
  tenant: 'acme',
  client: undefined,
  scopes: [],
  roles: [],
  claims: {},
  expiresAt: Infinity,
  session: undefined,
  credentialId: undefined,
}
const as =
  (change: Partial<Identity>) =>
  (x: Exchange): void => {
    x.identity = { ...ada, ...change }
  }

describe('that an answer is not kept', () => {
  const odd: [string, readonly string[]][] = [
    ['a range', ['range', 'bytes=0-1']],
    ['a client that forbids to store', ['cache-control', 'no-store']],
    ['a client that writes nonsense', ['cache-control', 'max-age="']],
    ['cookies', ['cookie', 'a=b']],
  ]
  for (const [what, headers] of odd) {
    it(`to ${what} says nothing of what others are given`, async () => {
      const world = new CacheWorld()
      world.respond = (_x, seen) => ({
        headers: seen.headers.has('x-odd') ? [['cache-control', 'no-store']] : [fresh, ['vary', 'accept']],
        body: String(world.seen.length),
      })
      const get = world.client(await world.worker(), { authorized: 'rfc' })
      await get({ target: '/a', headers: ['accept', 'a'] })
      await get({ target: '/a', headers: [...headers, 'accept', 'b', 'x-odd', '1'] })
      await get({ target: '/b', headers: [...headers, 'accept', 'b', 'x-odd', '1'] })
      assert.equal((await get({ target: '/a', headers: ['accept', 'a'] })).text, '1')
      const crowd = await Promise.all(Array.from({ length: 5 }, () => get({ target: '/b' })))
      assert.deepEqual(new Set(crowd.map(({ text }) => text)), new Set(['4']))
    })
  }

  it('is remembered of one variant only', async () => {
    const world = new CacheWorld()
    world.respond = (_x, seen) => ({
      headers: seen.headers.get('accept') === 'bad' ? [['cache-control', 'no-store']] : [fresh, ['vary', 'accept']],
      body: String(world.seen.length),
    })
    const get = world.client(await world.worker())
    await get({ target: '/a', headers: ['accept', 'good'] })
    await get({ target: '/a', headers: ['accept', 'bad'] })
    assert.equal((await get({ target: '/a', headers: ['accept', 'good'] })).text, '1')
  })
})

describe('a stale answer that is being fetched anew', () => {
  it('gives way to one that is not kept', async () => {
    const world = new CacheWorld()
    world.respond = () => ({
      headers: [world.seen.length === 1 ? fresh : ['cache-control', 'no-store']],
      body: String(world.seen.length),
    })
    const get = world.client(await world.worker(), { staleWhileRevalidateMs: 60_000 })
    await get({ target: '/a' })
    world.clock.advance(61_000)
    assert.equal((await get({ target: '/a' })).text, '1')
    await turn()
    assert.equal((await get({ target: '/a' })).text, '3')
  })

  it('does not, when only its caller forbade to keep it', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: String(world.seen.length) })
    const get = world.client(await world.worker(), { staleWhileRevalidateMs: 60_000 })
    await get({ target: '/a' })
    world.clock.advance(61_000)
    assert.equal((await get({ target: '/a', headers: ['cache-control', 'no-store'] })).text, '1')
    await turn()
    assert.equal((await get({ target: '/a' })).text, '1')
  })
})

describe('a 304 that speaks of something else than what is stored', () => {
  for (const isBehind of [false, true]) {
    it(`makes the whole be asked for${isBehind ? ', behind a stale answer too' : ''}`, async () => {
      const world = new CacheWorld()
      world.respond = (_x, { headers }) =>
        headers.has('if-none-match')
          ? { status: 304, headers: [['etag', '"other"']] }
          : { headers: [fresh, ['etag', '"v"']], body: String(world.seen.length) }
      const get = world.client(await world.worker(), { staleWhileRevalidateMs: isBehind ? 60_000 : 0 })
      await get({ target: '/a' })
      world.clock.advance(61_000)
      const second = await get({ target: '/a', headers: ['if-none-match', '"mine"'] })
      assert.deepEqual([second.status, second.text], [200, isBehind ? '1' : '3'])
      await turn()
      assert.deepEqual((await get({ target: '/a' })).status9211, 'velum; hit; ttl=60')
      assert.equal(world.seen.length, 3)
    })
  }

  it('or of nothing is nonsense, and is not remembered', async () => {
    const world = new CacheWorld()
    world.respond = () => (world.seen.length === 1 ? { status: 304 } : { headers: [fresh], body: 'good' })
    const get = world.client(await world.worker())
    await assert.rejects(get({ target: '/a', headers: ['if-none-match', '"mine"'] }), { code: 'service-nonsense' })
    assert.equal((await get({ target: '/a' })).text, 'good')
    assert.equal((await get({ target: '/a' })).status9211, 'velum; hit; ttl=60')
  })
})

describe('per identity', () => {
  it('callers are told apart by all that a service can learn of them, and not by what differs from token to token', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: String(world.seen.length) })
    const get = world.client(await world.worker(), { authorized: 'per-identity' })
    const callers: Partial<Identity>[] = [
      {},
      { kind: 'session' },
      { session: 's1' },
      { claims: { plan: 'gold' } },
      { claims: { plan: 'silver' } },
      { claims: { plan: ['gold'] } },
      { claims: { plan: 'gold', groups: ['a', 'b'] } },
      { claims: { plan: 'gold', groups: ['a'] } },
    ]
    for (const [i, caller] of callers.entries()) assert.equal((await get({ target: '/a' }, as(caller))).text, String(i + 1))
    for (const [i, caller] of callers.entries()) assert.equal((await get({ target: '/a' }, as(caller))).text, String(i + 1))
    const renewed = { claims: { iat: 2, exp: 3, nbf: 1, jti: 'x', groups: ['a', 'b'], plan: 'gold' } }
    assert.equal((await get({ target: '/a' }, as(renewed))).text, '7')
  })

  it('a key that is not the identity itself goes past the cache', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: String(world.seen.length) })
    const get = world.client(await world.worker(), { authorized: 'per-identity' })
    assert.equal((await get({ target: '/a', headers: ['x-api-key', 'one'] })).text, '1')
    assert.equal((await get({ target: '/a', headers: ['x_api_key', 'two'] })).text, '2')
    assert.equal((await get({ target: '/a', headers: ['x-api-key', 'one'] }, as({ kind: 'api-key' }))).text, '3')
    assert.equal((await get({ target: '/a', headers: ['x-api-key', 'one'] }, as({ kind: 'api-key' }))).text, '3')
  })
})

describe('an answer whose end is only the end of its connection', () => {
  it('is not kept, and nobody waits for one', async () => {
    const world = new CacheWorld()
    const waiting: (() => void)[] = []
    world.respond = async () => {
      await new Promise<void>((resolve) => void waiting.push(resolve))
      return { headers: [fresh], body: 'x', isUntilClose: true }
    }
    const get = world.client(await world.worker())
    const all = Array.from({ length: 5 }, () => get({ target: '/a' }))
    await turn()
    waiting[0]()
    await turn()
    assert.equal(waiting.length, 5)
    for (const go of waiting) go()
    for (const { status9211 } of await Promise.all(all)) assert.ok(status9211.endsWith('detail=until-close'))
  })
})

describe('fields that a service may take for its URL or its method', () => {
  for (const name of [
    'X-Original-URL',
    'x-rewrite-url',
    'x_original_url',
    'X-Forwarded-Scheme',
    'x-host',
    'X-Http-Host-Override',
  ]) {
    it(`${name} makes another answer`, async () => {
      const world = new CacheWorld()
      world.respond = (_x, { headers }) => ({
        headers: [fresh],
        body: headers.get(name.toLowerCase()) ?? 'none',
      })
      const get = world.client(await world.worker())
      assert.equal((await get({ target: '/a', headers: [name, '/evil'] })).text, '/evil')
      assert.equal((await get({ target: '/a' })).text, 'none')
      assert.equal((await get({ target: '/a', headers: [name, '/worse'] })).text, '/worse')
      assert.equal((await get({ target: '/a', headers: [name, '/evil'] })).status9211, 'velum; hit; ttl=60')
    })
  }

  for (const name of ['X-HTTP-Method-Override', 'x-http-method', 'X_Method_Override']) {
    it(`${name} goes past the cache`, async () => {
      const world = new CacheWorld()
      world.respond = () => ({ headers: [fresh], body: String(world.seen.length) })
      const get = world.client(await world.worker())
      assert.equal((await get({ target: '/a' })).text, '1')
      assert.equal((await get({ target: '/a', headers: [name, 'POST'] })).text, '2')
      assert.equal((await get({ target: '/a' })).text, '1')
    })
  }

  it('of trusted proxies count as well: X-Forwarded-Host, and the hosts in Forwarded', async () => {
    const world = new CacheWorld()
    world.respond = () => ({ headers: [fresh], body: String(world.seen.length) })
    const get = world.client(await world.worker())
    const proxied = async (...headers: string[]): Promise<string> =>
      (await get({ target: '/a', headers }, (x) => (x.isProxied = true))).text
    assert.equal(await proxied('x-forwarded-host', 'a.example'), '1')
    assert.equal(await proxied('x-forwarded-host', 'b.example'), '2')
    assert.equal(await proxied('forwarded', 'for=192.0.2.1;host=a.example'), '3')
    assert.equal(await proxied('forwarded', 'for=192.0.2.2;host="b.example"'), '4')
    assert.equal(await proxied('forwarded', 'for=192.0.2.3;host=a.example'), '3')
    assert.equal(await proxied(), '5')
    // From anyone else they do not reach a service.
    assert.equal((await get({ target: '/a', headers: ['x-forwarded-host', 'c.example'] })).text, '5')
  })
})
