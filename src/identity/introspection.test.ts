import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { CountingMeter } from '../../test/support/policy-env.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { Identity } from '../core/identity.ts'
import { BearerAuthenticator, BearerMemory } from './bearer.ts'
import type { IntrospectionSpec, TrustedIssuerSpec } from './identity-spec.ts'
import { newApiKey } from './api-key-text.ts'
import { newCredential } from './credential-text.ts'
import { Introspection } from './introspection.ts'
import { JwtVerifier } from './jwt-verifier.ts'
import { OpaqueTokens } from './opaque-tokens.ts'
import { Rejection } from './rejection.ts'
import type { Revocations } from './revocations.ts'

const endpoint = 'https://issuer.example.com/introspect'

function issuer(over: Partial<IntrospectionSpec> = {}, more: Partial<TrustedIssuerSpec> = {}): TrustedIssuerSpec {
  return {
    name: 'partner',
    issuer: 'https://issuer.example.com',
    jwksUri: undefined,
    jwksFile: undefined,
    audience: ['https://api.example.com'],
    algorithms: ['ES256'],
    tenant: undefined,
    tenants: ['acme'],
    maxLifetimeMs: 86_400_000,
    introspection: {
      endpoint,
      clientId: 'velum gateway',
      clientSecret: 'a:b+c',
      authMethod: 'basic',
      prefix: undefined,
      requiresAudience: true,
      timeoutMs: 2000,
      cacheMs: 30_000,
      staleMs: 0,
      ...over,
    },
    ...more,
  }
}

interface World {
  readonly clock: ManualClock
  readonly meter: CountingMeter
  readonly asked: { url: string; init: RequestInit }[]
  says: (token: string) => unknown
  /** Revoked subjects. */
  readonly revoked: Set<string>
  verify(token: string, mode?: 'charge' | 'peek'): Promise<Identity | Rejection>
  seconds(): number
}

function world(...specs: TrustedIssuerSpec[]): World {
  const clock = new ManualClock()
  const meter = new CountingMeter()
  const revoked = new Set<string>()
  const self: World = {
    clock,
    meter,
    asked: [],
    revoked,
    says: () => ({ active: true, sub: 'user-1', aud: 'https://api.example.com' }),
    async verify(token, mode = 'charge') {
      const x = exchangeOf({ headers: ['Authorization', `Bearer ${token}`], startedAt: clock.now() })
      const presented = bearer.presented(x)
      assert.equal(typeof presented, 'string')
      return bearer.verify(presented!, x, 0, mode)
    },
    seconds: () => Math.floor(clock.now() / 1000),
  }
  const fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    self.asked.push({ url: input as string, init })
    const said = await self.says(new URLSearchParams(init.body as string).get('token')!)
    init.signal?.throwIfAborted()
    if (said instanceof Response) return said
    if (said instanceof Error) throw said
    return new Response(typeof said === 'string' ? said : JSON.stringify(said))
  }
  const introspections = specs.map((spec) => new Introspection(spec, 'tenant', { clock, log: silentLog, meter, fetch }))
  const revocations = {
    epoch: 1,
    isRevoked: ({ subject }: Identity) => revoked.has(subject),
    isKnown: () => true,
    heard: () => Promise.resolve(),
  } as unknown as Revocations
  const bearer = new BearerAuthenticator(
    new JwtVerifier([], 'tenant'),
    new BearerMemory(),
    revocations,
    new OpaqueTokens(introspections),
  )
  return self
}

function reasonOf(found: Identity | Rejection): string {
  return found instanceof Rejection ? found.reason : 'valid'
}

test('asks the issuer as RFC 7662 has it, and takes what it says of the caller', async () => {
  const w = world(issuer())
  w.says = () => ({
    active: true,
    sub: 'user-1',
    client_id: 'app',
    scope: 'a b',
    roles: ['r'],
    tenant: 'acme',
    aud: ['https://api.example.com', 'x'],
    exp: w.seconds() + 600,
    iat: w.seconds(),
    iss: 'https://issuer.example.com',
    token_type: 'Bearer',
  })
  const found = await w.verify('opaque')
  assert.ok(!(found instanceof Rejection))
  const { kind, subject, client, scopes, roles, tenant, expiresAt, issuer: by } = found
  assert.deepEqual(
    { kind, subject, client, scopes, roles, tenant, by },
    {
      kind: 'bearer',
      subject: 'user-1',
      client: 'app',
      scopes: ['a', 'b'],
      roles: ['r'],
      tenant: 'acme',
      by: 'https://issuer.example.com',
    },
  )
  assert.equal(expiresAt, (w.seconds() + 600) * 1000 + 30_000)
  assert.match(found.credentialId!, /^[A-Za-z0-9_-]{43}$/)
  const [{ url, init }] = w.asked
  assert.equal(url, endpoint)
  assert.equal(init.method, 'POST')
  assert.equal(init.redirect, 'error')
  assert.equal(init.body as string, 'token=opaque&token_type_hint=access_token')
  const { authorization } = init.headers as Record<string, string>
  assert.equal(Buffer.from(authorization.slice(6), 'base64').toString(), 'velum+gateway:a%3Ab%2Bc')
})

test('gives its secret in the form where the issuer wants it so', async () => {
  const w = world(issuer({ authMethod: 'post' }))
  await w.verify('opaque')
  const [{ init }] = w.asked
  assert.equal(new URLSearchParams(init.body as string).get('client_secret'), 'a:b+c')
  assert.equal((init.headers as Record<string, string>)['authorization'], undefined)
})

const aud = 'https://api.example.com'
for (const [name, answer, reason] of [
  ['inactive', { active: false, sub: 'x' }, 'inactive'],
  ['of another issuer', { active: true, sub: 'x', aud, iss: 'https://evil.example.com' }, 'unknown-issuer'],
  ['for somebody else', { active: true, sub: 'x', aud: 'https://other.example.com' }, 'other-audience'],
  ['for nobody in particular', { active: true, sub: 'x' }, 'other-audience'],
  ['of nobody', { active: true, aud }, 'missing-claim'],
  ['expired although active', { active: true, sub: 'x', aud, exp: 1 }, 'expired'],
  ['of a tenant that is none of its', { active: true, sub: 'x', aud, tenant: 'other' }, 'other-tenant'],
  ['bound to a key', { active: true, sub: 'x', aud, cnf: { jkt: 'y' } }, 'bound-token'],
  ['of the type DPoP', { active: true, sub: 'x', aud, token_type: 'DPoP' }, 'bound-token'],
  ['with a subject of a wrong type', { active: true, sub: 7, aud }, 'bad-claim'],
  ['with scopes of a wrong type', { active: true, sub: 'x', aud, scope: 7 }, 'bad-claim'],
] as const) {
  test(`a token ${name} proves nobody`, async () => {
    const w = world(issuer())
    w.says = () => answer
    const found = await w.verify('opaque')
    assert.equal(reasonOf(found), reason)
    assert.ok(found instanceof Rejection && !found.isUndecided)
  })
}

test('the audience may go without saying where that was configured', async () => {
  const w = world(issuer({ requiresAudience: false }))
  w.says = () => ({ active: true, client_id: 'job' })
  const found = await w.verify('opaque')
  assert.equal(found instanceof Rejection ? found.reason : found.subject, 'job')
})

test('an endpoint that is down, slow or talks nonsense leaves the token undecided, and is asked again', async () => {
  const w = world(issuer())
  const says: (() => unknown)[] = [
    () => new Error('connect ECONNREFUSED'),
    () => new Response('', { status: 500 }),
    () => new Response('', { status: 401 }),
    () => new Response('', { status: 302, headers: { location: '/' } }),
    () => 'not json',
    () => '[]',
    () => '{}',
    () => '{"active":"true"}',
    () => '{"active":true,"active":false}',
    () => `{"active":true,"sub":"${'x'.repeat(70_000)}"}`,
    () => {
      w.clock.advance(2000)
      return { active: true, sub: 'x', aud }
    },
  ]
  for (const [i, say] of says.entries()) {
    w.says = say
    const found = await w.verify('opaque')
    assert.ok(found instanceof Rejection && found.isUndecided, String(i))
    assert.equal(w.asked.length, i + 1)
  }
  assert.equal(w.meter.counts.get('velum_introspections_total partner failed'), says.length)
  w.says = () => ({ active: true, sub: 'x', aud })
  assert.equal(reasonOf(await w.verify('opaque')), 'valid')
})

test('an answer holds for a while, and never longer than the token', async () => {
  const w = world(issuer())
  const found = await w.verify('opaque')
  assert.equal(await w.verify('opaque'), found)
  assert.equal(w.asked.length, 1)
  await w.verify('another')
  assert.equal(w.asked.length, 2)
  w.clock.advance(30_000)
  await w.verify('opaque')
  assert.equal(w.asked.length, 3)
  w.says = () => ({ active: true, sub: 'x', aud, exp: w.seconds() + 5 })
  await w.verify('short')
  w.clock.advance(29_000)
  const asked = w.asked.length
  await w.verify('short')
  assert.equal(w.asked.length, asked, 'within the tolerance for clocks')
  w.clock.advance(6000)
  w.says = () => ({ active: false })
  assert.equal(reasonOf(await w.verify('short')), 'inactive')
})

test('a refused token is refused without a question for ten seconds, and may become good', async () => {
  const w = world(issuer())
  w.says = () => ({ active: false })
  await w.verify('opaque')
  await w.verify('opaque')
  assert.equal(w.asked.length, 1)
  w.clock.advance(10_000)
  w.says = () => ({ active: true, sub: 'x', aud })
  assert.equal(reasonOf(await w.verify('opaque')), 'valid')
})

test('many who bring one token at one time are one question', async () => {
  const w = world(issuer())
  const found = await Promise.all(Array.from({ length: 50 }, () => w.verify('opaque')))
  assert.equal(w.asked.length, 1)
  assert.equal(new Set(found).size, 1)
})

test('a flood of tokens that nobody has seen does not become a flood of questions', async () => {
  const w = world(issuer())
  let answer: (() => void) | undefined
  const held = new Promise<void>((resolve) => (answer = resolve))
  w.says = async () => {
    await held
    return { active: false }
  }
  const all = Array.from({ length: 100 }, (_, i) => w.verify(`junk-${i}`))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(w.asked.length, 64)
  answer!()
  const undecided = (await Promise.all(all)).filter((found) => found instanceof Rejection && found.isUndecided)
  assert.equal(undecided.length, 36)
})

test('what is revoked here is refused at once, whatever the issuer said before', async () => {
  const w = world(issuer({ staleMs: 600_000 }))
  await w.verify('opaque')
  w.revoked.add('user-1')
  assert.equal(reasonOf(await w.verify('opaque')), 'revoked')
  w.says = () => new Error('down')
  w.clock.advance(31_000)
  assert.equal(reasonOf(await w.verify('opaque')), 'revoked')
})

test('what was good stands in for an issuer that is down, where that was configured, and only while the token lives', async () => {
  const w = world(issuer({ staleMs: 60_000 }))
  w.says = (token) => (token === 'bad' ? { active: false } : { active: true, sub: 'x', aud, exp: w.seconds() + 50 })
  await w.verify('opaque')
  await w.verify('bad')
  w.says = () => new Error('down')
  w.clock.advance(40_000)
  assert.equal(reasonOf(await w.verify('opaque')), 'valid')
  assert.equal(w.meter.counts.get('velum_introspections_total partner stale'), 1)
  assert.equal(reasonOf(await w.verify('bad')), 'introspection-unavailable')
  assert.equal(reasonOf(await w.verify('unknown')), 'introspection-unavailable')
  w.clock.advance(41_000)
  assert.equal(reasonOf(await w.verify('opaque')), 'introspection-unavailable')
})

const jwt = (iss: string): string => `e30.${Buffer.from(JSON.stringify({ iss })).toString('base64url')}.e30`

test('no token is shown to two issuers, nor to one that did not make it', async () => {
  const other = issuer(
    { endpoint: 'https://other.example.com/introspect', prefix: 'oth_' },
    { issuer: 'https://other.example.com' },
  )
  const w = world(issuer(), other)
  await w.verify('oth_secret')
  await w.verify('secret')
  assert.deepEqual(
    w.asked.map(({ url }) => url),
    ['https://other.example.com/introspect', endpoint],
  )
  // A JWT is shown to the issuer that it names, if that one publishes no keys, and to nobody else.
  await w.verify(jwt('https://other.example.com'))
  assert.equal(w.asked.length, 3)
  assert.equal(reasonOf(await w.verify(jwt('https://third.example.com'))), 'bad-header')
  const v = world(issuer({}, { jwksUri: 'https://issuer.example.com/jwks' }))
  await v.verify(jwt('https://issuer.example.com'))
  assert.equal(v.asked.length, 0)
  await v.verify('x'.repeat(8193))
  await v.verify('with space')
  // What is Velum's own, put where it does not belong, is nobody else's business.
  await v.verify(newApiKey().text)
  await v.verify(newCredential().text)
  assert.equal(v.asked.length, 0)
})

test('a peek asks nobody', async () => {
  const w = world(issuer())
  assert.equal(reasonOf(await w.verify('opaque', 'peek')), 'not-asked')
  assert.equal(w.asked.length, 0)
  await w.verify('opaque')
  assert.equal(reasonOf(await w.verify('opaque', 'peek')), 'valid')
})
