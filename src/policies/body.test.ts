import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { optionFaults } from '../../test/support/option-faults.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import type { Body, Chunk, End } from '../core/body.ts'
import { BytesBody, END, StreamBody, readAll, textBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import { Headers } from '../core/headers.ts'
import type { DecideMode } from '../core/policy.ts'
import { renderHttpProblem } from '../core/problem.ts'
import type { Verdict } from '../core/verdict.ts'
import { body } from './body.ts'
import type { BodyInput } from './body.ts'
import { MediaTypes, parseMediaRange } from './media-types.ts'

function decide(input: BodyInput, x: Exchange, mode: DecideMode = 'charge'): Verdict {
  return body.build(body.options.parse(input), policyEnv())!.policies[0].decide!(x, mode) as Verdict
}

/** A body of undeclared length, or of a declared one, in pieces; promises where `isLate`. */
class PiecesBody extends StreamBody {
  readonly #pieces: string[]
  readonly #isLate: boolean
  stopped: Fault | undefined

  constructor(pieces: readonly string[], size?: number, isLate = false) {
    super(size)
    this.#pieces = [...pieces]
    this.#isLate = isLate
  }

  trailers(): Headers | undefined {
    return Headers.from([['x-end', '1']])
  }

  protected read(): MaybePromise<Chunk | End> {
    const piece = this.#pieces.shift()
    const next = piece === undefined ? END : Buffer.from(piece)
    return this.#isLate ? Promise.resolve(next) : next
  }

  protected stop(why: Fault): void {
    this.stopped = why
  }
}

const withBody = (content: Body, ...headers: string[]): Exchange => exchangeOf({ method: 'POST', body: content, headers })

test('a body within its bound passes as it is', () => {
  const content = textBody('12345')
  const x = withBody(content)
  assert.equal(decide({ max: '5b' }, x).code, 'fitting')
  assert.equal(x.body, content)
})

test('a declared length above the bound is 413 before anything is read', () => {
  const content = new PiecesBody(['never read'], 6)
  const verdict = decide({ max: '5b' }, withBody(content))
  assert.equal(verdict.code, 'too-large')
  assert.equal(renderHttpProblem(verdict.refusal!, exchangeOf()).status, 413)
  assert.deepEqual(content.pull(), Buffer.from('never read'))
})

test('a declared length within the bound is believed, since the wire holds the client to it', () => {
  const content = new PiecesBody(['12345'], 5)
  const x = withBody(content)
  assert.equal(decide({ max: '5b' }, x).code, 'fitting')
  assert.equal(x.body, content)
})

for (const isLate of [false, true]) {
  const when = isLate ? 'as it arrives' : 'that is there'

  test(`a body of undeclared length ${when} is read to its end when it fits`, async () => {
    const x = withBody(new PiecesBody(['12', '345'], undefined, isLate))
    assert.equal(decide({ max: '5b' }, x).code, 'counted')
    assert.equal((await readAll(x.body, 100)).toString(), '12345')
    assert.equal(x.body.trailers()!.get('x-end'), '1')
  })

  test(`a body of undeclared length ${when} breaks off past its bound, and its source is told`, async () => {
    const content = new PiecesBody(['12', '345', '6', '7'], undefined, isLate)
    const x = withBody(content)
    decide({ max: '5b' }, x)
    assert.equal((await x.body.pull())!.toString(), '12')
    assert.equal((await x.body.pull())!.toString(), '345')
    await assert.rejects(
      async () => x.body.pull(),
      (thrown) => thrown instanceof Fault && thrown.code === 'body-too-large',
    )
    assert.equal(content.stopped!.code, 'body-too-large')
  })
}

test('a counted body can still be replayed, forked and given up', async () => {
  const retried = withBody(new PiecesBody(['12', '34']))
  decide({ max: '5b' }, retried)
  const replay = retried.body.replay(100)!
  assert.equal((await readAll(replay.first, 100)).toString(), '1234')
  assert.equal((await readAll(replay.again()!, 100)).toString(), '1234')

  const mirrored = withBody(new PiecesBody(['12', '34']))
  decide({ max: '5b' }, mirrored)
  const fork = mirrored.body.fork(100)
  await readAll(mirrored.body, 100)
  assert.equal((await readAll(fork, 100)).toString(), '1234')

  const content = new PiecesBody(['12'])
  const left = withBody(content)
  decide({ max: '5b' }, left)
  left.body.cancel(new Fault('client-left'))
  assert.equal(content.stopped!.code, 'client-left')
})

test('a peek changes nothing of the exchange', () => {
  const content = new PiecesBody(['123456'])
  const x = withBody(content)
  assert.equal(decide({ max: '5b' }, x, 'peek').code, 'counted')
  assert.equal(x.body, content)
})

test('unlimited without types leaves nothing in the chain; the default is 10 MiB', () => {
  assert.equal(body.build(body.options.parse({ max: 'unlimited' }), policyEnv()), undefined)
  assert.equal(body.options.parse({}).maxBytes, 10 * 1024 * 1024)
  assert.equal(decide({}, withBody(new PiecesBody([], 10 * 1024 * 1024 + 1))).code, 'too-large')
})

const typeRows: readonly (readonly [types: readonly string[], header: string | undefined, isAccepted: boolean])[] = [
  [['application/json'], 'application/json', true],
  [['application/json'], 'Application/JSON; charset=utf-8', true],
  [['application/json'], 'application/json ;charset=utf-8', true],
  [['application/json'], 'application/jsonp', false],
  [['application/json'], 'text/plain; type=application/json', false],
  [['application/json'], undefined, false],
  [['application/json'], '', false],
  [['image/*'], 'image/png', true],
  [['image/*'], 'image/', false],
  [['image/*'], 'image', false],
  [['image/*'], 'images/png', false],
  [['application/*+json'], 'application/problem+json', true],
  [['application/*+json'], 'application/json', false],
  [['application/*+json'], 'application/+json', false],
  [['text/plain', 'application/json'], 'application/json', true],
  [['application/json'], 'application/json \t; charset=utf-8', true],
  [['application/json'], 'application/json\u00a0; charset=utf-8', false],
  [['*/*'], 'anything/at-all', true],
  [['*/*'], undefined, false],
]

for (const [types, header, isAccepted] of typeRows) {
  test(`of ${types.join(', ')}, ${header === undefined ? 'a body without type' : JSON.stringify(header)} is ${isAccepted ? 'accepted' : '415'}`, () => {
    const headers = header === undefined ? [] : ['content-type', header]
    assert.equal(decide({ types }, withBody(textBody('x'), ...headers)).code, isAccepted ? 'fitting' : 'other-type')
  })
}

test('a 415 says what would have been accepted', () => {
  const verdict = decide({ types: ['application/json', 'application/*+json', 'image/*'] }, withBody(textBody('x')))
  const answer = renderHttpProblem(verdict.refusal!, exchangeOf())
  assert.equal(answer.status, 415)
  assert.equal(answer.headers.get('accept'), 'application/json, image/*')
  const none = decide({ types: ['application/*+json'] }, withBody(textBody('x')))
  assert.equal(renderHttpProblem(none.refusal!, exchangeOf()).headers.get('accept'), undefined)
})

test('two content types are none', () => {
  const x = withBody(textBody('x'), 'content-type', 'application/json', 'content-type', 'application/json')
  assert.equal(decide({ types: ['application/json'] }, x).code, 'other-type')
})

test('a request without a body has no type to be asked for', () => {
  assert.equal(decide({ types: ['application/json'] }, exchangeOf()).code, 'fitting')
  assert.equal(decide({ types: ['application/json'] }, withBody(new BytesBody(Buffer.alloc(0)))).code, 'fitting')
})

test("a route's own settings are joined with the defaults' by key", () => {
  assert.deepEqual(body.merge!({ max: '1mb', types: ['a/b'] }, { max: '2mb' }), { max: '2mb', types: ['a/b'] })
})

test('sizes and types that are none are mistakes', () => {
  assert.match(optionFaults(body.options, { max: '10 mb' }).join(), /write|not a size/)
  assert.match(optionFaults(body.options, { types: ['json'] })[0], /"json" is not a media type/)
  assert.equal(optionFaults(body.options, { types: [] }).length, 1)
  assert.equal(optionFaults(body.options, { maximum: '1mb' }).length, 1)
})

test('media ranges are read without case and without parameters', () => {
  assert.equal(parseMediaRange('Application/JSON'), 'application/json')
  for (const text of ['', '*', 'a', 'a/', '/b', 'a/b;q=1', '*/b', 'a/*b', 'a/b/c', 'a /b'])
    assert.equal(parseMediaRange(text), undefined, text)
  assert.equal(new MediaTypes(['a/*']).has('a/*'), true)
})

const merge = (defaults: BodyInput, own: BodyInput): BodyInput => body.merge!(defaults, own)

test('a form that a route names replaces the one of the defaults whole; all else is merged by key', () => {
  assert.deepEqual(merge({ max: '1kb', schema: { required: ['a'] } }, { schema: { type: 'object' } }), {
    max: '1kb',
    schema: { type: 'object' },
  })
  assert.deepEqual(merge({ schema: 'a.json' }, { openapi: 'b.yaml' }), { openapi: 'b.yaml' })
  assert.deepEqual(merge({ openapi: { file: 'a.yaml', base: '/v1' } }, { openapi: { file: 'b.yaml' } }), {
    openapi: { file: 'b.yaml' },
  })
  assert.deepEqual(merge({ schema: 'a.json' }, { max: '1kb' }), { schema: 'a.json', max: '1kb' })
})
