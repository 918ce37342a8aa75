import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyBody } from '../core/body.ts'
import { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import { CountingMeter } from '../../test/support/policy-env.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { Outcome } from '../core/policy.ts'
import { AccessLines } from './access-line.ts'
import { createAccessLog, LineSender } from './access-log.ts'
import type { ToMain } from './messages.ts'
import { redactQuery } from './redact.ts'

function exchange(target = '/orders/12?limit=10', headers: readonly string[] = ['user-agent', 'curl/8']): Exchange {
  const x = new Exchange({
    method: 'GET',
    target,
    headers: Headers.received(headers),
    version: '1.1',
    authority: 'api.example.com',
    upgrade: undefined,
    connection: { listener: 'api', remoteAddress: '203.0.113.9', remotePort: 4711, localPort: 8443, tls: undefined },
    link: { inform() {} },
    body: emptyBody,
    startedAt: 1_700_000_000_000,
    startedMono: 100,
  })
  x.id = 'abc-1'
  const [path, query] = target.split('?')
  x.path = path
  x.query = query
  return x
}

const complete: Outcome = { end: 'complete', status: 200, fault: undefined, receivedBytes: 3, sentBytes: 130, endedAt: 102.3456 }

function lineOf(x: Exchange, outcome = complete): Record<string, unknown> {
  const line = new AccessLines('g1', 0).line(x, outcome)
  assert.equal(line.indexOf('\n'), line.length - 1, 'exactly one line')
  return JSON.parse(line) as Record<string, unknown>
}

test('a line says who asked what, who answered, how it ended and how long it took', () => {
  const x = exchange()
  x.route = { name: 'orders', index: 0, paramNames: [], policies: [] }
  x.service = 'orders'
  x.targetAddress = '127.0.0.1:7002'
  x.attempts = 2
  x.serviceHeadAt = 101.05
  x.identity = {
    kind: 'bearer',
    issuer: 'https://idp',
    subject: 'ann',
    tenant: 'acme',
    client: undefined,
    scopes: [],
    roles: [],
    claims: {},
    expiresAt: 0,
    session: undefined,
    credentialId: undefined,
  }
  assert.deepEqual(lineOf(x), {
    level: 30,
    time: 1_700_000_000_000,
    msg: 'access',
    id: 'abc-1',
    method: 'GET',
    host: 'api.example.com',
    path: '/orders/12',
    query: 'limit=10',
    status: 200,
    end: 'complete',
    route: 'orders',
    service: 'orders',
    target: '127.0.0.1:7002',
    attempts: 2,
    serviceMs: 1.05,
    durationMs: 2.346,
    receivedBytes: 3,
    sentBytes: 130,
    address: '203.0.113.9',
    issuer: 'https://idp',
    subject: 'ann',
    tenant: 'acme',
    credential: 'bearer',
    userAgent: 'curl/8',
    version: '1.1',
    listener: 'api',
    generation: 'g1',
    worker: 0,
  })
})

test('a line says nothing of the line before it', () => {
  const lines = new AccessLines('g1', 0)
  const read = (x: Exchange, outcome = complete): Record<string, unknown> =>
    JSON.parse(lines.line(x, outcome)) as Record<string, unknown>
  const plain = exchange('/a', [])
  const before = read(plain)
  const served = exchange('/b', ['user-agent', 'curl/8'])
  served.service = 'orders'
  served.targetAddress = '127.0.0.1:7002'
  served.attempts = 1
  const variants: ((x: Exchange) => void)[] = [
    (x) => (x.service = 'users'),
    (x) => (x.targetAddress = '127.0.0.1:7003'),
    (x) => (x.attempts = 2),
    (x) => (x.serviceHeadAt = 101),
    (x) => (x.route = { name: 'orders', index: 0, paramNames: [], policies: [] }),
    (x) => (x.clientAddress = '203.0.113.10'),
  ]
  for (const vary of variants) {
    vary(served)
    assert.deepEqual(read(served), lineOf(served))
  }
  for (const outcome of [
    { ...complete, status: 404 },
    { ...complete, end: 'client-left' as const },
  ])
    assert.deepEqual(read(served, outcome), lineOf(served, outcome))
  const agents = ['curl/8', 'curl/9', 'x'.repeat(256), 'x'.repeat(257), 'x'.repeat(256) + 'y'.repeat(9), '"', '']
  for (const agent of [...agents, ...agents])
    assert.deepEqual(read(exchange('/c', ['user-agent', agent])), lineOf(exchange('/c', ['user-agent', agent])))
  assert.deepEqual(read(plain), before)
})

test('a refusal is logged with its policy, verdict and label, a failure with its fault', () => {
  const x = exchange()
  x.refusedBy = { name: 'limits', stage: 'limit', source: 'routes[0].limits[0]' }
  x.refusal = { code: 'over-limit', refusal: { name: 'quota-exceeded' }, label: 'limited:perTenant' }
  const refused = lineOf(x, { ...complete, status: 429 })
  assert.deepEqual([refused['refusedBy'], refused['verdict'], refused['label']], ['limits', 'over-limit', 'limited:perTenant'])
  const y = exchange()
  y.fault = new Fault('service-reset', 'read ECONNRESET')
  const failed = lineOf(y, { ...complete, status: 502, end: 'service-failed' })
  assert.deepEqual([failed['fault'], failed['why'], failed['end']], ['service-reset', 'read ECONNRESET', 'service-failed'])
})

test('no credential of the request stands in its line', () => {
  const secret = 'S3cr3tS3cr3t'
  const headers = [
    'authorization',
    `Bearer ${secret}`,
    'x-api-key',
    secret,
    'cookie',
    `__Host-Http-velum=${secret}`,
    'referer',
    `/?token=${secret}`,
  ]
  const line = new AccessLines('g', 0).line(exchange(`/a?access_token=${secret}&b=1`, headers), complete)
  assert.ok(!line.includes(secret), line)
  assert.ok(line.includes('"query":"access_token=[redacted]&b=1"'), line)
})

test('what a client writes cannot break out of its field', () => {
  const x = exchange('/a', ['user-agent', '"},\\\x07{"level":60,\u00e9'])
  assert.equal(lineOf(x)['userAgent'], '"},\\\x07{"level":60,\u00e9')
})

test('a target whose path could not be read is logged without its query', () => {
  const x = exchange('/%zz?token=S3cr3t')
  x.path = ''
  x.query = undefined
  const line = lineOf(x)
  assert.equal(line['path'], '/%zz')
  assert.ok(!JSON.stringify(line).includes('S3cr3t'))
})

test('secret parameters are redacted in every spelling, and nothing else changes', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['a=1&b=2', 'a=1&b=2'],
    ['', ''],
    ['token=x', 'token=[redacted]'],
    ['a=1&Access_Token=x&b=2', 'a=1&Access_Token=[redacted]&b=2'],
    ['api-key=x&apikey=y&API_KEY=z', 'api-key=[redacted]&apikey=[redacted]&API_KEY=[redacted]'],
    ['%74oken=x', '%74oken=[redacted]'],
    ['code=1&code=2', 'code=[redacted]&code=[redacted]'],
    ['X-Amz-Signature=abc&X-Amz-Date=1', 'X-Amz-Signature=[redacted]&X-Amz-Date=1'],
    ['new_password=x&password', 'new_password=[redacted]&password'],
    ['a=token=1', 'a=token=1'],
    ['&&=x&a', '&&=x&a'],
    ['%zz=1&token=2', '%zz=1&token=[redacted]'],
  ]
  for (const [query, expected] of cases) assert.equal(redactQuery(query), expected)
})

function sender(): { lines: LineSender; sent: string[]; buffers: ArrayBuffer[]; clock: ManualClock; dropped: () => number } {
  const clock = new ManualClock()
  const sent: string[] = []
  const buffers: ArrayBuffer[] = []
  const meter = new CountingMeter()
  const post = (message: ToMain): void => {
    if (message.kind !== 'lines') return
    sent.push(Buffer.from(message.buffer, 0, message.length).toString())
    buffers.push(message.buffer)
  }
  const lines = new LineSender({ port: { post }, clock, meter })
  return { lines, sent, buffers, clock, dropped: () => meter.counts.get('velum_log_dropped_total') ?? 0 }
}

test('lines wait a moment for company and then go to main together', () => {
  const { lines, sent, clock } = sender()
  const log = createAccessLog(lines, clock, new AccessLines('g1', 3))
  log.write(exchange('/a'), complete)
  log.write(exchange('/b'), complete)
  assert.equal(sent.length, 0)
  clock.advance(100)
  assert.equal(sent.length, 1)
  const [a, b] = sent[0].trimEnd().split('\n')
  assert.equal((JSON.parse(a) as { path: string }).path, '/a')
  assert.equal((JSON.parse(b) as { worker: number }).worker, 3)
  clock.advance(1000)
  assert.equal(sent.length, 1)
})

test('a message that never became an exchange has a line of its own', () => {
  const { lines, sent, clock } = sender()
  const { connection } = exchange('/')
  createAccessLog(lines, clock, new AccessLines('g1', 0, undefined, 'edge')).refused(
    'r-1',
    new Fault('malformed', 'a "quoted" reason'),
    connection,
    400,
  )
  clock.advance(100)
  const line = JSON.parse(sent[0]) as Record<string, unknown>
  assert.equal(line['msg'], 'refused')
  assert.equal(line['gateway'], 'edge')
  assert.equal(line['id'], 'r-1')
  assert.equal(line['status'], 400)
  assert.equal(line['fault'], 'malformed')
  assert.equal(line['why'], 'a "quoted" reason')
  assert.equal(line['address'], connection.remoteAddress)
})

test('a full batch goes at once, and its buffer is used again', () => {
  const { lines, sent, buffers } = sender()
  const line = `${'x'.repeat(1023)}\n`
  for (let i = 0; i < 512; i++) lines.add(line)
  assert.equal(sent.length, 1)
  lines.takeBack(buffers[0])
  for (let i = 0; i < 512; i++) lines.add(line)
  assert.equal(sent.length, 2)
  assert.equal(buffers[1], buffers[0])
})

test('text that needs more bytes than a buffer has goes in several, and no character is broken', () => {
  const { lines, sent } = sender()
  const line = `x${'\u20ac'.repeat(300_000)}\n`
  lines.add(line)
  lines.flush()
  assert.ok(sent.length > 1)
  assert.equal(sent.join(''), line)
})

test('when main does not keep up, lines are dropped and counted; when it has, they flow again', () => {
  const { lines, sent, buffers, dropped } = sender()
  const line = `${'x'.repeat(1023)}\n`
  for (let i = 0; i < 10_000; i++) lines.add(line)
  lines.flush()
  const sentLines = sent.join('').length / 1024
  assert.equal(sentLines + dropped(), 10_000)
  assert.equal(sent.length, 16)
  lines.takeBack(buffers[0])
  lines.add(line)
  lines.flush()
  assert.equal(sent.length, 17)
})

test('while main stands still, few lines wait for company instead of filling up its buffers one by one', () => {
  const { lines, sent, buffers, clock, dropped } = sender()
  for (let i = 0; i < 600; i++) {
    lines.add(`${i}\n`)
    clock.advance(100)
  }
  assert.equal(dropped(), 0)
  assert.ok(sent.length < 16)
  for (const buffer of buffers) lines.takeBack(buffer)
  clock.advance(100)
  assert.equal(sent.join(''), Array.from({ length: 600 }, (_, i) => `${i}\n`).join(''))
})
