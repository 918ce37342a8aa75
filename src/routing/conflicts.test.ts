import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { matchOf } from '../../test/support/route-match.ts'
import { findConflicts } from './conflicts.ts'
import type { FieldMatch, RouteMatch } from './route-match.ts'
import { findUnreachable } from './unreachable.ts'

type Row = readonly [paths: readonly string[], more?: Partial<RouteMatch>]

const routes = (rows: readonly Row[]) => rows.map(([paths, more]) => ({ match: matchOf(paths, more) }))
const conflicts = (...rows: Row[]): string[] =>
  findConflicts(routes(rows)).map(
    ({ first, second, host, path, methods }) => `${first}-${second} ${host}${path} ${methods.join(',')}`,
  )
const unreachable = (...rows: Row[]): string[] =>
  findUnreachable(routes(rows)).map(({ index, path, coveredBy, needs }) => `${index} ${path} ${needs ?? coveredBy.join(',')}`)

const get = { methods: ['GET'] }
const field = (name: string, ...values: string[]): FieldMatch => ({ name, values: values.length === 0 ? undefined : values })

describe('routes that could never be told apart', () => {
  it('have the same path, whatever its parameters are called', () => {
    assert.deepEqual(conflicts([['/a']], [['/a']]), ['0-1 /a '])
    assert.deepEqual(conflicts([['/a/{x}']], [['/a/{y}']]), ['0-1 /a/{y} '])
    assert.deepEqual(conflicts([['/a/{x}']], [['/a/*']]), ['0-1 /a/* '])
    assert.deepEqual(conflicts([['/a/{x?}']], [['/a/{y?}']]), ['0-1 /a/{y?} '])
    assert.deepEqual(conflicts([['/%61']], [['/a']]), ['0-1 /a '])
  })
  it('have one of several paths or hosts in common', () => {
    assert.deepEqual(conflicts([['/a', '/b']], [['/c', '/b', '/a']]), ['0-1 /b '])
    assert.deepEqual(conflicts([['/a'], { hosts: ['x', 'y'] }], [['/a'], { hosts: ['y', 'z'] }]), ['0-1 y/a '])
  })
  it('have a method in common', () => {
    assert.deepEqual(conflicts([['/a'], get], [['/a'], { methods: ['POST', 'GET'] }]), ['0-1 /a GET'])
    assert.deepEqual(conflicts([['/a'], get], [['/a'], { methods: ['POST'] }]), [])
    assert.deepEqual(conflicts([['/a'], get], [['/a']]), [])
    assert.deepEqual(conflicts([['/a'], get], [['/a'], { methods: ['HEAD'] }]), [])
  })
  it('have the same conditions in any order', () => {
    const one = { headers: [field('a', '1', '2'), field('b')] }
    const other = { headers: [field('b'), field('a', '2', '1')] }
    assert.deepEqual(conflicts([['/a'], one], [['/a'], other]), ['0-1 /a '])
    assert.deepEqual(conflicts([['/a'], { query: [field('a')] }], [['/a'], { query: [field('a')] }]), ['0-1 /a '])
    assert.deepEqual(conflicts([['/a'], { query: [field('a')] }], [['/a'], { headers: [field('a')] }]), [])
    assert.deepEqual(conflicts([['/a'], { query: [field('a', '1')] }], [['/a'], { query: [field('a', '2')] }]), [])
    assert.deepEqual(conflicts([['/a'], { query: [field('a')] }], [['/a']]), [])
  })
  it('are not those that precedence or the host tells apart', () => {
    assert.deepEqual(conflicts([['/a']], [['/a/']], [['/{x}']], [['/{x?}']], [['/**']], [['/a'], { hosts: ['h'] }]), [])
    assert.deepEqual(conflicts([['/a'], { hosts: ['*.h'] }], [['/a'], { hosts: ['a.h'] }]), [])
  })
  it('are all named, each pair once', () => {
    assert.deepEqual(conflicts([['/a']], [['/a']], [['/a']]), ['0-1 /a ', '0-2 /a ', '1-2 /a '])
  })
  it('a route that names a path twice is no conflict with itself', () => {
    assert.deepEqual(conflicts([['/a', '/a']]), [])
  })
})

describe('paths that no request can reach', () => {
  it('are those that more particular routes take together', () => {
    assert.deepEqual(unreachable([['/a/{x?}']], [['/a']], [['/a/{x}']]), ['0 /a/{x?} 1,2'])
    assert.deepEqual(unreachable([['/a/{x?}']], [['/a']]), [])
    assert.deepEqual(unreachable([['/a/**']], [['/a']], [['/a/']], [['/a/{x}/**']]), ['0 /a/** 1,2,3'])
    assert.deepEqual(unreachable([['/a/**']], [['/a']], [['/a/{x}/**']]), [])
  })
  it('are those whose conditions an earlier equal always meets', () => {
    assert.deepEqual(unreachable([['/a'], { headers: [field('v')] }], [['/a'], { headers: [field('v', '1')] }]), ['1 /a 0'])
    assert.deepEqual(unreachable([['/a'], { headers: [field('v', '1')] }], [['/a'], { headers: [field('v')] }]), [])
    assert.deepEqual(
      unreachable(
        [['/a'], { query: [field('v', '1')] }],
        [['/a'], { query: [field('v', '2')] }],
        [['/a'], { query: [field('v', '1', '2')] }],
      ),
      ['2 /a 0,1'],
    )
  })
  it('are those of the later of two that cannot be told apart', () => {
    assert.deepEqual(unreachable([['/a']], [['/a']]), ['1 /a 0'])
    assert.deepEqual(unreachable([['/a'], get], [['/a'], { methods: ['GET', 'POST'] }]), [])
  })
  it('are not those left over by methods, hosts or literals', () => {
    assert.deepEqual(unreachable([['/a'], { methods: ['GET', 'POST', 'PUT', 'DELETE'] }], [['/a']]), [])
    assert.deepEqual(unreachable([['/**'], { hosts: ['h', '*.h'] }], [['/**']]), [])
    assert.deepEqual(unreachable([['/x']], [['/xx']], [['/{a}']]), [])
    assert.deepEqual(unreachable([['/a'], { hosts: ['x.h'] }], [['/a'], { hosts: ['*.h'] }]), [])
  })
  it('are those that the route itself shuts out', () => {
    assert.deepEqual(unreachable([['/a;b']]), ['0 /a;b semicolon'])
    assert.deepEqual(unreachable([['/a%2Fb']]), ['0 /a%2Fb encoded-slash'])
    assert.deepEqual(unreachable([['/a%2Fb;c'], { allow: ['encoded-slash', 'semicolon'] }]), [])
    assert.deepEqual(unreachable([['/a'], { headers: [field('v', 'a\nb')] }]), ['0 /a '])
  })
  it('are those whose conditions nothing can meet', () => {
    assert.deepEqual(unreachable([['/a'], { headers: [field('v', '1'), field('v', '2')] }]), ['0 /a '])
    assert.deepEqual(unreachable([['/a'], { query: [field('v', '\ud800')] }]), ['0 /a '])
    assert.deepEqual(unreachable([['/a'], { query: [field('v', 'é & =+%')] }]), [])
  })
  it('are found among ten thousand routes', () => {
    const rows: Row[] = Array.from({ length: 10_000 }, (_, i) => [[`/service-${i}/{x}/**`]])
    assert.deepEqual(unreachable(...rows, [['/service-7/{y?}']], [['/service-7']], [['/service-7/{z}']]), [
      '10000 /service-7/{y?} 10001,10002',
    ])
  })
})
