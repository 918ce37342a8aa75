import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { exchangeOf } from '../../test/support/exchange.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import type { Body, Chunk, End } from '../core/body.ts'
import { BytesBody, END, StreamBody, emptyBody, readAll, textBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import { Headers } from '../core/headers.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import type { Problem } from '../core/problem.ts'
import { problemOf, renderHttpProblem } from '../core/problem.ts'
import type { Verdict } from '../core/verdict.ts'
import { BodyValidation } from './body-validation.ts'
import { body } from './body.ts'
import { compileShape } from './shapes/compiled-shape.ts'
import type { Schema, Shape } from './shapes/shape.ts'
import { BodyRoom } from './whole-body.ts'

const shapeOf = (root: Schema): Shape => ({ kind: 'schema', dialect: '2020-12', digest: 'd', root, others: [] })
const order = shapeOf({
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'integer' }, pass: { type: 'string', maxLength: 3 } },
})

/** A body that arrives piece by piece, each one late. */
class LateBody extends StreamBody {
  readonly #pieces: Buffer[]
  readonly #end: Fault | undefined
  cancelled = false

  constructor(pieces: readonly (string | Buffer)[], size?: number, end?: Fault) {
    super(size)
    this.#pieces = pieces.map((piece) => Buffer.from(piece))
    this.#end = end
  }

  get pulled(): number {
    return this.#pieces.length
  }

  trailers(): Headers | undefined {
    return this.#pieces.length === 0 && this.size === undefined ? Headers.from([['x-end', '1']]) : undefined
  }

  protected async read(): Promise<Chunk | End> {
    await Promise.resolve()
    const piece = this.#pieces.shift()
    if (piece === undefined && this.#end !== undefined) throw this.#end
    return piece ?? END
  }

  protected stop(): void {
    this.cancelled = true
  }
}

const json = ['content-type', 'application/json']
const post = (content: Body, headers: readonly string[] = json, method = 'POST'): Exchange =>
  exchangeOf({ method, body: content, headers })

function validation(shape: Shape, { maxBytes = 1000, roomBytes = 1000, shadow = false } = {}): Policy {
  const env = policyEnv({ shapes: new Map([[shape.digest, shape]]) })
  if (!shadow) {
    const parts = { source: 'routes[0].body.schema', maxBytes, room: new BodyRoom(roomBytes), opensCodings: false }
    return new BodyValidation({ ...parts, shape: compileShape(shape, env.hold) })
  }
  return body.build({ maxBytes, types: [], shadow, shape: shape.digest }, env)!.policies.at(-1)!
}

const decide = (x: Exchange, shape = order, mode: DecideMode = 'charge'): MaybePromise<Verdict> =>
  validation(shape).decide!(x, mode)

async function answer(
  x: Exchange,
  shape = order,
): Promise<{ status: number; document: Record<string, unknown>; headers: Headers }> {
  const problem = (await decide(x, shape)).refusal
  assert.ok(problem !== undefined, 'it is refused')
  return rendered(problem)
}

async function rendered(problem: Problem): Promise<{ status: number; document: Record<string, unknown>; headers: Headers }> {
  const made = renderHttpProblem(problem, exchangeOf())
  return {
    status: made.status,
    document: JSON.parse((await readAll(made.body, 1e6)).toString()) as Record<string, unknown>,
    headers: made.headers,
  }
}

test('a body that fits passes at once and goes on as it is', () => {
  const content = textBody('{"id":1}')
  const x = post(content)
  assert.equal((decide(x) as Verdict).code, 'valid')
  assert.equal(x.body, content)
})

test('a body in pieces is read, and the service gets the very bytes, trailers too', async () => {
  const pieces = ['{ "id"', ' : 1.0,"é":"', Buffer.from([0xf0, 0x9f]), Buffer.from([0x98, 0x80]), '"}\n ']
  const whole = Buffer.concat(pieces.map((piece) => Buffer.from(piece)))
  for (const size of [undefined, whole.length]) {
    const x = post(new LateBody(pieces, size))
    assert.equal((await decide(x)).code, 'valid')
    assert.ok((await readAll(x.body, 1000)).equals(whole))
    assert.equal(x.body.trailers()?.get('x-end'), size === undefined ? '1' : undefined)
  }
})

test('what does not fit is 422 with every failing path and no value of the client', async () => {
  const { status, document } = await answer(post(textBody('{"pass":"hunter2"}')))
  assert.equal(status, 422)
  assert.deepEqual(document, {
    type: 'urn:velum:problem:invalid-content',
    title: 'The request does not have the expected form',
    status: 422,
    detail: 'What does not fit is listed in errors.',
    instance: 'test-1',
    policy: 'body',
    errors: [
      { in: 'body', pointer: '#/id', detail: 'is required' },
      { in: 'body', pointer: '#/pass', detail: 'must NOT have more than 3 characters' },
    ],
  })
})

for (const [what, bytes] of [
  ['no JSON', '{"id":1'],
  ['a member twice', '{"id":1,"id":"2"}'],
  ['a member twice by escapes', '{"id":1,"\\u0069d":"2"}'],
  ['__proto__', '{"id":1,"__proto__":{"id":2}}'],
  ['a number that no double holds', '{"id":1e999}'],
  ['a byte order mark', '\uFEFF{"id":1}'],
  ['a byte that is not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ['a surrogate in UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])],
  ['nesting without end', '['.repeat(900)],
] as const) {
  test(`${what} is 400`, async () => {
    const { status, document } = await answer(post(new BytesBody(Buffer.from(bytes))))
    assert.equal(status, 400)
    assert.equal(document['policy'], 'body')
  })
}

for (const [what, headers, expected] of [
  ['another type', ['content-type', 'text/plain'], ['accept', 'application/json']],
  ['no type', [], ['accept', 'application/json']],
  ['two types', [...json, ...json], ['accept', 'application/json']],
  ['a coding', [...json, 'content-encoding', 'gzip'], ['accept-encoding', 'identity']],
  ['another charset', ['content-type', 'application/json; charset=utf-16'], undefined],
  ['another charset behind the right one', ['content-type', 'application/json; charset=utf-8; charset=utf-16'], undefined],
  ['a charset that begins like the right one', ['content-type', 'application/json; charset=utf-8\u00a0x'], undefined],
] as const) {
  test(`a body with ${what} is 415, and nothing of it is read`, async () => {
    const content = new LateBody(['{"id":1}'])
    const { status, headers: told } = await answer(post(content, headers))
    assert.equal(status, 415)
    if (expected !== undefined) assert.equal(told.get(expected[0]), expected[1])
    assert.equal(content.pulled, 1)
  })
}

test('JSON by another name is JSON, and its charset may be said', async () => {
  for (const type of ['application/problem+json', 'Application/JSON; charset=UTF-8', 'application/json;charset="utf-8"; x=y']) {
    assert.equal((await decide(post(textBody('{"id":1}'), ['content-type', type]))).code, 'valid', type)
  }
  assert.equal((await decide(post(textBody('{"id":1}'), [...json, 'content-encoding', 'Identity']))).code, 'valid')
})

test('no body is 422 where the method has one as a rule, and passes elsewhere', async () => {
  for (const method of ['POST', 'PUT', 'PATCH']) assert.equal((await answer(post(emptyBody, [], method))).status, 422)
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS']) assert.equal((await decide(post(emptyBody, [], method))).code, 'valid')
  assert.equal((await answer(post(new LateBody([])))).status, 422)
  assert.equal((await answer(post(textBody('{}'), json, 'DELETE'))).status, 422)
})

test('a body of undeclared length is 413 once it passes the bound', async () => {
  const { status } = await answer(post(new LateBody(['x'.repeat(600), 'x'.repeat(600), 'never'])))
  assert.equal(status, 413)
})

test('a body that breaks off is the fault that it is', async () => {
  const x = post(new LateBody(['{"id"'], undefined, new Fault('client-left')))
  await assert.rejects(
    async () => decide(x),
    (thrown) => thrown instanceof Fault && thrown.code === 'client-left',
  )
})

test('a peek reads nothing, and judges what is there', async () => {
  const content = new LateBody(['{"id":1}'])
  assert.equal((await decide(post(content), order, 'peek')).code, 'not-read')
  assert.equal(content.pulled, 1)
  assert.equal((await decide(post(textBody('{}')), order, 'peek')).code, 'invalid')
})

test('bodies that are held take room, and give it back at the end of their exchange', async () => {
  const policy = validation(order, { roomBytes: 10 })
  const first = post(new LateBody(['{"id":1}']))
  assert.equal((await policy.decide!(first, 'charge')).code, 'valid')
  const second = post(new LateBody(['{"id":1}']))
  await assert.rejects(
    async () => policy.decide!(second, 'charge'),
    (thrown) => thrown instanceof Fault && renderHttpProblem(problemOf(thrown), second).status === 503,
  )
  const end = { end: 'complete', status: 200, fault: undefined, receivedBytes: 0, sentBytes: 0, endedAt: 0 } as const
  policy.onDone!(second, end)
  policy.onDone!(first, end)
  assert.equal((await policy.decide!(post(new LateBody(['{"id":1}'])), 'charge')).code, 'valid')
})

test('in shadow nothing is refused, and the body goes on whole, however it failed', async () => {
  const policy = validation(order, { maxBytes: 20, shadow: true })
  for (const [pieces, code] of [
    [['{}'], 'invalid'],
    [['{"id":', '1}'], 'valid'],
    [['{"id":1', ' '.repeat(20), '}'], 'too-large'],
  ] as const) {
    const x = post(new LateBody(pieces))
    const verdict = await policy.decide!(x, 'charge')
    assert.equal(verdict.code, code)
    assert.equal(verdict.refusal, undefined)
    assert.equal((await readAll(x.body, 1000)).toString(), pieces.join(''))
  }
})

test('a body that is decoded on its way is checked as it comes out', async () => {
  const env = policyEnv({ shapes: new Map([[order.digest, order]]) })
  const { policies } = body.build({ maxBytes: 1000, types: [], decompress: true, shape: order.digest }, env)!
  const decided = async (content: string, mode: DecideMode): Promise<string> => {
    const x = post(new BytesBody(gzipSync(content)), [...json, 'content-encoding', 'gzip'])
    for (const policy of policies) {
      const verdict = await policy.decide!(x, mode)
      if (verdict.refusal !== undefined || policy === policies.at(-1)) return `${policy.source} ${verdict.code}`
    }
    return ''
  }
  assert.equal(await decided('{"id":1}', 'charge'), 'routes[0].test.schema valid')
  assert.equal(await decided('{}', 'charge'), 'routes[0].test.schema invalid')
  assert.equal(await decided('{}', 'peek'), 'routes[0].test.schema not-read')
})

test('a route whose shape is missing is not built', () => {
  assert.throws(() => body.build({ maxBytes: 1, types: [], shape: 'gone' }, policyEnv()), /routes\[0\]\.test/)
})
