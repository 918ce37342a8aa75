import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SchemaCompiler, SchemaError, schemaFaults } from './schema-compiler.ts'
import type { Dialect, Schema } from './shape.ts'

const check = (schema: Schema, value: unknown, sizeBytes = 100, dialect: Dialect = '2020-12') =>
  new SchemaCompiler(dialect, schema).compile(schema)(value, sizeBytes)

const order: Schema = {
  type: 'object',
  required: ['id', 'items'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', format: 'uuid' },
    note: { type: 'string', maxLength: 5 },
    items: {
      type: 'array',
      minItems: 1,
      uniqueItems: true,
      items: {
        type: 'object',
        required: ['sku'],
        properties: { sku: { type: 'string', pattern: '^[A-Z]{3}-\\d+$' }, n: { type: 'integer', minimum: 1 } },
      },
    },
    state: { enum: ['new', 'paid'] },
    kind: { const: 'k-5up3r' },
  },
}

test('a value that fits has no faults', () => {
  assert.equal(check(order, { id: '6f1c1f0e-8a3b-4f4e-9b1e-111111111111', items: [{ sku: 'ABC-1', n: 1 }] }), undefined)
})

test('every place that does not fit is told at once, with its reason', () => {
  const faults = check(order, { note: 'longer', items: [{ sku: 'abc' }, { n: 0 }], state: 'gone', kind: 'x', 'a/b~c': 1 })
  assert.deepEqual(faults, [
    { pointer: '#/id', detail: 'is required' },
    { pointer: '#/a~1b~0c', detail: 'is not expected here' },
    { pointer: '#/note', detail: 'must NOT have more than 5 characters' },
    { pointer: '#/items/0/sku', detail: 'must match pattern "^[A-Z]{3}-\\d+$"' },
    { pointer: '#/items/1/sku', detail: 'is required' },
    { pointer: '#/items/1/n', detail: 'must be >= 1' },
    { pointer: '#/state', detail: 'must be one of "new", "paid"' },
    { pointer: '#/kind', detail: 'must be equal to constant' },
  ])
})

test('what a client wrote is told back only as names, cut short, and never as values', () => {
  const secret = 'hunter2-hunter2-hunter2'
  const faults = check(order, { id: secret, note: secret, items: [secret], state: secret, ['n'.repeat(5000)]: secret })!
  const text = JSON.stringify(faults)
  assert.ok(!text.includes('hunter2'))
  assert.ok(text.length < 2000)
})

test('no more than twenty faults are told, and of a long text only the first', () => {
  const numbers: Schema = { type: 'array', items: { type: 'number' } }
  const wrong = Array.from({ length: 1000 }, () => 'x')
  assert.equal(check(numbers, wrong, 4000)?.length, 20)
  assert.equal(check(numbers, wrong, 65 * 1024)?.length, 1)
})

test('items are compared by value', () => {
  const unique: Schema = { uniqueItems: true }
  assert.equal(check(unique, [{ a: 1, b: 2 }, { a: 1 }, [1], '1', 1, '[1]', null, 'null', true]), undefined)
  assert.deepEqual(
    check(unique, [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ]),
    [{ pointer: '#', detail: 'must not hold the same item twice' }],
  )
  assert.equal(check({ uniqueItems: false }, [1, 1]), undefined)
})

test('a hundred thousand items are compared in one pass', () => {
  const items = Array.from({ length: 100_000 }, (_, n) => ({ n }))
  assert.equal(check({ uniqueItems: true }, items, 1_000_000), undefined)
})

test('members of every object are its own', () => {
  assert.deepEqual(check({ required: ['toString', 'constructor'] }, {}), [
    { pointer: '#/toString', detail: 'is required' },
    { pointer: '#/constructor', detail: 'is required' },
  ])
})

const node = (name: string): Schema => ({
  allOf: [{ properties: { child: { $ref: '#/$defs/node' } } }, { required: [name] }],
})
const endless = [{ pointer: '#', detail: 'takes more work to check than its length allows' }]
const nestedIn = (levels: number, innermost: object): unknown => {
  let value: unknown = innermost
  for (let i = 0; i < levels; i++) value = { child: value }
  return value
}

for (const dialect of ['2020-12', '2019-09', 'draft-07'] as const) {
  test(`branches that recurse end by the work that a text of this length allows, in ${dialect}`, () => {
    const first: Schema = { $ref: '#/$defs/node', $defs: { node: { anyOf: [node('child'), node('b')] } } }
    assert.equal(check(first, nestedIn(60, { child: 1 }), 1000, dialect), undefined)
    const schema: Schema = { $ref: '#/$defs/node', $defs: { node: { anyOf: [node('a'), node('b')] } } }
    assert.deepEqual(check(schema, nestedIn(60, {}), 1000, dialect), endless)
    assert.deepEqual(check(schema, nestedIn(60, {}), 10_000_000, dialect), endless)
  })
}

const cheapFirst = (name: string): Schema => ({ properties: { child: { $ref: '#/$defs/node' } }, required: [name] })

test('where telling everything would take too much work the first fault is told', () => {
  const schema: Schema = { $ref: '#/$defs/node', $defs: { node: { anyOf: [cheapFirst('a'), cheapFirst('b')] } } }
  assert.deepEqual(check(schema, nestedIn(60, {})), [
    { pointer: '#/a', detail: 'is required' },
    { pointer: '#/b', detail: 'is required' },
    { pointer: '#', detail: 'must match a schema in anyOf' },
  ])
})

const branch = (name: string): Schema => ({ allOf: [{ properties: { child: { $dynamicRef: '#node' } } }, { required: [name] }] })

test('the same holds where recursion passes a $dynamicRef', () => {
  const schema: Schema = { $id: 'https://example.com/tree', $dynamicAnchor: 'node', anyOf: [branch('a'), branch('b')] }
  assert.deepEqual(check(schema, nestedIn(60, {})), endless)
})

const over = (name: string): Schema => ({ allOf: [{ properties: { child: { $recursiveRef: '#' } } }, { required: [name] }] })

test('and where it passes a $recursiveRef', () => {
  const schema: Schema = { $id: 'https://example.com/tree', $recursiveAnchor: true, anyOf: [over('a'), over('b')] }
  assert.deepEqual(check(schema, nestedIn(60, {}), 1000, '2019-09'), endless)
})

test('members that no branch has seen are found, also behind a $ref', () => {
  const schema: Schema = {
    anyOf: [{ properties: { a: true }, required: ['a'] }, { $ref: '#/$defs/b' }],
    unevaluatedProperties: false,
    $defs: { b: { properties: { b: true } } },
  }
  assert.equal(check(schema, { a: 1, b: 2 }), undefined)
  assert.deepEqual(check(schema, { a: 1, c: 2 }), [{ pointer: '#/c', detail: 'is not expected here' }])
})

test('a schema that leads to itself alone fits nothing, and breaks nothing', () => {
  for (const schema of [
    { $ref: '#/$defs/a', $defs: { a: { allOf: [{ $ref: '#/$defs/a' }] } } },
    { anyOf: [{ $ref: '#' }, { type: 'string' }] },
  ]) {
    assert.deepEqual(check(schema, 1), [{ pointer: '#', detail: 'takes more work to check than its length allows' }])
  }
})

test('words of the compiler that no dialect has mean nothing', () => {
  assert.equal(check({ $async: true, type: 'string' }, 5)?.length, 1)
  assert.equal(check({ type: 'string', nullable: true }, null)?.length, 1)
  assert.equal(check({ properties: { a: { nullable: true } }, id: 'https://example.com/x' }, { a: 1 }), undefined)
  assert.equal(check({ properties: { id: { type: 'string' }, nullable: { type: 'string' } } }, { id: 1, nullable: 2 })?.length, 2)
})

test('a pattern that backtracks for ever elsewhere does not here', () => {
  const text = `${'a'.repeat(50_000)}!`
  assert.deepEqual(check({ pattern: '^(a+)+$' }, text, 50_002), [{ pointer: '#', detail: 'must match pattern "^(a+)+$"' }])
  assert.equal(check({ patternProperties: { '^(a+)+$': false } }, { [text]: 1 }, 50_010), undefined)
})

test('formats are checked, and none takes long', () => {
  assert.equal(check({ format: 'date-time' }, '2026-11-24T12:00:00Z'), undefined)
  assert.deepEqual(check({ format: 'date-time' }, 'today'), [{ pointer: '#', detail: 'must match format "date-time"' }])
  assert.equal(check({ format: 'url' }, 'https://example.com/a'), undefined)
  assert.equal(check({ format: 'url' }, `http://[::${'1:'.repeat(20_000)}]`, 40_000)?.length, 1)
  assert.equal(check({ format: 'house-number' }, 'what nobody knows is not checked'), undefined)
})

test('values under enum and const keep what looks like a reference', () => {
  assert.equal(check({ enum: [{ $ref: 'x' }] }, { $ref: 'x' }), undefined)
  assert.equal(
    check(
      { properties: { $ref: { type: 'string' }, enum: { $ref: '#/$defs/s' } }, $defs: { s: { type: 'string' } } },
      { $ref: 'x', enum: 'y' },
    ),
    undefined,
  )
})

test('drafts differ in what they call lists of schemas', () => {
  const tuple = { items: [{ type: 'string' }], additionalItems: false }
  assert.equal(check(tuple, ['a', 1], 10, 'draft-07')?.length, 1)
  assert.equal(check({ prefixItems: [{ type: 'string' }], items: false }, ['a', 1])?.length, 1)
})

test('a schema that is none is refused with the place', () => {
  assert.deepEqual(
    schemaFaults({ properties: { a: { type: 'strin' } } }, '2020-12').map(({ pointer }) => pointer)[0],
    '#/properties/a/type',
  )
  assert.deepEqual(schemaFaults({ minimum: 'one' }, 'draft-07'), [{ pointer: '#/minimum', detail: 'must be number' }])
  assert.deepEqual(schemaFaults({ type: 'object', pattern: '[\\w\\-]\\_' }, '2019-09'), [])
  assert.throws(() => check({ $ref: 'elsewhere.json' }, 1), SchemaError)
  assert.throws(
    () => check({ pattern: '(a)\\1' }, 'aa'),
    (thrown) => thrown instanceof SchemaError && /refers back/.test(thrown.message),
  )
})
