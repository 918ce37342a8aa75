import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { GatewayInput } from '../config/input.ts'
import { createTestGateway } from './test-gateway.ts'

const config: GatewayInput = {
  listeners: { plain: { port: 8080, redirect: 'https' }, web: { port: 8443, tls: { dev: true } } },
  store: { kind: 'redis', url: 'redis://127.0.0.1:1' },
  secret: ['a'.repeat(40)],
  services: { orders: { url: 'http://127.0.0.1:7002', identity: 'none' } },
  identity: { issuer: 'https://localhost:8443', roles: { staff: ['orders:read'] } },
  limits: { few: { algorithm: 'fixed-window', limit: 2, window: '1h', per: ['subject'] } },
  penalties: { abusive: { after: '3 refusals in 1m', for: '10m', per: ['address'] } },
  defaults: { auth: { any: ['session', 'bearer'] } },
  routes: [
    {
      name: 'orders',
      match: { path: '/orders/**' },
      to: 'orders',
      auth: { any: ['session', 'bearer'], scopes: ['orders:read'] },
      limits: ['few'],
    },
    { name: 'tokens', match: { path: '/tokens' }, to: 'orders', auth: { any: ['bearer'] } },
    { name: 'cached', match: { path: '/cached' }, to: 'orders', auth: 'public', cache: { ttl: '30s' } },
  ],
}

describe('a gateway for tests', () => {
  test('takes callers for granted: of the kind that is named, or of the first that the route takes', async () => {
    await using gateway = await createTestGateway(config)
    const staff = { subject: 'ada', roles: ['staff'] }
    assert.equal((await gateway.request('GET', '/orders/1', { as: staff })).status, 200)
    assert.deepEqual([gateway.calls()[0].caller?.kind, gateway.calls()[0].caller?.scopes], ['bearer', ['orders:read']])
    assert.equal((await gateway.request('GET', '/tokens', { as: { ...staff, kind: 'session' } })).status, 401)
    const forged = await gateway.request('POST', '/orders/1', {
      as: { ...staff, kind: 'session' },
      headers: { 'sec-fetch-site': 'cross-site' },
    })
    assert.equal(forged.refused?.policy, 'csrf')
  })

  test('still judges real credentials where nobody is assumed', async () => {
    await using gateway = await createTestGateway(config)
    const answer = await gateway.request('GET', '/tokens', { headers: { authorization: 'Bearer none' } })
    assert.deepEqual([answer.status, answer.refused?.code], [401, 'not-a-jwt'])
  })

  test('moves time only when it is told to', async () => {
    await using gateway = await createTestGateway(config, { now: new Date('2026-11-24T00:00:00Z') })
    assert.equal(gateway.now, Date.parse('2026-11-24T00:00:00Z'))
    const ask = async (): Promise<number> =>
      (await gateway.request('GET', '/orders/1', { as: { subject: 'ada', scopes: ['orders:read'] } })).status
    assert.deepEqual([await ask(), await ask(), await ask()], [200, 200, 429])
    await gateway.advance('59m')
    assert.equal(await ask(), 429)
    await gateway.advance('1m')
    assert.equal(await ask(), 200)
  })

  test('boxes who is refused too often, and lets them out in time', async () => {
    await using gateway = await createTestGateway(config)
    const probe = async (): Promise<string | undefined> =>
      (await gateway.request('GET', '/tokens', { from: '192.0.2.7', headers: { authorization: 'Bearer none' } })).refused?.policy
    for (let i = 0; i < 3; i++) assert.equal(await probe(), 'auth')
    await gateway.advance('2s')
    assert.equal(await probe(), 'penalties')
    assert.equal((await gateway.request('GET', '/tokens', { from: '192.0.2.8' })).refused?.policy, 'auth')
    await gateway.advance('10m')
    assert.equal(await probe(), 'auth')
  })

  test('has a cache, and listeners by their URLs', async () => {
    await using gateway = await createTestGateway(config)
    gateway.service('orders', ({ target }) => ({ body: target }))
    assert.equal((await gateway.request('GET', '/cached')).text(), '/cached')
    assert.equal((await gateway.request('GET', '/cached')).text(), '/cached')
    assert.equal(gateway.calls('orders').length, 1)
    const redirected = await gateway.request('GET', 'http://shop.example/cached')
    assert.equal(redirected.headers.get('location'), 'https://shop.example:8443/cached')
  })

  test('explains without charging', async () => {
    await using gateway = await createTestGateway(config)
    const as = { subject: 'ada', scopes: ['orders:read'] }
    for (let i = 0; i < 5; i++) assert.equal((await gateway.explain('GET', '/orders/1', { as })).outcome, undefined)
    assert.equal((await gateway.request('GET', '/orders/1', { as })).status, 200)
    assert.equal(gateway.calls().length, 1)
  })

  test('tells how services fail', async () => {
    await using gateway = await createTestGateway(config)
    const ask = async (): Promise<[number, string | undefined]> => {
      const { status, fault } = await gateway.request('GET', '/cached')
      return [status, fault]
    }
    gateway.service('orders', 'down')
    assert.deepEqual(await ask(), [503, 'service-refused'])
    gateway.service('orders', 'reset')
    assert.deepEqual(await ask(), [502, 'service-reset'])
    assert.throws(() => gateway.service('other', 'down'), /no service is named "other"/)
  })

  test('says all that is wrong with a configuration', async () => {
    const bad = { ...config, routes: [{ match: { path: 'x' }, to: 'nobody' }] } as unknown as GatewayInput
    await assert.rejects(
      createTestGateway(bad),
      (thrown: Error) => /nobody/.test(thrown.message) && /begins with/.test(thrown.message),
    )
    await assert.rejects(createTestGateway('/none/velum.config.ts'), /does not exist/)
  })
})
