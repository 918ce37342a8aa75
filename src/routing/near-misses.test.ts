import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Headers } from '../core/headers.ts'
import type { NamedRoute, RoutedRequest } from './near-misses.ts'
import { nearMisses } from './near-misses.ts'
import type { RouteMatch } from './route-match.ts'
import { createRouter } from './router.ts'

function route(name: string, match: Partial<RouteMatch>): NamedRoute {
  return { name, source: name, match: { paths: ['/**'], methods: [], hosts: [], headers: [], query: [], allow: [], ...match } }
}

function request(over: Partial<RoutedRequest> = {}): RoutedRequest {
  return { method: 'GET', authority: 'api.example.com', path: '/', query: undefined, headers: [], ...over }
}

function missesOf(routes: readonly NamedRoute[], asked: RoutedRequest): [string, string, string][] {
  const { method, authority, path, headers, query } = asked
  const router = createRouter(routes)
  const found = router.match(method, authority, path, Headers.received(headers.flat()), query)?.route
  return nearMisses(routes, asked, found).map((miss) => [miss.route, miss.failed.join(' '), miss.why.join('; ')])
}

describe('near misses', () => {
  test('name every condition that did not hold, those of the fewest first', () => {
    const routes = [
      route('far', { paths: ['/a'], methods: ['PUT'], hosts: ['b.example.com'], query: [{ name: 'q', values: undefined }] }),
      route('near', { paths: ['/a'], headers: [{ name: 'X-Version', values: ['2', '3'] }] }),
    ]
    assert.deepEqual(missesOf(routes, request({ path: '/a', headers: [['x-version', '1']] })), [
      ['near', 'header', 'it needs the header X-Version: 2 or 3, and the request has another value'],
      [
        'far',
        'host method query',
        'the host is api.example.com, and the route is for b.example.com; the method is GET, and the route takes PUT; it needs the query parameter q',
      ],
    ])
  })

  test('never say what a header holds', () => {
    const routes = [route('keyed', { paths: ['/a'], headers: [{ name: 'authorization', values: ['Basic eDp5'] }] })]
    const [[, , why]] = missesOf(routes, request({ path: '/a', headers: [['authorization', 'Bearer secret']] }))
    assert.ok(!why.includes('secret'))
  })

  for (const [pattern, path, why] of [
    ['/orders/', '/orders', /has no slash at its end, but \/orders\/ has one/],
    ['/orders/{id}', '/orders/7/', /ends with a slash/],
    ['/orders/{id}', '/Orders/7', /"Orders" where \/orders\/\{id\} has "orders"/],
    ['/v1/orders/**', '/v1/oders/7/x', /"oders" where/],
  ] as const) {
    test(`find the slip of ${path} for ${pattern}`, () => {
      const [miss] = missesOf([route('one', { paths: [pattern] })], request({ path }))
      assert.equal(miss[1], 'path')
      assert.match(miss[2], why)
    })
  }

  test('are none where nothing is near', () => {
    const routes = [route('orders', { paths: ['/orders/{id}'] }), route('users', { paths: ['/users/**'] })]
    assert.deepEqual(missesOf(routes, request({ path: '/invoices/7' })), [])
  })

  for (const [title, first, second, why] of [
    ['host', { hosts: ['api.example.com'] }, { hosts: ['*.example.com'] }, /its host api\.example\.com is more particular/],
    ['path', { paths: ['/a', '/z'] }, { paths: ['/z', '/{x}'] }, /its path \/a is more particular than \/\{x\}/],
    ['methods', { methods: ['GET'] }, {}, /it names its methods/],
    ['headers', { headers: [{ name: 'x', values: undefined }] }, {}, /it asks for more headers/],
    ['query', { query: [{ name: 'q', values: undefined }] }, {}, /it asks for more query parameters/],
  ] as const) {
    test(`say that another route comes first by its ${title}`, () => {
      const path = title === 'path' ? '/a' : '/'
      const asked = request({ path, query: 'q=1', headers: [['x', '1']] })
      const [miss] = missesOf([route('second', second), route('first', first)], asked)
      assert.deepEqual(miss.slice(0, 2), ['second', 'precedence'])
      assert.match(miss[2], /it matches too, but first comes first/)
      assert.match(miss[2], why)
    })
  }
})
