import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { describe, test } from 'node:test'
import { silentLog } from '../../core/log.ts'
import { silentMeter } from '../../core/meter.ts'
import { contentOf, issuer } from '../../../test/support/identity-world.ts'
import { passkeyWorld } from '../../../test/support/passkey-world.ts'
import { createSoftPasskey } from '../../../test/support/soft-authenticator.ts'
import { attachPasskeysToHub } from './passkey-hub.ts'
import type { CeremonyFaults } from '../../../test/support/soft-authenticator.ts'

const session = '__Host-Http-velum'
const minuteMs = 60_000

describe('a passkey', () => {
  test('is registered on one node and logs in without a name, on another', async (t) => {
    const { world, browser, audit } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const creation = await ada.send('POST', '/auth/passkey/register/options')
    const { publicKey } = contentOf(creation) as { publicKey: Record<string, unknown> }
    assert.equal(publicKey['attestation'], 'none')
    assert.deepEqual(publicKey['authenticatorSelection'], {
      residentKey: 'required',
      userVerification: 'required',
      requireResidentKey: true,
    })
    const passkey = await ada.register()

    const elsewhere = browser(await world.worker())
    const options = contentOf(await elsewhere.send('POST', '/auth/passkey/login/options')) as {
      publicKey: { challenge: string; userVerification: string; allowCredentials?: unknown }
    }
    assert.equal(options.publicKey.userVerification, 'required')
    assert.equal(options.publicKey.allowCredentials, undefined)
    const answer = await elsewhere.send('POST', '/auth/passkey/login', { credential: passkey.use(options.publicKey.challenge) })
    assert.equal(answer.status, 200)
    assert.equal(contentOf(answer)['subject'], 'ada')
    assert.equal(answer.headers.get('cache-control'), 'no-store')
    assert.equal((await elsewhere.send('GET', '/auth/session')).status, 200)
    const { passkeys } = contentOf(await elsewhere.send('GET', '/auth/passkeys')) as { passkeys: Record<string, unknown>[] }
    assert.equal(passkeys.length, 1)
    assert.equal(passkeys[0]['name'], 'Laptop')
    assert.equal(typeof passkeys[0]['last_used'], 'string')
    const login = (await audit()).find(({ event, facts }) => event === 'login' && facts['methods'] === 'hwk mfa')
    assert.equal(login?.facts['subject'], 'ada')
  })

  test('hands a login over as password logins are', async (t) => {
    const { browser } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = await ada.register()
    const page = browser()
    const credential = passkey.use(await page.challenge())
    const answer = await page.send('POST', '/auth/passkey/login', { credential, deliver: 'memory' })
    assert.equal(answer.status, 200)
    assert.equal(typeof contentOf(answer)['access_token'], 'string')
    assert.equal((await page.send('POST', '/auth/passkey/login', { credential, deliver: 'pigeon' })).status, 400)
  })

  test('may be one of several, is renamed and removed, and then logs nobody in', async (t) => {
    const { browser, audit } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const laptop = await ada.register()
    await ada.register({ name: ' Key \u202e ring ' })
    const list = async (): Promise<Record<string, unknown>[]> =>
      (contentOf(await ada.send('GET', '/auth/passkeys')) as { passkeys: Record<string, unknown>[] }).passkeys
    assert.deepEqual(new Set((await list()).map(({ name }) => name)), new Set(['Key ring', 'Laptop']))
    const id = (await list()).find(({ name }) => name === 'Laptop')!['id'] as string
    assert.equal((await ada.send('PATCH', `/auth/passkeys/${id}`, { name: 'Old laptop' })).status, 204)
    assert.equal((await ada.send('PATCH', `/auth/passkeys/${id}`, { name: ' \n ' })).status, 400)
    assert.deepEqual(new Set((await list()).map(({ name }) => name)), new Set(['Key ring', 'Old laptop']))

    const eve = browser()
    await eve.enter('eve')
    assert.equal((await eve.send('PATCH', `/auth/passkeys/${id}`, { name: 'mine' })).status, 404)
    assert.equal((await eve.send('DELETE', `/auth/passkeys/${id}`)).status, 404)

    const page = browser()
    const challenge = await page.challenge()
    assert.equal((await ada.send('DELETE', `/auth/passkeys/${id}`)).status, 204)
    assert.equal((await ada.send('DELETE', `/auth/passkeys/${id}`)).status, 404)
    assert.equal((await page.send('POST', '/auth/passkey/login', { credential: laptop.use(challenge) })).status, 401)
    const entries = await audit()
    assert.ok(entries.some(({ event }) => event === 'passkey-removed'))
    assert.ok(entries.some(({ event, facts }) => event === 'login-failed' && facts['why'] === 'unknown-passkey'))
  })

  test('that is the only way in stays, also when two are removed at the same moment', async (t) => {
    const { browser, world } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    await ada.register()
    await ada.register()
    const ids = (await world.stores.records.owned('passkey', 'ada', 10)).map(({ id }) => id)
    const answers = await Promise.all(ids.map((id) => ada.send('DELETE', `/auth/passkeys/${id}`)))
    assert.ok(answers.some(({ status }) => status === 403))
    assert.ok((await world.stores.records.owned('passkey', 'ada', 10)).length >= 1)
    for (const { id } of await world.stores.records.owned('passkey', 'ada', 10)) await ada.send('DELETE', `/auth/passkeys/${id}`)
    const [last, ...others] = await world.stores.records.owned('passkey', 'ada', 10)
    assert.equal(others.length, 0)
    const refused = await ada.send('DELETE', `/auth/passkeys/${last.id}`)
    assert.equal(refused.status, 403)
    // Whoever has a password can do without.
    const user = (await world.stores.records.get('user', 'ada'))!
    const value = { ...user.value, password: '$argon2id$…' }
    await world.stores.records.update('user', user, { value, schema: 1, expiresAt: Infinity })
    assert.equal((await ada.send('DELETE', `/auth/passkeys/${last.id}`)).status, 204)
  })

  test('is not there without being configured', async (t) => {
    const { browser } = await passkeyWorld(t, { passkeys: undefined })
    assert.equal((await browser().send('POST', '/auth/passkey/login/options')).status, 404)
  })
})

describe('logins by passkey', () => {
  const wrongs: readonly (readonly [string, CeremonyFaults])[] = [
    ['an origin that only looks like ours', { origin: 'https://api.example.com.evil.org' }],
    ['our origin without TLS', { origin: 'http://api.example.com' }],
    ['another domain', { rpId: 'evil.org' }],
    ['a person who was not verified', { isUnverified: true }],
    ['a page in a frame', { isFramed: true }],
    ['the ceremony of a registration', { type: 'webauthn.create' }],
    ['another key', { key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }],
    ['the handle of somebody else', { handle: Buffer.alloc(32).toString('base64url') }],
    ['a challenge that was never given', { challenge: 'A'.repeat(22) }],
  ]
  test('are refused for anything that does not fit, all in the same words', async (t) => {
    const { browser } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = await ada.register()
    for (const [what, faults] of wrongs) {
      const page = browser()
      const credential = passkey.use(await page.challenge(), faults)
      const answer = await page.send('POST', '/auth/passkey/login', { credential })
      assert.equal(answer.status, 401, what)
      assert.equal(contentOf(answer)['detail'], 'The passkey was not accepted.', what)
      assert.equal(page.cookies.has(session), false, what)
    }
  })

  test('use a challenge once, within five minutes, in the browser that asked for it', async (t) => {
    const { browser, world, audit } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = await ada.register()
    const page = browser()
    const credential = passkey.use(await page.challenge())
    assert.equal((await page.send('POST', '/auth/passkey/login', { credential })).status, 200)
    assert.equal((await page.send('POST', '/auth/passkey/login', { credential })).status, 401)

    const other = browser()
    await other.challenge()
    const stolen = passkey.use(await page.challenge())
    assert.equal((await other.send('POST', '/auth/passkey/login', { credential: stolen })).status, 401)
    // Whoever tried with it has used it up.
    assert.equal((await page.send('POST', '/auth/passkey/login', { credential: stolen })).status, 401)

    const late = passkey.use(await page.challenge())
    world.clock.advance(5 * minuteMs + 1)
    assert.equal((await page.send('POST', '/auth/passkey/login', { credential: late })).status, 401)
    const whys = (await audit()).flatMap(({ event, facts }) => (event === 'login-failed' ? [facts['why']] : []))
    assert.deepEqual(new Set(whys), new Set(['another-browser', 'late']))
  })

  test('are finished on whatever node', async (t) => {
    const { browser, world } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = createSoftPasskey(await ada.creation(), issuer)
    const page = browser()
    const challenge = await page.challenge()
    // From here on, the main thread of another node answers.
    const { clock, stores, hub, spec } = world
    attachPasskeysToHub(hub, { clock, log: silentLog, meter: silentMeter, store: () => ({ stores }) }).commit(spec.own)
    assert.equal((await ada.send('POST', '/auth/passkey/register', { credential: passkey.attestation })).status, 201)
    assert.equal((await page.send('POST', '/auth/passkey/login', { credential: passkey.use(challenge) })).status, 200)
  })

  test('do not take the challenge of a registration', async (t) => {
    const { browser } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = await ada.register()
    const { challenge } = await ada.creation()
    assert.equal((await ada.send('POST', '/auth/passkey/login', { credential: passkey.use(challenge) })).status, 401)
  })

  test('block a passkey whose counter goes back, and only on a true signature', async (t) => {
    const { browser, audit } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = await ada.register({ counts: true })
    const page = browser()
    const login = async (faults: CeremonyFaults = {}): Promise<number> => {
      const credential = passkey.use(await page.challenge(), faults)
      return (await page.send('POST', '/auth/passkey/login', { credential })).status
    }
    assert.equal(await login(), 200)
    const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    assert.equal(await login({ counter: 1, key }), 401)
    assert.equal(await login(), 200)
    assert.equal(await login({ counter: 1 }), 401)
    assert.equal(await login(), 401)
    const { passkeys } = contentOf(await ada.send('GET', '/auth/passkeys')) as { passkeys: Record<string, unknown>[] }
    assert.equal(passkeys[0]['blocked'], true)
    assert.equal((await audit()).filter(({ event }) => event === 'passkey-blocked').length, 1)
  })

  test('are not for disabled people', async (t) => {
    const { browser, world } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = await ada.register()
    const user = (await world.stores.records.get('user', 'ada'))!
    const value = { ...user.value, isEnabled: false }
    await world.stores.records.update('user', user, { value, schema: 1, expiresAt: Infinity })
    const page = browser()
    const credential = passkey.use(await page.challenge())
    assert.equal((await page.send('POST', '/auth/passkey/login', { credential })).status, 401)
  })

  test('that fail again and again lock the address for a while, and say for how long', async (t) => {
    const { browser, world } = await passkeyWorld(t)
    const page = browser()
    const send = (): ReturnType<typeof page.send> => page.send('POST', '/auth/passkey/login', { credential: { id: 'x' } })
    let answer = await send()
    for (let i = 0; i < 30 && answer.status === 401; i++) answer = await send()
    assert.equal(answer.status, 429)
    const seconds = Number(answer.headers.get('retry-after'))
    assert.ok(seconds >= 1)
    world.clock.advance(seconds * 1000)
    assert.equal((await send()).status, 401)
  })

  test('say 503 while the store is down, and are not counted', async (t) => {
    const { browser, gate } = await passkeyWorld(t)
    const page = browser()
    await page.challenge()
    gate.isDown = true
    await assert.rejects(page.send('POST', '/auth/passkey/login', { credential: { id: 'x' } }), { code: 'store-down' })
  })

  test('come from our own pages alone', async (t) => {
    const { worker } = await passkeyWorld(t)
    const headers = ['Sec-Fetch-Site', 'cross-site', 'Origin', 'https://evil.org']
    for (const path of ['login/options', 'login', 'register/options', 'register'])
      assert.equal((await worker.ask({ method: 'POST', path: `/auth/passkey/${path}`, headers })).status, 403)
  })
})

describe('registrations', () => {
  test('need a login, and a recent one', async (t) => {
    const { browser, world } = await passkeyWorld(t)
    assert.equal((await browser().send('POST', '/auth/passkey/register/options')).status, 401)
    const ada = browser()
    await ada.enter('ada')
    world.clock.advance(10 * minuteMs)
    const answer = await ada.send('POST', '/auth/passkey/register/options')
    assert.equal(answer.status, 401)
    assert.match(answer.headers.get('www-authenticate')!, /error="insufficient_user_authentication", max_age=600/)
  })

  test('are recent again after a login by a passkey', async (t) => {
    const { browser, world } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = await ada.register()
    world.clock.advance(10 * minuteMs)
    const { passkeys } = contentOf(await ada.send('GET', '/auth/passkeys')) as { passkeys: { id: string }[] }
    assert.equal((await ada.send('DELETE', `/auth/passkeys/${passkeys[0].id}`)).status, 401)
    await ada.send('POST', '/auth/passkey/login', { credential: passkey.use(await ada.challenge()) })
    await ada.register({ name: 'Second' })
  })

  test('are refused for anything that does not fit', async (t) => {
    const { browser } = await passkeyWorld(t)
    const wrongs: readonly CeremonyFaults[] = [
      { origin: 'https://evil.org' },
      { rpId: 'evil.org' },
      { isUnverified: true },
      { isFramed: true },
      { type: 'webauthn.get' },
      { challenge: 'A'.repeat(22) },
      { isAttested: true },
    ]
    for (const faults of wrongs) {
      const ada = browser()
      await ada.enter('ada')
      const passkey = createSoftPasskey(await ada.creation(), issuer, { faults })
      const answer = await ada.send('POST', '/auth/passkey/register', { credential: passkey.attestation })
      assert.equal(answer.status, 422, JSON.stringify(faults))
    }
    const ada = browser()
    await ada.enter('ada')
    for (const credential of [undefined, null, 7, {}, { id: 'a', rawId: 'a', type: 'public-key', response: {} }])
      assert.equal((await ada.send('POST', '/auth/passkey/register', { credential })).status, 422)
    assert.deepEqual(contentOf(await ada.send('GET', '/auth/passkeys')), { passkeys: [] })
  })

  test('belong to the person and the session that began them, and are finished once', async (t) => {
    const { browser } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = createSoftPasskey(await ada.creation(), issuer)
    // Eve, in the same browser: the cookie of the challenge is there.
    await ada.enter('eve')
    assert.equal((await ada.send('POST', '/auth/passkey/register', { credential: passkey.attestation })).status, 422)
    await ada.enter('ada')
    assert.equal((await ada.send('POST', '/auth/passkey/register', { credential: passkey.attestation })).status, 422)
    const another = createSoftPasskey(await ada.creation(), issuer)
    await ada.enter('ada')
    assert.equal((await ada.send('POST', '/auth/passkey/register', { credential: another.attestation })).status, 422)
  })

  test('take no credential that is somebody else’s', async (t) => {
    const { browser } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = await ada.register()
    const eve = browser()
    await eve.enter('eve')
    const copy = createSoftPasskey(await eve.creation(), issuer, { id: Buffer.from(passkey.id, 'base64url') })
    assert.equal((await eve.send('POST', '/auth/passkey/register', { credential: copy.attestation })).status, 422)
    const page = browser()
    const answer = await page.send('POST', '/auth/passkey/login', { credential: passkey.use(await page.challenge()) })
    assert.equal(contentOf(answer)['subject'], 'ada')
  })

  test('may have ids of a thousand bytes', async (t) => {
    const { browser } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = createSoftPasskey(await ada.creation(), issuer, { idBytes: 1023 })
    assert.equal((await ada.send('POST', '/auth/passkey/register', { credential: passkey.attestation })).status, 201)
    const page = browser()
    const credential = passkey.use(await page.challenge())
    assert.equal((await page.send('POST', '/auth/passkey/login', { credential })).status, 200)
  })

  test('are taken back when everything of the person ended meanwhile', async (t) => {
    const { browser, world, worker } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    const passkey = createSoftPasskey(await ada.creation(), issuer)
    // The worker has not heard of it yet.
    worker.stores.deafen()
    await world.stores.generations.raise('ada', 'identity.subjects', world.clock.now() + minuteMs)
    assert.equal((await ada.send('POST', '/auth/passkey/register', { credential: passkey.attestation })).status, 422)
    assert.deepEqual(await world.stores.records.owned('passkey', 'ada', 10), [])
  })

  test('end with the password that an operator replaces', async (t) => {
    const { browser, hub, world, audit } = await passkeyWorld(t, { passwords: { memoryKib: 64, passes: 1, lanes: 1, threads: 1 } })
    await hub.users!.add({ name: 'Ada', password: 'correct horse battery', roles: [], tenant: undefined, subject: undefined })
    const ada = browser()
    await ada.enter('ada')
    const passkey = await ada.register()
    const page = browser()
    await page.send('POST', '/auth/passkey/login', { credential: passkey.use(await page.challenge()) })
    await hub.users!.setPassword('ada', 'another horse battery')
    await world.settle()
    assert.equal((await page.send('GET', '/auth/session')).status, 401)
    const credential = passkey.use(await page.challenge())
    assert.equal((await page.send('POST', '/auth/passkey/login', { credential })).status, 401)
    assert.ok((await audit()).some(({ event, facts }) => event === 'passkey-removed' && facts['by'] === 'admin'))
  })

  test('are not for people whom a provider vouches for', async (t) => {
    const { browser, world } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('p-1')
    const value = { issuer: 'https://idp.example.com', subject: '1' }
    await world.stores.records.create({ kind: 'account', id: 'oidc:x', owner: 'p-1', value, schema: 1, expiresAt: Infinity })
    assert.equal((await ada.send('POST', '/auth/passkey/register/options')).status, 403)
  })

  test('end at twenty', async (t) => {
    const { browser } = await passkeyWorld(t)
    const ada = browser()
    await ada.enter('ada')
    for (let i = 0; i < 20; i++) await ada.register()
    assert.equal((await ada.send('POST', '/auth/passkey/register/options')).status, 403)
  })
})
