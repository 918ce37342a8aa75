import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { readExport } from '../../test/support/otlp-receiver.ts'
import { exportRequest, spanText } from './otlp-text.ts'
import type { SpanRow } from './span-row.ts'

const kinds = { internal: 0, server: 1, client: 2 }

const timeOf = (ms: number): readonly [number, number] => [Math.floor(ms / 1000), Math.round((ms % 1000) * 1000) * 1000]

/** The same spans by OpenTelemetry's own code. */
function byOpenTelemetry(service: string, rows: readonly SpanRow[]): Uint8Array {
  const resource = { attributes: { 'service.name': service } }
  const instrumentationScope = { name: 'velum' }
  const spans = rows.map((row) => ({
    name: row.name,
    kind: kinds[row.kind],
    spanContext: () => ({ traceId: row.traceId, spanId: row.spanId, traceFlags: 1 }),
    parentSpanContext: row.parentId === undefined ? undefined : { spanId: row.parentId, isRemote: row.hasRemoteParent },
    startTime: timeOf(row.beganAt),
    endTime: timeOf(row.endedAt),
    status: { code: row.isError ? 2 : 0 },
    attributes: Object.fromEntries(row.attributes.flatMap((name, i) => (i % 2 === 0 ? [[name, row.attributes[i + 1]]] : []))),
    links: [],
    events: [],
    resource,
    instrumentationScope,
  }))
  return ProtobufTraceSerializer.serializeRequest(spans as never)!
}

test('spans are the bytes that OpenTelemetry reads and writes: long texts, all alphabets, large numbers, times to the microsecond', () => {
  const row: SpanRow = {
    traceId: '00f067aa0ba902b7ffeeddccbbaa9988',
    spanId: '8000000000000001',
    parentId: undefined,
    hasRemoteParent: false,
    name: 'GET /orders/{id}',
    kind: 'server',
    beganAt: 1_764_028_800_123.456,
    endedAt: 1_764_028_800_999.001,
    isError: false,
    attributes: ['http.response.status_code', 200, 'server.port', 65_535, 'velum.attempts', 0, 'url.path', '/a'.repeat(512)],
  }
  const rows: SpanRow[] = [
    row,
    { ...row, parentId: 'a1b2c3d4e5f60718', hasRemoteParent: true, name: 'policy größe 😀', kind: 'internal', attributes: [] },
    { ...row, parentId: '00f067aa0ba902b7', kind: 'client', isError: true, beganAt: 4_294_967_296.5, endedAt: 4_294_967_297 },
    { ...row, attributes: ['ratio', 0.25, 'below', -0.5, 'great', 2 ** 40, 'text', 'é\u{10ffff}', 'none', ''] },
  ]
  const written = Buffer.from(rows.map(spanText).join(''), 'latin1')
  const parts = [written.subarray(0, 100), written.subarray(100)]
  const service = 'schöner shop'.repeat(20)
  const ours = readExport(exportRequest(service, 'velum', parts))
  assert.deepEqual(ours, readExport(Buffer.from(byOpenTelemetry(service, rows))))
  assert.deepEqual([ours.length, ours[0].resource['service.name'], ours[0].start], [4, service, 1_764_028_800_123_456_000n])
})
