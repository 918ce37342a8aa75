import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { CountingMeter, policyEnv } from '../../test/support/policy-env.ts'
import { emptyAnswer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { Headers } from '../core/headers.ts'
import { Lasting } from '../core/lasting.ts'
import type { LogFields } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import type { Verdict } from '../core/verdict.ts'
import { definePlatform } from '../config/define-platform.ts'
import { KnownIdentity } from '../identity/known-identity.ts'
import { custom } from './custom.ts'
import { policyMark } from './custom/call-meter.ts'
import { definePolicy, parsePolicy } from './custom/define-policy.ts'
import type { AnyPolicy, PolicyDefinition, PolicyHost, PolicyRequest } from './custom/define-policy.ts'
import type { Built } from './policy-kind.ts'

/** What somebody writes who takes a hook for a place to wait. */
const rejecting = (): unknown => Promise.reject(new Error('late'))

const throwing = (): never => {
  throw new Error('secret words')
}

const breaking = (head: { setHeader(name: string, value: string): void }): never => {
  head.setHeader('x-half', '1')
  throw new Error('half-way')
}

class World {
  readonly clock = new ManualClock()
  readonly meter = new CountingMeter()
  readonly logged: [message: string, fields: LogFields | undefined][] = []
  readonly running = new Float64Array(1)
  readonly #lasting = new Lasting()

  build<T>(definition: PolicyDefinition<T>, use: { options?: unknown; shadow?: boolean } = {}): Built {
    const say = (message: string, fields?: LogFields): void => void this.logged.push([message, fields])
    return custom.build(
      [{ use: 'audit', shadow: false, source: 'routes[0].policies[0]', digest: '', ...use }],
      policyEnv({
        clock: this.clock,
        meter: this.meter,
        log: { debug: say, info: say, warn: say, error: say },
        hold: this.#lasting.hold(),
        customPolicies: new Map([['audit', definition as AnyPolicy]]),
        running: this.running,
      }),
    )!
  }

  policy<T>(definition: PolicyDefinition<T>, use?: { options?: unknown; shadow?: boolean }): Policy {
    return this.build(definition, use).policies[0]
  }

  count(name: string): number {
    return this.meter.counts.get(`velum_policy_${name} audit`) ?? 0
  }
}

function decided(policy: Policy, x: Exchange = exchangeOf({}), mode: DecideMode = 'charge'): Verdict {
  const verdict = policy.decide!(x, mode)
  assert.ok(!(verdict instanceof Promise))
  return verdict
}

test('passes, refuses with a problem, and says why to the operator alone', () => {
  const world = new World()
  assert.deepEqual(decided(world.policy({ decide: () => 'pass' })).refusal, undefined)
  const refusing = definePolicy({
    decide: () => ({ status: 429, detail: 'Later.', code: 'too-eager', why: 'Seen before.', retryAfterSeconds: 7 }),
  })
  const verdict = decided(world.policy(refusing))
  assert.equal(verdict.code, 'too-eager')
  assert.equal(verdict.words?.(), 'Seen before.')
  assert.equal(verdict.refusal?.name, 'quota-exceeded')
  assert.equal(verdict.refusal.detail, 'Later.')
  assert.equal(verdict.refusal.policy, 'audit')
  assert.deepEqual(verdict.refusal.headers?.pairs, [['retry-after', '7']])
})

test('sees a request and never what proves who sent it; nothing of it can be changed', () => {
  let seen: PolicyRequest | undefined
  const policy = new World().policy({
    decide: (request) => {
      seen = request
      ;(request.caller!.roles as string[]).push('admin')
      return 'pass'
    },
  })
  const x = exchangeOf({ headers: ['Authorization', 'Bearer x', 'Cookie', 'a=b', 'X-Api-Key', 'k', 'X-Team', 'red'] })
  x.identity = new KnownIdentity({
    kind: 'bearer',
    issuer: 'i',
    subject: 'ada',
    tenant: undefined,
    client: undefined,
    scopes: [],
    roles: ['reader'],
    expiresAt: Infinity,
    session: undefined,
    credentialId: undefined,
  })
  decided(policy, x)
  assert.ok(seen !== undefined)
  for (const name of ['authorization', 'COOKIE', 'x-api-key', 'proxy-authorization']) assert.equal(seen.header(name), undefined)
  assert.equal(seen.header('x-TEAM'), 'red')
  assert.equal(seen.caller?.subject, 'ada')
  assert.deepEqual(x.identity.roles, ['reader'])
  assert.throws(() => Object.assign(seen!, { path: '/other' }))
  assert.deepEqual(Object.keys(seen), [])
})

test('gives header fields to the service, except those that are the gateway’s own', () => {
  const world = new World()
  const { policies, requestEdit } = world.build({ decide: () => ({ headers: { 'X-Tier': 'gold' } }) })
  const x = exchangeOf({})
  decided(policies[0], x)
  const headers = Headers.from([['x-tier', 'forged']])
  requestEdit!(headers, x)
  assert.deepEqual(headers.all('x-tier'), ['gold'])
  const forbidden = [
    { 'x-auth-subject': 'root' },
    { host: 'a' },
    { 'x-forwarded-for': '::1' },
    { x: 'a\r\nb: c' },
    { 'x y': '' },
    { x_y: '' },
  ]
  for (const fields of forbidden) assert.equal(decided(world.policy({ decide: () => ({ headers: fields }) })).code, 'failed')
  const large = { x: 'a'.repeat(9000) }
  assert.equal(decided(world.policy({ decide: () => ({ headers: large }) })).code, 'failed')
  const peeked = exchangeOf({})
  decided(world.policy({ peek: true, decide: () => ({ headers: { 'x-tier': 'gold' } }) }), peeked, 'peek')
  const untouched = Headers.from([])
  requestEdit!(untouched, peeked)
  assert.equal(untouched.has('x-tier'), false)
})

test('one that throws, or decides nonsense, gives its declared answer, counted, and told once a minute', () => {
  const world = new World()
  const refusing = decided(world.policy({ decide: throwing }))
  assert.deepEqual(refusing.refusal, { name: 'internal', policy: 'audit' })
  const policy = world.policy({ decide: throwing, onError: 'pass' })
  assert.deepEqual([decided(policy).code, decided(policy).refusal], ['failed', undefined])
  assert.equal(world.count('failures_total'), 3)
  assert.equal(world.logged.length, 2, 'one for each policy')
  world.clock.advance(60_000)
  decided(policy)
  assert.equal(world.logged.length, 3)
  const nonsense: unknown[] = [
    undefined,
    null,
    true,
    'no',
    {},
    { status: 200 },
    { status: 403, code: 'A b' },
    { status: 403, detail: 1 },
  ]
  for (const decision of nonsense)
    assert.equal(decided(world.policy({ decide: () => decision as 'pass' })).code, 'failed', JSON.stringify(decision))
})

test('a promised decision has its time', async () => {
  const world = new World()
  assert.equal(
    (await world.policy({ decide: async () => ({ status: 403 }) }).decide!(exchangeOf({}), 'charge')).refusal?.name,
    'forbidden',
  )
  let late: ((decision: 'pass') => void) | undefined
  const slow = world.policy({ decide: () => new Promise((resolve) => (late = resolve)), timeoutMs: 50 })
  const verdict = slow.decide!(exchangeOf({}), 'charge')
  world.clock.advance(50)
  assert.equal((await verdict).code, 'failed')
  late?.('pass')
  const failing = world.policy({ decide: () => Promise.reject(new Error('no')), onError: 'pass' })
  assert.equal((await failing.decide!(exchangeOf({}), 'charge')).code, 'failed')
  assert.equal(world.count('failures_total'), 2)
})

test('a call over its budget is counted, and told once a minute; main can see which policy runs', () => {
  const world = new World()
  const marks: number[] = []
  const policy = world.policy({
    budgetMs: 5,
    decide: (request) => {
      marks.push(world.running[0])
      world.clock.advance(Number(request.query))
      return 'pass'
    },
  })
  const taking = (ms: number): void => {
    const x = exchangeOf({})
    x.query = String(ms)
    decided(policy, x)
  }
  taking(5)
  assert.equal(world.count('over_budget_total'), 0)
  taking(6)
  taking(7)
  assert.equal(world.count('over_budget_total'), 2)
  assert.equal(world.logged.length, 1)
  assert.deepEqual(marks, [policyMark('audit'), policyMark('audit'), policyMark('audit')])
  assert.equal(world.running[0], 0)
  assert.equal(world.count('seconds'), 3)
})

test('changes of an answer are made when all went well, or not at all', () => {
  const world = new World()
  const answer = emptyAnswer(
    200,
    Headers.from([
      ['server', 'x'],
      ['set-cookie', 'a=b'],
    ]),
  )
  world.policy({
    onHead: (_request, head) => {
      head.setHeader('X-Seen', String(head.status))
      head.removeHeader('server')
      assert.equal(head.header('x-seen'), '200')
      assert.equal(head.header('server'), undefined)
    },
  }).onHead!(exchangeOf({}), answer)
  assert.equal(answer.headers.get('x-seen'), '200')
  assert.equal(answer.headers.has('server'), false)
  assert.throws(() => world.policy({ onHead: (_request, head) => breaking(head) }).onHead!(exchangeOf({}), answer), {
    code: 'internal',
  })
  world.policy({ onError: 'pass', onHead: (_request, head) => breaking(head) }).onHead!(exchangeOf({}), answer)
  assert.equal(answer.headers.has('x-half'), false)
  for (const [name, value] of [
    ['content-length', '1'],
    ['x-request-id', 'a'],
    ['set-cookie', '__Host-Http-velum=x'],
  ] as const) {
    const forging = world.policy({ onHead: (_request, head) => head.setHeader(name, value) })
    assert.throws(() => forging.onHead!(exchangeOf({}), answer), { code: 'internal' }, name)
  }
  assert.throws(() => world.policy({ onHead: rejecting }).onHead!(exchangeOf({}), answer), {
    code: 'internal',
  })
})

test('an end that fails harms nobody, now or later', async () => {
  const world = new World()
  const outcome = { end: 'complete', status: 200, fault: undefined, receivedBytes: 1, sentBytes: 2, endedAt: 7 } as const
  const seen: unknown[] = []
  world.policy({ onDone: (_request, told) => void seen.push(told) }).onDone!(exchangeOf({}), outcome)
  assert.deepEqual(seen, [{ end: 'complete', status: 200, receivedBytes: 1, sentBytes: 2, durationMs: 7 }])
  world.policy({
    onDone: () => {
      throw new Error('no')
    },
  }).onDone!(exchangeOf({}), outcome)
  world.policy({ onDone: rejecting }).onDone!(exchangeOf({}), outcome)
  await new Promise(setImmediate)
  assert.equal(world.count('failures_total'), 2)
})

test('keeps records for its time, across Generations, within its memory, and writes none in a peek', () => {
  const world = new World()
  let host: PolicyHost<unknown> | undefined
  const definition = definePolicy({
    peek: true,
    maxRecordBytes: 400,
    decide: (_request, given) => {
      host = given
      return 'pass'
    },
  })
  decided(world.policy(definition))
  host!.records.set('a', '1', 100)
  decided(world.policy(definition))
  assert.equal(host!.records.get('a'), '1')
  world.clock.advance(100)
  assert.equal(host!.records.get('a'), undefined)
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) host!.records.set(key, 'x'.repeat(20), 1000)
  assert.equal(host!.records.get('a'), undefined)
  assert.equal(host!.records.get('f'), 'x'.repeat(20))
  assert.throws(() => host!.records.set('a', 'x'.repeat(300), 1000), /larger/)
  assert.throws(() => host!.records.set('a', 'x', 0), /some milliseconds/)
  decided(world.policy(definition), exchangeOf({}), 'peek')
  assert.equal(host!.isPeek, true)
  host!.records.set('p', '1', 100)
  host!.records.remove('f')
  assert.equal(host!.records.get('p'), undefined)
  assert.equal(host!.records.get('f'), 'x'.repeat(20))
})

test('is asked in a peek only where it says that nothing comes of it', () => {
  const world = new World()
  const untold = decided(world.policy({ decide: () => assert.fail('asked') }), exchangeOf({}), 'peek')
  assert.deepEqual([untold.code, untold.isOpen], ['not-asked', true])
  assert.equal(
    decided(world.policy({ peek: true, decide: () => ({ status: 403 }) }), exchangeOf({}), 'peek').refusal?.name,
    'forbidden',
  )
})

test('in shadow it refuses nobody', () => {
  const verdict = decided(new World().policy({ decide: () => ({ status: 403 }) }, { shadow: true }))
  assert.deepEqual([verdict.refusal, verdict.shadowed?.name], [undefined, 'forbidden'])
})

test('its options are what its own function makes of them', () => {
  const world = new World()
  const level = definePolicy({
    options: (written) => {
      if (typeof written !== 'number') throw new Error('a number, please')
      return written * 2
    },
    decide: (_request, { options }) => (options === 6 ? 'pass' : { status: 403 }),
  })
  assert.equal(decided(world.policy(level, { options: 3 })).code, 'passed')
  assert.throws(() => world.policy(level), /a number, please/)
  assert.throws(() => world.policy({ decide: () => 'pass' }, { options: 1 }), /takes no options/)
})

test('a module that was not loaded is never left out silently', () => {
  assert.throws(
    () => custom.build([{ use: 'audit', shadow: false, source: 'routes[0].policies[0]', digest: '' }], policyEnv()),
    /not loaded/,
  )
})

test('what is no policy is told apart', () => {
  const faulty: [unknown, RegExp][] = [
    [undefined, /is no policy/],
    [() => 'pass', /is no policy/],
    [{}, /none of decide, onHead and onDone/],
    [{ decide: 1 }, /"decide" of the policy is no function/],
    [{ decide: () => 'pass', onError: 'ignore' }, /neither/],
    [{ decide: () => 'pass', peek: 1 }, /neither/],
    [{ decide: () => 'pass', budgetMs: 0 }, /above 0/],
    [{ decide: () => 'pass', timeoutMs: 1e9 }, /up to 60000/],
    [{ decide: () => 'pass', fetch: () => 'pass' }, /no "fetch"/],
  ]
  for (const [exported, words] of faulty) assert.throws(() => parsePolicy(exported), words)
})

test('those of a route come after those of the defaults, and one that both name is the route’s', () => {
  const loud = { use: 'audit', options: { level: 'loud' } }
  assert.deepEqual(custom.merge!(['audit', 'sunset'], [loud, 'extra']), ['sunset', loud, 'extra'])
  const platform = definePlatform({ defaults: { policies: ['audit', 'sunset'] }, floor: {} })
  const gateway = platform.gateway({ name: 'team', listeners: {}, defaults: { policies: [loud] }, routes: [] })
  assert.deepEqual(gateway.defaults?.policies, ['sunset', loud])
})

test('codes made of what clients send do not flood the metrics', () => {
  const world = new World()
  const policy = world.policy({ decide: (request) => ({ status: 403, code: `caller-${request.query}` }) })
  const codes = new Set<string>()
  for (let i = 0; i < 100; i++) {
    const x = exchangeOf({})
    x.query = String(i)
    codes.add(decided(policy, x).code)
  }
  assert.equal(codes.size, 33)
  assert.ok(codes.has('refused'))
})
