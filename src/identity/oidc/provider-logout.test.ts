import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { contentOf } from '../../../test/support/identity-world.ts'
import type { FakeProvider } from '../../../test/support/fake-provider.ts'
import { oidcWorld } from '../../../test/support/oidc-world.ts'
import { part, signingKey } from '../../../test/support/token-issuer.ts'
import type { Answer } from '../../core/answer.ts'
import { Fault } from '../../core/fault.ts'

const textOf = (answer: Answer): string => answer.body.bytes?.toString() ?? ''
const event = 'http://schemas.openid.net/event/backchannel-logout'

test('a logout at the provider ends the session that began with it, on every node, and no other', async (t) => {
  const { browser, corp, login, backchannel, world, worker, audit } = await oidcWorld(t)
  const otherNode = await world.worker()
  const [here, phone, bob] = [browser(worker), browser(worker), browser(worker)]
  await login(here)
  corp.session = 'sid-2'
  await login(phone)
  Object.assign(corp, { subject: 'bob', session: 'sid-3' })
  await login(bob)
  const there = browser(otherNode)
  for (const [name, value] of here.cookies) there.cookies.set(name, value)
  for (const one of [here, phone, bob, there]) assert.equal((await one.go('/orders')).status, 200)
  const answer = await backchannel(corp.logoutToken({ sub: 'alice', sid: 'sid-1' }))
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  await world.settle()
  assert.equal((await here.go('/orders')).status, 401)
  assert.equal((await there.go('/orders')).status, 401)
  assert.equal((await phone.go('/orders')).status, 200)
  assert.equal((await bob.go('/orders')).status, 200)
  assert.deepEqual(
    (await audit('session-ended')).map(({ why }) => why),
    ['provider-logout'],
  )
})

test('without a session named, everything of the subject at that provider ends', async (t) => {
  const { browser, corp, partner, login, backchannel, world, worker } = await oidcWorld(t)
  const browsers = [browser(worker), browser(worker), browser(worker)]
  for (const [i, one] of browsers.entries()) {
    corp.session = `sid-${i}`
    await login(one)
  }
  const elsewhere = browser(worker)
  partner.subject = 'alice'
  await login(elsewhere, 'partner')
  assert.equal((await backchannel(corp.logoutToken({ sid: undefined }))).status, 200)
  await world.settle()
  for (const one of browsers) assert.equal((await one.go('/orders')).status, 401)
  assert.equal((await elsewhere.go('/orders')).status, 200)
  world.clock.advance(1000)
  const again = browser(worker)
  assert.equal((await login(again)).status, 303)
  assert.equal((await again.go('/orders')).status, 200, 'what the provider vouches for later is another login')
})

test('a logout by session id alone works, and only for sessions of that subject when one is named', async (t) => {
  const { browser, corp, login, backchannel, world, worker } = await oidcWorld(t)
  const ada = browser(worker)
  await login(ada)
  assert.equal((await backchannel(corp.logoutToken({ sub: 'bob' }))).status, 200)
  await world.settle()
  assert.equal((await ada.go('/orders')).status, 200)
  assert.equal((await backchannel(corp.logoutToken({ sub: undefined }))).status, 200)
  await world.settle()
  assert.equal((await ada.go('/orders')).status, 401)
})

test('a logout that comes between the provider’s word and the session leaves no session', async (t) => {
  for (const what of [{}, { sid: undefined }]) {
    const { browser, corp, callback, backchannel, worker } = await oidcWorld(t)
    const ada = browser(worker)
    const path = await callback(ada)
    let hasHeard = false
    worker.stores.before = async (verb) => {
      if (hasHeard || verb !== 'records.create') return
      hasHeard = true
      assert.equal((await backchannel(corp.logoutToken(what))).status, 200)
    }
    const answer = await ada.go(path)
    assert.equal(hasHeard, true)
    assert.equal(answer.status, 401)
    assert.match(textOf(answer), /You were logged out at The corp meanwhile/)
    assert.ok(!ada.cookies.has('__Host-Http-velum'))
    assert.equal((await worker.stores.records.list('session', '', 10)).records.length, 0)
  }
})

test('a logout token is good once', async (t) => {
  const { browser, corp, login, backchannel, audit, world, log } = await oidcWorld(t)
  const token = corp.logoutToken()
  assert.equal((await backchannel(token)).status, 200)
  world.clock.advance(1000)
  const ada = browser()
  await login(ada)
  const again = await backchannel(token)
  assert.equal(again.status, 400)
  assert.equal(contentOf(again)['error'], 'invalid_request')
  await world.settle()
  assert.equal((await ada.go('/orders')).status, 200)
  assert.equal((await audit('provider-logout')).length, 1)
  assert.ok(log.some(({ fields }) => fields?.['reason'] === 'used before'))
  world.clock.advance(120_000 + 30_000)
  assert.equal((await backchannel(token)).status, 400, 'and too old when its use is forgotten')
})

const liar = signingKey('ES256', 'k1')

/** Logout tokens with one thing wrong each, and what the log says. */
const lies: readonly (readonly [what: string, why: string, token: (p: FakeProvider, seconds: number) => string])[] = [
  ['an ID token', 'with a nonce', (p) => p.logoutToken({ nonce: 'n' }, { typ: 'JWT' })],
  ['no event', 'without the event of a logout', (p) => p.logoutToken({ events: undefined })],
  ['another event', 'without the event of a logout', (p) => p.logoutToken({ events: { 'https://x.example/event': {} } })],
  ['an event that is a text', 'without the event of a logout', (p) => p.logoutToken({ events: { [event]: 'x' } })],
  ['events that are a list', 'without the event of a logout', (p) => p.logoutToken({ events: [event] })],
  ['an empty nonce', 'with a nonce', (p) => p.logoutToken({ nonce: '' })],
  ['the type of an access token', 'of another type', (p) => p.logoutToken({}, { typ: 'at+jwt' })],
  ['another issuer', 'of another issuer', (p) => p.logoutToken({ iss: 'https://partner.example.com' })],
  ['another audience', 'for another audience', (p) => p.logoutToken({ aud: 'another' })],
  ['no audience', 'for another audience', (p) => p.logoutToken({ aud: undefined })],
  ['no time', 'without iat or exp', (p) => p.logoutToken({ iat: undefined })],
  ['no end', 'without iat or exp', (p) => p.logoutToken({ exp: undefined })],
  ['a time that is a text', 'without iat or exp', (p, now) => p.logoutToken({ iat: String(now) })],
  ['a birth in the future', 'issued in the future', (p, now) => p.logoutToken({ iat: now + 31, exp: now + 90 })],
  ['an end in the past', 'expired', (p, now) => p.logoutToken({ iat: now - 90, exp: now - 30 })],
  ['a birth long ago', 'expired', (p, now) => p.logoutToken({ iat: now - 630, exp: now + 999_999 })],
  ['no id', 'without jti', (p) => p.logoutToken({ jti: undefined })],
  ['an id that is a number', 'without jti', (p) => p.logoutToken({ jti: 7 })],
  ['an id without end', 'without jti', (p) => p.logoutToken({ jti: 'x'.repeat(256) })],
  ['nobody meant', 'without sub and sid', (p) => p.logoutToken({ sub: undefined, sid: undefined })],
  ['a subject that is a list', 'without sub and sid', (p) => p.logoutToken({ sub: ['alice'] })],
  ['a session that is empty', 'without sub and sid', (p) => p.logoutToken({ sid: '' })],
  ['a signature of somebody else', 'the signature is wrong', (p) => p.logoutToken({}, {}, liar)],
  ['an unknown key', 'signed by an unknown key', (p) => p.logoutToken({}, { kid: 'k9' })],
  ['a key that it brings along', 'the header holds jwk', (p) => p.logoutToken({}, { jwk: liar.jwk }, liar)],
  [
    'alg none',
    'the algorithm is not the one of the key',
    (p) => `${part({ alg: 'none', kid: 'k1' })}.${p.logoutToken().split('.')[1]}.`,
  ],
  ['HS256 by the client secret', 'the algorithm is not the one of the key', (p) => hmac(p.logoutToken(), p.clientSecret)],
  ['no form', 'not a signed token', () => 'x'],
]

for (const [what, why, token] of lies)
  test(`a logout token with ${what} ends nothing`, async (t) => {
    const { browser, corp, login, backchannel, world, audit, log } = await oidcWorld(t)
    const ada = browser()
    await login(ada)
    const answer = await backchannel(token(corp, Math.floor(world.clock.now() / 1000)))
    assert.equal(answer.status, 400)
    await world.settle()
    assert.equal((await ada.go('/orders')).status, 200)
    assert.deepEqual(contentOf(answer), { error: 'invalid_request' })
    assert.deepEqual(await audit('provider-logout'), [], 'no audit log is filled by who sends such things')
    const said = log.filter(({ message }) => message === 'a logout token was refused')
    assert.deepEqual(
      said.map(({ fields }) => fields!['reason']),
      [why],
    )
  })

test('tokens of providers that do not type them are believed; of the wrong provider not', async (t) => {
  const { corp, backchannel } = await oidcWorld(t)
  assert.equal((await backchannel(corp.logoutToken({}, { typ: 'JWT' }))).status, 200)
  assert.equal((await backchannel(corp.logoutToken({}, { typ: undefined }))).status, 200)
  assert.equal((await backchannel(corp.logoutToken({}, { typ: 'application/logout+jwt' }))).status, 200)
  assert.equal((await backchannel(corp.logoutToken(), 'partner')).status, 400)
  assert.equal((await backchannel(undefined)).status, 400)
})

test('while the store or the keys cannot be had, the provider is told to come again, and may with the same token', async (t) => {
  const { browser, corp, login, backchannel, gate, world } = await oidcWorld(t)
  const token = corp.logoutToken()
  corp.faults.set('*', 'down')
  await assert.rejects(backchannel(token), { code: 'store-down' })
  corp.faults.clear()
  world.clock.advance(5000)
  const ada = browser()
  corp.claims = { iat: Math.floor(world.clock.now() / 1000) - 10 }
  await login(ada)
  for (const failing of ['records.owned', 'records.remove', 'records.create']) {
    gate.before = (verb) => {
      if (verb === failing) throw new Fault('store-down')
    }
    await assert.rejects(backchannel(token), { code: 'store-down' }, failing)
  }
  gate.before = undefined
  assert.equal((await backchannel(token)).status, 200)
  await world.settle()
  assert.equal((await ada.go('/orders')).status, 401)
  assert.equal((await backchannel(token)).status, 400)
})

test('of a flood of junk the log says little', async (t) => {
  const { corp, backchannel, browser, log, audit, world } = await oidcWorld(t)
  for (let i = 0; i < 50; i++) {
    assert.equal((await backchannel(corp.logoutToken({}, {}, liar))).status, 400)
    assert.equal((await browser().go('/auth/oidc/corp/callback?code=x&state=AAAAAAAAAAAAAAAAAAAAAA')).status, 401)
  }
  assert.equal(log.length, 1)
  world.clock.advance(60_000)
  await backchannel('junk')
  assert.equal(log.length, 2)
  assert.equal((await audit('login-failed')).length, 0)
})

test('logging out here tells where to log out there, with no token of the provider’s in it', async (t) => {
  const { browser, login } = await oidcWorld(t)
  const ada = browser()
  await login(ada)
  const answer = await ada.post('/auth/logout', {}, 'application/json')
  assert.equal(answer.status, 200)
  const url = new URL(String(contentOf(answer)['provider_logout']))
  assert.equal(url.origin + url.pathname, 'https://corp.example.com/logout')
  assert.deepEqual(Object.fromEntries(url.searchParams), {
    from: 'metadata',
    client_id: 'velum',
    post_logout_redirect_uri: 'https://api.example.com/auth/login',
  })
  assert.ok(!ada.cookies.has('__Host-Http-velum'))
  assert.equal((await ada.go('/orders')).status, 401)
})

test('a browser without scripts goes on to the provider by a page; the ID token goes along only where that is configured', async (t) => {
  const { browser, login } = await oidcWorld(t, { isIdTokenHinted: true })
  const ada = browser()
  await login(ada)
  const answer = await ada.post('/auth/logout', {})
  assert.equal(answer.status, 200)
  const to = /content="0; url=([^"]+)"/.exec(textOf(answer))![1].replaceAll('&amp;', '&')
  assert.match(new URL(to).searchParams.get('id_token_hint')!, /^eyJ[\w-]+\.[\w-]+\.[\w-]+$/)
  const bob = browser()
  await login(bob, 'partner')
  assert.ok(!textOf(await bob.post('/auth/logout', {})).includes('id_token_hint'))
})

test('a logout here works while the provider, or main, does not answer', async (t) => {
  const { browser, corp, login, world, hub, own } = await oidcWorld(t)
  const [ada, bob] = [browser(), browser()]
  await login(ada)
  await login(bob)
  hub.commit({ ...own, providers: own.providers!.map((spec) => Object.assign({}, spec, { label: 'anew' })) }, '/auth')
  corp.faults.set('*', 'down')
  assert.equal((await ada.post('/auth/logout', {})).status, 204)
  assert.equal((await ada.go('/orders')).status, 401)
  world.hub.isDown = true
  assert.equal((await bob.post('/auth/logout', {})).status, 204)
  assert.equal((await bob.go('/orders')).status, 401)
})

function hmac(honest: string, secret: string): string {
  const front = `${part({ alg: 'HS256', kid: 'k1', typ: 'logout+jwt' })}.${honest.split('.')[1]}`
  return `${front}.${createHmac('sha256', secret).update(front).digest('base64url')}`
}
