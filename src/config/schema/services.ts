import { z } from 'zod'
import { grpcFields } from './bridges.ts'
import { hostNameSchema } from './listeners.ts'
import { limitUses } from './limits.ts'
import { balanceSchema, breakerSchema, ejectSchema, healthSchema } from './resilience.ts'
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
  balance: balanceSchema.optional(),
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
      "Requests that the service gets at one time; more are refused with 503 before they can queue there, `sheddable` routes first. A number counts exactly over all workers of a node, until the answer is complete. `adaptive` finds the number from the service's latency, on each worker by itself, and counts until the answer's head; bursts wait for 100 ms (`critical` requests up to 1 s where answers take long). Default: any number.",
    ),
  retries: z
    .strictObject({
      attempts: z.int().min(1).max(10).optional().describe('Tries per request, the first one counted. Default: 1.'),
      budget: z
        .number()
        .min(0)
        .max(1)
        .optional()
        .describe(
          "Further tries, as a share of the service's requests, on each worker: however they fail, a service gets no more than that on top. Also the one repeat of a request that met a connection which its service had just closed comes out of it. Default: 0.2.",
        ),
    })
    .optional()
    .describe(
      'Further tries after a failure, where sending again is safe: a request of which nothing was sent; one whose method may be carried out twice (GET, HEAD, PUT, DELETE, OPTIONS), after a reset, a timeout, 502, 503 or 504; a gRPC call answered with "unavailable" before anything else. Never after the head of an answer was passed on. Retry-After and grpc-retry-pushback-ms are honoured up to 2s; who asks for more gets no further try.',
    ),
  health: healthSchema.optional(),
  eject: ejectSchema.optional(),
  breaker: breakerSchema.optional(),
  slowStart: duration('1s', '1h')
    .optional()
    .describe('How long the share of a target grows, from a tenth to all of it, when it is new or has come back; those that the service begins with have it at once. Default: no time.'),
  ...grpcFields,
})

/** The services by name. */
export const servicesSchema = z.record(name(), serviceSchema)
