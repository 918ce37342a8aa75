import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { CountingMeter, policyEnv } from '../../test/support/policy-env.ts'
import { Answer } from '../core/answer.ts'
import type { Chunk, End } from '../core/body.ts'
import { END, StreamBody, emptyBody, readAll, textBody } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentLog } from '../core/log.ts'
import type { LogFields } from '../core/log.ts'
import { body } from './body.ts'
import type { OpenapiShape } from './shapes/shape.ts'

const json = {
  range: 'application/json',
  schema: { type: 'object', required: ['id'], properties: { id: { $ref: 'velum:id' } } },
  writings: {},
}
const shape: OpenapiShape = {
  kind: 'openapi',
  digest: 'd',
  named: [['velum:id', { type: 'integer' }]],
  operations: [
    {
      method: 'GET',
      path: '/pets',
      parameters: [],
      body: undefined,
      answers: [
        { status: '200', content: [json] },
        { status: '4XX', content: [] },
      ],
    },
  ],
}

class Pieces extends StreamBody {
  readonly #pieces: (string | Fault)[]

  constructor(pieces: readonly (string | Fault)[]) {
    super(undefined)
    this.#pieces = [...pieces]
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): Chunk | End {
    const piece = this.#pieces.shift()
    if (piece instanceof Fault) throw piece
    return piece === undefined ? END : Buffer.from(piece)
  }

  protected stop(): void {}
}

function world(): {
  readonly see: (answer: Answer, target?: string, fromService?: boolean) => Promise<string>
  readonly logged: LogFields[]
  readonly clock: ManualClock
  readonly count: (result: string) => number
} {
  const meter = new CountingMeter()
  const clock = new ManualClock()
  const logged: LogFields[] = []
  const log = { ...silentLog, warn: (_: string, fields: LogFields = {}) => void logged.push(fields) }
  const env = policyEnv({ meter, clock, log, shapes: new Map([[shape.digest, shape]]) })
  const built = body.build({ maxBytes: 1e6, types: [], shape: 'd', checksAnswers: true }, env)!
  const policy = built.policies.at(-1)!
  return {
    logged,
    clock,
    count: (result) => meter.counts.get(`velum_answer_checks_total test ${result}`) ?? 0,
    see: async (answer, target = '/pets', fromService = true) => {
      const x = exchangeOf({ target })
      if (fromService) x.serviceHeadAt = 1
      policy.onHead!(x, answer)
      // The client takes its answer, whatever it is.
      const text = await readAll(answer.body, 1e7).then(String, () => 'broken')
      await new Promise((resolve) => setImmediate(resolve))
      return text
    },
  }
}

const answered = (
  text: string,
  status = 200,
  fields: readonly (readonly [string, string])[] = [['content-type', 'application/json']],
): Answer => new Answer(status, Headers.from(fields), text === '' ? emptyBody : textBody(text))

test('an answer that fits is counted, and goes on untouched', async () => {
  const { see, count, logged } = world()
  assert.equal(await see(answered('{"id":1}')), '{"id":1}')
  assert.equal(
    await see(new Answer(200, Headers.from([['content-type', 'application/json']]), new Pieces(['{"id"', ':1}']))),
    '{"id":1}',
  )
  assert.equal(await see(answered('anything', 404, [['content-type', 'text/html']])), 'anything')
  assert.equal(count('valid'), 3)
  assert.deepEqual(logged, [])
})

for (const [what, answer, misfit] of [
  ['a value that does not fit', answered('{"id":"secret"}'), '#/id must be integer'],
  ['what is no JSON', answered('{"id":1'), 'the body is not JSON of one reading'],
  ['a status that is not described', answered('{}', 500), 'the status is not described'],
  ['a type that is not described', answered('<p>', 200, [['content-type', 'text/html']]), 'the content type is not described'],
] as const) {
  test(`${what} is counted and logged, never refused, and its values stay unsaid`, async () => {
    const { see, count, logged } = world()
    const text = await readAll(answer.body.fork(100), 100)
    assert.equal(await see(answer), text.toString())
    assert.equal(count('invalid'), 1)
    assert.deepEqual(logged, [{ route: 'test', service: '', request: 'test-1', method: 'GET', status: answer.status, misfit }])
  })
}

test('what cannot be looked into is counted as such', async () => {
  const { see, count, logged } = world()
  const type = ['content-type', 'application/json'] as const
  await see(answered('x', 200, [type, ['content-encoding', 'gzip']]))
  await see(answered(`"${'x'.repeat(1024 * 1024)}"`))
  await see(new Answer(200, Headers.from([type]), new Pieces(['"', 'x'.repeat(1024 * 1024), '"'])))
  assert.equal(await see(new Answer(200, Headers.from([type]), new Pieces(['{', new Fault('service-truncated')]))), 'broken')
  assert.equal(count('unchecked'), 4)
  assert.deepEqual(logged, [])
})

test("what no service has just answered, and what has no operation, is nobody's fault", async () => {
  const { see, count } = world()
  await see(answered('nonsense', 500), '/pets', false)
  await see(answered('nonsense', 500), '/elsewhere')
  for (const result of ['valid', 'invalid', 'unchecked']) assert.equal(count(result), 0)
})

test('the log hears of one in a second, and how many it did not hear of', async () => {
  const { see, count, logged, clock } = world()
  for (let i = 0; i < 10; i++) await see(answered('{}', 500))
  assert.equal(logged.length, 1)
  clock.advance(1000)
  await see(answered('{}', 500))
  assert.equal(count('invalid'), 11)
  assert.equal(logged[1]['notTold'], 9)
})
