import { createOtlpHttpExportDelegate, httpAgentFactoryFromOptions } from '@opentelemetry/otlp-exporter-base/node-http'
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import type { TelemetryModel } from '../config/model.ts'
import { exportRequest } from './otlp-text.ts'

/**
 * Sends spans, each a field of OTLP's `ScopeSpans`, to a collector. Rejects when it did not take them within the time, and
 * trying again is of no use.
 */
export type ExportSpans = (spans: readonly Uint8Array[]) => Promise<void>

const scope = 'velum'

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
    {
      serializeRequest: (spans: readonly Uint8Array[]) => exportRequest(model.serviceName, scope, spans),
      deserializeResponse: (bytes) => ProtobufTraceSerializer.deserializeResponse(bytes),
    },
    'otlp_http_span_exporter',
    { name: 'span', countItems: (spans: readonly Uint8Array[]) => spans.length },
    undefined,
  )
  return (spans) =>
    new Promise((resolve, reject) => {
      exporter.export(spans, ({ error }) => (error === undefined ? resolve() : reject(error)))
    })
}
