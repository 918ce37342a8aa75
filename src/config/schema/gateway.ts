import { z } from 'zod'
import { cidrOption } from '../../policies/option-schemas.ts'
import { floorSchema } from './floor.ts'
import { identitySchema } from './identity.ts'
import { limitsSchema } from './limits.ts'
import { adminSchema, listenersSchema, probesSchema } from './listeners.ts'
import { penaltiesSchema } from './penalties.ts'
import { customPoliciesSchema, defaultsSchema, routeSchema } from './routes.ts'
import { servicesSchema } from './services.ts'
import { telemetrySchema } from './telemetry.ts'
import { duration, name, size } from './units.ts'

const storeSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('embedded'),
    path: z.string().min(1).optional().describe('The folder of the store, relative to the config file. Default: .velum; .velum/NAME for a gateway in a file of several.'),
  }),
  z.strictObject({
    kind: z.literal('redis'),
    url: z
      .string()
      .min(1)
      .describe(
        'redis://[user:password@]host[:port][/database], or rediss:// for TLS; nodes of a cluster are separated by commas. Redis 6.2 or newer, Valkey, or a cluster of them, with maxmemory-policy noeviction.',
      ),
  }),
])

/** What is written down. */
export const logSchema = z.strictObject({
  format: z
    .enum(['json', 'common', 'combined', 'none'])
    .optional()
    .describe(
      'How the access log writes a request: `json`, a line with all that is known, which velum replay reads; `common` or `combined`, a line of these formats of Apache, with times in UTC; or `none`. The operational log is JSON in any case. Default: json.',
    ),
  file: z.string().min(1).optional().describe('stdout, stderr, or a file relative to the config file. Default: stdout.'),
  level: z.enum(['debug', 'info', 'warn', 'error']).optional().describe('The least severe operational message that is written. Default: info.'),
})

/** The shared cache of a node. */
export const cacheMemorySchema = z.strictObject({
  memory: size('8mb', '64gb')
    .optional()
    .describe('Memory for answers, shared by all workers of a node; the system gives it as it is used. A change holds from the next start. Default: 128mb.'),
})

/** How names of targets are resolved. */
export const dnsSchema = z.strictObject({
  servers: z
    .array(z.string())
    .min(1)
    .max(8)
    .optional()
    .describe(
      "Addresses of DNS servers, with a port if it is not 53. They are asked for every name but localhost, and nothing else is: no hosts file, no search list. Default: names are resolved as the machine resolves them; SRV records by the machine's servers.",
    )
    .meta({ examples: [['10.0.0.53', '[2001:db8::53]:5353']] }),
  refresh: duration('1s', '1d')
    .optional()
    .describe('Longest time until a name is resolved again. An answer with a shorter TTL is asked for when that is over, after 1s at the earliest. Default: 10s.'),
  ipv6: z.boolean().optional().describe('Whether IPv6 addresses of a name are used. Default: where the machine has one itself.'),
})

/**
 * The whole configuration. The one source of its vocabulary: what is accepted, the JSON Schema for editors and the
 * reference manual all come from here.
 */
export const gatewaySchema = z.strictObject({
  $schema: z.string().optional().describe('The JSON Schema, for editors.'),
  name: name().optional().describe('The name of this gateway in log and metrics, and for --only; needed where a file holds several. Default: gateway.'),
  listeners: listenersSchema.describe('The open ports by name; at least one.'),
  admin: adminSchema.optional().describe('The admin server: health, metrics, dashboard. Without it there is none.'),
  probes: probesSchema.optional().describe('A port with /healthz and /readyz and nothing else, for an orchestrator.'),
  store: storeSchema.optional().describe('Where state is kept. Default: embedded, in .velum beside the config file.'),
  secret: z
    .array(z.string().min(32))
    .min(1)
    .max(2)
    .optional()
    .describe('[current, previous]: at least 32 characters each, from which keys are derived, the same on all nodes. The embedded store makes its own; required with redis.'),
  trustedProxies: z
    .array(cidrOption)
    .optional()
    .describe('Addresses whose Forwarded, X-Forwarded-* and x-request-id fields are believed. Default: none.'),
  dns: dnsSchema.optional().describe('How names of targets are resolved.'),
  services: servicesSchema.optional().describe('What stands behind the gateway, by name.'),
  identity: identitySchema.optional().describe('Who is calling: trusted issuers of tokens, API keys.'),
  limits: limitsSchema.optional().describe('Budgets by name. One name is one counter, wherever it is used.'),
  penalties: penaltiesSchema.optional().describe('The penalty box: clients that are refused too often are shut out for a time.'),
  policies: customPoliciesSchema
    .optional()
    .describe('Policies of your own: the paths of modules that default-export definePolicy({ … }), by the names that routes use.')
    .meta({ examples: [{ audit: './policies/audit.ts' }] }),
  cache: cacheMemorySchema.optional().describe('The shared cache of a node; routes say what is kept in it.'),
  log: logSchema.optional().describe('The access log and the operational log.'),
  telemetry: telemetrySchema.optional().describe('Traces for OpenTelemetry, sent over OTLP. Without it none are made.'),
  defaults: defaultsSchema
    .optional()
    .describe("What every route has: its own field replaces the default's, except `limits` (add) and `headers`, `body` (merged by key)."),
  floor: floorSchema
    .optional()
    .describe('What no route and no listener may fall short of; a gateway may be stricter, never looser. Platforms give it to the gateways of their teams (definePlatform).'),
  routes: z.array(routeSchema).describe('The routes. Their order does not matter: the most specific match wins.'),
})
