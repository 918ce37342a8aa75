import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { FakeBrowser, OidcWorld } from '../../../test/support/oidc-world.ts'
import { oidcWorld } from '../../../test/support/oidc-world.ts'

const minuteMs = 60_000

/** Somebody is logged in at a provider that gives refresh tokens; `use` is a request a while later, and what follows from it. */
async function sceneOf(t: TestContext): Promise<OidcWorld & { ada: FakeBrowser; use: (afterMs: number) => Promise<number> }> {
  const world = await oidcWorld(t)
  world.corp.givesRefreshTokens = true
  world.corp.claims = { groups: ['shop'], org: 'acme' }
  const ada = world.browser()
  await world.login(ada)
  const { clock } = world.world
  return {
    ...world,
    ada,
    async use(afterMs) {
      clock.advance(afterMs)
      const { status } = await ada.go('/orders')
      // What the request set off in the background: questions to the store, and to the provider.
      for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve))
      return status
    },
  }
}

test('a session in use is refreshed at the provider now and then, and its tokens rotate unseen', async (t) => {
  const { corp, use, ada, audit } = await sceneOf(t)
  const before = [...corp.refreshTokens]
  assert.equal(await use(minuteMs), 200)
  assert.equal(corp.forms.length, 2)
  assert.notDeepEqual([...corp.refreshTokens], before)
  for (let i = 0; i < 9; i++) assert.equal(await use(minuteMs), 200)
  assert.equal(corp.forms.length, 2, 'not again before it is due')
  for (let i = 0; i < 3; i++) assert.equal(await use(minuteMs), 200)
  assert.equal(corp.forms.length, 3)
  assert.equal(corp.refreshTokens.size, 1)
  assert.deepEqual([...ada.cookies.keys()], ['__Host-Http-velum-login', '__Host-Http-velum'])
  assert.equal((await audit('provider-refreshed')).length, 2)
})

test('however many workers and nodes see a session, one asks', async (t) => {
  const { corp, world, ada, own, worker, hub } = await sceneOf(t)
  const others = [await world.worker(), await world.worker()]
  world.clock.advance(minuteMs)
  const cookie = [...ada.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  await Promise.all([worker, ...others].map((one) => one.ask({ cookie })))
  hub.commit(own, '/auth')
  await Promise.all([worker, ...others].map((one) => one.ask({ cookie })))
  for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(corp.forms.length, 2)
})

test('a provider that no longer vouches ends the session', async (t) => {
  const { corp, use, audit, world } = await sceneOf(t)
  corp.refreshTokens.clear()
  await use(minuteMs)
  assert.equal(await use(1), 401)
  assert.equal((await audit('session-ended'))[0]['why'], 'provider-refused')
  assert.equal((await world.stores.records.list('provider-session', '', 10)).records.length, 0)
})

for (const fault of ['down', 'nonsense', 'huge', 500, 429] as const)
  test(`a provider that is ${fault} logs nobody out, however long`, async (t) => {
    const { corp, use, audit } = await sceneOf(t)
    corp.faults.set('*', fault)
    for (let i = 0; i < 30; i++) assert.equal(await use(minuteMs), 200)
    assert.ok(corp.count('/token') > 2, 'it is asked again')
    corp.faults.clear()
    assert.equal(await use(minuteMs), 200)
    assert.equal(await use(minuteMs), 200)
    assert.equal((await audit('session-ended')).length, 0)
  })

test('an answer that was lost may have used the token up: its refusal afterwards ends nothing', async (t) => {
  const { corp, use, audit } = await sceneOf(t)
  // The provider takes the token and rotates it, and the answer never arrives.
  corp.faults.set('/token', 'down')
  assert.equal(await use(minuteMs), 200)
  corp.faults.clear()
  corp.refreshTokens.clear()
  for (let i = 0; i < 20; i++) assert.equal(await use(minuteMs), 200)
  assert.equal((await audit('session-ended')).length, 0)
  assert.equal((await audit('provider-refreshed'))[0]['refused'], 'the token may have been used up')
  const asked = corp.forms.length
  for (let i = 0; i < 20; i++) assert.equal(await use(minuteMs), 200)
  assert.equal(corp.forms.length, asked, 'and it is not sent again')
})

test('who may do something else by now has to log in again; what is left unsaid changes nothing', async (t) => {
  const { corp, use, audit } = await sceneOf(t)
  corp.isTerse = true
  await use(minuteMs)
  assert.equal(await use(1), 200)
  corp.isTerse = false
  corp.claims = { groups: ['others'], org: 'acme' }
  await use(11 * minuteMs)
  assert.equal(await use(1), 401)
  assert.equal((await audit('session-ended'))[0]['why'], 'claims-changed')
})

test('an answer about somebody else ends the session; one with a forged signature does not', async (t) => {
  const { corp, use } = await sceneOf(t)
  corp.idToken = (honest) => `${honest.slice(0, -4)}AAAA`
  await use(minuteMs)
  assert.equal(await use(1), 200)
  corp.idToken = undefined
  corp.subject = 'mallory'
  await use(2 * minuteMs)
  assert.equal(await use(1), 401)
})

test('sessions without refresh tokens, and sessions by password, ask nobody', async (t) => {
  const { corp, browser, login, world } = await oidcWorld(t)
  const ada = browser()
  await login(ada)
  for (let i = 0; i < 5; i++) {
    world.clock.advance(11 * minuteMs)
    assert.equal((await ada.go('/orders')).status, 200)
    for (let j = 0; j < 10; j++) await new Promise((resolve) => setImmediate(resolve))
  }
  assert.equal(corp.forms.length, 1)
})

test('a token of any length is no burden: one that is too long is not kept', async (t) => {
  const { corp, browser, login, world } = await oidcWorld(t)
  Object.assign(corp, { givesRefreshTokens: true, refreshTokenLength: 100_000 })
  assert.equal((await login(browser())).status, 303)
  const [{ value }] = (await world.stores.records.list('provider-session', '', 10)).records
  assert.ok(JSON.stringify(value).length < 1000)
})

test('a name that stands for another issuer by now gets no token of the old one', async (t) => {
  const { corp, partner, use, hub, own } = await sceneOf(t)
  const [first] = own.providers!
  hub.commit({ ...own, providers: [{ ...first, issuer: partner.issuer }] }, '/auth')
  assert.equal(await use(minuteMs), 200)
  assert.equal(corp.forms.length, 1)
  assert.equal(partner.forms.length, 0)
})
