import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { perTenant } from '../../test/support/limit-world.ts'
import { readAll } from '../core/body.ts'
import { createAdminHandler } from './admin-handler.ts'
import { limitEndpoints } from './limit-endpoints.ts'
import type { LimitSource } from './limit-endpoints.ts'

const labels = (decision: string): [string, string][] => [
  ['limit', 'perTenant'],
  ['decision', decision],
]
const gateway: LimitSource = {
  model: { limits: [{ ...perTenant, per: [{ kind: 'tenant' }, { kind: 'header', name: 'x-plan' }] }] },
  families: () => [
    {
      name: 'velum_limit_decisions_total',
      help: '',
      kind: 'counter',
      bounds: [],
      series: new Map([
        ['a', { labels: labels('allowed'), values: Float64Array.of(7) }],
        ['b', { labels: labels('refused'), values: Float64Array.of(2) }],
      ]),
    },
  ],
  limitLevel: async ({ name }, key) => ({
    limit: name,
    key,
    source: 'node',
    capacity: 100,
    remaining: 7,
    wholeAfterMs: 9300,
    unitAfterMs: 0,
  }),
  limitKeys: (limit) => ({ busiest: [{ key: `${limit} acme`, count: 12 }], refused: [] }),
}
const handler = createAdminHandler({
  endpoints: limitEndpoints(gateway),
  tokens: {
    admin: 'a',
    metrics: 'm',
    adminFile: undefined,
    roleOf: (token) => (token === 'a' ? 'admin' : token === 'm' ? 'metrics' : undefined),
  },
  isOwnHost: () => true,
})

async function get(target: string, token = 'a'): Promise<{ status: number; told: unknown }> {
  const answer = await handler(exchangeOf({ target, headers: ['authorization', `Bearer ${token}`] }))
  return { status: answer.status, told: JSON.parse((await readAll(answer.body, 65_536)).toString()) }
}

test('limits are listed with what they decided', async () => {
  const { status, told } = await get('/api/limits')
  assert.equal(status, 200)
  const [limit] = (told as { limits: Record<string, unknown>[] }).limits
  assert.deepEqual(
    [limit['name'], limit['per'], limit['decisions']],
    ['perTenant', ['tenant', 'header:x-plan'], { allowed: 7, refused: 2 }],
  )
})

test('the busy and refused keys of a limit are told by its name, to administrators alone', async () => {
  assert.deepEqual((await get('/api/limits/perTenant/keys')).told, {
    limit: 'perTenant',
    unit: 'charges per second',
    busiest: [{ key: 'perTenant acme', count: 12 }],
    refused: [],
  })
  assert.equal((await get('/api/limits/perTenant/keys', 'm')).status, 403)
  for (const target of [
    '/api/limits/other/keys',
    '/api/limits/perTenant/other',
    '/api/limits//keys',
    '/api/limits/a/b/keys',
    '/keys',
  ])
    assert.equal((await get(target)).status, 404, target)
})

test('the level of a budget is asked by its key, or by each part of it', async () => {
  const { status, told } = await get('/api/limits/perTenant/level?tenant=acme&header:x-plan=gold')
  assert.equal(status, 200)
  assert.deepEqual([(told as { key: string }).key, (told as { remaining: number }).remaining], ['4:acme4:gold', 7])
  assert.deepEqual((await get('/api/limits/perTenant/level?key=4:acme4:gold')).told, told)
  for (const query of ['', '?tenant=acme', '?tenant=acme&tenant=b', '?tenant=a&header:x-plan=b&address=c', '?key=a&key=b'])
    assert.equal((await get(`/api/limits/perTenant/level${query}`)).status, 400, query)
  assert.equal((await get('/api/limits/other/level?key=a')).status, 404)
  assert.equal((await get('/api/limits/perTenant/level?key=a', 'm')).status, 403)
})
