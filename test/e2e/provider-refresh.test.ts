import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { silentLog } from '../../src/core/log.ts'
import { silentMeter } from '../../src/core/meter.ts'
import type { ProviderSpec } from '../../src/identity/identity-spec.ts'
import { attachLoginToHub } from '../../src/identity/login/login-hub.ts'
import { oidcSeenTopic } from '../../src/identity/oidc/oidc-messages.ts'
import { identityWorld, ownIssuer, pairOf, worldSecret } from '../support/identity-world.ts'
import { LocalHub } from '../support/local-hub.ts'
import { startOpenidProvider } from '../support/openid-provider.ts'

const callback = 'https://api.example.com/auth/oidc/corp/callback'
const nodes = 3
const minuteMs = 60_000

test('a provider that takes a used refresh token for theft never sees one from a fleet', async (t) => {
  const provider = await startOpenidProvider(t, '127.0.0.1', { groups: ['shop'] })
  const { clientId, clientSecret, issuer } = provider
  provider.register({
    redirectUri: callback,
    postLogoutRedirectUri: 'https://api.example.com/auth/login',
    backchannelLogoutUri: 'https://api.example.com/auth/oidc/corp/backchannel-logout',
    port: 1,
  })
  const corp: ProviderSpec = {
    name: 'corp',
    label: 'Corp',
    issuer,
    clientId,
    clientSecret,
    scopes: ['openid', 'offline_access'],
    parameters: [['prompt', 'consent']],
    roles: [],
    rolesClaim: 'groups',
    roleMap: [['shop', ['staff']]],
    tenant: undefined,
    tenants: undefined,
    tenantClaim: 'tenant',
    skewMs: 30_000,
    refreshMs: minuteMs,
    isIdTokenHinted: false,
  }
  const own = { providers: [corp] }
  const world = await identityWorld(own)
  const { clock, stores } = world
  // The provider goes by the clock of this machine.
  clock.setNow(Date.now())
  const hubs = [world.hub, ...Array.from({ length: nodes - 1 }, () => new LocalHub())]
  const mains = hubs.map((hub) => {
    const env = { clock, log: silentLog, meter: silentMeter, store: () => ({ stores, secrets: [worldSecret] }) }
    const main = attachLoginToHub(hub, env)
    main.commit(ownIssuer(own), '/auth')
    return main
  })
  t.after(async () => {
    for (const main of mains) await main.close()
    await world.close()
  })
  const worker = await world.worker()
  const sent = await worker.ask({ path: '/auth/oidc/corp' })
  const { origin, pathname, search } = await provider.authorize(sent.headers.get('location')!, 'ada')
  assert.equal(origin + pathname, callback)
  const back = await worker.ask({ path: pathname + search, cookie: pairOf(sent.headers.get('set-cookie')!) })
  assert.equal(back.status, 303)
  const cookie = pairOf(back.headers.get('set-cookie')!)
  assert.equal((await worker.ask({ cookie })).status, 200)
  const [{ id }] = (await stores.records.list('session', '', 10)).records
  for (let round = 1; round <= 3; round++) {
    clock.advance(minuteMs)
    for (const hub of [...hubs, ...hubs]) {
      hub.link().tell(oidcSeenTopic, id)
      // Another node comes while the first waits for the provider: it must not send the same token.
      for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
    }
    while ((await refreshed()) < round) await sleep(5)
  }
  assert.deepEqual(provider.grants, { refreshed: 3, revoked: 0 })
  assert.equal((await worker.ask({ cookie })).status, 200)

  async function refreshed(): Promise<number> {
    const { entries } = await stores.audit.list('', 1000)
    return entries.filter(({ event }) => event === 'provider-refreshed').length
  }
})
