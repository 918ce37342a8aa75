import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { RouteModel } from '../config/model.ts'
import { Answer } from '../core/answer.ts'
import type { Body, Chunk, End } from '../core/body.ts'
import { END, StreamBody, emptyBody, readAll, textBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { Handler, MaybePromise } from '../core/handler.ts'
import { Headers } from '../core/headers.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { Labels, Meter } from '../core/meter.ts'
import type { Call, Service } from '../core/service.ts'
import type { Trace } from '../core/trace.ts'
import type { ServiceSpec } from '../services/service-spec.ts'
import { Sweeper } from '../core/sweeper.ts'
import type { ActionEnv } from './compile-action.ts'
import { compileAction } from './compile-action.ts'
import type { SpanRow } from './span-row.ts'
import { createTraces } from './traces.ts'

const okay = (body: Body = emptyBody): Answer => new Answer(200, new Headers(), body)
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** A route to `orders` that is mirrored to `shadow`, and what became of the copies. */
function mirrored(
  orders: Service,
  shadow: Service,
  identity: ServiceSpec['identity'] = 'none',
  env: Partial<ActionEnv> = {},
): { handle: Handler; counts: Record<string, number> } {
  const counts: Record<string, number> = {}
  const meter: Meter = {
    counter: (_name, _help, { outcome }: Labels = {}) => ({ add: () => void (counts[outcome] = (counts[outcome] ?? 0) + 1) }),
    gauge: () => ({ add() {} }),
    histogram: () => ({ observe() {} }),
  }
  const route = {
    name: 'the-route',
    source: 'routes[0]',
    match: { paths: ['/**'], methods: [], hosts: [], headers: [], query: [], allow: [] },
    action: { kind: 'to', services: [{ service: 'orders', weight: 1 }], split: 'request', mirror: 'shadow', rewrite: undefined },
    timeoutMs: Infinity,
  } as unknown as RouteModel
  const { end } = compileAction(route, {
    services: new Map([
      ['orders', { spec: { name: 'orders', identity } as ServiceSpec, service: orders }],
      ['shadow', { spec: { name: 'shadow', identity: 'none' } as ServiceSpec, service: shadow }],
    ]),
    clock: new ManualClock(),
    sweeper: new Sweeper(new ManualClock()),
    meter,
    edits: [],
    hasApiKeys: true,
    random: Math.random,
    limitsOf: () => undefined,
    capacityOf: () => undefined,
    ...env,
  })
  return { handle: end, counts }
}

/** A body of so many pieces of 64 KiB. */
class Pieces extends StreamBody {
  #left: number
  readonly #fail: boolean

  constructor(count: number, fail = false) {
    super(undefined)
    this.#left = count
    this.#fail = fail
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    if (this.#left === 0 && this.#fail) throw new Fault('client-left')
    return this.#left-- > 0 ? Buffer.alloc(65_536) : END
  }

  protected stop(): void {}
}

test('a copy of each request goes to the shadow, marked, with what the shadow may know', async () => {
  const calls: Call[] = []
  const exchanges: Exchange[] = []
  const service: Service = async (call, x) => {
    calls.push(call)
    exchanges.push(x)
    x.attempts++
    assert.equal((await readAll(call.body, 100)).toString(), 'content')
    return okay(textBody('answer'))
  }
  const { handle, counts } = mirrored(service, service, 'headers')
  const x = exchangeOf({
    method: 'POST',
    target: '/a?b=c',
    body: textBody('content'),
    headers: ['x-velum-mirror', 'forged', 'authorization', 'Bearer secret', 'x-auth-subject', 'forged', 'x-custom', '1'],
  })
  x.identity = {
    kind: 'bearer',
    issuer: 'i',
    subject: 'ada',
    tenant: undefined,
    client: undefined,
    scopes: [],
    roles: [],
    claims: {},
    expiresAt: Infinity,
    session: undefined,
    credentialId: undefined,
  }
  const answer = await handle(x)
  assert.equal(answer.body.bytes?.toString(), 'answer')
  await turn()
  const shadow = calls.find(({ headers }) => headers.get('x-velum-mirror') !== undefined)!
  const orders = calls.find((call) => call !== shadow)!
  assert.equal(calls.length, 2)
  assert.deepEqual([shadow.method, shadow.target, shadow.authority], [orders.method, orders.target, orders.authority])
  assert.equal(shadow.headers.get('x-velum-mirror'), 'the-route')
  assert.equal(shadow.headers.get('x-custom'), '1')
  assert.equal(orders.headers.get('x-auth-subject'), 'ada')
  for (const name of ['authorization', 'x-auth-subject']) assert.equal(shadow.headers.get(name), undefined, name)
  assert.equal(exchanges.filter((other) => other === x).length, 1)
  assert.equal(x.attempts, 1)
  assert.equal(x.service, 'orders')
  assert.deepEqual(counts, { sent: 1 })
})

test('what becomes of the copy is nothing to the exchange', async () => {
  const broken = new Pieces(1, true)
  const shadows: [Service, Record<string, number>][] = [
    [() => Promise.reject(new Fault('service-refused')), { failed: 1 }],
    [
      () => {
        throw new Fault('no-target')
      },
      { failed: 1 },
    ],
    [async () => okay(broken), { sent: 1 }],
    [async () => okay(new Pieces(1000)), { sent: 1 }],
  ]
  for (const [shadow, expected] of shadows) {
    const { handle, counts } = mirrored(() => okay(), shadow)
    assert.equal((await handle(exchangeOf())).status, 200)
    for (let i = 0; i < 5; i++) await turn()
    assert.deepEqual(counts, expected)
  }
})

test('a client that leaves does not end a copy that is whole', async () => {
  let shadowed: Exchange | undefined
  const { handle } = mirrored(
    () => okay(),
    (_call, x) => {
      shadowed = x
      return okay()
    },
  )
  const x = exchangeOf()
  await handle(x)
  x.leave(new Fault('client-left'))
  assert.equal(shadowed?.left, undefined)
})

test('no more copies are under way than a route may have', async () => {
  const answers: ((answer: Answer) => void)[] = []
  const { handle, counts } = mirrored(
    () => okay(),
    () => new Promise((resolve) => void answers.push(resolve)),
  )
  for (let i = 0; i < 100; i++) await handle(exchangeOf())
  assert.equal(answers.length, 64)
  assert.deepEqual(counts, { dropped: 36 })
  for (const answer of answers.splice(0)) answer(okay())
  await turn()
  await handle(exchangeOf())
  assert.equal(answers.length, 1)
  assert.deepEqual(counts, { dropped: 36, sent: 64 })
})

test('a shadow that does not keep up with a body loses it, and the service has it whole', async () => {
  let read = 0
  const { handle, counts } = mirrored(
    async ({ body }) => {
      read = (await readAll(body, Infinity)).length
      return okay()
    },
    async ({ body }) => {
      await body.pull()
      await turn()
      await body.pull()
      return okay()
    },
  )
  await handle(exchangeOf({ method: 'POST', body: new Pieces(100) }))
  await turn()
  await turn()
  assert.equal(read, 6_553_600)
  assert.deepEqual(counts, { dropped: 1 })
})

test('an upgrade is not copied', async () => {
  const { handle, counts } = mirrored(
    () => okay(),
    () => assert.fail('it was copied'),
  )
  await handle(exchangeOf({ upgrade: 'websocket' }))
  assert.deepEqual(counts, {})
})

/** Traces that are all taken, and their spans. */
function tracing(clock: ManualClock): { traces: ReturnType<typeof createTraces>; rows: SpanRow[] } {
  const rows: SpanRow[] = []
  let ids = 0
  const next = (digits: number): string => (++ids).toString(16).padStart(digits, '0')
  const options = { gateway: 'edge', sample: 1, sender: { add: (row: SpanRow) => void rows.push(row) }, clock }
  return { traces: createTraces({ ...options, ids: { trace: () => next(32), span: () => next(16) } }), rows }
}

const complete = { end: 'complete', status: 200, fault: undefined, receivedBytes: 0, sentBytes: 0 } as const

test('the copy of a traced request has a span of its own that ends when the copy does, and the shadow is told of it', async () => {
  const clock = new ManualClock()
  const { traces, rows } = tracing(clock)
  let answer: ((answer: Answer) => void) | undefined
  let asked: Call | undefined
  const shadow: Service = (call, x) => {
    const attempt = x.trace!.attempt(call, { service: 'shadow', address: '[::1]:1', isTls: false, isGrpc: false, resend: 0 })!
    asked = call
    return new Promise((resolve) => {
      answer = (given) => {
        attempt.endedAt = clock.monotonic()
        attempt.answer = given
        resolve(given)
      }
    })
  }
  const { handle } = mirrored(() => okay(), shadow, 'none', { clock, traces })
  const x = exchangeOf({ startedAt: clock.now(), startedMono: clock.monotonic() })
  traces.begin(x)
  const trace: Trace = x.trace!
  await handle(x)
  traces.done(x, trace, { ...complete, endedAt: clock.monotonic() })
  assert.deepEqual(
    rows.map(({ kind, spanId, endedAt }) => [kind, spanId, endedAt]),
    [['server', trace.spanId, clock.now()]],
  )
  clock.advance(700)
  answer!(okay())
  await turn()
  const [, attempt, copy] = rows
  assert.deepEqual(
    [copy.name, copy.kind, copy.parentId, copy.endedAt - copy.beganAt],
    ['mirror shadow', 'internal', trace.spanId, 700],
  )
  assert.deepEqual([attempt.parentId, attempt.traceId, rows.length], [copy.spanId, trace.traceId, 3])
  assert.equal(asked?.headers.get('traceparent'), `00-${trace.traceId}-${attempt.spanId}-01`)
  assert.equal(trace.attempts.length, 0)
  assert.ok(copy.attributes.join(' ').endsWith('velum.route the-route velum.service shadow velum.mirror sent'))
})

test('a copy that fails says why; one of a request that is not traced has no span', async () => {
  const clock = new ManualClock()
  const { traces, rows } = tracing(clock)
  const failing = mirrored(
    () => okay(),
    () => Promise.reject(new Fault('service-refused')),
    'none',
    { clock, traces },
  )
  await failing.handle(exchangeOf())
  await turn()
  assert.deepEqual([failing.counts, rows], [{ failed: 1 }, []])
  const x = exchangeOf()
  traces.begin(x)
  await failing.handle(x)
  await turn()
  assert.equal(rows.length, 1)
  assert.equal(rows[0].isError, true)
  assert.match(rows[0].attributes.join(' '), /velum\.mirror failed velum\.fault service-refused error\.type service-refused$/)
})
