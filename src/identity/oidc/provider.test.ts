import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeProvider } from '../../../test/support/fake-provider.ts'
import { oidcWorld, providerSpec } from '../../../test/support/oidc-world.ts'
import { signingKey } from '../../../test/support/token-issuer.ts'
import { silentLog } from '../../core/log.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { silentMeter } from '../../core/meter.ts'
import type { Answer } from '../../core/answer.ts'
import { Provider } from './provider.ts'

const discovery = '/.well-known/openid-configuration'
const textOf = (answer: Answer): string => answer.body.bytes?.toString() ?? ''
/** Real turns of the event loop, for what is under way in the library. */
const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('nothing is asked before the first login, and once however many wait', async (t) => {
  const { browser, corp, partner } = await oidcWorld(t)
  assert.equal(corp.count(discovery), 0)
  const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await browser().go('/auth/oidc/corp')).status))
  assert.deepEqual(new Set(statuses), new Set([302]))
  assert.equal(corp.count(discovery), 1)
  assert.equal(partner.asked.size, 0)
})

/** What metadata may not say. */
const wrongMetadata: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
  ['another issuer', { issuer: 'https://evil.example' }],
  ['an issuer with a slash more', { issuer: 'https://corp.example.com/' }],
  ['no issuer', { issuer: undefined }],
  ['a token endpoint without TLS', { token_endpoint: 'http://corp.example.com/token' }],
  ['a token endpoint on this machine without TLS', { token_endpoint: 'http://127.0.0.1/token' }],
  ['no token endpoint', { token_endpoint: undefined }],
  ['an authorization endpoint that is a script', { authorization_endpoint: 'javascript:alert(1)' }],
  ['keys in a file', { jwks_uri: 'file:///etc/passwd' }],
  ['a logout without TLS', { end_session_endpoint: 'http://corp.example.com/logout' }],
  ['endpoints that are no texts', { jwks_uri: ['https://corp.example.com/jwks'] }],
]

for (const [what, metadata] of wrongMetadata)
  test(`metadata with ${what} is not believed: 503 for logins there, and nothing else changes`, async (t) => {
    const { browser, corp, log, login } = await oidcWorld(t)
    corp.metadata = metadata
    const answer = await browser().go('/auth/oidc/corp')
    assert.equal(answer.status, 503)
    assert.equal(answer.headers.get('retry-after'), '5')
    assert.match(textOf(answer), /The corp cannot be reached at the moment/)
    assert.ok(log.some(({ message }) => message === 'the metadata of a provider cannot be had'))
    assert.equal((await login(browser(), 'partner')).status, 303)
  })

for (const fault of ['down', 'nonsense', 'huge', 500, 404, 302] as const)
  test(`a provider that is ${fault} at discovery is asked again with patience, and works when it is back`, async (t) => {
    const { browser, corp, world, login } = await oidcWorld(t)
    corp.faults.set(discovery, fault)
    for (let i = 0; i < 10; i++) assert.equal((await browser().go('/auth/oidc/corp')).status, 503)
    assert.equal(corp.count(discovery), 1)
    world.clock.advance(2000)
    for (let i = 0; i < 10; i++) assert.equal((await browser().go('/auth/oidc/corp')).status, 503)
    assert.equal(corp.count(discovery), 2)
    world.clock.advance(2000)
    assert.equal((await browser().go('/auth/oidc/corp')).status, 503)
    assert.equal(corp.count(discovery), 2, 'twice as long after the second failure')
    corp.faults.clear()
    world.clock.advance(2000)
    assert.equal((await login(browser())).status, 303)
  })

test('a provider that never answers is given up after five seconds, and takes nobody else’s turn', async (t) => {
  const { browser, corp, world, login } = await oidcWorld(t)
  corp.faults.set('*', 'silent')
  const waiting = browser().go('/auth/oidc/corp')
  await turns()
  assert.equal((await login(browser(), 'partner')).status, 303)
  world.clock.advance(5000)
  assert.equal((await waiting).status, 503)
})

test('of those who wait for a provider that hangs there are so many at most; further ones are told to come later', async (t) => {
  const { browser, corp, world, login } = await oidcWorld(t)
  corp.faults.set('*', 'silent')
  const waiting = Array.from({ length: 250 }, () => browser().go('/auth/oidc/corp'))
  await turns()
  const answer = await browser().go('/auth/oidc/corp')
  assert.equal(answer.status, 503)
  assert.match(textOf(answer), /Logins cannot be checked at the moment/)
  assert.equal((await login(browser(), 'partner')).status, 303)
  world.clock.advance(5000)
  for (const one of await Promise.all(waiting)) assert.equal(one.status, 503)
  corp.faults.clear()
  world.clock.advance(2000)
  assert.equal((await login(browser())).status, 303)
})

test('metadata that cannot be had anew stays in use; what it says anew counts', async (t) => {
  const { browser, corp, world, login } = await oidcWorld(t)
  await login(browser())
  corp.faults.set(discovery, 500)
  world.clock.advance(2 * 3_600_000)
  assert.equal((await login(browser())).status, 303)
  await turns()
  assert.equal(corp.count(discovery), 2)
  corp.faults.clear()
  corp.metadata = { authorization_endpoint: 'https://corp.example.com/moved' }
  world.clock.advance(60_000)
  await browser().go('/auth/oidc/corp')
  await turns()
  const sent = await browser().go('/auth/oidc/corp')
  assert.equal(new URL(sent.headers.get('location')!).pathname, '/moved')
})

test('a token endpoint that fails is a 503 and no verdict; one that speaks nonsense logs nobody in', async (t) => {
  const { browser, corp, callback, audit, world } = await oidcWorld(t)
  for (const [fault, status] of [
    ['down', 503],
    [500, 503],
    [429, 503],
    ['huge', 503],
    ['nonsense', 401],
  ] as const) {
    const ada = browser()
    const path = await callback(ada, 'corp', '/orders')
    corp.faults.set('/token', fault)
    const answer = await ada.go(path)
    assert.equal(answer.status, status, String(fault))
    assert.match(textOf(answer), /href="\/auth\/oidc\/corp\?return_to=%2Forders"/)
    corp.faults.clear()
  }
  assert.deepEqual(
    new Set((await audit('login-failed')).map(({ why }) => why)),
    new Set(['unavailable', 'OAUTH_RESPONSE_IS_NOT_JSON']),
  )
  const ada = browser()
  const path = await callback(ada)
  corp.faults.set('/token', 'silent')
  const waiting = ada.go(path)
  await turns()
  world.clock.advance(5000)
  assert.equal((await waiting).status, 503)
})

test('keys that rotated are found by the next login; junk keys do not become a flood of questions', async (t) => {
  const { browser, corp, callback, login, world } = await oidcWorld(t)
  await login(browser())
  assert.equal(corp.count('/jwks'), 1)
  world.clock.advance(5000)
  corp.key = signingKey('RS256', 'k2')
  corp.published = [corp.key]
  assert.equal((await login(browser())).status, 303)
  assert.equal(corp.count('/jwks'), 2)
  corp.key = signingKey('ES256', 'junk')
  for (let i = 0; i < 20; i++) {
    const ada = browser()
    assert.equal((await ada.go(await callback(ada))).status, 401)
  }
  assert.ok(corp.count('/jwks') <= 3, `${corp.count('/jwks')} questions`)
})

test('keys that cannot be had: 503 for who needs a new one, and the known ones stay good', async (t) => {
  const { browser, corp, callback, login, world } = await oidcWorld(t)
  await login(browser())
  corp.faults.set('/jwks', 'down')
  world.clock.advance(3_600_000)
  assert.equal((await login(browser())).status, 303)
  const honest = corp.key
  corp.key = signingKey('ES256', 'new')
  const ada = browser()
  assert.equal((await ada.go(await callback(ada))).status, 503)
  corp.key = honest
  assert.equal((await login(browser())).status, 303)
})

test('endpoints of the configuration are used without discovery', async (t) => {
  const endpoints = {
    authorization: 'https://corp.example.com/authorize?fixed=1',
    token: 'https://corp.example.com/token',
    jwks: 'https://corp.example.com/jwks',
  }
  const { browser, corp, login } = await oidcWorld(t, { endpoints })
  const ada = browser()
  const sent = new URL((await ada.go('/auth/oidc/corp')).headers.get('location')!)
  assert.equal(sent.searchParams.get('fixed'), '1')
  assert.equal((await login(ada)).status, 303)
  assert.equal(corp.count(discovery), 0)
  const answer = await ada.post('/auth/logout', {})
  assert.equal(answer.status, 204, 'there is no logout to go on to')
})

test('a reload keeps what is known of a provider that stays as it was', async (t) => {
  const { hub, own, browser, corp, callback } = await oidcWorld(t)
  const ada = browser()
  const path = await callback(ada)
  hub.commit(own, '/auth')
  assert.equal((await ada.go(path)).status, 303, 'a login under way goes on')
  assert.equal(corp.count(discovery), 1)
  hub.commit({ ...own, providers: own.providers!.map((spec) => Object.assign({}, spec, { clientId: 'another' })) }, '/auth')
  await browser().go('/auth/oidc/corp')
  assert.equal(corp.count(discovery), 2)
})

test('only an issuer on loopback is reached without TLS', async () => {
  const clock = new ManualClock()
  const fake = new FakeProvider('http://127.0.0.1:9', clock)
  const asked: string[] = []
  const fetch: typeof globalThis.fetch = (input, init) => {
    asked.push(input instanceof Request ? input.url : String(input))
    return fake.fetch(input, init)
  }
  const env = { clock, log: silentLog, meter: silentMeter, fetch }
  const loopback = new Provider(providerSpec('local', fake), env)
  await loopback.known()
  loopback.close()
  assert.equal(asked[0], 'http://127.0.0.1:9/.well-known/openid-configuration')
  asked.length = 0
  const plain = new Provider(providerSpec('plain', fake, { issuer: 'http://corp.example.com' }), env)
  await assert.rejects(plain.known(), { name: 'ProviderUnreachable' })
  plain.close()
  assert.deepEqual(asked, [])
})
