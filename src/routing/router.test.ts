import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { matchOf } from '../../test/support/route-match.ts'
import { Headers } from '../core/headers.ts'
import { problems } from '../core/problem.ts'
import type { Routed } from './candidate.ts'
import { routeParamNames } from './path-pattern.ts'
import { preflightMethod } from './preflight.ts'
import type { RouteMatch } from './route-match.ts'
import { createRouter } from './router.ts'

interface Named extends Routed {
  readonly name: string
}

const route = (name: string, paths: string | readonly string[], more: Partial<RouteMatch> = {}): Named => ({
  name,
  match: matchOf(typeof paths === 'string' ? [paths] : paths, more),
})

interface Asked {
  readonly method?: string
  readonly authority?: string
  readonly headers?: readonly (readonly [string, string])[]
  readonly query?: string
}

/** The name of the route found, "405 <Allow>", or "404". */
function found(routes: readonly Named[], path: string, asked: Asked = {}): string {
  const { method = 'GET', authority = 'h', headers = [], query } = asked
  const hit = createRouter(routes).match(method, authority, path, Headers.from(headers), query)
  if (hit === undefined) return '404'
  if (hit.route !== undefined) return hit.route.name
  assert.equal(problems[hit.problem.name].status, 405)
  return `405 ${hit.problem.headers?.pairs.find(([name]) => name === 'allow')?.[1]}`
}

describe('the router: what a pattern matches', () => {
  const table: readonly (readonly [pattern: string, matches: readonly string[], not: readonly string[]])[] = [
    ['/', ['/'], ['/a']],
    ['/a', ['/a'], ['/', '/a/', '/a/b', '/b', '/A', '/aa']],
    ['/a/', ['/a/'], ['/a', '/a/b']],
    ['/a/b', ['/a/b'], ['/a', '/a/b/', '/a/c', '/a/b/c']],
    ['/{x}', ['/a', '/a%2Fb', '/a:b'], ['/', '/a/', '/a/b']],
    ['/a/{x}', ['/a/b', '/a/%2F'], ['/a', '/a/', '/a/b/', '/a/b/c', '/b/b']],
    ['/a/{x}/', ['/a/b/'], ['/a/b', '/a//', '/a/']],
    ['/a/{x}/c', ['/a/b/c'], ['/a/c', '/a/b/d', '/a/b/c/']],
    ['/a/*', ['/a/b'], ['/a', '/a/', '/a/b/c']],
    ['/a/{x?}', ['/a', '/a/b'], ['/', '/a/', '/a/b/', '/a/b/c']],
    ['/{x?}', ['/', '/a'], ['/a/', '/a/b']],
    ['/{x}/{y?}', ['/a', '/a/b'], ['/', '/a/', '/a/b/c']],
    ['/a/**', ['/a', '/a/', '/a/b', '/a/b/', '/a/b/c/d'], ['/', '/ab', '/b/a']],
    ['/**', ['/', '/a', '/a/', '/a/b/c'], []],
    ['/{x}/**', ['/a', '/a/', '/a/b/c'], ['/']],
    ['/café', ['/caf%C3%A9'], ['/cafe']],
  ]
  for (const [pattern, matches, not] of table) {
    it(pattern, () => {
      for (const path of matches) assert.equal(found([route('r', pattern)], path), 'r', `${pattern} matches ${path}`)
      for (const path of not) assert.equal(found([route('r', pattern)], path), '404', `${pattern} does not match ${path}`)
    })
  }
})

describe('the router: which of several routes', () => {
  /** Every case is tried with the routes in both orders: it must not be the configuration that decides. */
  const check = (title: string, path: string, winner: Named, loser: Named, asked: Asked = {}): void => {
    it(title, () => {
      assert.equal(found([winner, loser], path, asked), winner.name)
      assert.equal(found([loser, winner], path, asked), winner.name)
    })
  }
  check('a literal before {x}', '/a', route('literal', '/a'), route('param', '/{x}'))
  check('a literal before {x?}', '/a', route('literal', '/a'), route('optional', '/{x?}'))
  check('{x} before {x?}', '/a', route('param', '/{x}'), route('optional', '/{x?}'))
  check('{x} before **', '/a', route('param', '/{x}'), route('rest', '/**'))
  check('{x?} before **, with its segment', '/a/b', route('optional', '/a/{x?}'), route('rest', '/a/**'))
  check('{x?} before **, without', '/a', route('optional', '/a/{x?}'), route('rest', '/a/**'))
  check('the end before {x?}', '/a', route('literal', '/a'), route('optional', '/a/{x?}'))
  check('the end before **', '/a', route('literal', '/a'), route('rest', '/a/**'))
  check('the end behind {x} before **', '/q', route('end', '/{x}'), route('rest', '/{x}/**'))
  check('a slash at the end before **', '/a/', route('literal', '/a/'), route('rest', '/a/**'))
  check('the earlier segment decides', '/a/b', route('early', '/a/{x}'), route('late', '/{x}/b'))
  check('even against a longer pattern', '/a/b/c', route('early', '/a/**'), route('late', '/{x}/b/c'))
  check('a longer ** before a shorter', '/a/b/c', route('long', '/a/b/**'), route('short', '/a/**'))
  check('** below {x} before ** above', '/a/b/c', route('long', '/a/{x}/**'), route('short', '/a/**'))
  check('the root before {x?}', '/', route('root', '/'), route('optional', '/{x?}'))
  check('the root before **', '/', route('root', '/'), route('rest', '/**'))
  check('{x?} at the root before **', '/', route('optional', '/{x?}'), route('rest', '/**'))
  check('methods before none', '/a', route('listed', '/a', { methods: ['GET'] }), route('any', '/a'))
  check('a path before methods', '/a', route('path', '/a'), route('listed', '/{x}', { methods: ['GET'] }))
  const version = { name: 'x-version', values: ['2'] }
  const beta = { name: 'x-beta', values: undefined }
  const bothFields: Asked = { headers: [['X-Version', '2'], ['x-beta', '']], query: 'a=1&b=2' } // prettier-ignore
  check('a header before none', '/a', route('header', '/a', { headers: [version] }), route('none', '/a'), bothFields)
  check(
    'two headers before one',
    '/a',
    route('two', '/a', { headers: [version, beta] }),
    route('one', '/a', { headers: [beta] }),
    bothFields,
  )
  check(
    'methods before headers',
    '/a',
    route('method', '/a', { methods: ['GET'] }),
    route('header', '/a', { headers: [version] }),
    bothFields,
  )
  const a = { name: 'a', values: ['1'] }
  const b = { name: 'b', values: undefined }
  check('a query before none', '/a', route('query', '/a', { query: [a] }), route('none', '/a'), bothFields)
  check('two queries before one', '/a', route('two', '/a', { query: [a, b] }), route('one', '/a', { query: [b] }), bothFields)
  check(
    'a header before two queries',
    '/a',
    route('header', '/a', { headers: [beta] }),
    route('two', '/a', { query: [a, b] }),
    bothFields,
  )
  const host = { authority: 'api.eu.example.com:8443' }
  check(
    'an exact host before a wildcard',
    '/a',
    route('exact', '/**', { hosts: ['api.eu.example.com'] }),
    route('wild', '/a', { hosts: ['*.eu.example.com'] }),
    host,
  )
  check(
    'a longer wildcard before a shorter',
    '/a',
    route('long', '/**', { hosts: ['*.eu.example.com'] }),
    route('short', '/a', { hosts: ['*.example.com'] }),
    host,
  )
  check('a wildcard before none', '/a', route('wild', '/**', { hosts: ['*.example.com'] }), route('none', '/a'), host)
  check(
    'a route for HEAD before one for GET',
    '/a',
    route('head', '/a', { methods: ['HEAD'] }),
    route('get', '/a', { methods: ['GET'] }),
    { method: 'HEAD' },
  )

  it('of equals the earlier one', () => {
    const first = route('first', '/a', { headers: [version] })
    const second = route('second', '/a', { headers: [beta] })
    assert.equal(found([first, second], '/a', bothFields), 'first')
    assert.equal(found([second, first], '/a', bothFields), 'second')
  })

  it('goes back when a more particular beginning leads nowhere', () => {
    const routes = [route('deep', '/a/{x}/c'), route('shallow', '/{x}/b/d'), route('rest', '/**')]
    assert.equal(found(routes, '/a/b/c'), 'deep')
    assert.equal(found(routes, '/a/b/d'), 'shallow')
    assert.equal(found(routes, '/a/b/e'), 'rest')
  })

  it('tries the next match when conditions fail, down to other hosts', () => {
    const routes = [
      route('exact', '/a', { hosts: ['api.example.com'], headers: [version] }),
      route('wild', '/a', { hosts: ['*.example.com'], query: [a] }),
      route('param', '/{x}', { headers: [beta] }),
      route('rest', '/**'),
    ]
    const authority = 'api.example.com'
    assert.equal(found(routes, '/a', { authority, ...bothFields }), 'exact')
    assert.equal(found(routes, '/a', { authority, query: 'a=1' }), 'wild')
    assert.equal(found(routes, '/a', { authority, headers: [['x-beta', '1']] }), 'param')
    assert.equal(found(routes, '/a', { authority }), 'rest')
    assert.equal(found(routes, '/other', { authority }), 'rest')
  })
})

describe('the router: methods', () => {
  const routes = [
    route('read', '/a', { methods: ['GET'] }),
    route('write', '/a', { methods: ['POST', 'PUT'] }),
    route('other', '/b', { methods: ['DELETE'] }),
  ]
  it('GET includes HEAD', () => assert.equal(found(routes, '/a', { method: 'HEAD' }), 'read'))
  it('names are matched as they are', () => assert.equal(found(routes, '/a', { method: 'get' }), '405 GET, HEAD, POST, PUT'))
  it('405 names what all matching routes allow', () => {
    assert.equal(found(routes, '/a', { method: 'DELETE' }), '405 GET, HEAD, POST, PUT')
    assert.equal(found(routes, '/b', { method: 'BREW' }), '405 DELETE')
  })
  it('OPTIONS is a method like any other', () => {
    assert.equal(found(routes, '/a', { method: 'OPTIONS' }), '405 GET, HEAD, POST, PUT')
    assert.equal(found([...routes, route('options', '/a', { methods: ['OPTIONS'] })], '/a', { method: 'OPTIONS' }), 'options')
    assert.equal(found([route('any', '/a')], '/a', { method: 'OPTIONS' }), 'any')
  })
  it('an unknown method reaches routes for any method only', () => {
    assert.equal(found([...routes, route('any', '/{x}')], '/a', { method: 'BREW' }), 'any')
  })
  it('405 only if the method alone failed', () => {
    const conditional = [route('a', '/a', { methods: ['POST'], headers: [{ name: 'x-version', values: ['2'] }] })]
    assert.equal(found(conditional, '/a'), '404')
    assert.equal(found(conditional, '/a', { headers: [['x-version', '2']] }), '405 POST')
    const hosted = [route('a', '/a', { methods: ['POST'], hosts: ['api.example.com'] })]
    assert.equal(found(hosted, '/a', { authority: 'other.example.com' }), '404')
    assert.equal(found(hosted, '/a', { authority: 'api.example.com' }), '405 POST')
  })
  it('a less particular route that takes the method is found instead', () => {
    assert.equal(found([...routes, route('rest', '/**', { methods: ['DELETE'] })], '/a', { method: 'DELETE' }), 'rest')
  })
  it('refuses more different methods than it can tell apart', () => {
    const many = Array.from({ length: 32 }, (_, i) => route(`r${i}`, `/${i}`, { methods: [`M${i}`] }))
    assert.throws(() => createRouter(many), /31 different methods/)
  })
})

describe('the router: hosts', () => {
  const routes = [
    route('exact', '/', { hosts: ['example.com', 'example.org'] }),
    route('wild', '/', { hosts: ['*.example.com'] }),
    route('ipv6', '/', { hosts: ['[::1]'] }),
  ]
  const by = (authority: string): string => found(routes, '/', { authority })
  it('with and without port', () => {
    assert.equal(by('example.com'), 'exact')
    assert.equal(by('example.com:8443'), 'exact')
    assert.equal(by('example.org:1'), 'exact')
    assert.equal(by('[::1]'), 'ipv6')
    assert.equal(by('[::1]:8443'), 'ipv6')
    assert.equal(by('[::2]'), '404')
  })
  it('a full name may end in a dot', () => {
    assert.equal(by('example.com.'), 'exact')
    assert.equal(by('a.example.com.:443'), 'wild')
  })
  it('a wildcard stands for one label or more', () => {
    assert.equal(by('a.example.com'), 'wild')
    assert.equal(by('a.b.c.example.com:8443'), 'wild')
    assert.equal(by('.example.com'), '404')
    assert.equal(by('xexample.com'), '404')
    assert.equal(by('a.example.org'), '404')
    assert.equal(by('com'), '404')
    assert.equal(by(''), '404')
    assert.equal(by('a.example.com.evil.net'), '404')
  })
})

const headed = (values: readonly string[] | undefined) => [route('r', '/', { headers: [{ name: 'x-kind', values }] })]

const queried = (values: readonly string[] | undefined) => [route('r', '/', { query: [{ name: 'a b', values }] })]

describe('the router: header and query conditions', () => {
  it('a header with one of the values', () => {
    assert.equal(found(headed(['a', 'b']), '/', { headers: [['X-Kind', 'b']] }), 'r')
    assert.equal(found(headed(['a', 'b']), '/', { headers: [['X-Kind', 'B']] }), '404')
    assert.equal(found(headed(['a', 'b']), '/'), '404')
  })
  it('a header of any value', () => {
    assert.equal(found(headed(undefined), '/', { headers: [['x-kind', '']] }), 'r')
    assert.equal(found(headed(undefined), '/'), '404')
  })
  it('several lines are one value', () => {
    const headers = [['x-kind', 'a'], ['x-kind', 'b']] as const // prettier-ignore
    assert.equal(found(headed(['a']), '/', { headers }), '404')
    assert.equal(found(headed(['a, b']), '/', { headers }), 'r')
  })
  const queries: readonly (readonly [query: string | undefined, values: readonly string[] | undefined, matches: boolean])[] = [
    [undefined, undefined, false],
    ['', undefined, false],
    ['a%20b', undefined, true],
    ['a+b', undefined, true],
    ['a%20b=', [''], true],
    ['a%20b', [''], true],
    ['x=1&a%20b=2&&y', ['2'], true],
    ['a%20b=%32', ['2'], true],
    ['a%20b=1+2', ['1 2'], true],
    ['a%20b=x=y', ['x=y'], true],
    ['a%20b=3', ['1', '2'], false],
    ['a%20b=1&a%20b=2', ['1', '2'], true],
    ['a%20b=1&a%20b=3', ['1', '2'], false],
    ['a%20b=3&a%20b=1', ['1', '2'], false],
    ['a%20b=%zz', ['%zz'], false],
    ['a%20b=%zz', undefined, true],
    ['a%zzb=1', undefined, false],
    ['A%20b=1', undefined, false],
    ['a%20bc=1', undefined, false],
  ]
  for (const [query, values, matches] of queries) {
    it(`?${query} ${matches ? 'meets' : 'does not meet'} ${JSON.stringify(values)}`, () => {
      assert.equal(found(queried(values), '/', query === undefined ? {} : { query }), matches ? 'r' : '404')
    })
  }
  it('a parameter name without anything to decode', () => {
    const routes = [route('r', '/', { query: [{ name: 'ab', values: ['1'] }] })]
    assert.equal(found(routes, '/', { query: 'ab=1' }), 'r')
    assert.equal(found(routes, '/', { query: 'abc=1&xab=1' }), '404')
    assert.equal(found(routes, '/', { query: '%61b=1' }), 'r')
  })
  it('a header name that cannot be is refused when the router is made', () => {
    assert.throws(() => createRouter([route('r', '/', { headers: [{ name: 'x kind', values: undefined }] })]), /header name/)
  })
})

const params = (paths: readonly string[], path: string): Record<string, string | undefined> => {
  const router = createRouter([route('r', paths)])
  const hit = router.match('GET', 'h', path, new Headers(), undefined)
  assert.ok(hit?.route !== undefined)
  return Object.fromEntries(routeParamNames(hit.route.match).map((name, i) => [name, hit.params[i]]))
}

describe('the router: parameters', () => {
  it('are caught as they stand in the path', () => {
    assert.deepEqual(params(['/a/{x}/c/{y}'], '/a/1%2F2/c/%C3%A9'), { x: '1%2F2', y: '%C3%A9' })
  })
  it('an optional one may be absent', () => {
    assert.deepEqual(params(['/a/{x?}'], '/a'), { x: undefined })
    assert.deepEqual(params(['/a/{x?}'], '/a/1'), { x: '1' })
  })
  it('the rest keeps its slashes', () => {
    assert.deepEqual(params(['/a/{x}/**'], '/a/1'), { x: '1', '**': '' })
    assert.deepEqual(params(['/a/{x}/**'], '/a/1/'), { x: '1', '**': '/' })
    assert.deepEqual(params(['/a/{x}/**'], '/a/1/2/3%2F'), { x: '1', '**': '/2/3%2F' })
    assert.deepEqual(params(['/**'], '/'), { '**': '/' })
  })
  it('are in the order of all the patterns of a route', () => {
    assert.deepEqual(params(['/a/{x}/{y}', '/b/{y}/{x}', '/c'], '/b/1/2'), { x: '2', y: '1' })
    assert.deepEqual(params(['/a/{x}/*/{y}', '/b/**'], '/a/1/2/3'), { x: '1', y: '3', '**': undefined })
    assert.deepEqual(params(['/a/{x}/*/{y}', '/b/**'], '/b/1/2/3'), { x: undefined, y: undefined, '**': '/1/2/3' })
  })
  it('of a beginning that led nowhere are forgotten', () => {
    const router = createRouter([route('deep', '/{a}/{b}/x'), route('rest', '/{c}/**')])
    const hit = router.match('GET', 'h', '/1/2/3', new Headers(), undefined)
    assert.deepEqual(hit?.route !== undefined && [hit.route.name, hit.params], ['rest', ['1', '/2/3']])
  })
})

describe('the router: CORS preflights', () => {
  const headers = Headers.from([
    ['origin', 'https://app.example.com'],
    ['access-control-request-method', 'PUT'],
    ['access-control-request-headers', 'content-type, X-Version'],
  ])
  it('are told by method, origin and the method asked for', () => {
    assert.equal(preflightMethod('OPTIONS', headers), 'PUT')
    assert.equal(preflightMethod('GET', headers), undefined)
    assert.equal(preflightMethod('OPTIONS', new Headers()), undefined)
    assert.equal(preflightMethod('OPTIONS', Headers.from([['access-control-request-method', 'PUT']])), undefined)
  })
  it('find the route of the request to come', () => {
    const router = createRouter([
      route('read', '/a', { methods: ['GET'] }),
      route('write', '/a', { methods: ['PUT'], headers: [{ name: 'x-version', values: ['2'] }] }),
    ])
    const preflight = router.matchPreflight('PUT', 'h', '/a', headers, undefined)
    assert.equal(preflight?.route?.name, 'write')
    // The announcement holds for the preflight only.
    assert.equal(router.match('PUT', 'h', '/a', headers, undefined)?.route, undefined)
    const unannounced = Headers.from([['origin', 'https://app.example.com']])
    assert.equal(router.matchPreflight('PUT', 'h', '/a', unannounced, undefined)?.route, undefined)
  })
})

describe('the match order of a table', () => {
  it('is the order in which routes are tried', () => {
    const routes = [
      route('rest', '/**'),
      route('param', '/a/{x}'),
      route('any', '/a/b'),
      route('post', '/a/b', { methods: ['POST'] }),
      route('wild', '/**', { hosts: ['*.example.com'] }),
      route('longer', '/**', { hosts: ['*.eu.example.com'] }),
      route('exact', ['/z/**', '/a'], { hosts: ['example.com'] }),
    ]
    assert.deepEqual(
      createRouter(routes).routes.map(({ name }) => name),
      ['exact', 'longer', 'wild', 'post', 'any', 'param', 'rest'],
    )
  })
})
