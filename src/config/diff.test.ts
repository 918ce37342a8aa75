import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkGateway } from './check.ts'
import type { ConfigDiff } from './diff.ts'
import { diffModels, relativeTo } from './diff.ts'
import type { GatewayModel } from './model.ts'

type Change = (input: typeof base) => unknown

const base = {
  listeners: { web: { port: 8080 } },
  services: { orders: { url: 'http://127.0.0.1:7002', timeout: '5s' }, users: { url: 'http://127.0.0.1:7004' } },
  limits: { few: { algorithm: 'fixed-window', limit: 5, window: '1m', per: ['address'] } },
  defaults: { auth: 'public', body: { max: '1mb' } } as Record<string, unknown>,
  routes: [
    { name: 'orders', match: { path: '/orders/**' }, to: 'orders', limits: ['few'] },
    { name: 'users', match: { path: '/users/{id}', headers: { 'x-a': '1' } as Record<string, string> }, to: 'users' },
    { name: 'others', match: { path: '/users/{id}', headers: { 'x-b': '1' } as Record<string, string> }, to: 'users' },
  ] as Record<string, unknown>[],
}

function model(input: unknown): GatewayModel {
  const { model: checked, findings } = checkGateway(input, { file: '/etc/velum/velum.config.json' })
  assert.ok(checked !== undefined, JSON.stringify(findings))
  return checked
}

function diff(change: Change): ConfigDiff {
  return diffModels(model(base), model(change(structuredClone(base))))
}

describe('the difference of two configurations', () => {
  test('is none where nothing differs, whatever the order of what has names', () => {
    const swapped = diff((c) => ({ ...c, services: { users: c.services.users, orders: c.services.orders } }))
    assert.deepEqual(swapped, { isEmpty: true, routes: { added: [], removed: [], altered: [], order: [] }, parts: [] })
  })

  test('names an added route and who had its requests before', () => {
    const { routes } = diff((c) => ({
      ...c,
      routes: [
        ...c.routes,
        { name: 'events', match: { path: '/orders/events', methods: ['GET'] }, to: 'orders' },
        { name: 'new', match: { path: '/new' }, to: 'orders' },
      ],
    }))
    assert.deepEqual(routes.added, [
      { name: 'events', source: 'routes[3]', other: 'orders' },
      { name: 'new', source: 'routes[4]', other: undefined },
    ])
    assert.deepEqual(routes.altered, [])
  })

  test('names a removed route and who has its requests now', () => {
    const { routes } = diff((c) => ({ ...c, routes: [{ ...c.routes[0], name: 'all', match: { path: '/**' } }] }))
    assert.deepEqual(
      routes.removed.map(({ name, other }) => [name, other]),
      [
        ['orders', 'all'],
        ['users', 'all'],
        ['others', 'all'],
      ],
    )
  })

  test('shows what is another of a route, and nothing else', () => {
    const { routes, parts } = diff((c) => ({
      ...c,
      routes: c.routes.with(0, { ...c.routes[0], limits: [{ use: 'few', cost: 2 }], timeout: '2s', cors: { origins: '*' } }),
    }))
    assert.deepEqual(parts, [])
    const [{ name, changes }, ...more] = routes.altered
    assert.deepEqual([name, more], ['orders', []])
    assert.deepEqual(changes.map(({ path }) => path).sort(), ['cors', 'limits', 'timeoutMs'])
    assert.deepEqual(
      changes.find(({ path }) => path === 'timeoutMs'),
      { path: 'timeoutMs', before: Infinity, after: 2000 },
    )
  })

  test('reaches routes through defaults, limits and services', () => {
    const byDefault = diff((c) => ({ ...c, defaults: { ...c.defaults, body: { max: '2mb' } } }))
    assert.equal(byDefault.routes.altered.length, 3)
    const byLimit = diff((c) => ({ ...c, limits: { few: { ...c.limits.few, limit: 6 } } }))
    assert.deepEqual(
      byLimit.routes.altered.map(({ name, changes, through }) => [name, changes, through]),
      [['orders', [], ['limits.few']]],
    )
    assert.deepEqual(byLimit.parts, [{ part: 'limits.few', kind: 'altered', changes: [{ path: 'limit', before: 5, after: 6 }] }])
    const byService = diff((c) => ({ ...c, services: { ...c.services, orders: { url: 'http://127.0.0.1:7002', timeout: '6s' } } }))
    assert.deepEqual(byService.routes.altered[0].through, ['services.orders'])
  })

  test('tells when only the place of a route decides, and it is another', () => {
    const { routes, isEmpty } = diff((c) => ({ ...c, routes: [c.routes[0], c.routes[2], c.routes[1]] }))
    assert.equal(isEmpty, false)
    assert.deepEqual(routes.order, [{ first: 'others', second: 'users', path: '/users/{id}' }])
    const harmless = diff((c) => ({ ...c, routes: [c.routes[1], c.routes[0], c.routes[2]] }))
    assert.deepEqual(harmless.routes.order, [])
    assert.ok(harmless.isEmpty, 'a place that decides nothing is no difference')
  })

  test('never shows a secret', () => {
    const secret = 'a'.repeat(40)
    const told = JSON.stringify(diff((c) => ({ ...c, secret: [secret] })))
    assert.ok(told.includes('"part":"secrets"'))
    assert.ok(!told.includes(secret))
  })

  test('is none between two copies in two folders', () => {
    const copy = checkGateway({ ...base, store: { kind: 'embedded', path: 'here' } }, { file: '/srv/new/velum.config.json' }).model!
    const first = checkGateway(
      { ...base, store: { kind: 'embedded', path: 'here' } },
      { file: '/srv/old/velum.config.json' },
    ).model!
    assert.ok(!diffModels(first, copy).isEmpty)
    assert.ok(diffModels(relativeTo(first, '/srv/old'), relativeTo(copy, '/srv/new')).isEmpty)
  })
})
