import { z } from 'zod'
import { duration, name } from './units.ts'

const urlSchema = z.string().meta({ examples: ['http://127.0.0.1:7002', 'https://orders.internal'] })

const targetSchema = z.strictObject({
  url: urlSchema.describe('Scheme, host and port: http or https. Nothing behind the port.'),
  weight: z.int().min(0).max(1000).optional().describe("The target's share relative to the others; 0 sends nothing. Default: 1."),
})

/** What stands behind routes. */
export const serviceSchema = z.strictObject({
  url: urlSchema.optional().describe('The one address of the service. Either this or `targets`.'),
  targets: z.array(targetSchema).min(1).optional().describe('Several addresses of the service. Either this or `url`.'),
  balance: z
    .enum(['round-robin', 'least-requests'])
    .optional()
    .describe('How a request finds its target. Default: round-robin, by weight.'),
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
  retries: z
    .strictObject({
      attempts: z.int().min(1).max(10).optional().describe('Tries per request, the first one counted. Default: 1.'),
    })
    .optional()
    .describe('Further tries after a failure, where sending again is safe.'),
})

/** The services by name. */
export const servicesSchema = z.record(name(), serviceSchema)
