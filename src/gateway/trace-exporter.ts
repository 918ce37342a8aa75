import type { HrTime, SpanContext } from '@opentelemetry/api'
import { SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api'
import { createOtlpHttpExportDelegate, httpAgentFactoryFromOptions } from '@opentelemetry/otlp-exporter-base/node-http'
import { ProtobufTraceSerializer, TraceExporterMetricsHelper } from '@opentelemetry/otlp-transformer'
import type { Resource } from '@opentelemetry/resources'
import { resourceFromAttributes } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace'
import type { TelemetryModel } from '../config/model.ts'
import type { SpanRow, SpanValue } from './span-row.ts'

/** Sends spans to a collector. Rejects when it did not take them within the time, and trying again is of no use. */
export type ExportSpans = (rows: readonly SpanRow[]) => Promise<void>

const scope = { name: 'velum' }
const kinds = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL } as const

/**
 * An export over OTLP, by OpenTelemetry's own code: it tries again while the collector asks for it and `withinMs` is not
 * over. Put together here, since the exporter that it ships takes what the model leaves open, and further header fields, from
 * `OTEL_EXPORTER_OTLP_*` of the process. Loaded only where traces are configured.
 */
export function createTraceExporter(model: TelemetryModel, withinMs: number): ExportSpans {
  const headers = { ...model.secretHeaders, 'Content-Type': 'application/x-protobuf' }
  const exporter = createOtlpHttpExportDelegate(
    {
      url: model.url,
      headers: () => Promise.resolve(headers),
      timeoutMillis: withinMs,
      concurrencyLimit: 4,
      compression: 'none',
      agentFactory: httpAgentFactoryFromOptions({ keepAlive: true }),
    },
    ProtobufTraceSerializer,
    'otlp_http_span_exporter',
    TraceExporterMetricsHelper,
    undefined,
  )
  const resource = resourceFromAttributes({ 'service.name': model.serviceName })
  return (rows) =>
    new Promise((resolve, reject) => {
      exporter.export(
        rows.map((row) => spanOf(row, resource)),
        ({ error }) => (error === undefined ? resolve() : reject(error)),
      )
    })
}

function spanOf(row: SpanRow, resource: Resource): ReadableSpan {
  const context = contextOf(row.traceId, row.spanId, false)
  const startTime = timeOf(row.beganAt)
  const endTime = timeOf(Math.max(row.beganAt, row.endedAt))
  return {
    name: row.name,
    kind: kinds[row.kind],
    spanContext: () => context,
    ...(row.parentId === undefined ? {} : { parentSpanContext: contextOf(row.traceId, row.parentId, row.hasRemoteParent) }),
    startTime,
    endTime,
    duration: timeOf(Math.max(0, row.endedAt - row.beganAt)),
    status: { code: row.isError ? SpanStatusCode.ERROR : SpanStatusCode.UNSET },
    attributes: attributesOf(row.attributes),
    links: [],
    events: [],
    ended: true,
    resource,
    instrumentationScope: scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  }
}

function contextOf(traceId: string, spanId: string, isRemote: boolean): SpanContext {
  return { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote }
}

/** Seconds and nanoseconds. */
function timeOf(ms: number): HrTime {
  const micros = Math.round(ms * 1000)
  return [Math.floor(micros / 1_000_000), (micros % 1_000_000) * 1000]
}

function attributesOf(list: readonly SpanValue[]): Record<string, SpanValue> {
  const attributes: Record<string, SpanValue> = {}
  for (let i = 0; i < list.length; i += 2) attributes[String(list[i])] = list[i + 1]
  return attributes
}
