import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { checkGateway } from '../config/check.ts'
import type { GatewayModel } from '../config/model.ts'
import type { Exchange } from '../core/exchange.ts'
import { KnownIdentity } from '../identity/known-identity.ts'
import { refuse } from '../core/verdict.ts'
import { AccessLines } from './access-line.ts'
import { ReplayFields } from './access-replay.ts'
import { readRecordedLine } from './recorded-request.ts'
import type { ReplayReport } from './replay.ts'
import { replayLog } from './replay.ts'

const base = {
  listeners: { web: { port: 8080 } },
  services: { orders: { url: 'http://127.0.0.1:7002' } },
  identity: {
    trustedIssuers: {
      partner: {
        issuer: 'https://partner.example.com',
        jwksUri: 'https://partner.example.com/jwks',
        audience: 'a',
        tenants: ['acme', 'globex'],
      },
    },
  },
  limits: {
    perTenant: { algorithm: 'token-bucket', capacity: 10, refill: '2/s', per: ['tenant'] } as Record<string, unknown>,
    perApp: { algorithm: 'fixed-window', limit: 1000, window: '1m', per: ['header:x-app'] } as Record<string, unknown>,
  },
  routes: [
    {
      name: 'orders',
      match: { path: '/orders/**' },
      to: 'orders',
      auth: { any: ['bearer'], scopes: ['orders:read'] },
      limits: ['perTenant', 'perApp'],
      body: { max: '1mb' },
    },
    { name: 'open', match: { path: '/open/**' }, to: 'orders', auth: 'public' },
  ] as Record<string, unknown>[],
}

function model(change: (c: typeof base) => unknown = (c) => c): GatewayModel {
  const { model: checked, findings } = checkGateway(change(structuredClone(base)), { file: '/etc/velum/velum.config.json' })
  assert.ok(checked !== undefined, JSON.stringify(findings))
  return checked
}

interface Told {
  readonly at: number
  readonly path?: string
  readonly method?: string
  readonly tenant?: string
  readonly app?: string
  readonly scopes?: readonly string[]
  readonly status?: number
  readonly durationMs?: number
  readonly length?: number
  readonly change?: (x: Exchange) => void
}

const start = 1_790_000_000_000
const lines = new AccessLines('abc', 0, ReplayFields.of(model()))

/** A line as the gateway writes it. */
function line({
  at,
  path = '/orders/1',
  method = 'GET',
  tenant,
  app,
  scopes = ['orders:read'],
  status = 200,
  durationMs = 5,
  length,
  change,
}: Told): string {
  const headers = [
    ...(app === undefined ? [] : ['x-app', app]),
    ...(length === undefined ? [] : ['content-length', String(length)]),
  ]
  const x = exchangeOf({ method, target: path, startedAt: start + at, startedMono: at, headers })
  x.id = `id-${at}`
  x.route = path.startsWith('/orders')
    ? { name: 'orders', index: 0, paramNames: [], policies: [] }
    : { name: 'open', index: 1, paramNames: [], policies: [] }
  if (tenant !== undefined) {
    x.identity = new KnownIdentity({
      kind: 'bearer',
      issuer: 'https://partner.example.com',
      subject: `user of ${tenant}`,
      tenant,
      client: undefined,
      scopes,
      roles: [],
      expiresAt: 0,
      session: undefined,
      credentialId: undefined,
    })
  }
  change?.(x)
  return lines
    .line(x, { end: 'complete', status, fault: undefined, receivedBytes: 0, sentBytes: 0, endedAt: at + durationMs })
    .trimEnd()
}

function refused(policy: string, code: string): (x: Exchange) => void {
  return (x) => {
    x.refusal = refuse(code, { name: 'invalid-credential' })
    x.refusedBy = { name: policy, stage: 'limit', source: '' }
  }
}

async function replay(log: readonly string[], now: GatewayModel, old?: GatewayModel): Promise<ReplayReport> {
  async function* read(): AsyncGenerator<string> {
    yield* log
  }
  return replayLog(read(), now, old)
}

describe('a replayed log', () => {
  // Ten a second of one tenant, one a second of another, for ten seconds: a bucket of 10 with 2/s refuses the first.
  const busy = Array.from({ length: 100 }, (_, i) => line({ at: i * 100, tenant: 'acme' }))
  const quiet = Array.from({ length: 10 }, (_, i) => line({ at: i * 1000 + 50, tenant: 'globex' }))

  test('counts limits on its own clock, and names who would be refused, and by which rule', async () => {
    const { requests, changed, clients } = await replay([...busy, ...quiet], model())
    assert.equal(requests, 110)
    assert.deepEqual(
      clients.map(({ client, requests: all }) => [client, all]),
      [['subject user of acme, tenant acme', 100]],
    )
    // 10 at once and 2 a second over 9.9 s.
    assert.equal(changed, 100 - 10 - 19)
    const [change] = clients[0].changes
    assert.deepEqual(
      [change.before, change.after, change.source, change.count],
      ['passes on orders', 'refused by limits (over-limit, limited:perTenant)', 'routes[0].limits[0]', changed],
    )
  })

  test('comes out the same under the same limits, when both configurations are replayed', async () => {
    const { changed } = await replay([...busy, ...quiet], model(), model())
    assert.equal(changed, 0)
    const wider = await replay(
      [...busy, ...quiet],
      model((c) => ({ ...c, limits: { ...c.limits, perTenant: { ...c.limits.perTenant, capacity: 1000 } } })),
      model(),
    )
    assert.equal(wider.changed, 71)
    assert.match(wider.clients[0].changes[0].before, /refused by limits/)
  })

  test('counts places for as long as requests took', async () => {
    const log = [
      line({ at: 0, tenant: 'acme', durationMs: 1000 }),
      line({ at: 500, tenant: 'acme' }),
      line({ at: 1001, tenant: 'acme' }),
    ]
    const one = model((c) => ({
      ...c,
      limits: { ...c.limits, perTenant: { algorithm: 'concurrency', limit: 1, per: ['tenant'] } },
    }))
    const { clients, changed } = await replay(log, one)
    assert.equal(changed, 1)
    assert.equal(clients[0].changes[0].example.id, 'id-500')
  })

  test('knows headers that limits count by, and scopes', async () => {
    const log = [
      ...Array.from({ length: 3 }, (_, i) => line({ at: i, tenant: 'acme', app: 'a' })),
      ...Array.from({ length: 3 }, (_, i) => line({ at: i, tenant: 'acme', app: 'b', scopes: ['orders:read', 'more'] })),
    ]
    const few = model((c) => ({ ...c, limits: { ...c.limits, perApp: { ...c.limits.perApp, limit: 2 } } }))
    assert.equal((await replay(log, few)).changed, 2)
    const more = model((c) => ({ ...c, routes: c.routes.with(0, { ...c.routes[0], auth: { any: ['bearer'], scopes: ['more'] } }) }))
    const { clients } = await replay(log, more)
    assert.deepEqual([clients[0].changes[0].count, clients[0].changes[0].source], [3, 'routes[0].auth.scopes'])
  })

  test('keeps what was not valid invalid, and says what cannot be told', async () => {
    const log = [
      line({ at: 0, status: 401, change: refused('auth', 'bad-signature') }),
      line({ at: 1, status: 401, change: refused('auth', 'no-credential') }),
      line({ at: 2, path: '/open/1' }),
    ]
    assert.equal((await replay(log, model())).changed, 0)
    const closed = model((c) => ({ ...c, routes: c.routes.with(1, { ...c.routes[1], auth: { any: ['bearer'] } }) }))
    const { unknown, changed } = await replay(log, closed)
    assert.deepEqual([unknown, changed], [1, 0], 'nobody knows whether there was a credential')
    const opened = await replay(
      log,
      model((c) => ({ ...c, routes: c.routes.with(0, { ...c.routes[0], auth: 'public', limits: [] }) })),
    )
    assert.equal(opened.changed, 2)
  })

  test('asks no service that decides', async () => {
    const log = [line({ at: 0, tenant: 'acme' }), line({ at: 1, tenant: 'acme', status: 403, change: refused('auth', 'denied') })]
    const outside = model((c) => ({
      ...c,
      routes: c.routes.with(0, { ...c.routes[0], auth: { any: ['bearer'], external: { service: 'orders' } } }),
    }))
    const { changed, unknown } = await replay(log, outside)
    assert.deepEqual([changed, unknown], [0, 1])
  })

  test('knows how large contents were', async () => {
    const log = [line({ at: 0, tenant: 'acme', method: 'POST', length: 5000 })]
    const small = model((c) => ({ ...c, routes: c.routes.with(0, { ...c.routes[0], body: { max: '1kb' } }) }))
    assert.equal((await replay(log, small)).clients[0].changes[0].source, 'routes[0].body.max')
  })

  test('finds other routes, and none', async () => {
    const log = [line({ at: 0, path: '/open/1' })]
    const gone = await replay(
      log,
      model((c) => ({ ...c, routes: c.routes.slice(0, 1) })),
    )
    assert.deepEqual(gone.clients[0].changes[0].after, 'answered with 404')
  })

  test('passes over lines that are broken, and those of other things, and counts them', async () => {
    const good = line({ at: 0, path: '/open/1' })
    const log = [
      '',
      '{"level":30',
      good.slice(0, 80),
      'text',
      '[]',
      '{"msg":"access"}',
      '{"level":30,"msg":"refused","id":"x"}',
      good,
      '{"msg":"access","time":"x"}',
    ]
    const { requests, broken, others } = await replay(log, model())
    assert.deepEqual([requests, broken, others], [1, 6, 1])
  })

  test('knows lines of Apache, which tell too little', async () => {
    const terse = '192.0.2.1 - ann [10/Oct/2000:20:55:36 +0000] "GET /open/1 HTTP/1.1" 200 2 "-" "curl/8"'
    const { requests, broken, terse: count } = await replay([terse, line({ at: 0, path: '/open/1' }), 'text - - ['], model())
    assert.deepEqual([requests, broken, count], [1, 1, 1])
  })

  test('is not held up by lines of another time', async () => {
    const far = JSON.parse(line({ at: 0, path: '/open/1' })) as Record<string, unknown>
    const at = (time: unknown): string => JSON.stringify({ ...far, time })
    const log = [at(1e300), at(-1), at(Date.UTC(2099, 0, 1)), at(Date.UTC(2020, 5, 1)), at(start), at(start + 90 * 86_400_000)]
    const { requests, broken, changed } = await replay(log, model())
    assert.deepEqual([requests, broken, changed], [4, 2, 0])
  })

  test('is put in the order of the requests, which lines are not in', async () => {
    const { changed } = await replay(busy.toReversed(), model())
    assert.equal(changed, 71)
  })
})

test('a line tells no secret, and can be read again', () => {
  const fields = new ReplayFields(['x-api-key', 'x-app', 'x-token'], ['level', 'secretName'])
  const x = exchangeOf({
    method: 'POST',
    target: '/a',
    headers: ['x-api-key', 'geheim', 'x-app', 'a"b', 'x-token', 'geheim', 'origin', 'https://a.example'],
  })
  x.identity = new KnownIdentity({
    kind: 'bearer',
    issuer: 'i',
    subject: 's',
    tenant: undefined,
    client: undefined,
    scopes: ['a'],
    roles: ['r'],
    claims: { level: 3, secretName: 'geheim', other: 'geheim' },
    expiresAt: 0,
    session: undefined,
    credentialId: undefined,
  })
  const text = new AccessLines('g', 0, fields).line(x, {
    end: 'complete',
    status: 200,
    fault: undefined,
    receivedBytes: 0,
    sentBytes: 0,
    endedAt: 1,
  })
  assert.ok(!text.includes('geheim'))
  const read = readRecordedLine(text.trimEnd())
  assert.ok(typeof read === 'object')
  assert.deepEqual(read.headers, [
    ['x-api-key', '[redacted]'],
    ['x-app', 'a"b'],
    ['x-token', '[redacted]'],
    ['origin', 'https://a.example'],
  ])
  assert.deepEqual([read.caller?.scopes, read.caller?.roles, read.caller?.claims['level']], [['a'], ['r'], 3])
})
