import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startOtlpReceiver } from '../../test/support/otlp-receiver.ts'
import { spanText } from './otlp-text.ts'
import { createTraceExporter } from './trace-exporter.ts'

test('the configuration alone says where spans go and with what; variables of other programs say nothing', async (t) => {
  const collector = await startOtlpReceiver()
  t.after(() => collector.close())
  const variables = {
    OTEL_EXPORTER_OTLP_HEADERS: 'x-other=secret,x-key=theirs',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-traces=secret',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://127.0.0.1:1/v1/traces',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_EXPORTER_OTLP_TIMEOUT: '1',
    OTEL_RESOURCE_ATTRIBUTES: 'team=other',
    OTEL_SERVICE_NAME: 'other',
  }
  const before = { ...process.env }
  Object.assign(process.env, variables)
  t.after(() => {
    for (const name of Object.keys(variables)) {
      if (before[name] === undefined) delete process.env[name]
      else process.env[name] = before[name]
    }
  })
  const model = { url: `${collector.url}/v1/traces`, sample: 1, secretHeaders: { 'x-key': 'ours' }, serviceName: 'edge' }
  const send = createTraceExporter(model, 5000)
  const span = spanText({
    traceId: 'a'.repeat(32),
    spanId: 'b'.repeat(16),
    parentId: undefined,
    hasRemoteParent: false,
    name: 'GET /a',
    kind: 'server',
    beganAt: 1,
    endedAt: 2,
    isError: false,
    attributes: ['velum.route', 'a'],
  })
  await send([Buffer.from(span, 'latin1')])
  assert.equal(collector.spans.length, 1)
  const [{ name, resource }] = collector.spans
  assert.deepEqual([name, resource], ['GET /a', { 'service.name': 'edge' }])
  const [head] = collector.headers
  assert.equal(head['x-key'], 'ours')
  for (const field of ['x-other', 'x-traces', 'content-encoding']) assert.equal(head[field], undefined, field)
})
