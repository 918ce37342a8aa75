import type { Answer } from '../../src/core/answer.ts'
import { jsonAnswer } from '../../src/core/answer.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import type { Handler } from '../../src/core/handler.ts'
import { Headers } from '../../src/core/headers.ts'
import { Lasting } from '../../src/core/lasting.ts'
import { silentLog } from '../../src/core/log.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import { silentMeter } from '../../src/core/meter.ts'
import { compose } from '../../src/core/pipeline.ts'
import type { Stores } from '../../src/core/stores.ts'
import { textBody } from '../../src/core/body.ts'
import { createIdentity } from '../../src/identity/create-identity.ts'
import type { GenerationIdentity } from '../../src/identity/create-identity.ts'
import { attachIdentityToHub } from '../../src/identity/identity-hub.ts'
import type { IdentityHub } from '../../src/identity/identity-hub.ts'
import type { IdentityParts } from '../../src/identity/identity-parts.ts'
import type { IdentitySpec, OwnIssuerSpec } from '../../src/identity/identity-spec.ts'
import { auth } from '../../src/policies/auth.ts'
import type { AuthOptions } from '../../src/policies/auth.ts'
import { createMemoryStores } from '../../src/stores/memory/memory-stores.ts'
import { exchangeOf } from './exchange.ts'
import { GatedStores } from './gated-stores.ts'
import { LocalHub } from './local-hub.ts'
import { policyEnv } from './policy-env.ts'

export const issuer = 'https://api.example.com'
/** What everything is sealed by. */
export const worldSecret = 's'.repeat(32)

/** Velum as an issuer, with short words for what a test changes. */
export function ownIssuer(over: Partial<OwnIssuerSpec> = {}): OwnIssuerSpec {
  return {
    issuer,
    roles: [['staff', ['orders:read']]],
    sessions: { idleMs: 1_800_000, absoluteMs: 43_200_000, sameSite: 'lax' },
    tokens: {
      algorithm: 'ES256',
      accessMs: 600_000,
      refreshMs: 30 * 86_400_000,
      refreshIdleMs: 7 * 86_400_000,
      reuseGraceMs: 10_000,
      deliver: ['session', 'memory', 'token'],
    },
    clients: [],
    ...over,
  }
}

export interface RequestParts {
  readonly method?: string
  readonly path?: string
  readonly cookie?: string
  readonly bearer?: string
  readonly headers?: readonly string[]
  readonly form?: Readonly<Record<string, string>>
}

/** One worker of one node, with a route that needs a session or a token and tells who called. */
export interface WorkerWorld {
  readonly stores: GatedStores
  readonly identity: GenerationIdentity
  readonly parts: IdentityParts
  /** An exchange as the wire and the guard would make it, at the clock's time. */
  exchange(request?: RequestParts): Exchange
  /** What the worker answers. */
  ask(request?: RequestParts): Promise<Answer>
  close(): void
}

export interface IdentityWorld {
  readonly clock: ManualClock
  readonly stores: Stores
  readonly hub: LocalHub
  readonly keys: IdentityHub
  readonly spec: IdentitySpec
  /** Starts a worker that sees the store through a gate of its own. */
  worker(staleMs?: number): Promise<WorkerWorld>
  /** Makes an account and gives it as a login by password. */
  login(
    subject?: string,
    roles?: readonly string[],
  ): Promise<{ account: { subject: string; tenant: string; roles: readonly string[]; isEnabled: true }; methods: ['pwd'] }>
  /** Lets everything that is under way in promises come to its end. */
  settle(): Promise<void>
  close(): Promise<void>
}

/** Nodes in one thread over a store in memory, under a clock that stands still. */
export async function identityWorld(over: Partial<OwnIssuerSpec> = {}): Promise<IdentityWorld> {
  const clock = new ManualClock()
  const stores = createMemoryStores(clock)
  const hub = new LocalHub()
  const spec: IdentitySpec = { path: '/auth', tenantClaim: 'tenant', trustedIssuers: [], apiKeys: [], own: ownIssuer(over) }
  const keys = attachIdentityToHub(hub, {
    clock,
    log: silentLog,
    meter: silentMeter,
    store: () => ({ stores, secrets: [worldSecret] }),
  })
  await keys.prepare({ identity: spec })
  keys.commit()
  const closers: (() => void)[] = []
  return {
    clock,
    stores,
    hub,
    keys,
    spec,
    async worker(staleMs = 0) {
      const gate = new GatedStores(stores, () => clock.monotonic())
      const hold = new Lasting().hold()
      const env = policyEnv({ clock, hold, link: hub.link(), stores: gate })
      const identity = createIdentity(spec, env)
      await identity.ready
      const needs: AuthOptions = { mode: 'required', any: ['bearer', 'session'], scopes: [], roles: [], claims: [], staleMs }
      const built = auth.build(needs, { ...env, authenticators: identity.authenticators, streams: identity.streams })!
      const handler: Handler = identity.before(compose(built.policies, whoAmI(identity)))
      const exchange = (request: RequestParts = {}): Exchange => exchangeFor(request, clock)
      const worker: WorkerWorld = {
        stores: gate,
        identity,
        parts: identity.parts!,
        exchange,
        ask: async (request) => handler(exchange(request)),
        close: () => hold.close(),
      }
      closers.push(() => hold.close())
      return worker
    },
    async login(subject = 'user-1', roles = ['staff']) {
      await stores.records.create({
        kind: 'user',
        id: subject,
        owner: '',
        value: { tenant: 'acme', roles, isEnabled: true },
        schema: 1,
        expiresAt: Infinity,
      })
      return { account: { subject, tenant: 'acme', roles, isEnabled: true }, methods: ['pwd'] }
    },
    async settle() {
      for (let i = 0; i < 20; i++) await Promise.resolve()
      await new Promise((resolve) => setImmediate(resolve))
    },
    async close() {
      for (const close of closers) close()
      keys.close()
      await stores.close()
    },
  }
}

/** The end of the route: who called, and what a service would be told. */
function whoAmI(identity: GenerationIdentity): Handler {
  const tell = identity.tokenEdit!('orders')
  return (x) => {
    const headers = new Headers()
    tell(headers, x)
    const { subject, scopes, session } = x.identity!
    return jsonAnswer(200, { subject, scopes, session, told: headers.get('authorization') })
  }
}

function exchangeFor(request: RequestParts, clock: ManualClock): Exchange {
  const { method = request.form === undefined ? 'GET' : 'POST', path = '/orders', cookie, bearer, form } = request
  const headers = [...(request.headers ?? ['Sec-Fetch-Site', 'same-origin'])]
  if (cookie !== undefined) headers.push('Cookie', cookie)
  if (bearer !== undefined) headers.push('Authorization', `Bearer ${bearer}`)
  if (form !== undefined) headers.push('Content-Type', 'application/x-www-form-urlencoded')
  return exchangeOf({
    method,
    target: path,
    headers,
    ...(form === undefined ? {} : { body: textBody(new URLSearchParams(form).toString()) }),
    startedAt: clock.now(),
    startedMono: clock.monotonic(),
  })
}

/** The content of an answer made here. */
export function contentOf(answer: Answer): Record<string, unknown> {
  const text = answer.body.bytes?.toString() ?? ''
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>)
}

/** `name=value` of a `Set-Cookie` line. */
export function pairOf(setCookie: string): string {
  return setCookie.slice(0, setCookie.indexOf(';'))
}

/** The claims of a token, unverified. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()) as Record<string, unknown>
}
