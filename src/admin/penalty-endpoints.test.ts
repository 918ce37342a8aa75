import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { readAll, textBody } from '../core/body.ts'
import type { PenaltyOrder } from '../limits/penalty-order.ts'
import { penaltyOf } from '../limits/penalty-order.ts'
import type { PenaltySpec } from '../limits/penalty-spec.ts'
import { createAdminHandler } from './admin-handler.ts'
import { penaltyEndpoints } from './penalty-endpoints.ts'
import type { PenaltySource } from './penalty-endpoints.ts'

const banned: PenaltySpec = {
  name: 'banned',
  after: undefined,
  forMs: 86_400_000,
  per: [{ kind: 'address' }, { kind: 'header', name: 'x-app' }],
  answer: 429,
  shadow: false,
}
const orders: PenaltyOrder[] = []
const one = penaltyOf(
  { penalty: 'banned', who: { address: '192.0.2.1', 'header:x-app': 'scraper' }, reason: 'a test' },
  [banned],
  Date.parse('2026-11-24T12:00:00Z'),
  undefined,
)
const gateway: PenaltySource = {
  model: { penalties: [banned] },
  penalties: {
    list: () => [one],
    add: async (order) => {
      orders.push(order)
      return { penalty: penaltyOf(order, [banned], one.at, undefined), isStored: false }
    },
    lift: async (id) => (id === one.id ? { penalty: one, isStored: true } : undefined),
  },
}
const handler = createAdminHandler({
  endpoints: penaltyEndpoints(gateway),
  tokens: {
    admin: 'a',
    metrics: 'm',
    adminFile: undefined,
    roleOf: (token) => (token === 'a' ? 'admin' : token === 'm' ? 'metrics' : undefined),
  },
  isOwnHost: () => true,
})

async function call(
  method: string,
  target: string,
  body?: unknown,
  token = 'a',
): Promise<{ status: number; told: Record<string, unknown> }> {
  const headers = ['authorization', `Bearer ${token}`]
  const content = typeof body === 'string' ? body : JSON.stringify(body ?? '')
  const answer = await handler(exchangeOf({ method, target, headers, body: textBody(content) }))
  return { status: answer.status, told: JSON.parse((await readAll(answer.body, 65_536)).toString()) as Record<string, unknown> }
}

const document = {
  id: one.id,
  penalty: 'banned',
  label: 'penalty:banned',
  who: { address: '192.0.2.1', 'header:x-app': 'scraper' },
  by: 'hand',
  reason: 'a test',
  at: '2026-11-24T12:00:00.000Z',
  until: '2026-11-25T12:00:00.000Z',
}

test('who is boxed is listed beside the rules, to administrators alone', async () => {
  assert.deepEqual(await call('GET', '/api/penalties'), {
    status: 200,
    told: {
      rules: [{ name: 'banned', for: '1d', per: ['address', 'header:x-app'], answer: 429, shadow: false, boxed: 1 }],
      penalties: [document],
    },
  })
  for (const [method, target] of [
    ['GET', '/api/penalties'],
    ['PUT', '/api/penalties'],
    ['DELETE', `/api/penalties/${one.id}`],
  ])
    assert.equal((await call(method, target, undefined, 'm')).status, 403)
})

test('a client is boxed, and it is said whether the store knows already', async () => {
  const who = { address: '192.0.2.1', 'header:x-app': 'scraper' }
  const { status, told } = await call('PUT', '/api/penalties', { penalty: 'banned', who, for: '1d', reason: 'a test' })
  assert.deepEqual([status, told], [200, { ...document, stored: false }])
  assert.equal(orders.at(-1)?.forMs, 86_400_000)
  await call('PUT', '/api/penalties', { penalty: 'banned', who })
  assert.deepEqual([orders.at(-1)?.forMs, orders.at(-1)?.reason], [undefined, ''])
})

test('what is no order is told in words', async () => {
  const who = { address: '192.0.2.1', 'header:x-app': 'scraper' }
  const wrong: [unknown, RegExp][] = [
    ['{', /no JSON object/],
    ['{"penalty":"a","penalty":"b"}', /no JSON object/],
    [[], /no JSON object/],
    [{ who }, /"penalty" is missing/],
    [{ penalty: 'banned' }, /"who" is no object/],
    [{ penalty: 'banned', who: { address: ['192.0.2.1'] } }, /"who" is no object/],
    [{ penalty: 'banned', who, for: 5 }, /"for" is no text/],
    [{ penalty: 'banned', who, for: '5 minutes' }, /"for": /],
    [{ penalty: 'banned', who, until: 'tomorrow' }, /"until" is not known here/],
    [{ penalty: 'banned', who, reason: 5 }, /"reason" is no text/],
    [{ penalty: 'banned', who: { address: '192.0.2.1' } }, /needs to know the header:x-app/],
  ]
  for (const [body, detail] of wrong) {
    const { status, told } = await call('PUT', '/api/penalties', body)
    assert.equal(status, 422, JSON.stringify(body))
    assert.match(String(told['detail']), detail)
  }
})

test('a client is let out by its id', async () => {
  assert.deepEqual(await call('DELETE', `/api/penalties/${one.id}`), { status: 200, told: { ...document, stored: true } })
  assert.equal((await call('DELETE', '/api/penalties/banned.nobody')).status, 404)
})
