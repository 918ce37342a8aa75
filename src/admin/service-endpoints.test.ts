import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { breakerOf, serviceWorld, specOf, targetOf } from '../../test/support/service-world.ts'
import type { Answer } from '../core/answer.ts'
import { createAdminHandler } from './admin-handler.ts'
import { serviceEndpoints } from './service-endpoints.ts'
import type { ServiceSource } from './service-endpoints.ts'

interface Target {
  readonly address: string
  readonly state: string
  readonly calls?: number
}

async function json<T>(answer: Answer): Promise<T> {
  return JSON.parse(answer.body.bytes!.toString()) as T
}

function admin(heard: ServiceSource['heard'] = async () => true): (method: string, target: string) => Promise<Answer> {
  const { main } = serviceWorld()
  const six = targetOf(7003, { host: '::1', url: 'http://[::1]:7003' })
  const spec = specOf([7001, 7002], { breaker: breakerOf() })
  const services = [{ ...spec, targets: [...spec.targets, six] }]
  main.commit(services)
  const endpoints = serviceEndpoints({
    model: { services },
    families: () => [],
    targets: ({ targets }) => targets,
    names: () => [],
    standings: main,
    heard,
  })
  const handler = createAdminHandler({
    endpoints,
    tokens: { admin: 'a', metrics: 'm', roleOf: () => 'admin' } as unknown as Parameters<typeof createAdminHandler>[0]['tokens'],
    isOwnHost: () => true,
  })
  return async (method, target) => handler(exchangeOf({ method, target, headers: ['authorization', 'Bearer a'] }))
}

test('a target is drained and let in again by its address, and saying so twice changes nothing', async () => {
  const call = admin()
  const path = '/api/services/orders/targets/10.0.0.1:7001/drain'
  for (const [method, state] of [
    ['PUT', 'draining'],
    ['PUT', 'draining'],
    ['DELETE', 'in'],
    ['DELETE', 'in'],
  ]) {
    const answer = await call(method, path)
    assert.equal(answer.status, 200)
    assert.deepEqual(await json(answer), { url: 'http://10.0.0.1:7001', address: '10.0.0.1:7001', weight: 1, state })
  }
})

test('a drain is answered once all workers have heard of it, and one that has not is told of', async () => {
  const path = '/api/services/orders/targets/10.0.0.1:7001/drain'
  const heard = Promise.withResolvers<boolean>()
  const answered = admin(() => heard.promise)('PUT', path)
  assert.equal(await Promise.race([answered, new Promise<string>((resolve) => void setImmediate(resolve, 'waits'))]), 'waits')
  heard.resolve(true)
  assert.equal((await answered).status, 200)
  const late = await admin(async () => false)('PUT', path)
  assert.equal(late.status, 202)
  const { state, pending } = await json<{ state: string; pending: boolean }>(late)
  assert.deepEqual([state, pending], ['draining', true])
})

test('the list shows who drains, and the breaker of the service', async () => {
  const call = admin()
  assert.equal((await call('PUT', '/api/services/orders/targets/%5B::1%5D:7003/drain')).status, 200)
  const { services } = await json<{ services: { breaker: unknown; targets: Target[] }[] }>(await call('GET', '/api/services'))
  assert.deepEqual(services[0].breaker, { state: 'closed' })
  assert.deepEqual(
    services[0].targets.map(({ address, state }) => `${address} ${state}`),
    ['10.0.0.1:7001 in', '10.0.0.1:7002 in', '[::1]:7003 draining'],
  )
})

for (const path of [
  '/api/services/orders/targets/10.0.0.1:7009/drain',
  '/api/services/nobody/targets/10.0.0.1:7001/drain',
  '/api/services/orders/targets/%ff/drain',
  '/api/services/orders/targets//drain',
]) {
  test(`there is nothing to drain at ${path}`, async () => assert.equal((await admin()('PUT', path)).status, 404))
}

test('a drain is put or deleted, nothing else', async () => {
  const answer = await admin()('POST', '/api/services/orders/targets/10.0.0.1:7001/drain')
  assert.equal(answer.status, 405)
  assert.equal(answer.headers.get('allow'), 'PUT, DELETE')
})
