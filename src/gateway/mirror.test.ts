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
import type { ServiceSpec } from '../services/service-spec.ts'
import { Sweeper } from '../core/sweeper.ts'
import { compileAction } from './compile-action.ts'

const okay = (body: Body = emptyBody): Answer => new Answer(200, new Headers(), body)
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** A route to `orders` that is mirrored to `shadow`, and what became of the copies. */
function mirrored(
  orders: Service,
  shadow: Service,
  identity: ServiceSpec['identity'] = 'none',
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
