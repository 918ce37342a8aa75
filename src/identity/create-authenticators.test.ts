import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { identityWorld } from '../../test/support/identity-world.ts'
import { LocalHub } from '../../test/support/local-hub.ts'
import { policyEnv } from '../../test/support/policy-env.ts'
import { accessToken, jwkSet, signingKey } from '../../test/support/token-issuer.ts'
import type { Hold } from '../core/lasting.ts'
import { Lasting } from '../core/lasting.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentMeter } from '../core/meter.ts'
import type { Identity } from '../core/identity.ts'
import type { Authenticators } from './authenticators.ts'
import { availableCredentials } from './authenticators.ts'
import { createAuthenticators } from './create-authenticators.ts'
import { attachIdentityToHub } from './identity-hub.ts'
import type { IdentitySpec, TrustedIssuerSpec } from './identity-spec.ts'
import { Rejection } from './rejection.ts'

const key = signingKey('EdDSA')
const partner: TrustedIssuerSpec = {
  name: 'partner',
  issuer: 'https://issuer.example.com',
  jwksUri: 'https://issuer.example.com/jwks.json',
  jwksFile: undefined,
  audience: ['https://api.example.com'],
  algorithms: ['EdDSA'],
  tenant: 'partner',
  tenants: undefined,
  maxLifetimeMs: 86_400_000,
}
const spec: IdentitySpec = {
  path: '/auth',
  tenantClaim: 'tenant',
  trustedIssuers: [partner],
  apiKeys: [
    {
      id: 'worker',
      sha256: createHash('sha256').update('secret').digest('hex'),
      subject: 'worker',
      tenant: 'acme',
      scopes: [],
      roles: [],
      expiresAt: Infinity,
      addresses: [],
    },
  ],
}

const fetch = async (): Promise<Response> => new Response(jwkSet(key))

/** A node of one worker that recognises callers as `spec` says. */
async function nodeOf(): Promise<{
  clock: ManualClock
  lasting: Lasting
  make(by: IdentitySpec, hold: Hold): Authenticators
  close(): void
}> {
  const clock = new ManualClock()
  const hub = new LocalHub()
  const lasting = new Lasting()
  const identity = attachIdentityToHub(hub, { clock, log: silentLog, meter: silentMeter, fetch })
  await identity.prepare({ identity: spec })
  return {
    clock,
    lasting,
    make: (by, hold) => createAuthenticators(by, policyEnv({ clock, hold, link: hub.link() })),
    close: () => identity.close(),
  }
}

test('callers are recognised by token and by key, from the configuration to the identity', async () => {
  const node = await nodeOf()
  const { bearer, 'api-key': apiKey } = node.make(spec, node.lasting.hold())
  const x = exchangeOf({
    headers: ['authorization', `Bearer ${accessToken(key, node.clock.now())}`, 'x-api-key', 'secret'],
    startedAt: node.clock.now(),
  })
  const caller = (await bearer!.verify(bearer!.presented(x)!, x, 0)) as Identity
  assert.equal(caller.subject, 'user-1')
  assert.equal(caller.tenant, 'partner')
  assert.equal(((await apiKey!.verify(apiKey!.presented(x)!, x, 0)) as Identity).tenant, 'acme')
  node.close()
})

test('there is an authenticator for every kind that is said to be available', async () => {
  const node = await nodeOf()
  const made = node.make({ ...spec, trustedIssuers: [], apiKeys: [] }, node.lasting.hold())
  const world = await identityWorld()
  const { authenticators } = (await world.worker()).identity
  for (const kind of availableCredentials) assert.equal(authenticators[kind]!.kind, kind)
  await world.close()
  const x = exchangeOf()
  assert.ok((await made.bearer!.verify(accessToken(key, node.clock.now()), x, 0)) instanceof Rejection)
  assert.ok((await made['api-key']!.verify('secret', x, 0)) instanceof Rejection)
  node.close()
})

test('keys and remembered tokens outlive a Generation, unless what is said of issuers changed', async () => {
  const node = await nodeOf()
  const x = exchangeOf({ startedAt: node.clock.now() })
  const token = accessToken(key, node.clock.now())
  const first = node.lasting.hold()
  const found = await node.make(spec, first).bearer!.verify(token, x, 0)

  const second = node.lasting.hold()
  const next = node.make({ ...spec, apiKeys: [] }, second)
  first.close()
  assert.equal(next.bearer!.verify(token, x, 0), found, 'at once, and the same object')

  const third = node.lasting.hold()
  const stricter = node.make({ ...spec, trustedIssuers: [{ ...partner, audience: ['https://other.example.com'] }] }, third)
  second.close()
  assert.equal(((await stricter.bearer!.verify(token, x, 0)) as Rejection).reason, 'other-audience')
  third.close()
  assert.equal(node.lasting.size, 0)
  node.close()
})
