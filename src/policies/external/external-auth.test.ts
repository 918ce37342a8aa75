import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../../test/support/exchange.ts'
import type { ExchangeParts } from '../../../test/support/exchange.ts'
import { CountingMeter, policyEnv } from '../../../test/support/policy-env.ts'
import { Answer, emptyAnswer } from '../../core/answer.ts'
import { BytesBody, emptyBody, readAll, textBody } from '../../core/body.ts'
import type { Exchange } from '../../core/exchange.ts'
import { Fault } from '../../core/fault.ts'
import { Headers } from '../../core/headers.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { compose, peekAll } from '../../core/pipeline.ts'
import type { ProblemRenderer } from '../../core/problem.ts'
import { auth } from '../auth.ts'
import type { AuthInput } from '../auth.ts'
import type { Question } from '../service-ask.ts'
import type { ExternalInput } from './external-options.ts'

type Said = Answer | Fault | Promise<Answer>

interface World {
  readonly clock: ManualClock
  readonly meter: CountingMeter
  readonly questions: Question[]
  says: (question: Question) => Said
  ask(
    parts?: ExchangeParts,
    renderProblem?: ProblemRenderer,
  ): Promise<{ answer: Answer; served: Headers | undefined; x: Exchange; read: string }>
  peek(parts?: ExchangeParts): Promise<(string | undefined)[]>
  count(result: string): number
}

const answered = (status: number, lines: readonly (readonly [string, string])[] = []): Answer =>
  new Answer(status, Headers.from(lines), emptyBody)

function world(external: Omit<ExternalInput, 'service'> = {}, more: Omit<Exclude<AuthInput, 'public'>, 'external'> = {}): World {
  const clock = new ManualClock()
  const meter = new CountingMeter()
  const options = auth.options.parse({ ...more, external: { service: 'authz', ...external } })
  const env = policyEnv({
    clock,
    meter,
    askService: (name) => {
      assert.equal(name, 'authz')
      return (question) => {
        self.questions.push(question)
        const said = self.says(question)
        if (said instanceof Fault) throw said
        return said
      }
    },
  })
  const built = auth.build(options, env)!
  const exchange = (parts: ExchangeParts = {}): Exchange =>
    exchangeOf({ startedAt: clock.now(), startedMono: clock.monotonic(), ...parts })
  const self: World = {
    clock,
    meter,
    questions: [],
    says: () => answered(200),
    async ask(parts, renderProblem) {
      const x = exchange(parts)
      if (renderProblem !== undefined) x.renderProblem = renderProblem
      let served: Headers | undefined
      let read = ''
      const handler = compose(built.policies, async () => {
        served = x.headers.derive()
        built.requestEdit?.(served, x)
        read = (await readAll(x.body, 1000)).toString()
        return emptyAnswer(200)
      })
      const answer = await handler(x)
      return { answer, served, x, read }
    },
    async peek(parts) {
      return (await peekAll(built.policies, exchange(parts))).map((verdict) => verdict?.code)
    },
    count: (result) => meter.counts.get(`velum_auth_external_total test ${result}`) ?? 0,
  }
  return self
}

test('is told what is asked for as the router has read it, and the headers that were chosen', async () => {
  const w = world({ path: '/check', send: ['authorization', 'x-device'] })
  const headers = [
    'Authorization',
    'Bearer a',
    'Cookie',
    'b=c',
    'X-Device',
    'd',
    'X-Forwarded-Uri',
    '/forged',
    'X_Forwarded_Uri',
    '/f',
  ]
  const { answer } = await w.ask({ method: 'PUT', target: '/orders/1?a=b', headers })
  assert.equal(answer.status, 200)
  const [{ method, target, headers: sent, headBy }] = w.questions
  assert.equal(`${method} ${target}`, 'GET /check')
  assert.equal(headBy, w.clock.monotonic() + 1000)
  assert.deepEqual(sent.all('x-forwarded-uri'), ['/orders/1?a=b'])
  assert.equal(sent.get('x-forwarded-method'), 'PUT')
  assert.equal(sent.get('authorization'), 'Bearer a')
  assert.equal(sent.get('x-device'), 'd')
  assert.equal(sent.get('cookie'), undefined)
})

test('by default gets credentials of others, and no cookie of the gateway', async () => {
  const w = world()
  await w.ask({ headers: ['Cookie', '__Host-Http-velum=secret; theirs=1', 'Authorization', 'Basic x', 'Accept', 'text/html'] })
  const [{ headers }] = w.questions
  assert.equal(headers.get('cookie'), 'theirs=1')
  assert.equal(headers.get('authorization'), 'Basic x')
  assert.equal(headers.get('accept'), undefined)
})

test('hands on what was named, and never what a client sent under such a name', async () => {
  const w = world({ toService: ['remote-user', 'remote-groups'] })
  w.says = () =>
    answered(200, [
      ['remote-user', 'alice'],
      ['x-other', 'no'],
      ['set-cookie', 'a=b'],
    ])
  const headers = ['Remote-User', 'root', 'Remote_User', 'root', 'Remote-Groups', 'admins']
  const { answer, served } = await w.ask({ headers })
  assert.deepEqual(served?.all('remote-user'), ['alice'])
  assert.equal(served?.get('remote-groups'), undefined)
  assert.equal(served?.get('x-other'), undefined)
  assert.equal(answer.headers.get('set-cookie'), undefined)
})

test('refuses by 401, 403, 404, 429 and by a redirect, with the headers that were named', async () => {
  const w = world({ toClient: ['www-authenticate', 'location', 'set-cookie', 'retry-after'] })
  for (const status of [401, 403, 404, 429]) {
    w.says = () => answered(status, [['location', '/elsewhere']])
    const { answer, served } = await w.ask()
    assert.equal(answer.status, status)
    assert.equal(answer.headers.get('content-type'), 'application/problem+json')
    assert.equal(answer.headers.get('location'), undefined, 'no redirect, so nothing to go to')
    assert.equal(served, undefined)
  }
  w.says = () =>
    answered(302, [
      ['location', 'https://login.example.com/'],
      ['set-cookie', 'state=1'],
      ['set-cookie', '__Host-Http-velum=forged'],
      ['transfer-encoding', 'chunked'],
      ['content-length', '999'],
    ])
  const { answer } = await w.ask()
  assert.equal(answer.status, 302)
  assert.equal(answer.headers.get('location'), 'https://login.example.com/')
  assert.deepEqual(answer.headers.all('set-cookie'), ['state=1'])
  assert.equal(answer.headers.get('transfer-encoding'), undefined)
  assert.equal(answer.headers.get('content-length'), undefined)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  w.says = () => answered(401, [['www-authenticate', 'Digest realm="x"']])
  assert.deepEqual((await w.ask()).answer.headers.all('www-authenticate'), ['Digest realm="x"'])
  w.says = () => answered(401)
  assert.deepEqual((await w.ask()).answer.headers.all('www-authenticate'), ['External realm="api"'])
})

test('a caller of another protocol is refused in its own words, not led to a page', async () => {
  const w = world()
  w.says = () => answered(302, [['location', 'https://login.example.com/']])
  const { answer } = await w.ask({}, () => new Answer(200, Headers.from([['grpc-status', '16']]), emptyBody))
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('grpc-status'), '16')
})

test('whatever else it says decides nothing: 503, counted, and nothing opened', async () => {
  const w = world()
  const big = Array.from({ length: 3 }, (_, i): [string, string] => [`www-authenticate`, `${i}`.repeat(4000)])
  const lies: (() => Said)[] = [
    () => answered(500),
    () => answered(301, [['location', '/']]),
    () => answered(302),
    () =>
      answered(302, [
        ['location', '/a'],
        ['location', '/b'],
      ]),
    () => answered(400),
    () => answered(418),
    () => answered(101),
    () => answered(401, big),
    () => new Fault('service-refused'),
    () => new Fault('service-nonsense'),
    () => new Fault('service-truncated'),
    () => new Fault('no-target'),
    () => new Fault('breaker-open'),
    () => new Fault('overloaded'),
  ]
  for (const [i, lie] of lies.entries()) {
    w.says = lie
    const { answer, served } = await w.ask()
    assert.equal(answer.status, 503, String(i))
    assert.equal(answer.headers.get('retry-after'), '1')
    assert.equal(served, undefined)
  }
  assert.equal(w.count('failed'), lies.length)
  w.says = () => new Fault('service-timeout')
  assert.equal((await w.ask()).answer.status, 504)
  assert.equal(w.count('timeout'), 1)
})

test('does not see the body unless that was asked for; then it is bounded, and the service gets every byte', async () => {
  const w = world()
  const { read } = await w.ask({ method: 'POST', body: textBody('content') })
  assert.equal(w.questions[0].body.size, 0)
  assert.equal(read, 'content')
  const v = world({ body: '10b' })
  const told = await v.ask({ method: 'POST', body: textBody('content'), headers: ['Content-Type', 'text/plain'] })
  const [{ body, method, headers }] = v.questions
  assert.equal(method, 'POST')
  assert.equal((await readAll(body, 100)).toString(), 'content')
  assert.equal(headers.get('content-type'), 'text/plain')
  assert.equal(told.read, 'content')
  const large = await v.ask({ method: 'POST', body: new BytesBody(Buffer.alloc(11)) })
  assert.equal(large.answer.status, 413)
  assert.equal(v.questions.length, 1)
})

test('a decision is kept for what is the same in all that was told, and no longer than it says', async () => {
  const w = world({ cache: '10s', send: ['cookie'], toService: ['remote-user'] })
  w.says = () => answered(200, [['remote-user', 'alice']])
  const alice = { headers: ['Cookie', 'a=1'] }
  await w.ask(alice)
  assert.deepEqual((await w.ask(alice)).served?.all('remote-user'), ['alice'])
  assert.equal(w.questions.length, 1)
  assert.equal(w.count('cached'), 1)
  for (const parts of [
    { headers: ['Cookie', 'a=2'] },
    { ...alice, target: '/other' },
    { ...alice, target: '/?q' },
    { ...alice, method: 'POST' },
    { ...alice, authority: 'other.example.com' },
    { ...alice, remoteAddress: '192.0.2.9' },
    { headers: ['Cookie', 'a=1', 'Cookie', 'b=2'] },
  ]) {
    const before: number = w.questions.length
    assert.equal((await w.ask(parts)).answer.status, 200)
    assert.equal(w.questions.length, before + 1, JSON.stringify(parts))
  }
  const asked = w.questions.length
  w.clock.advance(10_000)
  await w.ask(alice)
  assert.equal(w.questions.length, asked + 1)
  for (const control of ['no-store', 'private, max-age=0', 'max-age=2']) {
    const v = world({ cache: '10s' })
    v.says = () => answered(200, [['cache-control', control]])
    await v.ask()
    v.clock.advance(2000)
    await v.ask()
    assert.equal(v.questions.length, 2, control)
  }
})

test('a kept refusal refuses; failures are never kept', async () => {
  const w = world({ cache: '10s' })
  w.says = () => answered(403)
  assert.equal((await w.ask()).answer.status, 403)
  assert.equal((await w.ask()).answer.status, 403)
  assert.equal(w.questions.length, 1)
  w.clock.advance(10_000)
  w.says = () => answered(500)
  assert.equal((await w.ask()).answer.status, 503)
  w.says = () => answered(200)
  assert.equal((await w.ask()).answer.status, 200)
})

test('many who ask the same at one time are one question', async () => {
  const w = world({ cache: '10s' })
  let decide: ((answer: Answer) => void) | undefined
  w.says = () => new Promise((resolve) => (decide = resolve))
  const asked = Promise.all(Array.from({ length: 20 }, () => w.ask()))
  await new Promise((resolve) => setImmediate(resolve))
  decide!(answered(200))
  for (const { answer } of await asked) assert.equal(answer.status, 200)
  assert.equal(w.questions.length, 1)
})

test('what was permitted goes on for a while where that was configured, and only that', async () => {
  const w = world({ onFailure: { stale: '30s' } })
  await w.ask({ target: '/a' })
  w.says = () => answered(403)
  await w.ask({ target: '/b' })
  w.says = () => new Fault('service-refused')
  assert.equal((await w.ask({ target: '/a' })).answer.status, 200)
  assert.equal(w.count('stale'), 1)
  assert.equal((await w.ask({ target: '/b' })).answer.status, 503)
  assert.equal((await w.ask({ target: '/c' })).answer.status, 503)
  w.clock.advance(30_000)
  assert.equal((await w.ask({ target: '/a' })).answer.status, 503)
  // A refusal voids what was permitted before.
  w.says = () => answered(200)
  await w.ask({ target: '/a' })
  w.says = () => answered(401)
  assert.equal((await w.ask({ target: '/a' })).answer.status, 401)
  w.says = () => new Fault('service-timeout')
  assert.equal((await w.ask({ target: '/a' })).answer.status, 504)
})

test('a peek asks nobody, and in shadow nothing is refused', async () => {
  const w = world()
  assert.deepEqual(await w.peek(), ['would-ask'])
  assert.equal(w.questions.length, 0)
  const v = world({}, { shadow: true })
  v.says = () => answered(403)
  const { answer, x } = await v.ask()
  assert.equal(answer.status, 200)
  assert.equal(x.verdicts[0]?.shadowed?.name, 'forbidden')
})

const wrong = (external: object, more: object = {}): boolean =>
  !auth.options.safeParse({ ...more, external: { service: 'a', ...external } }).success

test('options that cannot be meant are refused', () => {
  assert.equal(wrong({}), false)
  for (const external of [
    { path: 'check' },
    { send: ['host'] },
    { send: ['transfer-encoding'] },
    { toService: ['set-cookie'] },
    { toService: ['x-auth-subject'] },
    { toService: ['x-forwarded-for'] },
    { toClient: ['connection'] },
    { body: '1kb', method: 'GET' },
    { body: '1kb', cache: '1s' },
    { timeout: '5m' },
    { unknown: 1 },
  ])
    assert.equal(wrong(external), true, JSON.stringify(external))
  assert.equal(wrong({}, { scopes: ['a'] }), true)
  assert.equal(wrong({}, { optional: true }), true)
  assert.equal(auth.options.safeParse({}).success, false)
})
