import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { collectGarbage } from '../../bench/support/collect-garbage.ts'
import { exchangeOf } from '../../test/support/exchange.ts'
import { LocalHub } from '../../test/support/local-hub.ts'
import { checkGateway } from '../config/check.ts'
import { CheckMemory } from '../config/check-memory.ts'
import type { GatewayModel } from '../config/model.ts'
import { packing, sharing, unpacking } from '../config/packed-model.ts'
import { textAnswer } from '../core/answer.ts'
import { atOnce } from '../core/in-slices.ts'
import { Lasting } from '../core/lasting.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { Sweeper } from '../core/sweeper.ts'
import { compileInSlices } from './compile.ts'
import type { Generation } from './generation.ts'
import { CurrentGeneration } from './generation.ts'
import { loneWorkerEnv } from './lone-worker.ts'
import { routeRows } from './route-rows.ts'
import type { GenerationEnv } from './worker.ts'

/** A worker as far as reloads go: with what was checked, sent and compiled before, or each time without. */
class Worker {
  readonly lasting = new Lasting()
  readonly #current = new CurrentGeneration()
  readonly #env: GenerationEnv
  readonly #takesOver: boolean
  readonly #memory = new CheckMemory()
  #sent: GatewayModel | undefined
  #model: GatewayModel | undefined

  constructor(takesOver: boolean) {
    this.#takesOver = takesOver
    const clock = new ManualClock(0)
    this.#env = {
      ...loneWorkerEnv({ clock, sweeper: new Sweeper(clock), link: new LocalHub().link() }),
      createService: ({ name, audience }) => ({
        service: (call) =>
          textAnswer(200, `${name} ${audience} ${call.target} ${call.headers.get('x-set')} ${call.headers.get('x-api-key')}`),
        targets: [],
        close() {},
      }),
    }
  }

  get generation(): Generation {
    return this.#current.generation!
  }

  async load(input: object): Promise<void> {
    const options = this.#takesOver ? { memory: this.#memory } : {}
    const { model, findings } = checkGateway(structuredClone(input), { file: '/etc/velum/velum.config.json' }, options)
    if (model === undefined) throw new Error(JSON.stringify(findings))
    const before = this.#takesOver ? this.#sent : undefined
    const sent = before === undefined ? model : sharing(model, before)
    this.#model = atOnce(unpacking(atOnce(packing(sent, before)), before === undefined ? undefined : this.#model))
    this.#sent = sent
    const env = { ...this.#env, hold: this.lasting.hold() }
    const next = await compileInSlices(this.#model, env, this.#takesOver ? this.#current.generation : undefined)
    await next.ready
    this.#current.commit(next)
  }

  async ask(method: string, target: string, headers: readonly string[]): Promise<unknown> {
    const served = this.#current.served('plain')
    const x = exchangeOf({ method, target, headers, listener: 'plain' })
    const answer = await served.handle(x)
    served.done(x, { end: 'complete', status: answer.status, fault: undefined, receivedBytes: 0, sentBytes: 0, endedAt: 0 })
    const fields: string[] = []
    answer.headers.forEach((name, value) => void (/request-id/i.test(name) || fields.push(`${name}: ${value}`)))
    return [
      answer.status,
      fields,
      answer.body.bytes?.toString().replace(/"(?:instance|requestId)":"[^"]*"/, ''),
      x.route?.name,
      x.route?.index,
    ]
  }
}

const writings: readonly ((i: number) => object)[] = [
  (i) => ({ match: { path: `/r/${i}` }, respond: { status: 200, body: `first ${i}` } }),
  (i) => ({ match: { path: `/r/${i}` }, respond: { status: 201, body: `second ${i}` } }),
  (i) => ({ match: { path: `/r/${i}` }, to: 'orders', headers: { request: { set: { 'x-set': String(i) } } } }),
  (i) => ({
    match: { path: `/r/${i}`, methods: ['GET'] },
    to: [
      { service: 'orders', weight: 1 },
      { service: 'stock', weight: 0 },
    ],
  }),
  (i) => ({ match: { path: `/r/${i}` }, to: 'stock', limits: ['tight'], priority: 'critical' }),
  (i) => ({
    match: { path: '/r/{x}', methods: ['POST', ...(i % 2 === 0 ? ['PUT'] : [])], headers: { 'x-at': String(i) } },
    to: 'stock',
  }),
  (i) => ({ match: { path: `/r/${i}` }, to: 'orders', auth: { any: ['api-key'] }, cors: { origins: ['https://a.example'] } }),
]

const mostly = (max: number): fc.Arbitrary<number> => fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, fc.nat(max))
const usualOrder = [0, 1, 2, 3, 4, 5]
const orders = fc.oneof({ weight: 3, arbitrary: fc.constant(usualOrder) }, fc.shuffledSubarray([...usualOrder, 6, 7]))
const configurations = fc
  .record({
    order: orders,
    ways: fc.array(mostly(writings.length - 1), { minLength: 8, maxLength: 8 }),
    limit: mostly(1),
    audience: mostly(1),
    header: mostly(1),
    concurrency: mostly(1),
  })
  .map(({ order, ways, limit, audience, header, concurrency }) => ({
    listeners: { plain: { port: 8080 } },
    services: {
      orders: { url: 'http://127.0.0.1:1', audience: ['a', 'b'][audience] },
      stock: { url: 'http://127.0.0.1:2', concurrency: [5, 6][concurrency] },
    },
    identity: { apiKeys: { bot: { sha256: '1'.repeat(64) } } },
    limits: { tight: { algorithm: 'token-bucket', per: ['address'], refill: '1/m', capacity: [3, 4][limit] } },
    defaults: { auth: 'public', headers: { response: { set: { 'x-turn': String(header) } } } },
    routes: order.map((i) => ({ name: `r${i}`, ...writings[ways[i]](i) })),
  }))

const requests = Array.from({ length: 8 }, (_, i) => [
  ['GET', `/r/${i}`, []] as const,
  ['POST', `/r/${i}`, ['x-at', String(i), 'x-api-key', 'secret']] as const,
  ['OPTIONS', `/r/${i}`, ['origin', 'https://a.example', 'access-control-request-method', 'GET']] as const,
]).flat()

test('after any series of configurations a Generation that took over what it could behaves as one that was made afresh', async () => {
  let [taken, all] = [0, 0]
  await fc.assert(
    fc.asyncProperty(fc.array(configurations, { minLength: 2, maxLength: 5 }), async (inputs) => {
      const [over, afresh] = [new Worker(true), new Worker(false)]
      let before: readonly unknown[] = []
      for (const input of inputs) {
        await over.load(input)
        await afresh.load(input)
        const { routes, hash } = over.generation
        assert.equal(hash, afresh.generation.hash)
        assert.deepEqual(routeRows(routes), routeRows(afresh.generation.routes))
        for (const [method, target, headers] of requests)
          assert.deepEqual(await over.ask(method, target, headers), await afresh.ask(method, target, headers))
        taken += routes.filter((route) => before.includes(route)).length
        all += before.length === 0 ? 0 : routes.length
        before = routes
      }
    }),
    { numRuns: 25 },
  )
  assert.ok(taken > all / 5, `${taken} of ${all} routes were taken over`)
})

const edited = (turn: number): object => ({
  listeners: { plain: { port: 8080 } },
  defaults: { auth: 'public' },
  routes: [
    { name: 'a', match: { path: '/a' }, respond: { status: 200 } },
    {
      name: 'b',
      match: { path: '/b' },
      respond: { status: 200 },
      body: { max: `${1 + turn}kb` },
      addresses: { deny: [`192.0.2.${turn % 7}`] },
    },
  ],
})

test('of hundreds of Generations that took routes over from each other none is left but the last, nor what a route of them took', async () => {
  const worker = new Worker(true)
  const gone: WeakRef<object>[] = []
  const reload = async (turn: number): Promise<void> => {
    const before = worker.generation
    const [a, b] = before.routes
    await worker.load(edited(turn))
    assert.equal(worker.generation.routes[0], a)
    assert.notEqual(worker.generation.routes[1], b)
    gone.push(new WeakRef(before), new WeakRef(b), new WeakRef(b.model), new WeakRef(before.served('plain')!))
  }
  await worker.load(edited(0))
  await worker.ask('GET', '/a', [])
  const held = worker.lasting.size
  for (let turn = 1; turn <= 200; turn++) await reload(turn)
  await worker.ask('GET', '/a', [])
  await new Promise((resolve) => void setImmediate(resolve))
  collectGarbage()
  assert.equal(gone.filter((one) => one.deref() !== undefined).length, 0)
  assert.equal(worker.lasting.size, held)
  worker.generation.close()
  assert.equal(worker.lasting.size, 0)
})
