import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestGateway } from 'velum/testing'

// Run with "velum test".
const config = new URL('velum.config.ts', import.meta.url)

test('an old version is announced to end, and does', async () => {
  await using gateway = await createTestGateway(config, { now: new Date('2026-06-29T12:00:00Z') })
  const before = await gateway.request('GET', '/catalog/lamps')
  assert.equal(before.status, 200)
  assert.equal(before.headers.get('sunset'), 'Tue, 30 Jun 2026 00:00:00 GMT')

  await gateway.advance('12h')
  const after = await gateway.request('GET', '/catalog/lamps')
  assert.equal(after.status, 422)
  assert.equal(after.refused?.policy, 'sunset')
  assert.equal(after.refused?.code, 'version-ended')
  assert.equal(gateway.calls('catalog').length, 1)
})

test('the service learns the version', async () => {
  await using gateway = await createTestGateway(config)
  await gateway.request('GET', '/catalog/lamps', { headers: { 'x-api-version': '3' } })
  await gateway.request('GET', '/catalog/lamps')
  assert.deepEqual(
    gateway.calls('catalog').map((call) => call.headers.get('x-api-version')),
    ['3', '1'],
  )
})

test('explain says what it would decide', async () => {
  await using gateway = await createTestGateway(config, { now: new Date('2026-07-01T00:00:00Z') })
  const { outcome } = await gateway.explain('GET', '/catalog/lamps')
  assert.equal(outcome?.policy, 'sunset')
  assert.equal(outcome?.source, 'routes[0].policies[0]')
})
