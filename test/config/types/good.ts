// What must compile.
import { defineGateway, definePlatform } from '../../../src/index.ts'
import type { GatewayInput, RouteInput } from '../../../src/index.ts'

const sharedRoutes: readonly RouteInput<'orders', 'perTenant'>[] = [
  { name: 'shared', match: { path: '/shared' }, to: 'orders', limits: ['perTenant'], auth: 'public' },
]

const whole = defineGateway({
  name: 'public',
  listeners: {
    plain: { port: 8080, redirect: 'https' },
    api: {
      port: 8443,
      tls: { dev: true, acme: { email: 'ops@example.com', names: ['api.example.com'] } },
      edge: { connectionsPerAddress: 200, connectionRate: '100/s', handshakeRate: '50/s', limits: ['perAddress'] },
    },
  },
  admin: { port: 9900, host: '0.0.0.0', tls: { dev: true } },
  store: { kind: 'embedded', path: '.velum' },
  secret: [process.env['VELUM_SECRET']],
  trustedProxies: ['10.0.0.0/8'],
  services: {
    orders: { url: 'http://127.0.0.1:7002', timeout: '5s', retries: { attempts: 2 } },
    users: { targets: [{ url: 'http://127.0.0.1:7004', weight: 9 }, { url: 'http://127.0.0.1:7014' }], balance: 'least-requests' },
  },
  identity: {
    trustedIssuers: {
      partner: {
        issuer: 'https://partner.example.com',
        jwksUri: 'https://partner.example.com/jwks.json',
        audience: 'api',
        tenant: 'partner',
      },
    },
    apiKeys: { 'ci-bot': { sha256: process.env['CI_BOT_KEY_HASH'], scopes: ['orders:read'] } },
  },
  limits: {
    perAddress: { algorithm: 'token-bucket', capacity: 200, refill: '100/s', per: ['address'], retryJitter: '5s' },
    perTenant: { algorithm: 'token-bucket', capacity: 10, refill: '2/s', per: ['tenant', 'header:x-plan'] },
    perDay: { algorithm: 'quota', limit: 1000, period: 'day' },
  },
  defaults: { auth: { any: ['bearer', 'api-key'] }, headers: 'secure', limits: ['perAddress'] },
  penalties: {
    abusive: { after: '50 refusals in 1m', for: '10m', per: ['address', 'header:x-app'], answer: 403 },
    byHand: { for: '1d' },
  },
  routes: [
    { name: 'orders', match: { path: '/orders/{id?}', methods: ['GET'] }, to: 'orders', limits: [{ use: 'perTenant', cost: 2 }] },
    {
      name: 'split',
      match: { path: ['/a', '/b'] },
      to: [
        { service: 'orders', weight: 95 },
        { service: 'users', weight: 5 },
      ],
      split: 'subject',
    },
    { name: 'old', match: { path: '/old/**' }, redirect: { to: '/new/**' }, auth: 'public' },
    {
      name: 'hello',
      match: { path: '/hello' },
      respond: { status: 200, body: 'hello' },
      auth: 'public',
      limits: { only: ['perDay'] },
    },
    ...sharedRoutes,
  ],
})

/** A gateway without services and limits. */
const small = defineGateway({
  listeners: { plain: { port: 8080 } },
  routes: [{ name: 'hello', match: { path: '/hello' }, respond: { status: 200 }, auth: 'public' }],
})

const platform = definePlatform({
  defaults: { auth: { any: ['bearer'] }, headers: 'secure', limits: ['perAddress'] },
  floor: {
    auth: 'required',
    limits: { perAddress: { algorithm: 'token-bucket', capacity: 200, refill: '100/s', per: ['address'] } },
    headers: { secure: true },
    body: { max: '5mb' },
    tls: {},
  },
})

/** A team's gateway, with a limit of its own beside the floor's. */
const team = platform.gateway({
  name: 'team',
  listeners: { api: { port: 8443, tls: { dev: true }, edge: { limits: ['perAddress'] } } },
  services: { orders: { url: 'http://127.0.0.1:7002', limits: ['perService'] } },
  identity: { apiKeys: { 'ci-bot': { sha256: process.env['CI_BOT_KEY_HASH'] } }, trustedIssuers: whole.identity?.trustedIssuers },
  limits: { perService: { algorithm: 'concurrency', limit: 100 } },
  defaults: { body: { max: '1mb' } },
  routes: [
    { name: 'orders', match: { path: '/orders' }, to: 'orders', limits: [{ use: 'perAddress', cost: 2 }, 'perService'] },
    { name: 'keys', match: { path: '/keys' }, to: 'orders', auth: { any: ['api-key'], scopes: ['orders:read'] } },
  ],
})

/** Names that are not known to the compiler are any string. */
export const loose: readonly GatewayInput[] = [whole, small, team]
