import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestGateway } from 'velum/testing'

// Run with "velum test", or with "node --test" where the package "velum" is installed. No port is opened, time moves only
// when it is told to, and services answer what the test says.
const config = new URL('velum.config.ts', import.meta.url)
const ada = { subject: 'ada', tenant: 'acme', scopes: ['orders:read', 'orders:write'] }

test('the catalog is open to everybody', async () => {
  await using gateway = await createTestGateway(config)
  gateway.service('orders', { body: [{ name: 'lamp' }] })
  const answer = await gateway.request('GET', '/catalog/lamps')
  assert.equal(answer.status, 200)
  assert.deepEqual(answer.json(), [{ name: 'lamp' }])
})

test('orders are for those who may read them', async () => {
  await using gateway = await createTestGateway(config)
  assert.equal((await gateway.request('GET', '/orders/17')).status, 401)

  const stranger = await gateway.request('GET', '/orders/17', { as: { subject: 'eve', tenant: 'globex' } })
  assert.equal(stranger.status, 403)
  assert.equal(stranger.refused?.source, 'routes[1].auth.scopes')

  assert.equal((await gateway.request('GET', '/orders/17', { as: ada })).status, 200)
})

test('the service learns who calls, and never from the client', async () => {
  await using gateway = await createTestGateway(config)
  await gateway.request('GET', '/orders/17', { as: ada, headers: { 'x-auth-subject': 'root', authorization: 'Bearer x' } })
  const [call] = gateway.calls('orders')
  assert.equal(call.headers.get('x-auth-subject'), 'ada')
  assert.equal(call.headers.get('x-auth-tenant'), 'acme')
  assert.equal(call.headers.get('authorization'), null)
})

test('one tenant cannot use up what another one has', async () => {
  await using gateway = await createTestGateway(config)
  for (let i = 0; i < 10; i++) assert.equal((await gateway.request('GET', '/orders', { as: ada })).status, 200)

  const refused = await gateway.request('GET', '/orders', { as: ada })
  assert.equal(refused.status, 429)
  assert.equal(refused.headers.get('retry-after'), '1')
  assert.equal(refused.refused?.label, 'limited:perTenant')
  assert.equal((await gateway.request('GET', '/orders', { as: { ...ada, tenant: 'globex' } })).status, 200)

  await gateway.advance('1s')
  assert.equal((await gateway.request('GET', '/orders', { as: ada })).status, 200)
})

test('an order is small, and JSON', async () => {
  await using gateway = await createTestGateway(config)
  assert.equal((await gateway.request('POST', '/orders', { as: ada, body: { item: 'lamp' } })).status, 200)
  assert.deepEqual(gateway.calls('orders')[0].json(), { item: 'lamp' })
  assert.equal((await gateway.request('POST', '/orders', { as: ada, body: 'a lamp' })).status, 415)
  const large = { item: 'x'.repeat(70_000) }
  assert.equal((await gateway.request('POST', '/orders', { as: { ...ada, tenant: 'globex' }, body: large })).status, 413)
})

test('a service that fails is told from one that refuses', async () => {
  await using gateway = await createTestGateway(config)
  gateway.service('orders', 'timeout')
  const late = await gateway.request('GET', '/catalog')
  assert.deepEqual([late.status, late.fault], [504, 'service-timeout'])
  gateway.service('orders', ({ target }) => ({ status: target === '/catalog' ? 404 : 200 }))
  assert.equal((await gateway.request('GET', '/catalog')).status, 404)
})
