import { soakProto } from './services.ts'
import type { Services } from './services.ts'

/** Ports and files of the gateway under proof. */
export interface Place {
  readonly plainPort: number
  readonly securePort: number
  readonly adminPort: number
  readonly store: { readonly kind: 'embedded'; readonly path: string } | { readonly kind: 'redis'; readonly url: string }
}

/** The names of limits that the clients know, with what they promise: units at first, and per second. */
export const perKey = { capacity: 5, perSecond: 1 } as const

const get = (name: string, path: string, more: object = {}): object => ({ name, match: { path }, to: 'plain', ...more })

/**
 * One of two configurations that take turns. What differs is on routes and services of their own (headers, a limit's
 * size, a route that is there or not, retries), so that streams on all other routes must live on.
 */
export function soakConfig(variant: 'a' | 'b', place: Place, services: Services): unknown {
  const isA = variant === 'a'
  const session = { any: ['session', 'bearer'] }
  return {
    name: 'soak',
    listeners: {
      plain: { port: place.plainPort, host: '127.0.0.1' },
      secure: {
        port: place.securePort,
        host: '127.0.0.1',
        tls: { certificates: [{ cert: 'server.pem', key: 'server.key' }] },
        edge: { connectionsPerAddress: 2000, handshakeRate: '1000/s' },
      },
    },
    admin: { port: place.adminPort },
    store: place.store,
    secret: ['a secret of the soak that is long enough for it'],
    // The clients are the proxy: they say which address they stand for.
    trustedProxies: ['127.0.0.1/32'],
    log: { format: 'json', file: 'stdout', level: 'info' },
    cache: { memory: '32mb' },
    services: {
      plain: {
        targets: services.targets.map((url) => ({ url })),
        identity: 'headers',
        balance: isA ? 'round-robin' : 'least-requests',
      },
      flaky: { url: services.flaky, retries: { attempts: 3, budget: 0.9 }, eject: false, breaker: false, identity: 'none' },
      shadow: { url: services.shadow, identity: 'none' },
      changing: { url: services.other, identity: 'none', timeout: isA ? '10s' : '12s', concurrency: 64 },
      rpc: { url: services.rpc, protos: [soakProto], identity: 'headers' },
    },
    identity: {
      issuer: `https://localhost:${place.securePort}`,
      roles: { staff: ['plain:read'] },
      sessions: { idle: '1m', absolute: '3m' },
      tokens: { access: '1m', refresh: '10m', refreshIdle: '10m', reuseGrace: '1s', deliver: ['session', 'memory', 'token'] },
    },
    limits: {
      perKey: { algorithm: 'token-bucket', capacity: perKey.capacity, refill: `${perKey.perSecond}/s`, per: ['header:x-key'] },
      perAddress: { algorithm: 'sliding-window', limit: isA ? 100_000 : 90_000, window: '10s', per: ['address'] },
      atOnce: { algorithm: 'concurrency', limit: 500, per: ['service'] },
      many: { algorithm: 'token-bucket', capacity: 3, refill: '1/m', per: ['header:x-key'] },
    },
    penalties: { pushy: { after: '1000000 refusals in 1m', for: '1m', per: ['address'] } },
    defaults: { auth: 'public', limits: ['perAddress'] },
    routes: [
      get('bytes', '/bytes'),
      get('upload', '/upload', { body: { max: '1mb' } }),
      get('slow', '/slow'),
      get('large', '/large'),
      get('text', '/text', { compress: true }),
      get('events', '/events'),
      get('echo', '/echo'),
      get('cached', '/cached/**', { cache: { tags: ['soak'], staleIfError: '10s' } }),
      get('mirrored', '/mirrored', { mirror: 'shadow', rewrite: { path: '/bytes' } }),
      { name: 'changing', match: { path: '/changing' }, to: 'changing', headers: { response: { set: { 'x-variant': variant } } } },
      { name: `only-${variant}`, match: { path: `/only-${variant}` }, to: 'changing', limits: ['atOnce'] },
      { name: 'flaky', match: { path: '/flaky' }, to: 'flaky' },
      get('limited', '/limited', { limits: ['perKey'], rewrite: { path: '/bytes' } }),
      get('many', '/many', { limits: ['many'], rewrite: { path: '/bytes' } }),
      get('private', '/private', { auth: { ...session, scopes: ['plain:read'] }, rewrite: { path: '/bytes' } }),
      get('keyed', '/keyed', { auth: { any: ['api-key'] }, rewrite: { path: '/bytes' } }),
      { name: 'said', match: { path: '/said' }, respond: { status: 200, body: 'said' } },
      {
        name: 'rpc',
        match: { path: ['/v1/**', '/soak.v1.Soak/{method}'] },
        to: 'rpc',
        bridge: ['rest', 'websocket', 'grpc-web', 'connect'],
      },
      {
        name: 'graphql',
        match: { path: '/graphql' },
        to: 'rpc',
        bridge: { use: 'graphql', methods: { 'soak.v1.Soak.Both': { as: 'none' } } },
      },
    ],
  }
}
