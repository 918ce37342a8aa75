import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { Answer } from '../core/answer.ts'
import type { Body } from '../core/body.ts'
import { emptyBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import type { Handler } from '../core/handler.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { compose } from '../core/pipeline.ts'
import type { Outcome, Policy } from '../core/policy.ts'
import type { Call } from '../core/service.ts'
import { Trace } from '../core/trace.ts'
import { pass, refuse } from '../core/verdict.ts'
import { hopLines } from './forward.ts'
import type { SpanRow, SpanValue } from './span-row.ts'
import { addSpans } from './spans.ts'

const clock = new ManualClock()

function traced(parts: Parameters<typeof exchangeOf>[0] = {}): { x: Exchange; trace: Trace } {
  const x = exchangeOf({ startedAt: clock.now(), startedMono: clock.monotonic(), ...parts })
  let ids = 0
  const trace = new Trace('a'.repeat(32), 'server', 'parent', clock, () => `span-${++ids}`)
  x.trace = trace
  return { x, trace }
}

function rowsOf(x: Exchange, outcome: Partial<Outcome> = {}): SpanRow[] {
  const rows: SpanRow[] = []
  const over: Outcome = {
    end: 'complete',
    status: 200,
    fault: undefined,
    receivedBytes: 0,
    sentBytes: 0,
    endedAt: clock.monotonic(),
    ...outcome,
  }
  addSpans({ add: (row) => void rows.push(row) }, 'edge', x, x.trace!, over)
  return rows
}

function attributesOf({ attributes }: SpanRow): Record<string, SpanValue> {
  return Object.fromEntries(attributes.flatMap((value, i) => (i % 2 === 0 ? [[value, attributes[i + 1]]] : [])))
}

const callOf = (target: string, headers: readonly string[] = []): Call => ({
  method: 'POST',
  target,
  authority: undefined,
  headers: Headers.received(headers),
  body: emptyBody,
  upgrade: undefined,
  headBy: Infinity,
})
const facts = { service: 'orders', address: '[::1]:7002', isTls: true, isGrpc: false, resend: 0 }

/** A cache that finds nothing. */
const askingFirst =
  (next: Handler): Handler =>
  async (x) => {
    const answer = await next(x)
    x.trace!.cached('miss')
    return answer
  }

test('policies are spans with their verdicts and places; what stands around the rest encloses it', async () => {
  const { x, trace } = traced()
  const slow: Policy = {
    name: 'authenticate',
    stage: 'authenticate',
    source: 'routes[0].auth',
    decide: async () => {
      await Promise.resolve()
      clock.advance(30)
      return pass('valid')
    },
  }
  const cache: Policy = { name: 'cache', stage: 'cache', source: 'routes[0].cache', wrap: (next) => askingFirst(next) }
  const cors: Policy = { name: 'cors', stage: 'cors', source: 'routes[0].cors', wrap: (next) => (at) => next(at) }
  const began = clock.now()
  await compose([cors, slow, cache], (at) => {
    const attempt = at.trace!.attempt(callOf('/a'), facts)!
    clock.advance(5)
    attempt.endedAt = clock.monotonic()
    attempt.answer = new Answer(200, new Headers(), emptyBody)
    return attempt.answer
  })(x)
  const [auth, around, attempt, server] = rowsOf(x)
  assert.deepEqual(
    [auth.name, auth.kind, auth.parentId, auth.beganAt, auth.endedAt],
    ['policy authenticate', 'internal', 'server', began, began + 30],
  )
  assert.deepEqual(attributesOf(auth), {
    'velum.policy': 'authenticate',
    'velum.policy.stage': 'authenticate',
    'velum.policy.source': 'routes[0].auth',
    'velum.verdict': 'valid',
    'velum.decision': 'passes',
  })
  assert.deepEqual([around.name, around.parentId, around.endedAt - around.beganAt], ['policy cache', 'server', 5])
  assert.equal(attributesOf(around)['velum.cache'], 'miss')
  assert.deepEqual([attempt.kind, attempt.parentId], ['client', around.spanId])
  assert.deepEqual([server.kind, server.parentId, server.hasRemoteParent], ['server', 'parent', true])
  assert.equal(trace.steps.length, 2, 'what only touches the head of the answer is no span')
})

test('a refusal and a failure say which rule and what', async () => {
  const { x } = traced()
  const limits: Policy = {
    name: 'limits',
    stage: 'limit',
    source: 'routes[0].limits',
    decide: () => refuse('over-limit', { name: 'quota-exceeded' }, 'limited:few', undefined, 'routes[0].limits[1]'),
  }
  await compose([limits], () => assert.fail('refused'))(x)
  const [step, server] = rowsOf(x, { status: 429 })
  assert.equal(attributesOf(step)['velum.policy.source'], 'routes[0].limits[1]')
  assert.equal(attributesOf(step)['velum.decision'], 'refuses')
  const about = attributesOf(server)
  assert.deepEqual(
    [about['velum.refused_by'], about['velum.verdict'], about['velum.label']],
    ['limits', 'over-limit', 'limited:few'],
  )
  assert.equal(server.isError, false, 'a refusal is no failure of the server')

  const failing = traced()
  const broken: Policy = { ...limits, decide: () => Promise.reject(new Fault('store-down')) }
  await compose([broken], () => assert.fail('failed'))(failing.x)
  const [failed, over] = rowsOf(failing.x, { status: 503 })
  assert.deepEqual([failed.isError, attributesOf(failed)['error.type']], [true, 'store-down'])
  assert.deepEqual([over.isError, attributesOf(over)['error.type']], [true, 'store-down'])
})

test('tries at services: what each was told, where it went, and how it ended', () => {
  const { x, trace } = traced({ headers: ['tracestate', 'a=1', 'traceparent', `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`] })
  x.traceparent = `00-${trace.traceId}-${trace.spanId}-01`
  assert.doesNotMatch(hopLines(x), /Traceparent/, 'each try says its own')
  assert.match(hopLines(x), /Tracestate: a=1/)
  const first = callOf('/orders/7?page=2&token=geheim')
  const failed = trace.attempt(first, facts)!
  assert.equal(first.headers.get('traceparent'), `00-${trace.traceId}-${failed.spanId}-01`)
  failed.endedAt = clock.monotonic()
  failed.fault = 'service-reset'
  const again = trace.attempt(first, { ...facts, resend: 1 })!
  assert.equal(first.headers.get('traceparent'), `00-${trace.traceId}-${again.spanId}-01`)
  const [one, two] = rowsOf(x)
  assert.equal(one.name, 'POST orders')
  assert.deepEqual(attributesOf(one), {
    'http.request.method': 'POST',
    'url.full': 'https://[::1]:7002/orders/7?page=2&token=[redacted]',
    'server.address': '[::1]',
    'server.port': 7002,
    'velum.service': 'orders',
    'error.type': 'service-reset',
  })
  assert.equal(attributesOf(two)['http.request.resend_count'], 1)
  assert.equal(attributesOf(two)['error.type'], 'cancelled', 'one that never ended was given up')
})

test('a call of gRPC has its method, and the status of its trailers', () => {
  const { x, trace } = traced()
  const attempt = trace.attempt(callOf('/billing.v1.Billing/Charge'), { ...facts, isGrpc: true })!
  const body = { ...emptyBody, trailers: () => Headers.received(['grpc-status', '5']) } as unknown as Body
  attempt.answer = new Answer(200, new Headers(), body)
  attempt.endedAt = clock.monotonic()
  const [row] = rowsOf(x)
  assert.equal(row.name, 'billing.v1.Billing/Charge')
  assert.equal(row.isError, true)
  const about = attributesOf(row)
  assert.deepEqual(
    [about['rpc.system'], about['rpc.service'], about['rpc.method'], about['rpc.grpc.status_code'], about['error.type']],
    ['grpc', 'billing.v1.Billing', 'Charge', 5, '5'],
  )
})

test('a bridge may make calls without end: only so many are spans, and all of them are part of the trace', () => {
  const { x, trace } = traced()
  for (let i = 0; i < 100; i++) {
    const call = callOf('/a')
    trace.attempt(call, facts)
    assert.match(call.headers.get('traceparent')!, /^00-a{32}-.*-01$/)
  }
  assert.equal(rowsOf(x).length, 65)
})

test('what a client sends is cut, redacted, and never names a series', () => {
  const { x } = traced({
    method: 'BREW',
    target: `/${'p'.repeat(5000)}?api_key=geheim&x=1`,
    headers: ['user-agent', 'u'.repeat(5000), 'cookie', 'sid=geheim', 'authorization', 'Bearer geheim'],
  })
  const [server] = rowsOf(x, { status: 0, end: 'client-left' })
  assert.ok(!JSON.stringify(server).includes('geheim'))
  assert.equal(server.name, '_OTHER')
  assert.ok(server.attributes.every((value) => String(value).length <= 1024))
  assert.equal(attributesOf(server)['url.query'], 'api_key=[redacted]&x=1')
  assert.equal(attributesOf(server)['http.request.method_original'], 'BREW')
  assert.equal(attributesOf(server)['http.response.status_code'], undefined)
  assert.equal(server.isError, false)
})

test('the state of a trace that was not taken over goes no further', () => {
  const x = exchangeOf({ headers: ['tracestate', 'a=1', 'traceparent', 'nonsense'] })
  x.traceparent = `00-${'c'.repeat(32)}-${'d'.repeat(16)}-00`
  assert.match(hopLines(x), /Traceparent: 00-c/)
  assert.doesNotMatch(hopLines(x), /Tracestate/)
})
