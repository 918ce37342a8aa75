import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { stringify } from 'yaml'
import fc from 'fast-check'
import { exchangeOf } from '../../test/support/exchange.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import { emptyBody, textBody } from '../core/body.ts'
import type { Policy } from '../core/policy.ts'
import type { Verdict } from '../core/verdict.ts'
import { body } from '../policies/body.ts'
import type { Misfit, OpenapiShape } from '../policies/shapes/shape.ts'
import { readOpenapi } from './read-openapi.ts'
import { SchemaFiles } from './schema-files.ts'

const folder = mkdtempSync(join(tmpdir(), 'velum-openapi-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let files = 0

function shapeOf(document: object, base?: string, withAnswers = false): OpenapiShape {
  const file = join(folder, `${files++}.yaml`)
  writeFileSync(file, stringify(document))
  const read = new SchemaFiles()
  const root = read.open(file)
  assert.ok('document' in root)
  const { shape, findings } = readOpenapi(read, root, base, withAnswers)
  assert.ok(shape !== undefined, JSON.stringify(findings))
  return shape
}

interface Asked {
  readonly method?: string
  readonly target?: string
  readonly headers?: readonly string[]
  readonly content?: string
}

const policies = new Map<OpenapiShape, Policy>()

function policyOf(shape: OpenapiShape): Policy {
  const env = policyEnv({ shapes: new Map([[shape.digest, shape]]) })
  return body.build({ maxBytes: 1e6, types: [], shape: shape.digest }, env)!.policies.at(-1)!
}

/** What a request comes to: `valid`, the code of its refusal, or what does not fit as `place name pointer`. */
function judge(shape: OpenapiShape, { method = 'GET', target = '/', headers = [], content }: Asked): string | string[] {
  const policy = policies.get(shape) ?? policyOf(shape)
  policies.set(shape, policy)
  const x = exchangeOf({ method, target, headers, body: content === undefined ? emptyBody : textBody(content) })
  const verdict = policy.decide!(x, 'charge') as Verdict
  if (verdict.code !== 'invalid') return verdict.code
  const { errors } = verdict.refusal!.members as { errors: readonly Misfit[] }
  return errors.map(({ in: place, name, pointer }) => [place, name, pointer].filter((part) => part !== undefined).join(' '))
}

const withParameters = (...parameters: object[]): OpenapiShape =>
  shapeOf({ openapi: '3.1.0', paths: { '/': { get: { parameters } }, '/{p}': { get: { parameters } } } })

const rgb = {
  type: 'object',
  properties: { R: { type: 'integer' }, G: { type: 'integer' } },
  required: ['R'],
  additionalProperties: false,
}
const numbers = { type: 'array', items: { type: 'integer' } }

for (const [style, explode, schema, good, bad] of [
  ['form', true, { type: 'integer' }, '/?p=5', '/?p=5.5'],
  ['form', true, { type: 'integer' }, '/?p=-5', '/?p=1e1'],
  ['form', true, { type: 'number' }, '/?p=1e1', '/?p=0x10'],
  ['form', true, { type: 'boolean' }, '/?p=true', '/?p=yes'],
  ['form', true, { type: 'string', minLength: 1 }, '/?p=5', '/?p='],
  ['form', true, numbers, '/?p=1&p=2', '/?p=1&p=x'],
  ['form', true, numbers, '/?p[]=1&p[]=2', '/?p[]=x'],
  ['form', false, numbers, '/?p=1,2', '/?p=1,x'],
  ['form', false, numbers, '/?p=1%2C2', '/?p=1&p=2'],
  ['form', false, rgb, '/?p=R,1,G,2', '/?p=R,1,G'],
  ['form', true, rgb, '/?R=1&G=2', '/?G=2'],
  ['spaceDelimited', false, numbers, '/?p=1%202', '/?p=1,2'],
  ['pipeDelimited', false, numbers, '/?p=1|2', '/?p=1%202'],
  ['deepObject', true, rgb, '/?p[R]=1&p[G]=2', '/?p[R]=1&p[B]=2'],
  ['deepObject', true, rgb, '/?p%5BR%5D=1', '/?p[R]=1&p[R]=2'],
  [
    'deepObject',
    true,
    { type: 'object', properties: { at: { type: 'object', properties: { gte: { type: 'integer' } } }, ids: numbers } },
    '/?p[at][gte]=5&p[ids][]=1&p[ids][]=2',
    '/?p[at][gte]=x',
  ],
  ['simple', false, numbers, '/1,2', '/1,x'],
  ['simple', false, rgb, '/R,1,G,2', '/R,x'],
  ['simple', true, rgb, '/R=1,G=2', '/R=1,B=2'],
  ['label', false, { type: 'integer' }, '/.5', '/5'],
  ['label', true, numbers, '/.1.2', '/.1.x'],
  ['matrix', false, { type: 'integer' }, '/;p=5', '/;q=5'],
  ['matrix', true, numbers, '/;p=1;p=2', '/;p=1;p=x'],
  ['matrix', false, numbers, '/;p=1,2', '/;p=1,x'],
  ['matrix', true, rgb, '/;R=1;G=2', '/;G=2'],
] as const) {
  const place = ['simple', 'label', 'matrix'].includes(style) ? 'path' : 'query'
  test(`${place} by ${style}${explode ? ', exploded' : ''}: ${good} and not ${bad}`, () => {
    const shape = withParameters({ name: 'p', in: place, required: true, style, explode, schema })
    assert.equal(judge(shape, { target: good }), 'valid')
    const misfits = judge(shape, { target: bad })
    assert.ok(Array.isArray(misfits) && misfits[0].startsWith(`${place} p #`), JSON.stringify(misfits))
  })
}

test('headers and cookies are read too, by any case of the name', () => {
  const shape = withParameters(
    { name: 'X-Ids', in: 'header', schema: numbers },
    { name: 'n', in: 'cookie', schema: { type: 'integer' } },
    { name: 'Accept', in: 'header', required: true, schema: { type: 'integer' } },
  )
  assert.equal(judge(shape, { headers: ['x-ids', '1, 2', 'cookie', 'a=b; n=5'] }), 'valid')
  assert.deepEqual(judge(shape, { headers: ['X-IDS', '1, x', 'Cookie', 'n=x'] }), ['header x-ids #/1', 'cookie n #'])
})

test('a parameter may be JSON', () => {
  const shape = withParameters({ name: 'f', in: 'query', content: { 'application/json': { schema: rgb } } })
  assert.equal(judge(shape, { target: `/?f=${encodeURIComponent('{"R":1}')}` }), 'valid')
  assert.deepEqual(judge(shape, { target: '/?f={' }), ['query f #'])
  assert.deepEqual(judge(shape, { target: `/?f=${encodeURIComponent('{"R":"1"}')}` }), ['query f #/R'])
})

test('of a schema that takes several kinds the one that fits counts', () => {
  const schema = {
    anyOf: [
      { type: 'integer', maximum: 5 },
      { type: 'string', minLength: 3 },
      { type: 'array', items: { type: 'string', minLength: 3 } },
    ],
  }
  const shape = withParameters({ name: 'p', in: 'query', schema })
  for (const target of ['/?p=5', '/?p=123', '/?p=abc', '/?p=abc&p=def']) assert.equal(judge(shape, { target }), 'valid', target)
  assert.notEqual(judge(shape, { target: '/?p=ab' }), 'valid')
})

test('a parameter that may be empty may be', () => {
  const flag = { name: 'p', in: 'query', schema: { type: 'boolean' } }
  assert.deepEqual(judge(withParameters(flag), { target: '/?p' }), ['query p #'])
  assert.equal(judge(withParameters({ ...flag, allowEmptyValue: true }), { target: '/?p' }), 'valid')
})

test('a query that cannot be decoded is malformed, and so is one of a thousand parameters', () => {
  const shape = withParameters({ name: 'p', in: 'query', schema: { type: 'string' } })
  assert.equal(judge(shape, { target: '/?p=%zz' }), 'malformed-query')
  assert.equal(judge(shape, { target: '/?p=%ff' }), 'malformed-query')
  assert.equal(judge(shape, { target: `/?${'a&'.repeat(1001)}` }), 'malformed-query')
})

const p = (type: string): object => ({ name: 'p', in: 'query', schema: { type } })

test('an operation replaces parameters of its path by place and name', () => {
  const shape = shapeOf({
    openapi: '3.0.0',
    paths: { '/': { parameters: [p('integer')], get: {}, put: { parameters: [p('boolean')] } } },
  })
  assert.deepEqual(judge(shape, { target: '/?p=true' }), ['query p #'])
  assert.equal(judge(shape, { method: 'PUT', target: '/?p=true' }), 'valid')
})

test('what is not described is no route, or no method there', () => {
  const shape = shapeOf({ openapi: '3.0.0', servers: [{ url: 'https://example.com/v1/' }], paths: { '/a': { get: {} } } })
  assert.equal(judge(shape, { target: '/v1/a' }), 'valid')
  assert.equal(judge(shape, { target: '/v1/a', method: 'HEAD' }), 'valid')
  assert.equal(judge(shape, { target: '/a' }), 'unknown-operation')
  assert.equal(judge(shape, { target: '/v1/a', method: 'POST' }), 'unknown-operation')
  assert.equal(judge(shapeOf({ openapi: '3.0.0', paths: { '/a': { get: {} } } }, '/x'), { target: '/x/a' }), 'valid')
})

const asking = (version: string, schema: object, components = {}): OpenapiShape =>
  shapeOf({
    openapi: version,
    components,
    paths: { '/': { post: { requestBody: { required: true, content: { 'application/json': { schema } } } } } },
  })
const post = (shape: OpenapiShape, value: unknown): string | string[] =>
  judge(shape, { method: 'POST', headers: ['content-type', 'application/json'], content: JSON.stringify(value) })

test('3.0 has bounds and null of its own', () => {
  const shape = asking(
    '3.0.3',
    {
      properties: {
        n: { type: 'number', minimum: 1, exclusiveMinimum: true, maximum: 5, exclusiveMaximum: false, nullable: true },
        e: { type: 'string', enum: ['a'], nullable: true },
        r: { nullable: true, allOf: [{ $ref: '#/components/schemas/Named' }] },
        s: { $ref: '#/components/schemas/Named', minLength: 100 },
      },
    },
    { schemas: { Named: { type: 'string' } } },
  )
  assert.equal(post(shape, { n: 5, e: null, r: null, s: 'short' }), 'valid')
  assert.equal(post(shape, { n: null, e: 'a', r: 'x' }), 'valid')
  assert.deepEqual(post(shape, { n: 1, e: 'b', s: null }), ['body #/n', 'body #/e', 'body #/s'])
})

test('3.1 has those of JSON Schema, and what stands beside a $ref counts', () => {
  const shape = asking(
    '3.1.0',
    {
      properties: {
        n: { type: ['number', 'null'], exclusiveMinimum: 1 },
        s: { $ref: '#/components/schemas/Named', minLength: 5 },
        t: { prefixItems: [{ const: 1 }] },
      },
    },
    { schemas: { Named: { type: 'string' } } },
  )
  assert.equal(post(shape, { n: null, s: 'longer', t: [1] }), 'valid')
  assert.deepEqual(post(shape, { n: 1, s: 'x', t: [2] }), ['body #/n', 'body #/s', 'body #/t/0'])
})

test('a request need not say what only the service writes', () => {
  const shape = asking(
    '3.0.3',
    {
      required: ['id', 'at', 'name', 'pass'],
      properties: { id: { readOnly: true }, at: { $ref: '#/components/schemas/At' }, pass: { writeOnly: true } },
    },
    { schemas: { At: { type: 'string', readOnly: true } } },
  )
  assert.deepEqual(post(shape, {}), ['body #/name', 'body #/pass'])
})

test('schemas that name themselves are followed as deep as the value goes', () => {
  const shape = asking(
    '3.1.0',
    { $ref: '#/components/schemas/Tree' },
    { schemas: { Tree: { type: 'object', properties: { of: { type: 'array', items: { $ref: '#/components/schemas/Tree' } } } } } },
  )
  assert.equal(post(shape, { of: [{ of: [{}] }] }), 'valid')
  assert.deepEqual(post(shape, { of: [{ of: [5] }] }), ['body #/of/0/of/0'])
})

test('urlencoded forms are read as their schema and encoding say', () => {
  const schema = {
    type: 'object',
    required: ['amount'],
    properties: {
      amount: { type: 'integer' },
      expand: numbers,
      card: { type: 'object', properties: { month: { type: 'integer' } } },
      meta: { type: 'object', required: ['a'] },
    },
    additionalProperties: false,
  }
  const encoding = {
    card: { style: 'deepObject', explode: true },
    meta: { contentType: 'application/json' },
    expand: { style: 'form', explode: false },
  }
  const shape = shapeOf({
    openapi: '3.0.0',
    paths: { '/': { post: { requestBody: { content: { 'application/x-www-form-urlencoded': { schema, encoding } } } } } },
  })
  const send = (content: string): string | string[] =>
    judge(shape, { method: 'POST', headers: ['content-type', 'application/x-www-form-urlencoded'], content })
  assert.equal(send('amount=5&expand=1,2&card[month]=12&meta=%7B%22a%22%3A1%7D'), 'valid')
  assert.deepEqual(send('amount=five&expand=1,x&card[month]=x&meta=%7B%7D&more=1'), [
    'body #/more',
    'body #/amount',
    'body #/expand/1',
    'body #/card/month',
    'body #/meta/a',
  ])
  assert.equal(send('amount=5&meta=%7B'), 'not-a-form')
  assert.equal(send('amount=5&amount=6'), 'not-a-form')
  assert.equal(send('amount=%ff'), 'not-a-form')
})

test('of other bodies only the type is checked, and one that is not described is not expected', () => {
  const shape = shapeOf({
    openapi: '3.0.0',
    paths: {
      '/': { post: { requestBody: { content: { 'image/*': {}, 'application/json': { schema: { type: 'array' } } } } }, delete: {} },
    },
  })
  assert.equal(judge(shape, { method: 'POST', headers: ['content-type', 'image/png'], content: 'PNG' }), 'valid')
  assert.equal(judge(shape, { method: 'POST', headers: ['content-type', 'text/html'], content: '<p>' }), 'other-type')
  assert.equal(judge(shape, { method: 'POST' }), 'valid')
  assert.deepEqual(judge(shape, { method: 'DELETE', headers: ['content-type', 'application/json'], content: '[]' }), ['body #'])
})

test('documents of several files are one', () => {
  writeFileSync(
    join(folder, 'pets.yaml'),
    stringify({
      item: { get: { parameters: [{ $ref: '#/limit' }] } },
      limit: { name: 'limit', in: 'query', schema: { $ref: 'deep.json#/Limit' } },
    }),
  )
  writeFileSync(join(folder, 'deep.json'), JSON.stringify({ Limit: { type: 'integer', maximum: 10 } }))
  const shape = shapeOf({ openapi: '3.1.0', paths: { '/pets': { $ref: 'pets.yaml#/item' } } })
  assert.equal(judge(shape, { target: '/pets?limit=10' }), 'valid')
  assert.deepEqual(judge(shape, { target: '/pets?limit=11' }), ['query limit #'])
})

test('the same document means the same wherever it lies, and answers are read only where they are asked for', () => {
  const document = {
    openapi: '3.1.0',
    paths: {
      '/': { get: { responses: { 200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/A' } } } } } } },
    },
    components: { schemas: { A: { type: 'string' } } },
  }
  assert.equal(shapeOf(document).digest, shapeOf(document).digest)
  assert.deepEqual(shapeOf(document).named, [])
  assert.equal(shapeOf(document, undefined, true).operations[0].answers.length, 1)
})

test('whatever a client writes is judged, and nothing of it breaks the judge', () => {
  const parameters = [
    ...(['form', 'spaceDelimited', 'pipeDelimited', 'deepObject'] as const).flatMap((style) =>
      [true, false].map((explode) => ({ name: 'p', in: 'query', style, explode, schema: explode ? rgb : numbers })),
    ),
    { name: 'h', in: 'header', schema: rgb },
    { name: 'c', in: 'cookie', schema: numbers },
  ].map((parameter, n) => Object.assign(parameter, { name: `${parameter.name}${n % 3}` }))
  const form = {
    'application/x-www-form-urlencoded': {
      schema: { properties: { a: numbers, b: rgb, c: { type: 'object' } } },
      encoding: { b: { style: 'deepObject' }, c: { contentType: 'application/json' } },
    },
  }
  const shape = shapeOf({ openapi: '3.1.0', paths: { '/{p}': { post: { parameters, requestBody: { content: form } } } } })
  const piece = fc.constantFrom(
    'p0',
    'p1',
    'p2',
    'a',
    'b',
    'R',
    'G',
    '[',
    ']',
    '[]',
    '=',
    '&',
    ',',
    '|',
    '%20',
    '%',
    '%zz',
    '%ff',
    '1',
    '-',
    '.',
    ';',
    '__proto__',
    'constructor',
    '{',
    '}',
    '"',
  )
  const text = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))
  fc.assert(
    fc.property(text, text, text, text, (query, header, cookie, content) => {
      const headers = [
        'content-type',
        'application/x-www-form-urlencoded',
        'h0',
        header,
        'h1',
        header,
        'cookie',
        `c0=${cookie}; c1=${cookie}`,
      ]
      const verdict = judge(shape, { method: 'POST', target: `/x?${query}`, headers, content })
      assert.ok(Array.isArray(verdict) || ['valid', 'malformed-query', 'not-a-form'].includes(verdict), String(verdict))
    }),
    { numRuns: 500 },
  )
  assert.equal(({} as Record<string, unknown>)['R'], undefined)
})
