import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import type { FakeProvider } from '../../../test/support/fake-provider.ts'
import { contentOf } from '../../../test/support/identity-world.ts'
import { oidcWorld } from '../../../test/support/oidc-world.ts'
import { signed, signingKey } from '../../../test/support/token-issuer.ts'
import type { Answer } from '../../core/answer.ts'

const sessionCookie = '__Host-Http-velum'
const textOf = (answer: Answer): string => answer.body.bytes?.toString() ?? ''

test('a login at a provider: code with PKCE, state and nonce; then a session with the mapped tenant and roles', async (t) => {
  const { browser, corp, worker, audit } = await oidcWorld(t)
  corp.claims = { groups: ['shop', 'constructor'], org: 'acme', email: 'ada@example.com', roles: ['admin'] }
  const ada = browser()
  const sent = await ada.go('/auth/oidc/corp?return_to=%2Forders%3Fa%3Db')
  assert.equal(sent.status, 302)
  assert.equal(sent.headers.get('cache-control'), 'no-store')
  const url = new URL(sent.headers.get('location')!)
  assert.equal(url.origin + url.pathname, 'https://corp.example.com/authorize')
  const asked = Object.fromEntries(url.searchParams)
  assert.deepEqual(
    { ...asked, state: '', nonce: '', code_challenge: '' },
    {
      client_id: 'velum',
      redirect_uri: 'https://api.example.com/auth/oidc/corp/callback',
      response_type: 'code',
      scope: 'openid groups',
      prompt: 'login',
      code_challenge_method: 'S256',
      state: '',
      nonce: '',
      code_challenge: '',
    },
  )
  for (const name of ['state', 'nonce', 'code_challenge']) assert.match(asked[name], /^[\w-]{22,}$/)
  const cookie = sent.headers.get('set-cookie')!
  assert.match(cookie, /^__Host-Http-velum-login=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=600$/)
  const back = await ada.go(corp.authorize(url.href))
  assert.equal(back.status, 303)
  assert.equal(back.headers.get('location'), '/orders?a=b')
  const who = await ada.go('/auth/session')
  const { subject, tenant, roles, scopes, credential } = contentOf(who)
  assert.match(String(subject), /^p-[\w-]{32}$/)
  assert.deepEqual(
    { tenant, roles, scopes, credential },
    { tenant: 'acme', roles: ['member', 'staff'], scopes: ['orders:read'], credential: 'session' },
  )
  assert.equal((await ada.go('/orders')).status, 200)
  assert.deepEqual(
    (await audit('login')).map(({ methods, provider }) => ({ methods, provider })),
    [{ methods: 'fed', provider: 'corp' }],
  )
  assert.equal(corp.forms.length, 1)
  assert.equal(worker.stores.calls.get('records.create'), 3, 'the session and two places in the index')
})

test('an account is found by issuer and subject alone: never by mail, never across providers', async (t) => {
  const { browser, corp, partner, login } = await oidcWorld(t)
  const subjectOf = async (provider: 'corp' | 'partner', subject: string): Promise<unknown> => {
    const somebody = browser()
    const at: FakeProvider = provider === 'corp' ? corp : partner
    at.subject = subject
    at.claims = { email: 'ada@example.com', email_verified: true, preferred_username: 'ada' }
    await login(somebody, provider)
    return contentOf(await somebody.go('/auth/session'))['subject']
  }
  const first = await subjectOf('corp', 'alice')
  assert.equal(await subjectOf('corp', 'alice'), first)
  const others = [await subjectOf('corp', 'Alice'), await subjectOf('corp', 'alice '), await subjectOf('partner', 'alice')]
  assert.equal(new Set([first, ...others]).size, 4)
})

test('changed claims end what was begun with the old ones; a disabled account gets nothing', async (t) => {
  const { browser, corp, login, world, audit } = await oidcWorld(t)
  corp.claims = { groups: ['shop'], org: 'acme' }
  const [before, after] = [browser(), browser()]
  await login(before)
  assert.equal((await before.go('/orders')).status, 200)
  corp.claims = { groups: [], org: 'nobody configured this' }
  await login(after)
  await world.settle()
  assert.equal((await before.go('/orders')).status, 401)
  const { roles, tenant, subject } = contentOf(await after.go('/auth/session'))
  assert.deepEqual({ roles, tenant }, { roles: ['member'], tenant: undefined })
  const record = (await world.stores.records.get('user', String(subject)))!
  await world.stores.records.update('user', record, { ...record, value: { ...record.value, isEnabled: false } })
  const answer = await login(browser())
  assert.equal(answer.status, 401)
  assert.deepEqual(
    (await audit('login-failed')).map(({ why }) => why),
    ['disabled'],
  )
})

test('two logins at two providers in one browser do not disturb each other', async (t) => {
  const { browser, callback } = await oidcWorld(t)
  const ada = browser()
  const first = await callback(ada, 'corp', '/orders?from=corp')
  const second = await callback(ada, 'partner', '/orders?from=partner')
  assert.equal((await ada.go(second)).headers.get('location'), '/orders?from=partner')
  assert.equal((await ada.go(first)).headers.get('location'), '/orders?from=corp')
})

test('a state is good once, in its browser, at its provider, for ten minutes', async (t) => {
  const { browser, callback, corp, world, audit } = await oidcWorld(t)
  const [ada, mallory] = [browser(), browser()]
  const refusedAs = async (answer: Answer, why: string): Promise<void> => {
    assert.equal(answer.status, 401)
    assert.ok(!answer.headers.all('set-cookie').some((line) => line.startsWith(`${sessionCookie}=`)))
    assert.match(textOf(answer), /The login at The corp was not completed|The login at The partner was not completed/)
    const all = (await audit('login-failed')).map((facts) => facts['why'])
    // What anybody can make up is counted, not written down.
    if (why !== 'unknown-state') written.unshift(why)
    assert.deepEqual(all, written)
  }
  const written: string[] = []
  const path = await callback(ada)
  assert.equal((await ada.go(path)).status, 303)
  await refusedAs(await ada.go(path), 'unknown-state')
  await refusedAs(await mallory.go(await callback(ada)), 'another-browser')
  await callback(mallory)
  await refusedAs(await mallory.go(await callback(ada)), 'another-browser')
  await refusedAs(await ada.go((await callback(ada)).replace('/corp/', '/partner/')), 'another-provider')
  const late = await callback(ada)
  world.clock.advance(600_001)
  await refusedAs(await ada.go(late), 'unknown-state')
  const good = await callback(ada)
  await refusedAs(await ada.go(good.replace(/state=[\w-]+/, 'state=AAAAAAAAAAAAAAAAAAAAAA')), 'unknown-state')
  await refusedAs(await ada.go(good.replace(/state=[\w-]+/, '')), 'unknown-state')
  await refusedAs(await ada.go(`${good}&${/state=[\w-]+/.exec(good)![0]}`), 'unknown-state')
  assert.equal(corp.forms.length, 1, 'no code was shown to anybody')
  assert.equal((await ada.go(good)).status, 303, 'what was refused before a look into the store cost nothing')
})

test('of one callback sent many times at once, one logs in', async (t) => {
  const { browser, callback, corp } = await oidcWorld(t)
  const ada = browser()
  const path = await callback(ada)
  const statuses = await Promise.all(Array.from({ length: 10 }, async () => (await ada.go(path)).status))
  assert.deepEqual(
    statuses.toSorted((a, b) => a - b),
    [303, ...Array<number>(9).fill(401)],
  )
  assert.equal(corp.forms.length, 1)
})

test('mix-up: the issuer in the answer is another one, or is missing where it is promised', async (t) => {
  const { browser, callback, corp, partner } = await oidcWorld(t)
  const ada = browser()
  const wrong = (await callback(ada)).replace(encodeURIComponent(corp.issuer), encodeURIComponent(partner.issuer))
  assert.equal((await ada.go(wrong)).status, 401)
  const missing = (await callback(ada)).replace(/&iss=[^&]*/, '')
  assert.equal((await ada.go(missing)).status, 401)
  assert.equal((await ada.go((await callback(ada)).replace('code=', 'response=x&code='))).status, 401)
  assert.equal(corp.forms.length + partner.forms.length, 0, 'no code was shown to anybody')
})

test('a code that was used, or is somebody else’s, logs nobody in', async (t) => {
  const { browser, callback, audit } = await oidcWorld(t)
  const [ada, mallory] = [browser(), browser()]
  const used = await callback(ada)
  await ada.go(used)
  const code = /code=(\w+)/.exec(used)![1]
  const injected = (await callback(mallory)).replace(/code=\w+/, `code=${code}`)
  const answer = await mallory.go(injected)
  assert.equal(answer.status, 401)
  assert.ok(!textOf(answer).includes('secrets of the provider'), 'what a provider writes is shown to nobody')
  assert.equal((await audit('login-failed'))[0]['why'], 'invalid_grant')
  const stolen = /code=(\w+)/.exec(await callback(ada))![1]
  assert.equal((await mallory.go((await callback(mallory)).replace(/code=\w+/, `code=${stolen}`))).status, 401, 'PKCE')
})

test('an error of the provider is a plain page, without its words', async (t) => {
  const { browser, callback, audit, worker } = await oidcWorld(t)
  const ada = browser()
  const path = (await callback(ada, 'corp', '/orders?x=1')).replace(
    /code=\w+/,
    'error=access_denied&error_description=%3Cscript%3Ealert(1)%3C%2Fscript%3E',
  )
  const answer = await ada.go(path)
  assert.equal(answer.status, 401)
  assert.match(textOf(answer), /The login at The corp was not completed. Please try again./)
  assert.ok(!textOf(answer).includes('alert(1)'))
  assert.ok(!textOf(answer).includes('aria-invalid'), 'nobody typed anything wrong')
  assert.match(
    textOf(answer),
    /href="\/auth\/oidc\/corp\?return_to=%2Forders%3Fx%3D1"/,
    'one click tries again, and leads to the same place',
  )
  assert.equal((await audit('login-failed'))[0]['why'], 'access_denied')
  const asProgram = await worker.ask({ path, headers: ['Accept', 'application/json'] })
  assert.equal(asProgram.status, 401)
  assert.equal(asProgram.headers.get('content-type'), 'application/problem+json')
})

const liar = signingKey('ES256', 'k1')
const rsa = signingKey('RS256', 'rsa-1')

const claim = 'OAUTH_JWT_CLAIM_COMPARISON_FAILED'
const invalid = 'OAUTH_INVALID_RESPONSE'
const time = 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED'
const algorithm = 'the algorithm is not the one of the key'
const forged = 'the signature is wrong'

/** ID tokens with one thing wrong each, and what the audit log says of it. */
const lies: readonly (readonly [what: string, why: string, lie: (provider: FakeProvider, seconds: number) => void])[] = [
  ['a wrong nonce', claim, (p) => (p.claims = { nonce: 'another' })],
  ['no nonce', invalid, (p) => (p.claims = { nonce: undefined })],
  ['another issuer', claim, (p) => (p.claims = { iss: 'https://partner.example.com' })],
  ['an issuer that only looks the same', claim, (p) => (p.claims = { iss: 'https://corp.example.com/' })],
  ['another audience', claim, (p) => (p.claims = { aud: 'another' })],
  ['no audience', invalid, (p) => (p.claims = { aud: undefined })],
  ['two audiences and no azp', claim, (p) => (p.claims = { aud: ['velum', 'another'] })],
  ['another azp', claim, (p) => (p.claims = { aud: ['velum', 'another'], azp: 'another' })],
  ['an end in the past', time, (p, now) => (p.claims = { iat: now - 400, exp: now - 31 })],
  ['no end', invalid, (p) => (p.claims = { exp: undefined })],
  ['a birth in the future', 'issued in the future', (p, now) => (p.claims = { iat: now + 32, exp: now + 400 })],
  ['no birth', invalid, (p) => (p.claims = { iat: undefined })],
  ['a start in the future', time, (p, now) => (p.claims = { nbf: now + 40 })],
  ['no subject', invalid, (p) => (p.claims = { sub: undefined })],
  ['an empty subject', 'its subject cannot be one', (p) => (p.claims = { sub: '' })],
  ['a subject without end', 'its subject cannot be one', (p) => (p.claims = { sub: 'x'.repeat(256) })],
  ['a subject that is a list', invalid, (p) => (p.claims = { sub: ['alice'] })],
  ['alg none', 'no key is named', (p) => (p.idToken = (honest) => `${part({ alg: 'none' })}.${honest.split('.')[1]}.`)],
  [
    'alg none with a kid',
    algorithm,
    (p) => (p.idToken = (honest) => `${part({ alg: 'none', kid: 'k1' })}.${honest.split('.')[1]}.`),
  ],
  ['HS256 by the client secret', algorithm, (p) => (p.idToken = (honest) => hmac(honest, p.clientSecret))],
  ['HS256 by the public key', algorithm, (p) => (p.idToken = (honest) => hmac(honest, JSON.stringify(p.key.jwk)))],
  ['a signature of somebody else', forged, (p) => (p.idToken = (honest) => resigned(honest, { alg: 'ES256', kid: 'k1' }))],
  [
    'a key that it brings along',
    'the header holds jwk',
    (p) => (p.idToken = (honest) => resigned(honest, { alg: 'ES256', kid: 'k1', jwk: liar.jwk })),
  ],
  ['an unknown key', 'signed by an unknown key', (p) => (p.header = { kid: 'k2' })],
  ['no key', 'no key is named', (p) => (p.header = { kid: undefined })],
  ['another algorithm than its key', algorithm, (p) => (p.header = { alg: 'RS256' })],
  ['changed claims under the old signature', forged, (p) => (p.idToken = (honest) => swapped(honest))],
  ['no ID token', invalid, (p) => (p.idToken = () => '')],
]

for (const [what, why, lie] of lies)
  test(`nobody is logged in by an ID token with ${what}`, async (t) => {
    const { browser, callback, corp, world, audit } = await oidcWorld(t)
    corp.metadata = { id_token_signing_alg_values_supported: ['ES256', 'RS256', 'HS256', 'none'] }
    corp.published = [corp.key, rsa]
    const ada = browser()
    const path = await callback(ada)
    lie(corp, Math.floor(world.clock.now() / 1000))
    const answer = await ada.go(path)
    assert.equal(answer.status, 401)
    assert.deepEqual([...ada.cookies.keys()], ['__Host-Http-velum-login'])
    assert.deepEqual(
      (await audit('login-failed')).map((facts) => facts['why']),
      [why],
    )
    assert.equal((await world.stores.records.list('user', '', 10)).records.length, 0, 'nobody was made an account')
  })

test('clocks may differ by the tolerance, in both directions', async (t) => {
  const { browser, callback, corp, world } = await oidcWorld(t)
  const ada = browser()
  for (const claims of [
    { iat: -300, exp: -29 },
    { iat: 29, exp: 300 },
  ]) {
    const path = await callback(ada)
    const now = Math.floor(world.clock.now() / 1000)
    corp.claims = { iat: now + claims.iat, exp: now + claims.exp }
    assert.equal((await ada.go(path)).status, 303)
  }
})

test('nobody is led elsewhere after a login', async (t) => {
  const { browser, callback } = await oidcWorld(t)
  const ada = browser()
  const elsewhere = [
    'https://evil.example/',
    '//evil.example',
    '/\\evil.example',
    '/%5c/evil.example/../..//evil.example',
    'javascript:alert(1)',
    '/\tevil',
    '/auth/login',
    '/auth/oidc/partner',
    '/x/../auth/oidc/corp?y',
  ]
  for (const returnTo of elsewhere) {
    const location = (await ada.go(await callback(ada, 'corp', returnTo))).headers.get('location')!
    assert.ok(
      location === '/' || URL.parse(location, 'https://api.example.com')?.origin === 'https://api.example.com',
      `${returnTo} → ${location}`,
    )
    assert.ok(!location.startsWith('/auth/'), `${returnTo} → ${location}`)
  }
})

test('with strict cookies the way back ends on a page that goes on by itself', async (t) => {
  const sessions = { idleMs: 1_800_000, absoluteMs: 43_200_000, sameSite: 'strict' } as const
  const { browser, login } = await oidcWorld(t, {}, { sessions })
  const answer = await login(browser(), 'corp', '/orders?a=1&b="x"')
  assert.equal(answer.status, 200)
  assert.match(textOf(answer), /<meta http-equiv="refresh" content="0; url=\/orders\?a=1&amp;b=%22x%22">/)
  assert.match(answer.headers.get('set-cookie')!, /SameSite=Strict/)
  assert.match(answer.headers.get('content-security-policy')!, /^default-src 'none';/)
})

test('each provider has a link on the login page, which keeps where one wanted to go', async (t) => {
  const { worker } = await oidcWorld(t, { label: 'A & B <Corp>' })
  const page = textOf(await worker.ask({ path: '/auth/login?return_to=%2Forders' }))
  assert.match(
    page,
    /<a class="button plain" href="\/auth\/oidc\/corp\?return_to=%2Forders" rel="nofollow">Log in with A &amp; B &lt;Corp&gt;<\/a>/,
  )
  assert.match(page, /href="\/auth\/oidc\/partner\?return_to=%2Forders"/)
  assert.ok(!textOf(await worker.ask({ path: '/auth/login?return_to=https%3A%2F%2Fevil.example' })).includes('evil'))
  assert.equal((await worker.ask({ path: '/auth/oidc/nobody' })).status, 404)
})

test('a store that is down makes no login and loses none: a page says so, and the same click works later', async (t) => {
  const { browser, callback, gate, worker } = await oidcWorld(t)
  const ada = browser()
  gate.isDown = true
  const answer = await ada.go('/auth/oidc/corp')
  assert.equal(answer.status, 503)
  assert.equal(answer.headers.get('retry-after'), '1')
  assert.match(textOf(answer), /Please try again shortly/)
  gate.isDown = false
  const path = await callback(ada)
  gate.isDown = true
  assert.equal((await ada.go(path)).status, 503)
  gate.isDown = false
  worker.stores.isDown = true
  assert.equal((await ada.go(path)).status, 503)
  worker.stores.isDown = false
  assert.equal((await ada.go(await callback(ada))).status, 303)
})

test('whoever begins logins without end is told to wait, and others are not', async (t) => {
  const { worker } = await oidcWorld(t)
  const statuses = new Map<number, number>()
  for (let i = 0; i < 310; i++) {
    const { status } = await worker.ask({ path: '/auth/oidc/corp' })
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
  }
  assert.deepEqual(
    [...statuses],
    [
      [302, 300],
      [503, 10],
    ],
  )
})

test('what is kept of a login under way and of tokens is of no use to who copies the store', async (t) => {
  const { browser, callback, corp, world } = await oidcWorld(t, { isIdTokenHinted: true })
  corp.givesRefreshTokens = true
  const ada = browser()
  const path = await callback(ada)
  const under = (await world.stores.records.list('login', '', 10)).records
  assert.equal(under.length, 1)
  const [{ value }] = under
  assert.ok(!JSON.stringify(value).includes(ada.cookies.get('__Host-Http-velum-login')!), 'the cookie is there as a hash')
  await ada.go(path)
  const verifier = corp.forms[0].get('code_verifier')!
  assert.ok(!JSON.stringify(value).includes(verifier))
  const kept = JSON.stringify((await world.stores.records.list('provider-session', '', 10)).records)
  for (const token of corp.refreshTokens) assert.ok(!kept.includes(token))
  assert.ok(!kept.includes('eyJ'), 'no token stands there in clear')
})

function part(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

function hmac(honest: string, secret: string): string {
  const front = `${part({ alg: 'HS256', kid: 'k1' })}.${honest.split('.')[1]}`
  return `${front}.${createHmac('sha256', secret).update(front).digest('base64url')}`
}

function resigned(honest: string, header: object): string {
  return signed(header, JSON.parse(Buffer.from(honest.split('.')[1], 'base64url').toString()) as object, liar)
}

function swapped(honest: string): string {
  const [header, claims, end] = honest.split('.')
  const said = JSON.parse(Buffer.from(claims, 'base64url').toString()) as object
  return `${header}.${part({ ...said, sub: 'admin' })}.${end}`
}
