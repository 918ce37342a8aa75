import { join } from 'node:path'
import { startVelum } from '../support/start-velum.ts'
import type { Tokens } from '../support/tokens.ts'
import type { Peer, PeerOptions } from './peer.ts'

export interface VelumVariant {
  readonly name: string
  readonly workers: number
  /** With these: bearer authentication, a bucket for each tenant, and header policies. Log and metrics are always on. */
  readonly tokens?: Tokens
  readonly wire?: 'velum' | 'node'
  /** Three buckets on the way, of the address, of a header and of the route. */
  readonly isLimited?: boolean
  /** Default: true. */
  readonly hasTls?: boolean
  /** So many public routes, `/r1` and on, in place of one for everything. */
  readonly routes?: number
  /** At most so many connections to the service; default: Velum's. */
  readonly serviceConnections?: number
}

/** Velum as its users start it, with its access log in a file. */
export function velum(variant: VelumVariant): Peer {
  const { name, workers } = variant
  return {
    name,
    start(options) {
      const { folder, cores, port } = options
      return startVelum({ folder, config: configOf(options, variant), cores, port, workers })
    },
  }
}

function configOf(
  { port, tlsPort, upstreamPort, folder, cert, key }: PeerOptions,
  { tokens, wire = 'velum', isLimited = false, hasTls = true, routes, serviceConnections }: VelumVariant,
): unknown {
  const listener = { host: '127.0.0.1', wire, maxRequests: 1_000_000_000, maxConnections: 15_000, timeouts: { idle: '1h' } }
  const config = {
    name: 'bench',
    listeners: {
      plain: { ...listener, port },
      ...(hasTls ? { tls: { ...listener, port: tlsPort, tls: { certificates: [{ cert, key }] } } } : {}),
    },
    store: { kind: 'embedded', path: join(folder, 'store') },
    services: { service: { url: `http://127.0.0.1:${upstreamPort}`, maxConnections: serviceConnections } },
    log: { format: 'json', file: join(folder, 'access.log') },
  }
  const route = { name: 'all', match: { path: '/**' }, to: 'service' }
  // Wide enough to refuse nobody: what is measured is the deciding.
  const bucket = { algorithm: 'token-bucket', capacity: 1_000_000, refill: '1000000/s' }
  if (tokens === undefined) {
    const open = { ...route, auth: 'public', body: { max: 'unlimited' } }
    if (routes !== undefined) {
      return {
        ...config,
        routes: Array.from({ length: routes }, (_, i) => ({ ...open, name: `r${i}`, match: { path: `/r${i}` } })),
      }
    }
    if (!isLimited) return { ...config, routes: [open] }
    const limits = {
      perAddress: { ...bucket, per: ['address'] },
      perAgent: { ...bucket, per: ['header:user-agent'] },
      perRoute: { ...bucket, per: ['route'] },
    }
    return { ...config, limits, routes: [{ ...open, limits: Object.keys(limits) }] }
  }
  return {
    ...config,
    identity: {
      trustedIssuers: {
        bench: { issuer: tokens.issuer, jwks: tokens.jwksPath, audience: tokens.audience, tenants: tokens.tenants },
      },
    },
    limits: { perTenant: { ...bucket, per: ['tenant'] } },
    routes: [
      {
        ...route,
        auth: { any: ['bearer'], scopes: ['orders:read'] },
        limits: ['perTenant'],
        headers: { secure: true, request: { set: { 'x-edge': 'velum' }, remove: ['x-debug'] }, response: { remove: ['server'] } },
        body: { max: 'unlimited' },
      },
    ],
  }
}
