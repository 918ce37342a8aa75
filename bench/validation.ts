import type { Body } from '../src/core/body.ts'
import { BytesBody } from '../src/core/body.ts'
import type { Exchange } from '../src/core/exchange.ts'
import { Lasting } from '../src/core/lasting.ts'
import type { Policy } from '../src/core/policy.ts'
import type { Verdict } from '../src/core/verdict.ts'
import { parseStrictJson } from '../src/lib/strict-json.ts'
import { BodyValidation } from '../src/policies/body-validation.ts'
import { compileShape } from '../src/policies/shapes/compiled-shape.ts'
import type { Schema, Shape } from '../src/policies/shapes/shape.ts'
import { BodyRoom } from '../src/policies/whole-body.ts'
import { exchangeOf } from '../test/support/exchange.ts'
import type { BenchOptions } from './run.ts'
import { median, table } from './support/table.ts'

/** An order as a shop would describe it: nested objects, lists, formats, patterns, enumerations, no unknown members. */
const order: Schema = {
  type: 'object',
  required: ['id', 'customer', 'items', 'currency', 'placedAt'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', format: 'uuid' },
    currency: { enum: ['EUR', 'USD', 'GBP', 'CHF', 'JPY'] },
    placedAt: { type: 'string', format: 'date-time' },
    note: { type: 'string', maxLength: 500 },
    customer: {
      type: 'object',
      required: ['email', 'address'],
      properties: {
        email: { type: 'string', format: 'email' },
        name: { type: 'string', minLength: 1, maxLength: 100 },
        address: { $ref: '#/$defs/address' },
        billing: { $ref: '#/$defs/address' },
      },
    },
    items: { type: 'array', minItems: 1, maxItems: 100, items: { $ref: '#/$defs/item' } },
    tags: { type: 'array', uniqueItems: true, items: { type: 'string' } },
  },
  $defs: {
    address: {
      type: 'object',
      required: ['street', 'city', 'country'],
      additionalProperties: false,
      properties: {
        street: { type: 'string' },
        city: { type: 'string' },
        zip: { type: 'string', pattern: '^[0-9A-Z -]{3,10}$' },
        country: { type: 'string', pattern: '^[A-Z]{2}$' },
      },
    },
    item: {
      type: 'object',
      required: ['sku', 'quantity', 'price'],
      additionalProperties: false,
      properties: {
        sku: { type: 'string', pattern: '^[A-Z]{3}-\\d{4,8}$' },
        title: { type: 'string', maxLength: 200 },
        quantity: { type: 'integer', minimum: 1, maximum: 1000 },
        price: { type: 'number', exclusiveMinimum: 0 },
        isGift: { type: 'boolean' },
      },
    },
  },
}

const address = { street: '1 Long Street, second floor', city: 'Zürich', zip: '8001', country: 'CH' }
const item = (n: number): object => ({
  sku: `ABC-${10_000 + n}`,
  title: `A thing with a name of usual length, number ${n}`,
  quantity: n,
  price: 19.95 + n,
  isGift: n % 2 === 0,
})
const good = {
  id: '6f1c1f0e-8a3b-4f4e-9b1e-0123456789ab',
  currency: 'CHF',
  placedAt: '2026-11-24T12:00:00Z',
  note: 'Please ring twice. '.repeat(10),
  customer: { email: 'somebody@example.com', name: 'Some Body', address, billing: address },
  items: Array.from({ length: 12 }, (_, n) => item(n + 1)),
  tags: ['web', 'first-order', 'gift'],
}
const bad = { ...good, id: 'x', items: [...good.items.slice(1), { sku: 'x', quantity: 0 }], extra: true }

const schemaShape: Shape = { kind: 'schema', dialect: '2020-12', digest: 'order', root: order, others: [] }
const openapiShape: Shape = {
  kind: 'openapi',
  digest: 'orders',
  named: [['velum:order', { ...order, $id: 'velum:order' }]],
  operations: [
    {
      method: 'POST',
      path: '/shops/{shop}/orders',
      parameters: [
        {
          place: 'path',
          name: 'shop',
          isRequired: true,
          mayBeEmpty: false,
          schema: { type: 'integer' },
          style: 'simple',
          isExploded: false,
          isJson: false,
        },
        {
          place: 'query',
          name: 'dryRun',
          isRequired: false,
          mayBeEmpty: false,
          schema: { type: 'boolean' },
          style: 'form',
          isExploded: true,
          isJson: false,
        },
        {
          place: 'header',
          name: 'x-trace',
          isRequired: true,
          mayBeEmpty: false,
          schema: { type: 'string' },
          style: 'simple',
          isExploded: false,
          isJson: false,
        },
      ],
      body: { isRequired: true, content: [{ range: 'application/json', schema: { $ref: 'velum:order' }, writings: {} }] },
      answers: [],
    },
  ],
}

interface Contender {
  readonly name: string
  readonly run: () => void
  /** CPU µs each, by round. */
  readonly rounds: number[]
}

/**
 * What checking a request costs: CPU time of one thread without sockets, for a body of 2 KB that came with its head. Beside
 * it what nobody can save, which is to parse it. Turn and turn about in one process.
 */
export async function benchValidation({ isQuick, rounds }: BenchOptions): Promise<void> {
  const times = isQuick ? 5_000 : 20_000
  const bytes = Buffer.from(JSON.stringify(good))
  const wrong = Buffer.from(JSON.stringify(bad))
  const contenders: Contender[] = [
    { name: 'JSON.parse alone', run: () => void JSON.parse(bytes.toString()), rounds: [] },
    {
      name: 'JSON of one reading (UTF-8, no member twice, depth)',
      run: () => void parseStrictJson(bytes, 64),
      rounds: [],
    },
    validating('body: { schema }, a body that fits (wanted: at most 15)', schemaShape, bytes, 'valid'),
    validating('body: { openapi }, with three parameters', openapiShape, bytes, 'valid'),
    validating('body: { schema }, a body with six faults: a 422 that names them', schemaShape, wrong, 'invalid'),
  ]
  for (let round = 0; round < rounds * 4; round++) {
    for (const each of round % 2 === 0 ? contenders : contenders.toReversed()) {
      const before = process.cpuUsage()
      for (let i = 0; i < times; i++) each.run()
      const { user, system } = process.cpuUsage(before)
      each.rounds.push((user + system) / times)
    }
    // A turn of the event loop, so that the collector's own work is not put off for ever.
    await new Promise((resolve) => setImmediate(resolve))
  }
  console.log(`a body of ${bytes.length} bytes`)
  console.log(
    table(
      ['what', 'CPU µs/request'],
      contenders.map(({ name, rounds: seen }) => [name, median(seen).toFixed(2)]),
    ),
  )
}

function askedOf(body: Body): Exchange {
  return exchangeOf({
    method: 'POST',
    target: '/shops/12/orders?dryRun=true',
    headers: ['host', 'api.example.com', 'content-type', 'application/json; charset=utf-8', 'x-trace', 'abc'],
    body,
  })
}

function validating(name: string, shape: Shape, bytes: Buffer, code: string): Contender {
  const policy: Policy = new BodyValidation({
    source: 'bench',
    shape: compileShape(shape, new Lasting().hold()),
    maxBytes: 1e6,
    room: new BodyRoom(1e6),
    opensCodings: false,
  })
  const x = askedOf(new BytesBody(bytes))
  const run = (): void => {
    x.body = new BytesBody(bytes)
    const verdict = policy.decide!(x, 'charge') as Verdict
    if (verdict.code !== code) throw new Error(`${name}: ${verdict.code} ${verdict.words?.() ?? ''}`)
  }
  run()
  return { name, run, rounds: [] }
}
