import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkGateway } from './check.ts'
import type { CheckOptions } from './check.ts'
import type { GatewayInput } from './input.ts'
import type { GatewayModel } from './model.ts'

const source = { file: '/etc/velum/velum.config.ts' }

const small: GatewayInput = {
  listeners: { plain: { port: 8080 } },
  services: { orders: { url: 'http://127.0.0.1:7002' } },
  routes: [{ name: 'orders', match: { path: '/orders' }, to: 'orders', auth: 'public' }],
}

function modelOf(input: GatewayInput, options?: CheckOptions): GatewayModel {
  const { model, findings } = checkGateway(input, source, options)
  assert.deepEqual(
    findings.filter(({ severity }) => severity === 'error'),
    [],
  )
  return model!
}

function messages(input: unknown, options?: CheckOptions): string[] {
  return checkGateway(input, source, options).findings.map(({ path, message }) => `${path}: ${message}`)
}

test('fills every default in', () => {
  const { hash, ...model } = modelOf(small)
  assert.match(hash, /^[0-9a-f]{64}$/)
  assert.deepEqual(model, {
    name: 'gateway',
    listeners: [
      {
        name: 'plain',
        host: '0.0.0.0',
        port: 8080,
        wire: 'velum',
        http2: true,
        redirectPort: undefined,
        redirectListener: undefined,
        proxyProtocol: false,
        tls: undefined,
        limits: {
          maxHeadBytes: 16_384,
          maxHeaderCount: 100,
          maxTargetBytes: 8192,
          maxRequests: 10_000,
          maxConnections: 20_000,
          headMs: 10_000,
          bodyMs: 30_000,
          minBodyRate: 240,
          idleMs: 60_000,
          writeMs: 30_000,
        },
        edgeLimits: [],
        edge: undefined,
      },
    ],
    admin: undefined,
    probes: undefined,
    store: { kind: 'embedded', path: '/etc/velum/.velum' },
    secrets: [],
    trustedProxies: [],
    dns: { servers: [], refreshMs: 10_000, ipv6: undefined },
    services: [
      {
        name: 'orders',
        targets: [{ url: 'http://127.0.0.1:7002', protocol: 'http', tls: false, host: '127.0.0.1', port: 7002, weight: 1 }],
        balance: 'round-robin',
        slowStartMs: undefined,
        timeoutMs: 30_000,
        connectTimeoutMs: 3000,
        eject: { failures: 5, baseMs: 10_000 },
        breaker: {
          failureRatio: 0.5,
          slowRatio: 0.5,
          slowMs: Infinity,
          windowMs: 10_000,
          minCalls: 20,
          openMs: 5000,
          probes: 3,
          isOfService: false,
        },
        health: undefined,
        retryBudget: 0.2,
        idleMs: 60_000,
        maxConnections: 256,
        attempts: 1,
        identity: 'none',
        audience: 'orders',
        tls: undefined,
        concurrency: undefined,
        limits: [],
      },
    ],
    identity: { path: '/auth', own: undefined, tenantClaim: 'tenant', trustedIssuers: [], apiKeys: [], certificates: [] },
    limits: [],
    penalties: [],
    log: { format: 'json', file: 'stdout', level: 'info' },
    cacheBytes: undefined,
    routes: [
      {
        name: 'orders',
        source: 'routes[0]',
        match: { paths: ['/orders'], methods: [], hosts: [], headers: [], query: [], allow: [] },
        action: {
          kind: 'to',
          services: [{ service: 'orders', weight: 1 }],
          split: 'request',
          rewrite: undefined,
          mirror: undefined,
        },
        auth: { mode: 'public', any: [], scopes: [], roles: [], claims: [], staleMs: 0, source: 'routes[0].auth' },
        limits: [],
        policies: [{ policy: 'body', options: { maxBytes: 10_485_760, types: [], shadow: undefined }, source: 'routes[0].body' }],
        timeoutMs: Infinity,
        deadlineMs: undefined,
        priority: 'default',
        maxBodyBytes: 10_485_760,
      },
    ],
  })
})

test('the model passes between threads as it is', () => {
  const model = modelOf(small)
  assert.deepEqual(structuredClone(model), model)
})

function targets(url: string): unknown {
  const [{ protocol, tls, host, port }] = modelOf({ ...small, services: { orders: { url } } }).services[0].targets
  return [protocol, tls, host, port]
}

test('addresses of services are taken apart', () => {
  assert.deepEqual(targets('http://orders.internal'), ['http', false, 'orders.internal', 80])
  assert.deepEqual(targets('https://orders.internal/'), ['http', true, 'orders.internal', 443])
  assert.deepEqual(targets('http://[::1]:7002'), ['http', false, '::1', 7002])
})

test('a redirect listener leads to the one with TLS, on 443 where there are several', () => {
  const listeners = {
    plain: { port: 80, redirect: 'https' },
    one: { port: 8443, tls: { dev: true } },
    two: { port: 443, tls: { dev: true } },
  } as const
  const [plain] = modelOf({ ...small, listeners }).listeners
  assert.deepEqual([plain.redirectPort, plain.redirectListener], [443, 'two'])
  const [first] = modelOf({ ...small, listeners: { plain: listeners.plain, one: { port: 0, tls: { dev: true } } } }).listeners
  assert.deepEqual([first.redirectPort, first.redirectListener], [0, 'one'])
})

const limits = {
  a: { algorithm: 'token-bucket', capacity: 10, refill: '2/s', per: ['tenant', 'header:X-Plan', 'claim:Org'] },
  b: { algorithm: 'sliding-window', limit: 10, window: '1m', cost: 3, shadow: true },
} as const

test('limits of the defaults come first, the route adds its own, and the use on the route counts', () => {
  const route = { ...small.routes[0], name: 'x' }
  const uses = (own: GatewayInput['routes'][number]['limits']): unknown[] =>
    modelOf({
      ...small,
      limits,
      defaults: { limits: ['a', 'b'] },
      routes: [own === undefined ? route : { ...route, limits: own }],
    }).routes[0].limits.map(({ use, cost, shadow, source: at }) => [use, cost, shadow, at])
  assert.deepEqual(uses(undefined), [
    ['a', 1, false, 'defaults.limits[0]'],
    ['b', 3, true, 'defaults.limits[1]'],
  ])
  assert.deepEqual(uses([{ use: 'a', cost: 2 }]), [
    ['b', 3, true, 'defaults.limits[1]'],
    ['a', 2, false, 'routes[0].limits[0]'],
  ])
  assert.deepEqual(uses({ only: [{ use: 'b', shadow: false }] }), [['b', 3, false, 'routes[0].limits.only[0]']])
  assert.deepEqual(uses({ only: [] }), [])
})

test('limits are made ready: key parts, rates and windows', () => {
  const model = modelOf({ ...small, limits, defaults: { limits: ['a', 'b'] } })
  const common = { missing: 'shared', tolerance: 0.05, onStoreFailure: 'local', fields: undefined }
  assert.deepEqual(model.limits, [
    {
      ...common,
      name: 'a',
      algorithm: 'token-bucket',
      capacity: 10,
      refill: { units: 2, periodMs: 1000 },
      per: [{ kind: 'tenant' }, { kind: 'header', name: 'x-plan' }, { kind: 'claim', name: 'Org' }],
      shadow: false,
    },
    { ...common, name: 'b', algorithm: 'sliding-window', limit: 10, windowMs: 60_000, per: [], shadow: true },
  ])
})

test('there is a bound on the number of limits', () => {
  const one = { algorithm: 'token-bucket', capacity: 1, refill: '1/s' } as const
  const many = Object.fromEntries(Array.from({ length: 1025 }, (_, i) => [`l${i}`, one]))
  assert.ok(messages({ ...small, limits: many }).includes('limits: there are 1025 limits'))
})

test('an algorithm that cannot be run is an error that says so', () => {
  const found = messages({ ...small, limits, defaults: { limits: ['a', 'b'] } }, { algorithms: ['token-bucket'] })
  assert.deepEqual(found, ['limits.b.algorithm: the algorithm "sliding-window" is not available yet in this version of Velum'])
})

test("a route's policies replace the default's, and headers and body are merged by key", () => {
  const { routes } = modelOf({
    ...small,
    identity: { apiKeys: { bot: { sha256: '1'.repeat(63) + 'a' } } },
    defaults: {
      auth: { any: ['api-key'], scopes: ['read'] },
      headers: 'secure',
      body: { max: '1mb' },
      timeout: '5s',
      addresses: { deny: ['192.0.2.1'] },
    },
    routes: [
      { name: 'plain', match: { path: '/plain' }, to: 'orders' },
      {
        name: 'own',
        match: { path: '/own' },
        to: 'orders',
        auth: { any: ['api-key'] },
        headers: { request: { set: { 'x-a': 'b' } } },
        body: { types: ['application/json'] },
        timeout: '1s',
        addresses: { allow: ['10.0.0.0/8'] },
      },
    ],
  })
  const [plain, own] = routes
  const options = (route: typeof plain, name: string): unknown => route.policies.find(({ policy }) => policy === name)?.options
  assert.deepEqual(
    [plain.auth.scopes, plain.auth.source, plain.timeoutMs, plain.maxBodyBytes],
    [['read'], 'defaults.auth', 5000, 1_048_576],
  )
  assert.deepEqual([own.auth.scopes, own.auth.source, own.timeoutMs, own.maxBodyBytes], [[], 'routes[1].auth', 1000, 1_048_576])
  assert.deepEqual(options(own, 'body'), { maxBytes: 1_048_576, types: ['application/json'], shadow: undefined })
  assert.deepEqual(options(plain, 'addresses'), { allow: undefined, deny: ['192.0.2.1/32'] })
  assert.deepEqual(options(own, 'addresses'), { allow: ['10.0.0.0/8'], deny: [] })
  const headers = options(own, 'headers') as { secure: boolean; request: { set: unknown } }
  assert.deepEqual([headers.secure, headers.request.set], [true, [['x-a', 'b']]])
  assert.equal(own.policies.find(({ policy }) => policy === 'headers')?.source, 'routes[1].headers')
})

test('credentials are looked for in the fixed order, however they are listed', () => {
  const identity = {
    trustedIssuers: { idp: { issuer: 'https://idp', jwksUri: 'https://idp/jwks', audience: 'api' } },
    apiKeys: { bot: { sha256: 'ab'.repeat(32) } },
  }
  const routes = [{ ...small.routes[0], auth: { any: ['api-key', 'bearer'] } as const }]
  assert.deepEqual(modelOf({ ...small, identity, routes }).routes[0].auth.any, ['bearer', 'api-key'])
})

test('issuers and keys get what is not said', () => {
  const { identity } = modelOf({
    ...small,
    identity: {
      trustedIssuers: { idp: { issuer: 'https://idp', jwksUri: 'https://idp/jwks', audience: 'api' } },
      apiKeys: { bot: { sha256: 'AB'.repeat(32), expires: '2027-01-31' } },
    },
  })
  assert.deepEqual(identity.trustedIssuers[0], {
    name: 'idp',
    issuer: 'https://idp',
    jwksUri: 'https://idp/jwks',
    jwksFile: undefined,
    audience: ['api'],
    algorithms: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
    tenant: undefined,
    tenants: undefined,
    types: undefined,
    skewMs: undefined,
    maxLifetimeMs: 86_400_000,
  })
  assert.deepEqual(identity.apiKeys[0], {
    id: 'bot',
    sha256: 'ab'.repeat(32),
    subject: 'bot',
    tenant: undefined,
    scopes: [],
    roles: [],
    expiresAt: Date.UTC(2027, 0, 31),
    addresses: [],
  })
})

function answer(respond: { status: number; headers?: Record<string, string>; body?: string }): unknown {
  const { action } = modelOf({ ...small, services: {}, routes: [{ name: 'a', match: { path: '/a' }, respond, auth: 'public' }] })
    .routes[0]
  return action
}

test('a text that is answered gets a type, unless one is named', () => {
  const typed = { kind: 'respond', status: 200, body: 'hello' }
  assert.deepEqual(answer({ status: 200, body: 'hello' }), { ...typed, headers: [['content-type', 'text/plain; charset=utf-8']] })
  assert.deepEqual(answer({ status: 200, headers: { 'Content-Type': 'text/html' }, body: 'hello' }), {
    ...typed,
    headers: [['content-type', 'text/html']],
  })
  assert.deepEqual(answer({ status: 204 }), { kind: 'respond', status: 204, headers: [], body: '' })
})

test('the hash is that of the meaning, not of the spelling', () => {
  const { hash } = modelOf(small)
  const { routes, services, listeners } = small
  assert.equal(modelOf({ routes, services: services!, listeners }).hash, hash)
  assert.equal(modelOf({ ...small, services: { orders: { url: 'http://127.0.0.1:7002/', timeout: '30000ms' } } }).hash, hash)
  const others = [
    modelOf({ ...small, name: 'other' }),
    modelOf({ ...small, listeners: { plain: { port: 8081 } } }),
    modelOf({ ...small, services: { orders: { url: 'http://127.0.0.1:7002', timeout: '29s' } } }),
    modelOf({ ...small, secret: ['0123456789abcdef0123456789abcdef'] }),
    modelOf({ ...small, routes: [{ ...routes[0], timeout: '1s' }] }),
    modelOf({ ...small, routes: [{ ...routes[0], body: { max: 'unlimited' } }] }),
  ]
  assert.equal(new Set([hash, ...others.map((model) => model.hash)]).size, others.length + 1)
})

test('whatever is not a configuration is told in words', () => {
  for (const input of [
    undefined,
    null,
    5,
    'x',
    true,
    () => {},
    [],
    [{}],
    {},
    { listeners: null, routes: {} },
    { services: [] },
    new Map(),
  ]) {
    const { model, findings } = checkGateway(input, source)
    assert.equal(model, undefined)
    assert.ok(findings.some(({ severity }) => severity === 'error'))
    for (const { message, remedy } of findings)
      assert.ok(message !== '' && remedy !== '' && !/\bundefined\b|Invalid input|\[object/.test(message), message)
  }
})

test('names that objects have by themselves are no trouble', () => {
  const hostile = JSON.parse(
    '{"listeners":{"__proto__":{"port":1},"constructor":{"port":2}},"services":{"toString":{"url":"http://127.0.0.1"}},"__proto__":{},"routes":[{"name":"hasOwnProperty","match":{"path":"/x"},"to":"valueOf","auth":"public","constructor":1}]}',
  ) as unknown
  const found = messages(hostile)
  assert.ok(found.includes('__proto__: "__proto__" is not known here'))
  assert.ok(found.includes('listeners.__proto__: "__proto__" cannot be a name'))
  assert.ok(found.includes('routes[0].constructor: "constructor" is not known here'))
  assert.ok(found.includes('routes[0].to: there is no service named "valueOf"'))
})

test('ten thousand routes are checked in one go', () => {
  const routes = Array.from({ length: 10_000 }, (_, i) => ({
    name: `r${i}`,
    match: { path: `/r${i}/{id}` },
    to: 'orders',
    auth: 'public' as const,
  }))
  assert.equal(modelOf({ ...small, routes }).routes.length, 10_000)
})
