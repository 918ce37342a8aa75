import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { checkGateway } from '../../src/config/check.ts'
import { plainCopy } from '../../src/config/plain-data.ts'
import { definePlatform } from '../../src/index.ts'
import type { FloorInput, GatewayInput } from '../../src/index.ts'

const source = { file: join(import.meta.dirname, 'velum.config.ts') }
const perAddress = { algorithm: 'token-bucket', capacity: 200, refill: '100/s', per: ['address'] } as const

const floor = {
  auth: { any: ['bearer', 'api-key', 'session'] },
  onStoreFailure: { stale: '30s' },
  limits: { perAddress: { ...perAddress, cost: 2 } },
  headers: { secure: true, request: { remove: ['x-debug'] }, response: { set: { 'X-Team': 'platform' } } },
  body: { max: '1mb' },
  csrf: { origins: ['https://app.example.com'] },
  addresses: { deny: ['203.0.113.0/24'] },
  timeout: '30s',
  deadline: '5m',
  tls: { minVersion: 'TLSv1.2' },
  trustedProxies: ['10.0.0.0/8'],
} as const satisfies FloorInput

const platform = definePlatform({
  defaults: { auth: { any: ['bearer', 'session'] }, limits: [{ use: 'perAddress', cost: 3 }] },
  floor,
})

const key = { sha256: 'ab'.repeat(32) }
const whole: GatewayInput = platform.gateway({
  name: 'orders',
  listeners: { api: { port: 8443, tls: { dev: true } } },
  trustedProxies: ['10.1.0.0/16'],
  secret: ['0123456789abcdef0123456789abcdef'],
  identity: {
    issuer: 'https://api.example.com',
    apiKeys: { ci: key },
    trustedOrigins: ['https://app.example.com'],
  },
  services: { orders: { url: 'http://127.0.0.1:7002' } },
  routes: [{ name: 'orders', match: { path: '/orders' }, to: 'orders' }],
})

/** The gateway with something else in it: by names and indexes, through `undefined` for what is taken out. */
function changed(path: readonly (string | number)[], value: unknown): GatewayInput {
  // As JSON, since the floor's limits and the gateway's are one object here.
  const copy = JSON.parse(JSON.stringify(whole)) as Record<string | number, unknown>
  let here = copy
  for (const part of path.slice(0, -1)) {
    here[part] ??= {}
    here = here[part] as Record<string | number, unknown>
  }
  here[path.at(-1)!] = value
  return copy as unknown as GatewayInput
}

function errorsOf(input: GatewayInput): string[] {
  return checkGateway(input, source)
    .findings.filter(({ severity }) => severity === 'error')
    .map(({ path, message }) => `${path}: ${message}`)
}

const route = ['routes', 0] as const
const definition = ['limits', 'perAddress'] as const

test('a gateway that says nothing stands on its floor', () => {
  assert.deepEqual(errorsOf(whole), [])
})

test('what a platform makes is plain data, and means the same as JSON', () => {
  const copy = plainCopy(whole, ({ message }) => assert.fail(message))
  assert.deepEqual(errorsOf(JSON.parse(JSON.stringify(copy)) as GatewayInput), [])
  assert.equal(checkGateway(JSON.parse(JSON.stringify(copy)), source).model?.hash, checkGateway(whole, source).model?.hash)
})

// Where the team writes it, what it writes, where the finding stands, and the place in the floor that its message names.
const looser: readonly [what: string, path: readonly (string | number)[], value: unknown, at: string, floor: string][] = [
  ['a public route', [...route, 'auth'], 'public', 'routes[0].auth', 'floor.auth'],
  ['public defaults', ['defaults', 'auth'], 'public', 'defaults.auth', 'floor.auth'],
  ['an optional credential', [...route, 'auth'], { any: ['bearer'], optional: true }, 'routes[0].auth.optional', 'floor.auth'],
  ['authentication in shadow', [...route, 'auth'], { any: ['bearer'], shadow: true }, 'routes[0].auth.shadow', 'floor.auth'],
  ['a weaker kind of credential', [...route, 'auth'], { any: ['bearer', 'basic'] }, 'routes[0].auth.any', 'floor.auth.any'],
  ['a service that decides alone', [...route, 'auth'], { external: { service: 'orders' } }, 'routes[0].auth', 'floor.auth.any'],
  [
    'longer belief without the store',
    [...route, 'onStoreFailure'],
    { stale: '1h' },
    'routes[0].onStoreFailure',
    'floor.onStoreFailure',
  ],
  ['other limits only', [...route, 'limits'], { only: [] }, 'routes[0].limits.only', 'floor.limits.perAddress'],
  ['no limits by default', ['defaults', 'limits'], [], 'defaults.limits', 'floor.limits.perAddress'],
  [
    'a limit in shadow',
    [...route, 'limits'],
    [{ use: 'perAddress', cost: 2, shadow: true }],
    'routes[0].limits[0].shadow',
    'floor.limits.perAddress',
  ],
  ['a cheaper use', [...route, 'limits'], [{ use: 'perAddress', cost: 1 }], 'routes[0].limits[0].cost', 'floor.limits.perAddress'],
  [
    'a cost that the service tells',
    [...route, 'limits'],
    [{ use: 'perAddress', cost: { reserve: 2, settle: 'response-header:x-cost' } }],
    'routes[0].limits[0].cost',
    'floor.limits.perAddress',
  ],
  ['a larger bucket', [...definition, 'capacity'], 201, 'limits.perAddress.capacity', 'floor.limits.perAddress.capacity'],
  ['a faster refill', [...definition, 'refill'], '6001/m', 'limits.perAddress.refill', 'floor.limits.perAddress.refill'],
  [
    'a budget for each header',
    [...definition, 'per'],
    ['address', 'header:x-any'],
    'limits.perAddress.per',
    'floor.limits.perAddress.per',
  ],
  [
    'a limit that skips who has no key',
    [...definition, 'missing'],
    'skip',
    'limits.perAddress.missing',
    'floor.limits.perAddress.missing',
  ],
  ['a definition in shadow', [...definition, 'shadow'], true, 'limits.perAddress.shadow', 'floor.limits.perAddress.shadow'],
  ['more tolerance', [...definition, 'tolerance'], 0.5, 'limits.perAddress.tolerance', 'floor.limits.perAddress.tolerance'],
  [
    'open without the store',
    [...definition, 'onStoreFailure'],
    'open',
    'limits.perAddress.onStoreFailure',
    'floor.limits.perAddress.onStoreFailure',
  ],
  ['a cheaper definition', [...definition, 'cost'], 1, 'limits.perAddress.cost', 'floor.limits.perAddress.cost'],
  [
    'another algorithm',
    definition,
    { algorithm: 'sliding-window', limit: 1, window: '1d' },
    'limits.perAddress.algorithm',
    'floor.limits.perAddress.algorithm',
  ],
  ['no definition', ['limits'], {}, 'limits', 'floor.limits.perAddress'],
  ['no secure headers', [...route, 'headers'], { secure: false }, 'routes[0].headers.secure', 'floor.headers.secure'],
  [
    'a protective header taken out',
    [...route, 'headers'],
    { response: { remove: ['Strict-Transport-Security'] } },
    'routes[0].headers.response.remove',
    'floor.headers.secure',
  ],
  [
    'a protective header weakened',
    [...route, 'headers'],
    { response: { set: { 'X-Frame-Options': 'ALLOWALL' } } },
    'routes[0].headers.response.set',
    'floor.headers.secure',
  ],
  [
    'a second protective header',
    [...route, 'headers'],
    { response: { add: { 'x-frame-options': 'ALLOWALL' } } },
    'routes[0].headers.response.add',
    'floor.headers.secure',
  ],
  [
    'another value of a header',
    [...route, 'headers'],
    { response: { set: { 'x-team': 'mine' } } },
    'routes[0].headers.response.set',
    'floor.headers.response.set.x-team',
  ],
  [
    'a second line of a header',
    [...route, 'headers'],
    { response: { add: { 'x-team': 'mine' } } },
    'routes[0].headers.response.add',
    'floor.headers.response.set.x-team',
  ],
  [
    'a header that was to go stays',
    [...route, 'headers'],
    { request: { remove: [] } },
    'routes[0].headers.request.remove',
    'floor.headers.request.remove',
  ],
  [
    'a header that was to go is set',
    [...route, 'headers'],
    { request: { set: { 'x-debug': '1' } } },
    'routes[0].headers.request.set',
    'floor.headers.request.remove',
  ],
  ['a larger body', [...route, 'body'], { max: '2mb' }, 'routes[0].body.max', 'floor.body.max'],
  ['a body of any size', ['defaults', 'body'], { max: 'unlimited' }, 'defaults.body.max', 'floor.body.max'],
  ['bodies in shadow', [...route, 'body'], { shadow: true }, 'routes[0].body.shadow', 'floor.body.max'],
  [
    'a further origin',
    ['identity', 'trustedOrigins'],
    ['https://evil.example'],
    'identity.trustedOrigins[0]',
    'floor.csrf.origins',
  ],
  [
    'a further origin of a route',
    [...route, 'csrf'],
    { origins: ['https://evil.example'] },
    'routes[0].csrf.origins',
    'floor.csrf.origins',
  ],
  ['forged requests in shadow', [...route, 'csrf'], { shadow: true }, 'routes[0].csrf.shadow', 'floor.csrf'],
  [
    'a denied address comes back',
    [...route, 'addresses'],
    { deny: ['203.0.113.0/25'] },
    'routes[0].addresses.deny',
    'floor.addresses.deny',
  ],
  [
    'addresses in shadow',
    [...route, 'addresses'],
    { deny: ['203.0.113.0/24'], shadow: true },
    'routes[0].addresses.shadow',
    'floor.addresses',
  ],
  ['a longer timeout', [...route, 'timeout'], '31s', 'routes[0].timeout', 'floor.timeout'],
  ['a longer deadline', ['defaults', 'deadline'], '1h', 'defaults.deadline', 'floor.deadline'],
  ['no deadline', ['defaults', 'deadline'], undefined, 'routes[0].deadline', 'floor.deadline'],
  ['a listener without TLS', ['listeners', 'plain'], { port: 8080 }, 'listeners.plain', 'floor.tls'],
  ['proxies from anywhere', ['trustedProxies'], ['10.0.0.0/7'], 'trustedProxies[0]', 'floor.trustedProxies'],
]

for (const [what, path, value, at, of] of looser) {
  test(`refused, with the floor's path: ${what}`, () => {
    const errors = errorsOf(changed(path, value))
    assert.ok(
      errors.some((error) => error.startsWith(`${at}: `) && error.includes(`and ${of} `)),
      `nothing at ${at} that names ${of}, but ${JSON.stringify(errors, undefined, 2)}`,
    )
  })
}
