import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { matchOf } from '../../test/support/route-match.ts'
import { Headers } from '../core/headers.ts'
import type { Routed } from './candidate.ts'
import type { FieldMatch, RouteMatch } from './route-match.ts'
import { createRouter } from './router.ts'

/*
 * A second router, as plain as CONTRACT's sentences and as slow: every route is tried against the request by a regular
 * expression, those that match are ranked, the first is taken. It shares no code with the real one.
 */

interface Request {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly headers: readonly string[]
  readonly query: readonly string[]
}

const asRegExp = (pattern: string): RegExp => {
  if (pattern === '/{o?}') return /^\/[^/]*$/
  const source = pattern
    .replaceAll('/{o?}', '(?:/[^/]+)?')
    .replaceAll('/**', '(?:/.*)?')
    .replaceAll(/\{[a-z]\}/g, '[^/]+')
  return new RegExp(pattern === '/**' ? '^/' : `^${source}$`)
}

const hostMatches = (pattern: string, host: string): boolean =>
  pattern.startsWith('*.') ? host.endsWith(pattern.slice(1)) && host.length >= pattern.length : pattern === host

const fieldsHold = (fields: readonly FieldMatch[], present: readonly string[]): boolean =>
  fields.every((field) => present.includes(field.name))

/** Smaller is more particular. Compared number by number. */
function rank(match: RouteMatch, host: string, pattern: string, index: number): number[] {
  const hostRank = host === '' ? 1000 : host.startsWith('*.') ? 500 - host.split('.').length : 0
  const steps = pattern
    .slice(1)
    .split('/')
    .map((step): number => (step === '**' ? 4 : step === '{o?}' ? 3 : step.startsWith('{') ? 2 : 1))
  while (steps.length < 8) steps.push(0)
  return [hostRank, ...steps, match.methods.length === 0 ? 1 : 0, -match.headers.length, -match.query.length, index]
}

const compare = (a: readonly number[], b: readonly number[]): number => {
  for (const [i, left] of a.entries()) if (left !== b[i]) return left - b[i]
  return 0
}

function reference(routes: readonly Routed[], request: Request): string {
  let best: { ranks: number[]; index: number } | undefined
  const allowed = new Set<string>()
  for (const [index, { match }] of routes.entries()) {
    if (!fieldsHold(match.headers, request.headers) || !fieldsHold(match.query, request.query)) continue
    for (const host of match.hosts.length === 0 ? [''] : match.hosts) {
      if (host !== '' && !hostMatches(host, request.host)) continue
      for (const pattern of match.paths) {
        if (!asRegExp(pattern).test(request.path)) continue
        const methods = match.methods.includes('GET') ? [...match.methods, 'HEAD'] : match.methods
        if (methods.length > 0 && !methods.includes(request.method)) {
          for (const method of methods) allowed.add(method)
          continue
        }
        const ranks = rank(match, host, pattern, index)
        if (best === undefined || compare(ranks, best.ranks) < 0) best = { ranks, index }
      }
    }
  }
  if (best !== undefined) return `route ${best.index}`
  return allowed.size === 0 ? '404' : `405 ${[...allowed].sort().join(', ')}`
}

const step = fc.constantFrom('a', 'b', '{x}')
const names = ['x', 'y', 'z', 'w']
const pattern = fc.tuple(fc.array(step, { maxLength: 4 }), fc.constantFrom('', '', '/', '/{o?}', '/**')).map(([steps, end]) => {
  const named = steps.map((s, i) => (s === '{x}' ? `{${names[i]}}` : s))
  const path = named.length === 0 ? '' : `/${named.join('/')}`
  return path + end === '' ? '/' : path + end
})
const fields = fc
  .subarray(['f', 'g'])
  .map((picked): FieldMatch[] => picked.map((name) => ({ name, values: name === 'f' ? undefined : ['1'] })))
const routeArbitrary = fc
  .record({
    paths: fc.array(pattern, { minLength: 1, maxLength: 2 }),
    // HEAD is left to GET here: a route for HEAD alone has a rule, and a test, of its own.
    methods: fc.subarray(['GET', 'POST', 'PUT']),
    hosts: fc.subarray(['e.com', 'a.e.com', '*.e.com', '*.a.e.com'], { maxLength: 2 }),
    headers: fields,
    query: fields,
  })
  .map(({ paths, ...more }): Routed => ({ match: matchOf(paths, more) }))
const request: fc.Arbitrary<Request> = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'DELETE'),
  host: fc.constantFrom('e.com', 'a.e.com', 'b.e.com', 'b.a.e.com', 'other'),
  path: fc
    .tuple(fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 5 }), fc.boolean())
    .map(([steps, slash]) => (steps.length === 0 ? '/' : `/${steps.join('/')}${slash ? '/' : ''}`)),
  headers: fc.subarray(['f', 'g']),
  query: fc.subarray(['f', 'g']),
})

describe('the router, against a reference that only follows the rules', () => {
  it('finds the same route for every request', () => {
    fc.assert(
      fc.property(
        fc.array(routeArbitrary, { minLength: 1, maxLength: 8 }),
        fc.array(request, { minLength: 1, maxLength: 12 }),
        (routes, requests) => {
          const router = createRouter(routes)
          for (const asked of requests) {
            const headers = Headers.from(asked.headers.map((name) => [name, '1']))
            const query = asked.query.length === 0 ? undefined : asked.query.map((name) => `${name}=1`).join('&')
            const hit = router.match(asked.method, asked.host, asked.path, headers, query)
            const answer =
              hit === undefined
                ? '404'
                : hit.route === undefined
                  ? `405 ${hit.problem.headers?.pairs[0][1]}`
                  : `route ${routes.indexOf(hit.route)}`
            assert.equal(answer, reference(routes, asked), JSON.stringify(asked))
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
})

const routesOf = (count: number): Routed[] =>
  Array.from({ length: count }, (_, i) => [
    { match: matchOf([`/service-${i}/items/{id}`], { methods: ['GET'] }) },
    { match: matchOf([`/service-${i}/files/**`]) },
    { match: matchOf([`/service-${i}/status`]) },
    { match: matchOf([`/{tenant}/service-${i}`], { hosts: [`host-${i}.example.com`, `*.zone-${i}.example.com`] }) },
  ]).flat()

describe('the work of a match', () => {
  it('is the same for ten routes and for ten thousand', () => {
    const few = createRouter(routesOf(3))
    const many = createRouter(routesOf(2500))
    const requests = [
      ['h', '/service-1/items/7'],
      ['h', '/service-1/files/a/b/c'],
      ['h', '/service-1/status'],
      ['h', '/nothing/here'],
      ['host-1.example.com', '/t/service-1'],
      ['a.b.zone-2.example.com', '/t/service-2'],
      ['a.b.zone-2.example.com', '/t/nothing'],
    ] as const
    for (const [host, path] of requests) {
      few.match('GET', host, path, new Headers(), undefined)
      many.match('GET', host, path, new Headers(), undefined)
      assert.equal(many.steps, few.steps, path)
      assert.ok(many.steps <= 10, `${path} takes ${many.steps} steps`)
    }
  })

  it('does not grow with what a client makes longer', () => {
    const router = createRouter(routesOf(3))
    const work = (host: string, path: string): number => {
      router.match('GET', host, path, new Headers(), undefined)
      return router.steps
    }
    assert.equal(work('h', `/service-1/files${'/a'.repeat(4000)}`), work('h', '/service-1/files/a'))
    assert.equal(work(`${'a.'.repeat(100)}zone-2.example.com`, '/t/service-2'), work('a.zone-2.example.com', '/t/service-2'))
    assert.equal(work('h', '/nothing'.repeat(1000)), work('h', '/nothing/nothing'))
  })
})
