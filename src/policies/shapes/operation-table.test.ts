import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OperationTable } from './operation-table.ts'

const table = new OperationTable<string>()
for (const [method, path] of [
  ['GET', '/pets/{id}'],
  ['DELETE', '/pets/{petId}'],
  ['GET', '/pets/mine'],
  ['GET', '/{kind}/mine'],
  ['GET', '/compare/{base}...{head}'],
  ['GET', '/compare/{all}'],
  ['GET', '/files/{name}.{kind}.json'],
  ['POST', '/pets'],
] as const) {
  table.add(method, path, `${method} ${path}`)
}

function found(method: string, path: string): unknown {
  const reached = table.find(path, method)
  if (reached === undefined) return undefined
  return reached.value === undefined ? reached.allow : [reached.value, Object.fromEntries(reached.params)]
}

test('a concrete path goes before a templated one, and a literal before what catches', () => {
  assert.deepEqual(found('GET', '/pets/mine'), ['GET /pets/mine', {}])
  assert.deepEqual(found('GET', '/pets/7'), ['GET /pets/{id}', { id: '7' }])
  assert.deepEqual(found('GET', '/cats/mine'), ['GET /{kind}/mine', { kind: 'cats' }])
})

test('a method that one path has not is looked for in the next', () => {
  assert.deepEqual(found('DELETE', '/pets/mine'), ['DELETE /pets/{petId}', { petId: 'mine' }])
  assert.deepEqual(found('PUT', '/pets/7'), ['GET', 'DELETE'])
  assert.deepEqual(found('HEAD', '/pets/7'), ['GET /pets/{id}', { id: '7' }])
})

test('what a template catches is decoded, and never empty', () => {
  assert.deepEqual(found('GET', '/pets/a%2Fb'), ['GET /pets/{id}', { id: 'a/b' }])
  assert.equal(found('GET', '/pets/'), undefined)
  assert.equal(found('GET', '/pets/7/'), undefined)
  assert.equal(found('GET', '/'), undefined)
})

test('a part of a segment is caught between literals', () => {
  assert.deepEqual(found('GET', '/compare/main...topic'), ['GET /compare/{base}...{head}', { base: 'main', head: 'topic' }])
  assert.deepEqual(found('GET', '/compare/a...b...c'), ['GET /compare/{base}...{head}', { base: 'a', head: 'b...c' }])
  assert.deepEqual(found('GET', '/compare/...topic'), ['GET /compare/{all}', { all: '...topic' }])
  assert.deepEqual(found('GET', '/files/a.b.c.json'), ['GET /files/{name}.{kind}.json', { name: 'a', kind: 'b.c' }])
  assert.equal(found('GET', '/files/a.json'), undefined)
  assert.equal(found('GET', '/files/.x.json'), undefined)
})
