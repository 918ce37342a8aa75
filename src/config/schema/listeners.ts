import { z } from 'zod'
import { duration, name, oneOrMore, rate, size } from './units.ts'

/** A TCP port; 0 lets the machine choose one. */
export const portSchema = z.int().min(0).max(65535).meta({ examples: [8080] })

const hostSchema = z.string().min(1).meta({ examples: ['0.0.0.0', '::', '127.0.0.1'] })

/** A DNS name, `*.` in front allowed. */
export const hostNameSchema = z
  .string()
  .meta({ examples: ['api.example.com', '*.example.com'] })
  .superRefine((text, context) => {
    const label = '[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?'
    if (new RegExp(`^(?:\\*\\.)?${label}(?:\\.${label})*$`).test(text) && text.length <= 253) return
    const remedy = 'write a DNS name without scheme, port and path, such as api.example.com or *.example.com'
    context.addIssue({ code: 'custom', message: `${JSON.stringify(text.slice(0, 80))} is not a host name`, params: { remedy } })
  })

/** A certificate and its key. */
export const certificateSchema = z.strictObject({
  cert: z.string().min(1).describe('The certificate chain in PEM form, the leaf first. A path relative to the config file.'),
  key: z.string().min(1).describe('The private key in PEM form. A path relative to the config file.'),
  names: z
    .array(hostNameSchema)
    .min(1)
    .optional()
    .describe('The names (SNI) that get this certificate. Default: those that stand in the certificate.'),
})

/** What an authority issues by itself. */
export const acmeSchema = z.strictObject({
  email: z
    .string()
    .regex(/^[^\s@,?]+@[^\s@,?]+$/, 'an address such as ops@example.com is expected')
    .describe('Whom the authority writes to when something is wrong with a certificate.')
    .meta({ examples: ['ops@example.com'] }),
  names: z.array(hostNameSchema).min(1).max(100).describe('The names to be certified, each by a certificate of its own. No wildcards: HTTP cannot prove those.'),
  directory: z
    .url()
    .optional()
    .describe("The URL of the authority's ACME directory; naming it agrees to the authority's terms. Default: Let's Encrypt, https://acme-v02.api.letsencrypt.org/directory.")
    .meta({ examples: ['https://acme-staging-v02.api.letsencrypt.org/directory'] }),
  directoryCa: z
    .string()
    .min(1)
    .optional()
    .describe("The authorities that the directory's own certificate is checked against, in PEM form, where it is a private one. A path relative to the config file. Default: those of Node.js."),
})

/** Who may connect, by certificate. */
export const clientCertificatesSchema = z.strictObject({
  mode: z
    .enum(['optional', 'required'])
    .describe('`required`: nobody connects without one. `optional`: who has one is known by it; one that is not valid is refused in both.'),
  ca: z.string().min(1).describe('The authorities that sign them, in PEM form. A path relative to the config file; the file is watched.'),
  crl: oneOrMore(z.string().min(1))
    .optional()
    .describe(
      'Files with revocation lists of those authorities (PEM or DER). They are watched: a certificate that a new list revokes ends with its open connections. Every authority in a chain needs a list that is not past its next update, else the client is refused. Default: no list is asked for.',
    )
    .meta({ examples: ['clients.crl'] }),
})

/** How TLS is terminated. */
export const tlsSchema = z.strictObject({
  dev: z
    .boolean()
    .optional()
    .describe('A certificate by a development authority, which is made on first start and kept in the store. For localhost and loopback addresses.'),
  names: z.array(hostNameSchema).optional().describe('Further names of the development certificate.'),
  certificates: z
    .array(certificateSchema)
    .min(1)
    .optional()
    .describe('Certificates by name. The files are watched: a renewed one is used for new handshakes, without a reload.'),
  acme: acmeSchema
    .optional()
    .describe("Certificates that an authority issues by itself (ACME): ordered when the gateway starts, kept in the store, renewed in time. It asks back by plain HTTP on port 80 of each name, so another listener without TLS must be reached there. A certificate of `certificates` for the same name comes first."),
  minVersion: z.enum(['TLSv1.2', 'TLSv1.3']).optional().describe('The oldest TLS version that is spoken. Default: TLSv1.2.'),
  clientCertificates: clientCertificatesSchema.optional().describe('Asks clients for certificates. Default: they are not asked.'),
})

const timeoutsSchema = z.strictObject({
  head: duration('100ms', '10m').optional().describe("From a request's first byte to the end of its head. Default: 10s."),
  body: duration('100ms', '1d').optional().describe('Longest wait for the next bytes of a request body. Default: 30s.'),
  idle: duration('100ms', '1d').optional().describe('How long a keep-alive connection may wait for its next request. Default: 60s.'),
  write: duration('100ms', '1d').optional().describe('Longest wait for the client to take more of its answer. Default: 30s.'),
})

const count = (least: number, most: number): z.ZodInt => z.int().min(least).max(most)

const edgeSchema = z.strictObject({
  connectionsPerAddress: count(1, 1_000_000)
    .optional()
    .describe('Open connections of one address (of IPv6: one /64), counted exactly over all workers of this node; more are closed before TLS. Trusted proxies are exempt. Default: any number.'),
  connectionRate: rate()
    .optional()
    .describe('New connections of one address; as many as one period allows may come at once, more are closed before TLS. Per node, trusted proxies exempt. Default: any number.'),
  handshakeRate: rate()
    .optional()
    .describe('Full TLS handshakes of one address, counted before they cost anything; a resumed one is given back. Per node, trusted proxies exempt. Default: any number.'),
  limits: z
    .array(z.string())
    .optional()
    .describe('Names of limits charged before a request is routed. They count per address only, and per node.'),
})

/** An open port. */
export const listenerSchema = z.strictObject({
  port: portSchema.describe('The TCP port. 0 lets the machine choose one.'),
  host: hostSchema.optional().describe('The address to listen on. Default: 0.0.0.0, every IPv4 address; "::" adds IPv6.'),
  wire: z
    .enum(['velum', 'node'])
    .optional()
    .describe("The HTTP/1.1 engine: Velum's own, or the one of node:http at its price. Default: velum."),
  http2: z.boolean().optional().describe('HTTP/2 besides HTTP/1.1: by ALPN, and by prior knowledge on plain listeners. Default: true.'),
  proxyProtocol: z
    .boolean()
    .optional()
    .describe(
      'Every connection begins with a header of the PROXY protocol, version 1 or 2, and the client is whom it names. A connection without one is closed, and so is one that does not come from `trustedProxies`, where any are named. Default: false.',
    ),
  redirect: z
    .literal('https')
    .optional()
    .describe('Answers every request with a redirect to the same URL on the listener that has TLS.'),
  tls: tlsSchema.optional().describe('Terminates TLS here, by `dev`, by `certificates` or by `acme`; they may stand together.'),
  edge: edgeSchema.optional().describe('What is checked per address when a connection comes, and before a request is routed.'),
  timeouts: timeoutsSchema.optional().describe('Patience with slow clients.'),
  maxHeadBytes: size('1kb', '1mb').optional().describe('Largest request head; more is answered with 431. Default: 16kb.'),
  maxHeaderCount: count(8, 2000).optional().describe('Most header lines of a request; more is answered with 431. Default: 100.'),
  maxTargetBytes: size('256b', '1mb').optional().describe('Longest request target; more is answered with 414. Default: 8kb.'),
  maxRequests: count(1, 1_000_000_000).optional().describe('Requests served on one connection before it is closed. Default: 10000.'),
  maxConnections: count(1, 1_000_000).optional().describe('Open connections, shared out among the workers of the node; more are closed at once. Default: 20000.'),
  minBodyRate: size('0b', '1gb')
    .optional()
    .describe('Lowest average rate of a request body, per second, once it has taken longer than `timeouts.body`. Default: 240b.'),
})

/** TLS of the admin server: what operators need of it. */
export const adminTlsSchema = tlsSchema.pick({ dev: true, names: true, certificates: true, minVersion: true })

/** The admin server. */
export const adminSchema = z.strictObject({
  port: portSchema.describe('The TCP port of the admin API, metrics and dashboard.'),
  host: hostSchema.optional().describe('The address to listen on; another than loopback only with `tls`. Default: 127.0.0.1.'),
  names: z.array(hostNameSchema).optional().describe('Further names by which it may be addressed (the Host header is checked).'),
  tls: adminTlsSchema.optional().describe('Serves it by HTTPS, by `dev` or by `certificates`. Commands trust the certificate that stands here. Default: plain HTTP.'),
})

/** The port for an orchestrator. */
export const probesSchema = z.strictObject({
  port: portSchema.describe('The TCP port. It answers /healthz and /readyz, to everybody, and nothing else.'),
  host: hostSchema.optional().describe('The address to listen on. Default: 0.0.0.0.'),
})

/** The listeners by name. */
export const listenersSchema = z.record(name(), listenerSchema)

