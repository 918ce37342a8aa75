import { z } from 'zod'
import { headerNameOption } from '../../policies/option-schemas.ts'

/** Where traces go, and how many. */
export const telemetrySchema = z.strictObject({
  otlp: z
    .string()
    .describe(
      "The collector's address for OTLP over HTTP (protobuf), http or https. Without a path, /v1/traces is appended; with one it is used as it stands.",
    )
    .meta({ examples: ['http://127.0.0.1:4318'] }),
  sample: z
    .number()
    .min(0)
    .max(1)
    .optional()
    .describe(
      'The share of the traces that begin at this gateway, 0 to 1; by their ids, so that all nodes decide alike. A proxy among trustedProxies that sends a traceparent has decided already. Default: 0.01.',
    ),
  headers: z
    .record(
      headerNameOption,
      z.string().regex(/^[!-~](?:[\t -~]*[!-~])?$/, { error: 'this cannot stand in a header field' }),
    )
    .optional()
    .describe('Header fields that are sent to the collector, such as a key of it. They are secrets and never printed.')
    .meta({ examples: [{ 'x-api-key': '${COLLECTOR_KEY}' }] }),
  serviceName: z.string().min(1).max(255).optional().describe("service.name of the spans. Default: the gateway's name."),
})
