import { z } from 'zod'
import { hostNameSchema } from './listeners.ts'
import { limitUses } from './limits.ts'
import { duration, name } from './units.ts'

const urlSchema = z.string().meta({ examples: ['http://127.0.0.1:7002', 'https://orders.internal', 'grpc://127.0.0.1:7003', 'http+srv://_http._tcp.orders.internal'] })

const targetSchema = z.strictObject({
  url: urlSchema.describe('Scheme, host and port: http, https, grpc or grpcs; nothing behind the port. Each address of a name is a target of its own and has the whole weight. http+srv (https+srv, grpc+srv, grpcs+srv) takes hosts, ports, priorities and weights from the SRV records of a name.'),
  weight: z.int().min(0).max(1000).optional().describe("The target's share relative to the others; 0 sends nothing. Default: 1."),
})

/** How targets with TLS are spoken to; each field is read for itself. */
export const serviceTlsSchema = z.strictObject({
  ca: z
    .string()
    .min(1)
    .optional()
    .describe('The authorities that are believed, and no others, in PEM form. A path relative to the config file. Default: those of Node.js and of the machine.'),
  cert: z
    .string()
    .min(1)
    .optional()
    .describe("The gateway's own certificate for this service, in PEM form. A path relative to the config file; needs `key`."),
  key: z.string().min(1).optional().describe('The private key of `cert` in PEM form. A path relative to the config file.'),
  serverName: hostNameSchema
    .optional()
    .describe("The name that is asked for (SNI) and expected in the certificate. Default: the target's host."),
})

/** What stands behind routes. */
export const serviceSchema = z.strictObject({
  url: urlSchema.optional().describe('The one address of the service. Either this or `targets`.'),
  targets: z.array(targetSchema).min(1).optional().describe('Several addresses of the service. Either this or `url`.'),
  balance: z
    .enum(['round-robin', 'least-requests'])
    .optional()
    .describe('How a request finds its target. Default: round-robin, by weight.'),
  http2: z
    .boolean()
    .optional()
    .describe('Speaks HTTP/2 to http and https targets: over TLS by ALPN, else by prior knowledge. grpc and grpcs always do. Default: false.'),
  tls: serviceTlsSchema.optional().describe('How https and grpcs targets are verified, and who the gateway is to them.'),
  timeout: duration('1ms', '1d').optional().describe("To the head of the service's answer, per try. Default: 30s."),
  connectTimeout: duration('1ms', '10m').optional().describe('To an open connection (TLS included). Default: 3s.'),
  idle: duration('100ms', '30d').optional().describe('Longest silence between bytes of bodies, upgrades and streams. Default: 60s.'),
  maxConnections: z.int().min(1).max(100_000).optional().describe('Connections per target and worker; further calls queue. Default: 256.'),
  identity: z
    .enum(['jwt', 'headers', 'none', 'pass'])
    .optional()
    .describe(
      "How the service learns who calls: `jwt` (a token of 60 seconds for this service alone, in Authorization), `headers` (x-auth-subject, -tenant, -client, -scopes, -roles), `pass` (the caller's own bearer token) or `none`. Default: jwt where identity.issuer is given, else none.",
    ),
  audience: z.string().min(1).optional().describe('Whom tokens for this service are meant for. Default: the name of the service.'),
  limits: limitUses
    .optional()
    .describe(
      'Limits of the service, whatever route leads to it; charged last, and when they refuse, what the limits of the route took is given back.',
    ),
  concurrency: z
    .union([z.literal('adaptive'), z.int().min(1).max(100_000)])
    .optional()
    .describe(
      "Requests that the service gets at one time; more are refused with 503 before they can queue there, `sheddable` routes first. A number counts exactly over all workers of a node, until the answer is complete. `adaptive` finds the number from the service's latency, on each worker by itself, and counts until the answer's head; a burst waits for at most 100 ms. Default: any number.",
    ),
  retries: z
    .strictObject({
      attempts: z.int().min(1).max(10).optional().describe('Tries per request, the first one counted. Default: 1.'),
      budget: z
        .number()
        .min(0)
        .max(1)
        .optional()
        .describe("Further tries, as a share of the service's requests: however they fail, a service gets no more than that on top. Default: 0.2."),
    })
    .optional()
    .describe('Further tries after a failure, where sending again is safe.'),
  health: z
    .strictObject({
      path: z
        .string()
        .regex(/^\/[!-~]*$/, 'a path begins with "/" and has no spaces')
        .optional()
        .describe('Asked with GET; 200 to 299 is well. Default: none, an open connection is enough.'),
      every: duration('100ms', '1h').optional().describe('From the end of one probe to the next. Default: 10s.'),
      timeout: duration('10ms', '1m').optional().describe('For one probe. Default: 2s.'),
      rise: z.int().min(1).max(100).optional().describe('Successes in a row that bring a target back. Default: 2.'),
      fall: z.int().min(1).max(100).optional().describe('Failures in a row that take a target out. Default: 3.'),
    })
    .optional()
    .describe('Asks each target, once per node, whether it is well; one that is not gets no requests while another one is.'),
  eject: z
    .union([
      z.literal(false),
      z.strictObject({
        failures: z.int().min(1).max(1000).optional().describe('Failures in a row that leave a target out. Default: 5.'),
        for: duration('100ms', '5m')
          .optional()
          .describe('For how long, the first time; doubled each further time, up to 5 minutes. Default: 10s.'),
      }),
    ])
    .optional()
    .describe(
      'When a target is left out because of how it answers: no connection, resets, timeouts, nonsense, 502, 503 or 504 in a row. When all are out, all are sent to. `false`: never.',
    ),
})

/** The services by name. */
export const servicesSchema = z.record(name(), serviceSchema)
