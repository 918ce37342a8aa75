import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ReceivedSpan } from '../support/otlp-receiver.ts'
import { startOtlpReceiver } from '../support/otlp-receiver.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const secret = 'a-secret-of-the-collector'

const configuration = (collector: string, ports: readonly number[]): string => `
name: edge
listeners: { web: { port: 0 } }
admin: { port: 0 }
store: { kind: embedded, path: store }
trustedProxies: [127.0.0.0/8]
services:
  orders: { targets: [${ports.map((port) => `{ url: 'http://127.0.0.1:${port}' }`).join(', ')}], retries: { attempts: 2, budget: 1 } }
telemetry: { otlp: '${collector}', sample: 0, headers: { x-key: '\${COLLECTOR_KEY}' }, serviceName: shop }
log: { file: access.log }
routes: [{ name: orders, match: { path: '/orders/{id}' }, auth: public, to: orders, addresses: { deny: [10.0.0.0/8] } }]
`

/** A service that answers with this status, and what it was told of traces. */
async function service(t: { after(step: () => unknown): void }, status: number): Promise<{ port: number; told: string[] }> {
  const told: string[] = []
  const server = createServer((request, response) => {
    told.push(String(request.headers['traceparent']))
    response.statusCode = status
    response.setHeader('set-cookie', 'sid=geheim')
    response.end('ok')
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, told }
}

const traceOf = (n: number): string => String(n).padStart(32, 'a')
const serverSpan = (spans: readonly ReceivedSpan[], n: number): ReceivedSpan | undefined =>
  spans.find(({ kind, traceId }) => kind === 2 && traceId === traceOf(n))

test('traces over OTLP', async (t) => {
  const collector = await startOtlpReceiver()
  t.after(() => collector.close())
  const [bad, good] = [await service(t, 503), await service(t, 200)]
  const folder = workFolder(t)
  folder.write('velum.config.yaml', configuration(collector.url, [bad.port, good.port]))
  const env = { ...process.env, COLLECTOR_KEY: secret }
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
  const { web } = await readyListeners(velum)
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const { admin } = JSON.parse(line) as { admin: string }
  const token = readFileSync(join(folder.path, 'store', 'admin.token'), 'utf8').trim()
  const call = (path: string, init: { method?: string; headers?: Record<string, string> } = {}): Promise<Response> =>
    fetch(new URL(path, admin), { ...init, headers: { ...init.headers, authorization: `Bearer ${token}` } })
  const ask = async (n: number, flags: string, query = ''): Promise<number> => {
    const headers = {
      traceparent: `00-${traceOf(n)}-00f067aa0ba902b7-${flags}`,
      cookie: 'sid=geheim',
      authorization: 'Bearer geheim',
      'x-api-key': 'geheim',
      connection: 'close',
    }
    const response = await fetch(new URL(`/orders/7${query}`, web), { headers })
    await response.text()
    return response.status
  }
  await t.test('a retried request is a span of the server, its policies, and one of the client for each try', async () => {
    // Targets take turns: of two requests one meets the broken one first.
    for (const n of [1, 2]) assert.equal(await ask(n, '01', '?page=2&access_token=geheim'), 200)
    const spans = await collector.until((there) => serverSpan(there, 1) !== undefined && serverSpan(there, 2) !== undefined)
    const n = spans.filter(({ kind, traceId }) => kind === 3 && traceId === traceOf(1)).length === 2 ? 1 : 2
    const server = serverSpan(spans, n)!
    const of = spans.filter(({ traceId }) => traceId === traceOf(n))
    assert.equal(server.name, 'GET /orders/{id}')
    assert.equal(server.parentSpanId, '00f067aa0ba902b7')
    assert.equal(server.flags, 0x301, 'sampled, and its parent is of another process')
    assert.equal(server.status, 0)
    assert.deepEqual(server.resource, { 'service.name': 'shop' })
    const about = server.attributes
    assert.equal(about['http.request.method'], 'GET')
    assert.equal(about['http.response.status_code'], 200)
    assert.equal(about['http.route'], '/orders/{id}')
    assert.equal(about['url.path'], '/orders/7')
    assert.equal(about['url.query'], 'page=2&access_token=[redacted]')
    assert.equal(about['client.address'], '127.0.0.1')
    assert.equal(about['server.port'], Number(new URL(web).port))
    assert.deepEqual(
      [about['velum.gateway'], about['velum.route'], about['velum.service'], about['velum.attempts']],
      ['edge', 'orders', 'orders', 2],
    )
    const tries = of.filter(({ kind }) => kind === 3).sort((a, b) => Number(a.start - b.start))
    assert.deepEqual(
      tries.map(({ attributes }) => attributes['http.response.status_code']),
      [503, 200],
    )
    assert.deepEqual(
      tries.map(({ attributes }) => attributes['server.port']),
      [bad.port, good.port],
    )
    assert.deepEqual(
      tries.map(({ status }) => status),
      [2, 0],
    )
    assert.equal(tries[1].attributes['http.request.resend_count'], 1)
    const policies = of.filter(({ kind }) => kind === 1)
    assert.deepEqual(
      policies.map(({ attributes }) => [attributes['velum.policy'], attributes['velum.policy.source']]),
      [
        ['addresses', 'routes[0].addresses'],
        ['body', 'routes[0].body'],
      ],
    )
    for (const span of [...tries, ...policies]) {
      assert.equal(span.parentSpanId, server.spanId)
      assert.ok(span.start >= server.start - 1_000_000n && span.end <= server.end + 1_000_000n && span.end >= span.start)
    }
    assert.ok(bad.told.includes(`00-${traceOf(n)}-${tries[0].spanId}-01`), 'each try is told of its own span')
    assert.ok(good.told.includes(`00-${traceOf(n)}-${tries[1].spanId}-01`))
  })

  await t.test('what a proxy in front did not sample leaves no span, and goes on as it came', async () => {
    assert.equal(await ask(3, '00'), 200)
    assert.equal(await ask(4, '01'), 200)
    const spans = await collector.until((there) => serverSpan(there, 4) !== undefined)
    assert.equal(spans.filter(({ traceId }) => traceId === traceOf(3)).length, 0)
    assert.ok(good.told.includes(`00-${traceOf(3)}-00f067aa0ba902b7-00`))
  })

  await t.test('a request without a trace gets one, whose flag says that it is not sampled', async () => {
    assert.equal((await fetch(new URL('/orders/8', web))).status, 200)
    assert.match(good.told.at(-1)!, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  })

  await t.test('no secret stands in what was sent, and the collector gets its key', () => {
    assert.ok(!collector.text().includes('geheim'))
    assert.ok(!collector.text().includes(secret))
    assert.equal(collector.headers[0]['x-key'], secret)
    assert.ok(!velum.err.includes(secret))
  })

  await t.test('who asks for OpenMetrics finds the traces of requests in the buckets of their durations', async () => {
    const open = await call('/metrics', { headers: { accept: 'application/openmetrics-text; version=1.0.0' } })
    assert.equal(open.headers.get('content-type'), 'application/openmetrics-text; version=1.0.0; charset=utf-8')
    const text = await open.text()
    const examples = [...text.matchAll(/^velum_request_duration_seconds_bucket\{route="orders",.* # \{trace_id="([0-9a-f]{32})"/gm)]
    assert.ok(examples.length > 0)
    for (const [, id] of examples) assert.ok([1, 2, 4].map(traceOf).includes(id), 'only traces that were sampled')
    assert.ok(text.endsWith('\n# EOF\n'))
    const plain = await call('/metrics')
    assert.equal(plain.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
    assert.doesNotMatch(await plain.text(), /trace_id|# EOF/)
  })

  await t.test('spans that the collector refuses are dropped and counted; nobody notices', async () => {
    collector.status = 400
    assert.equal(await ask(5, '01'), 200)
    await velum.printed(/the collector does not take traces/)
    const metrics = await (await call('/metrics')).text()
    assert.match(metrics, /velum_trace_spans_dropped_total\{reason="collector"\} [1-9]/)
    collector.status = 200
    assert.equal(await ask(6, '01'), 200)
    await collector.until((there) => serverSpan(there, 6) !== undefined)
  })

  await t.test('a reload changes where they go; a collector that is not there harms no request', async () => {
    const other = await startOtlpReceiver()
    folder.write('velum.config.yaml', configuration(other.url, [good.port]))
    assert.equal((await call('/api/reload', { method: 'POST' })).status, 200)
    assert.equal(await ask(7, '01'), 200)
    await other.until((there) => serverSpan(there, 7) !== undefined)
    await other.close()
    for (let n = 20; n < 40; n++) assert.equal(await ask(n, '01'), 200)
  })

  await t.test('at the end what is left is sent', async () => {
    folder.write('velum.config.yaml', configuration(collector.url, [good.port]))
    assert.equal((await call('/api/reload', { method: 'POST' })).status, 200)
    assert.equal(await ask(50, '01'), 200)
    velum.kill('SIGTERM')
    const ended = await velum.ended
    assert.equal(ended.code, 0)
    assert.ok(serverSpan(collector.spans, 50), 'the last one is there')
  })
})
