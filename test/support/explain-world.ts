import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { checkGateway } from '../../src/config/check.ts'
import type { GatewayModel } from '../../src/config/model.ts'
import { emptyAnswer } from '../../src/core/answer.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import type { Stores } from '../../src/core/stores.ts'
import type { ServiceStandings } from '../../src/gateway/explain-services.ts'
import { completeExplanation } from '../../src/gateway/explain-services.ts'
import type { ExplainQuestion, Explanation } from '../../src/gateway/explanation.ts'
import { openInProcess } from '../../src/gateway/in-process.ts'
import type { InProcess } from '../../src/gateway/in-process.ts'
import { cookieNames } from '../../src/identity/cookies.ts'
import { newCredential, secretHash } from '../../src/identity/credential-text.ts'
import { sessionRecord } from '../../src/identity/session-record.ts'
import type { BreakerStatus } from '../../src/services/node-breakers.ts'
import type { TargetStatus } from '../../src/services/node-targets.ts'
import { createMemoryStores } from '../../src/stores/memory/memory-stores.ts'
import { accessToken, jwkSet, signingKey } from './token-issuer.ts'
import { workFolder } from './velum-process.ts'

export const key = signingKey()
const issuer = 'https://partner.example.com'
const audience = 'https://api.example.com'

const configuration = {
  listeners: {
    plain: { port: 8080, redirect: 'https' },
    web: { port: 8443, tls: { dev: true }, edge: { limits: ['flood'] } },
  },
  store: { kind: 'embedded', path: 'store' },
  services: { orders: { url: 'http://127.0.0.1:7002', breaker: { service: true }, identity: 'none' } },
  identity: {
    path: '/auth',
    issuer: 'https://localhost:8443',
    trustedIssuers: { partner: { issuer, jwks: 'partner.json', audience, tenant: 'partner' } },
    apiKeys: {},
  },
  limits: {
    flood: { algorithm: 'token-bucket', capacity: 50, refill: '50/s', per: ['address'] },
    perTenant: { algorithm: 'token-bucket', capacity: 2, refill: '1/m', per: ['tenant'] },
  },
  penalties: { banned: { for: '1h', per: ['address'] } },
  defaults: { auth: { any: ['bearer'] } },
  routes: [
    {
      name: 'orders',
      match: { path: '/orders/{id?}', methods: ['GET'] },
      to: 'orders',
      auth: { any: ['bearer'], scopes: ['orders:read'] },
      limits: ['perTenant'],
    },
    {
      name: 'upload',
      match: { path: '/upload', methods: ['POST'] },
      to: 'orders',
      auth: 'public',
      body: { max: '1kb', types: ['application/json'] },
      cors: { origins: ['https://app.example.com'] },
    },
    { name: 'staff', match: { path: '/staff' }, to: 'orders', auth: { any: ['bearer'], roles: ['staff'], claims: { level: 3 } } },
    {
      name: 'inside',
      match: { path: '/inside' },
      to: 'orders',
      auth: 'public',
      addresses: { allow: ['10.0.0.0/8'], deny: ['10.6.6.6'] },
    },
    { name: 'down', match: { path: '/down' }, auth: 'public', respond: { status: 503, body: 'We are back at noon.' } },
    { name: 'moved', match: { path: '/moved/**' }, auth: 'public', redirect: { to: '/orders' } },
    {
      name: 'beta',
      match: { path: '/beta', headers: { 'x-beta': '1' }, hosts: ['beta.example.com'] },
      to: 'orders',
      auth: 'public',
    },
    {
      name: 'watched',
      match: { path: '/watched' },
      to: 'orders',
      auth: 'public',
      addresses: { allow: ['10.0.0.0/8'], shadow: true },
    },
    { name: 'page', match: { path: '/page' }, to: 'orders', auth: { any: ['session'] } },
    { name: 'asked', match: { path: '/asked' }, to: 'orders', auth: { any: ['bearer'], external: { service: 'orders' } } },
    { name: 'form', match: { path: '/form' }, to: 'orders', auth: 'public', body: { schema: { type: 'object', required: ['a'] } } },
    { name: 'any-order', match: { path: '/orders/**' }, to: 'orders', auth: 'public' },
  ],
}

/** A gateway without ports that can be asked. */
export interface ExplainWorld {
  readonly model: GatewayModel
  readonly gateway: InProcess
  readonly stores: Stores
  readonly clock: ManualClock
  explain(question: Partial<ExplainQuestion>, standings?: ServiceStandings): Promise<Explanation>
}

/** Made of the configuration above; its one service answers 200. */
export async function explainWorld(t: TestContext): Promise<ExplainWorld> {
  const folder = workFolder(t)
  writeFileSync(join(folder.path, 'partner.json'), jwkSet(key))
  const { model, findings } = checkGateway(configuration, { file: join(folder.path, 'velum.config.json') })
  assert.ok(model !== undefined, JSON.stringify(findings))
  const clock = new ManualClock()
  const stores = createMemoryStores(clock)
  const gateway = await openInProcess({
    model,
    clock,
    store: { stores, secrets: ['s'.repeat(32)] },
    createService: () => ({ service: () => emptyAnswer(200), targets: [], close() {} }),
  })
  t.after(() => gateway.close())
  await gateway.generation.ready
  return {
    model,
    gateway,
    stores,
    clock,
    async explain(asked, standings = standing('in')) {
      const question = { method: 'GET', url: '/', headers: [], ...asked }
      return completeExplanation(await gateway.generation.explain!(question), question, model, standings)
    },
  }
}

/** What main knows of the one service: how its one target stands, and its breaker. */
export function standing(state: TargetStatus['state'], reason?: string, breaker?: BreakerStatus): ServiceStandings {
  const status: TargetStatus = reason === undefined ? { state } : { state, out: { reason, forMs: 4200 } }
  return {
    targets: ({ targets }) => targets,
    standings: { status: () => status, breaker: () => breaker, drain: () => false },
  }
}

/** The header line of a token of the partner's. */
export function bearer(clock: ManualClock, claims: object = {}, by = key): [string, string] {
  return [
    'authorization',
    `Bearer ${accessToken(by, clock.now(), { iss: issuer, sub: 'ada', aud: audience, scope: 'orders:read', ...claims })}`,
  ]
}

/** A session of ada, as a login makes it; gives its id and its cookie. */
export async function session({ stores, clock, model }: ExplainWorld): Promise<{ id: string; cookie: [string, string] }> {
  const { id, secret, text } = newCredential()
  const now = clock.now()
  const value = {
    secret: secretHash(secret),
    subject: 'ada',
    tenant: 'acme',
    roles: [],
    methods: ['pwd'],
    generation: 0,
    device: '',
    address: '',
    startedAt: now,
    seenAt: now,
    endsAt: now + 3_600_000,
  }
  await stores.records.create(sessionRecord(id, value, model.identity.own!.sessions))
  return { id, cookie: ['cookie', `${cookieNames.session}=${text}`] }
}

export const json: [string, string] = ['content-type', 'application/json']
