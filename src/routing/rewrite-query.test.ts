import assert from 'node:assert/strict'
import { test } from 'node:test'
import { matchOf } from '../../test/support/route-match.ts'
import { PatternError } from './path-pattern.ts'
import type { QueryEdits } from './rewrite-query.ts'
import { compileQueryRewrite } from './rewrite-query.ts'

const match = matchOf(['/orders/{id}/{part?}'])
const rewritten = (edits: Partial<QueryEdits>, query: string | undefined, ...params: (string | undefined)[]): string | undefined =>
  compileQueryRewrite({ remove: [], set: [], ...edits }, match)(query, params)

test('what is not named stays as it came, byte for byte', () => {
  const query = 'a=1&&b=%zz&c&=d&e=a%20b+c&a=2'
  assert.equal(rewritten({ remove: ['x'] }, query, '7'), query)
  assert.equal(rewritten({}, undefined, '7'), undefined)
  assert.equal(rewritten({}, '', '7'), undefined)
})

test('removed names go in every spelling and as often as they come', () => {
  assert.equal(rewritten({ remove: ['debug'] }, 'a=1&debug=1&%64ebug=2&debug&debugger=3'), 'a=1&debugger=3')
  assert.equal(rewritten({ remove: ['a b'] }, 'a+b=1&a%20b=2'), undefined)
})

test('only named ones stay', () => {
  assert.equal(rewritten({ only: ['page', 'sort'] }, 'sort=a&utm=x&page=2&%zz=1'), 'sort=a&page=2')
  assert.equal(rewritten({ only: [] }, 'a=1'), undefined)
})

test('set ones replace what came and carry what the match caught', () => {
  assert.equal(rewritten({ set: [['id', '{id}']] }, 'id=evil&x=1', '7'), 'x=1&id=7')
  assert.equal(rewritten({ set: [['version', 'a&b=c d']] }, undefined), 'version=a%26b%3Dc%20d')
  assert.equal(rewritten({ set: [['id', 'x-{id}']] }, undefined, 'a%26b%3D1'), 'id=x-a%26b%3D1')
})

test('a value of which a part is missing is left out', () => {
  assert.equal(rewritten({ set: [['part', '{part}']] }, 'part=evil&a=1', '7', undefined), 'a=1')
  assert.equal(rewritten({ set: [['part', '{part}']] }, 'a=1', '7', 'x'), 'a=1&part=x')
})

test('names that no pattern catches are refused', () => {
  assert.throws(() => compileQueryRewrite({ remove: [], set: [['a', '{nothing}']] }, match), PatternError)
  assert.throws(() => compileQueryRewrite({ remove: [], set: [['a', '**']] }, match), PatternError)
})
