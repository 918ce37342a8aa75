import assert from 'node:assert/strict'
import { hash, createHash } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { TestContext } from 'node:test'
import type { Answer } from '../../core/answer.ts'
import { silentLog } from '../../core/log.ts'
import { silentMeter } from '../../core/meter.ts'
import { contentOf, identityWorld, ownIssuer, pairOf } from '../../../test/support/identity-world.ts'
import type { IdentityWorld, RequestParts, WorkerWorld } from '../../../test/support/identity-world.ts'
import { GatedStores } from '../../../test/support/gated-stores.ts'
import type { OwnIssuerSpec } from '../identity-spec.ts'
import { attachLoginToHub } from './login-hub.ts'
import type { LoginHub } from './login-hub.ts'

const password = 'correct horse battery'
/** Below what a configuration may say: tests hash often. */
const passwords = { memoryKib: 64, passes: 1, lanes: 1, threads: 1 }

interface LoginWorld {
  readonly world: IdentityWorld
  /** The store as main sees it. */
  readonly gate: GatedStores
  readonly worker: WorkerWorld
  readonly hub: LoginHub
  readonly login: (fields: Readonly<Record<string, string>>, request?: RequestParts) => Promise<Answer>
  readonly audit: () => Promise<string[]>
}

const html = ['Sec-Fetch-Site', 'same-origin', 'Accept', 'text/html,application/xhtml+xml,*/*;q=0.8']
const json = ['Sec-Fetch-Site', 'same-origin', 'Accept', 'application/json']

/** A node with the user ada. */
async function loginWorld(t: TestContext, over: Partial<OwnIssuerSpec> = {}): Promise<LoginWorld> {
  const spec = { passwords, ...over }
  const world = await identityWorld(spec)
  const { clock } = world
  const stores = new GatedStores(world.stores, () => clock.monotonic())
  const hub = attachLoginToHub(world.hub, {
    clock,
    log: silentLog,
    meter: silentMeter,
    store: () => ({ stores, secrets: ['s'.repeat(32)] }),
  })
  hub.commit(ownIssuer(spec), '/auth')
  t.after(async () => {
    await hub.close()
    await world.close()
  })
  await hub.users!.add({ name: 'Ada', password, roles: ['staff'], tenant: 'acme', subject: undefined })
  const worker = await world.worker()
  return {
    world,
    gate: stores,
    worker,
    hub,
    login: (fields, request) => worker.ask({ path: '/auth/login', form: fields, headers: json, ...request }),
    audit: async () => (await stores.audit.list('', 100)).entries.map(({ event }) => event),
  }
}

const cookiesOf = (answer: Answer): string[] => answer.headers.all('set-cookie').map((line) => line)
const sessionCookie = (answer: Answer): string => pairOf(cookiesOf(answer).find((line) => line.startsWith('__Host-Http-velum='))!)

test('a login by JSON gives a session that works; case and accents of the name do not matter', async (t) => {
  const { worker, login } = await loginWorld(t)
  const answer = await login({ username: ' ADA', password })
  assert.equal(answer.status, 200)
  assert.equal(contentOf(answer)['subject'], 'ada')
  assert.equal(contentOf(answer)['tenant'], 'acme')
  assert.deepEqual(contentOf(answer)['scopes'], ['orders:read'])
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  for (const line of cookiesOf(answer)) assert.match(line, /; Path=\/; Secure; HttpOnly; SameSite=Lax/)
  assert.equal((await worker.ask({ cookie: sessionCookie(answer) })).status, 200)
})

test('memory gives an access token and the refresh cookie; token gives both in the answer', async (t) => {
  const { worker, login } = await loginWorld(t)
  const memory = await login({ username: 'ada', password, deliver: 'memory' })
  assert.equal(memory.status, 200)
  const { access_token: bearer, expires_in: expiresIn, refresh_token: none } = contentOf(memory)
  assert.equal(expiresIn, 600)
  assert.equal(none, undefined)
  assert.equal((await worker.ask({ bearer: bearer as string })).status, 200)
  const refresh = pairOf(cookiesOf(memory).find((line) => line.startsWith('__Host-Http-velum-refresh='))!)
  assert.equal((await worker.ask({ method: 'POST', path: '/auth/refresh', cookie: refresh })).status, 200)
  const token = await login({ username: 'ada', password, deliver: 'token' })
  assert.deepEqual(cookiesOf(token), [])
  assert.equal(typeof contentOf(token)['refresh_token'], 'string')
})

test('tokens of a login are bound to the program that proves itself with it; what else it sends says nothing', async (t) => {
  const app = { id: 'app', secretSha256: hash('sha256', 'hush'), scopes: [], roles: [], tenant: undefined }
  const { worker, login } = await loginWorld(t, { clients: [app] })
  const fields = { username: 'ada', password, deliver: 'token' }
  const proof = { client_id: 'app', client_secret: 'hush' }
  const bound = contentOf(await login({ ...fields, ...proof }))
  const refresh = { grant_type: 'refresh_token', refresh_token: bound['refresh_token'] as string }
  assert.equal((await worker.ask({ path: '/auth/token', form: refresh })).status, 400)
  assert.equal((await worker.ask({ path: '/auth/token', form: { ...refresh, ...proof } })).status, 200)
  assert.equal((await login({ ...fields, client_id: 'app', client_secret: 'wrong' })).status, 401)
  assert.equal((await login(fields, { headers: [...json, 'Authorization', 'Bearer of-before'] })).status, 200)
})

test('what is not delivered is refused before the password is looked at', async (t) => {
  const { world, login } = await loginWorld(t, { tokens: { ...ownIssuer().tokens, deliver: ['session'] } })
  const asked = world.hub.asked
  assert.equal((await login({ username: 'ada', password, deliver: 'memory' })).status, 403)
  assert.equal((await login({ username: 'ada', password, deliver: 'post' })).status, 400)
  assert.equal((await login({ username: 'ada' })).status, 400)
  assert.equal(world.hub.asked, asked)
})

test('an unknown user, a wrong password and a disabled user get the same answer', async (t) => {
  const { hub, login } = await loginWorld(t)
  await hub.users!.add({ name: 'bob', password, roles: [], tenant: undefined, subject: undefined })
  await hub.users!.disable('bob')
  const answers = [
    await login({ username: 'nobody', password }),
    await login({ username: 'ada', password: 'wrong horse battery' }),
    await login({ username: 'bob', password }),
    await login({ username: 'not a name\n', password }),
    await login({ username: 'ada', password: `${password}\ud800` }),
    await login({ username: 'ada', password: 'x'.repeat(5000) }),
  ]
  for (const answer of answers) {
    assert.equal(answer.status, 401)
    assert.deepEqual(contentOf(answer), contentOf(answers[0]))
    assert.deepEqual(cookiesOf(answer), [])
  }
})

test('an unknown user asks the store and the hashing threads as much as a wrong password does', async (t) => {
  const { gate, login } = await loginWorld(t)
  // The first login of all makes the decoy.
  await login({ username: 'ada', password: 'wrong horse battery' })
  const asked = async (username: string): Promise<Record<string, number>> => {
    gate.calls.clear()
    assert.equal((await login({ username, password: 'wrong horse battery' })).status, 401)
    return Object.fromEntries([...gate.calls].sort(([a], [b]) => (a < b ? -1 : 1)))
  }
  const known = await asked('ada')
  assert.ok(known['records.get'] >= 2)
  const fresh = await asked('nobody')
  // Her second failure is a change of the record that the first has made; otherwise the same.
  assert.deepEqual(fresh, { ...known, 'records.create': 1, 'records.update': 1 })
  assert.deepEqual(await asked('nobody'), known)
})

test('the audit log tells of logins and failures, and holds neither passwords nor what a stranger typed', async (t) => {
  const { world, login, audit } = await loginWorld(t)
  await login({ username: 'hunter2-in-the-wrong-field', password: 'also secret' })
  await login({ username: 'ada', password: 'wrong horse battery' })
  await login({ username: 'ada', password })
  await world.settle()
  assert.deepEqual(await audit(), ['login', 'login-failed', 'login-failed', 'account-changed', 'key-made'])
  const all = JSON.stringify((await world.stores.audit.list('', 100)).entries)
  for (const secret of ['hunter2', 'also secret', password, 'wrong horse']) assert.ok(!all.includes(secret), secret)
  assert.ok(!JSON.stringify(await world.stores.records.list('user', '', 10)).includes(password))
})

test('the audit log tells of every login, failure, lock, rotation, reuse, end, revocation and change, and holds no secret', async (t) => {
  const sha256 = createHash('sha256').update('hush').digest('hex')
  const client = { id: 'worker-1', secretSha256: sha256, scopes: [], roles: [], tenant: undefined }
  const { world, worker, hub, login } = await loginWorld(t, { clients: [client] })
  const secrets = [password, 'a wild guess', 'hush', 'another horse battery']
  const cookies = cookiesOf(await login({ username: 'ada', password })).map((line) => pairOf(line).split('=')[1])
  const post = async (path: string, form: Record<string, string>): Promise<Record<string, unknown>> =>
    contentOf(await worker.ask({ path: `/auth/${path}`, form, headers: json }))
  const first = contentOf(await login({ username: 'ada', password, deliver: 'token' }))
  const refresh = { grant_type: 'refresh_token', refresh_token: first['refresh_token'] as string }
  const second = await post('token', refresh)
  await post('token', refresh)
  world.clock.advance(10_001)
  await post('token', refresh)
  await post('token', refresh)
  const proof = { client_id: 'worker-1', client_secret: 'hush' }
  const { access_token: token } = await post('token', { ...proof, grant_type: 'client_credentials' })
  await post('token', { ...proof, client_secret: 'a wild guess', grant_type: 'client_credentials' })
  await post('revoke', { ...proof, token: token as string })
  const third = contentOf(await login({ username: 'ada', password, deliver: 'token' }))
  await post('revoke', { ...proof, token: third['refresh_token'] as string })
  await worker.ask({ method: 'POST', path: '/auth/logout', cookie: `__Host-Http-velum=${cookies[0]}` })
  while ((await login({ username: 'ada', password: 'a wild guess' })).status !== 429);
  await hub.users!.setPassword('ada', 'another horse battery')
  await hub.users!.disable('ada')
  await world.keys.admin!.revoke({ kind: 'token', issuer: 'https://elsewhere.example', id: 'jti-1' })
  await world.keys.rotateKeys()
  await world.settle()
  const { entries } = await world.stores.audit.list('', 1000)
  assert.deepEqual(
    new Set(entries.map(({ event }) => event)),
    new Set([
      'key-made',
      'account-changed',
      'password-changed',
      'login',
      'login-failed',
      'login-locked',
      'tokens-started',
      'tokens-refreshed',
      'refresh-reused',
      'tokens-refused',
      'tokens-ended',
      'client-token',
      'client-failed',
      'revoked',
      'session-ended',
      'sessions-ended',
    ]),
  )
  const replays = entries.filter(({ event }) => event === 'tokens-refreshed').map(({ facts }) => facts['isReplay'])
  assert.deepEqual(replays, [true, false], 'a rotation and its replay are told apart')
  assert.equal(entries.find(({ event }) => event === 'refresh-reused')!.facts['isLate'], true)
  const all = JSON.stringify(entries)
  const tokens = [first, second, third].flatMap((given) => [given['access_token'], given['refresh_token']])
  for (const text of [...cookies, ...tokens, token] as string[]) secrets.push(text, text.slice(text.lastIndexOf('.') + 1))
  for (const secret of secrets) assert.ok(secret.length > 3 && !all.includes(secret), secret)
})

test('too many failures lock with a true Retry-After, for an account that exists and for one that does not', async (t) => {
  const { world, login } = await loginWorld(t)
  for (const username of ['ada', 'nobody']) {
    let n = 0
    let answer: Answer
    do answer = await login({ username, password: 'wrong horse battery' })
    while (answer.status === 401 && ++n < 50)
    assert.equal(n, 6, username)
    assert.equal(answer.status, 429)
    assert.equal(answer.headers.get('retry-after'), '1')
    world.clock.advance(1000)
    assert.equal((await login({ username, password: 'wrong horse battery' })).status, 401)
  }
  assert.equal((await login({ username: 'ada', password })).status, 429)
  world.clock.advance(2000)
  assert.equal((await login({ username: 'ada', password })).status, 200)
})

test('more logins at once than may wait are told when to come again, and leave no trace in the store', async (t) => {
  const { world, login } = await loginWorld(t)
  const answers = await Promise.all(Array.from({ length: 200 }, (_, i) => login({ username: `user-${i}`, password: 'a guess' })))
  const full = answers.filter(({ status }) => status === 503)
  assert.ok(full.length >= 200 - 65, `${full.length} were refused`)
  for (const answer of full) assert.match(answer.headers.get('retry-after')!, /^[1-9]\d*$/)
  const { records } = await world.stores.records.list('login-failures', '', 1000)
  // One for each account that was judged, and one for the address.
  assert.equal(records.length, 200 - full.length + 1)
})

test('somebody whom others lock out still logs in from a browser that was used before', async (t) => {
  const { login } = await loginWorld(t)
  const device = pairOf(cookiesOf(await login({ username: 'ada', password })).find((line) => line.includes('velum-device'))!)
  while ((await login({ username: 'ada', password: 'wrong horse battery' })).status !== 429);
  assert.equal((await login({ username: 'ada', password })).status, 429)
  assert.equal((await login({ username: 'ada', password }, { cookie: device })).status, 200)
  const forged = `${device.slice(0, -1)}${device.endsWith('A') ? 'B' : 'A'}`
  const other = device.replace('=', '=A')
  for (const cookie of [other, `${forged}x`, '__Host-Http-velum-device=']) {
    assert.equal((await login({ username: 'ada', password }, { cookie })).status, 429, cookie)
  }
})

test('a form leads on to return_to, and only on this origin', async (t) => {
  const { login } = await loginWorld(t)
  const cases = [
    ['/orders?page=2', '/orders?page=2'],
    ['https://evil.example/', '/'],
    ['//evil.example', '/'],
    ['/\\evil.example', '/'],
    ['', '/'],
  ]
  for (const [given, location] of cases) {
    const answer = await login({ username: 'ada', password, return_to: given }, { headers: html })
    assert.equal(answer.status, 303)
    assert.equal(answer.headers.get('location'), location)
    assert.ok(sessionCookie(answer).length > 60)
  }
})

test('the page works without a script, lets none in, and shows what was typed as text', async (t) => {
  const { worker, login } = await loginWorld(t)
  const page = await worker.ask({ path: '/auth/login?return_to=%2Forders%3Fa%3D%22%3E%3Cscript%3E' })
  assert.equal(page.status, 200)
  const text = page.body.bytes!.toString()
  assert.ok(!text.includes('<script'))
  assert.match(text, /name="return_to" value="\/orders\?a=%22%3E%3Cscript%3E"/)
  const policy = page.headers.get('content-security-policy')!
  assert.match(
    policy,
    /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/,
  )
  assert.equal(page.headers.get('x-frame-options'), 'DENY')
  const wrong = await login({ username: '"><b>ada', password, return_to: '/orders?a=1&b=2' }, { headers: html })
  assert.equal(wrong.status, 401)
  const again = wrong.body.bytes!.toString()
  assert.match(again, /role="alert">The user name or the password is wrong\.</)
  assert.match(again, /value="&quot;&gt;&lt;b&gt;ada"/)
  assert.match(again, /name="return_to" value="\/orders\?a=1&amp;b=2"/)
  assert.ok(!again.includes(password))
  let locked: Answer
  do locked = await login({ username: 'ada', password: 'wrong horse battery' }, { headers: html })
  while (locked.status === 401)
  assert.equal(locked.status, 429)
  assert.match(locked.body.bytes!.toString(), /class="message locked"/)
})

test('a page of another site logs nobody in; a listed one does', async (t) => {
  const { login } = await loginWorld(t, { trustedOrigins: ['https://app.example.com'] })
  const from = (site: string, origin: string): Promise<Answer> =>
    login({ username: 'ada', password }, { headers: ['Sec-Fetch-Site', site, 'Origin', origin] })
  assert.equal((await from('cross-site', 'https://evil.example')).status, 403)
  assert.equal((await from('same-site', 'https://other.example.com')).status, 403)
  assert.equal((await login({ username: 'ada', password }, { headers: ['Origin', 'null'] })).status, 403)
  assert.equal((await from('same-site', 'https://app.example.com')).status, 303)
  assert.equal((await login({ username: 'ada', password }, { headers: [] })).status, 303, 'a program sends no Origin')
})

test('a dead store is neither a wrong password nor a lock', async (t) => {
  const { gate, login } = await loginWorld(t)
  gate.isDown = true
  for (let i = 0; i < 30; i++) await assert.rejects(login({ username: 'ada', password }), { code: 'store-down' })
  gate.isDown = false
  assert.equal((await login({ username: 'ada', password })).status, 200)
})

test('disabling ends sessions and families at once; also one that begins while it happens', async (t) => {
  const { world, worker, hub, login } = await loginWorld(t)
  const cookie = sessionCookie(await login({ username: 'ada', password }))
  const bearer = contentOf(await login({ username: 'ada', password, deliver: 'memory' }))['access_token'] as string
  // The password was judged; the session begins when everything has been ended.
  const { records } = worker.stores
  const create = records.create.bind(records)
  let isDisabled = false
  Object.assign(records, {
    create: async (...args: Parameters<typeof create>) => {
      if (!isDisabled) await hub.users!.disable('ada')
      isDisabled = true
      return create(...args)
    },
  })
  const late = sessionCookie(await login({ username: 'ada', password }))
  await world.settle()
  assert.equal(isDisabled, true)
  for (const request of [{ cookie }, { bearer }, { cookie: late }]) assert.equal((await worker.ask(request)).status, 401)
  assert.equal((await login({ username: 'ada', password })).status, 401)
  await hub.users!.enable('ada')
  const again = sessionCookie(await login({ username: 'ada', password }))
  assert.equal((await worker.ask({ cookie: again })).status, 200)
})

test('a changed password ends every session, and the old one is worth nothing', async (t) => {
  const { worker, hub, login } = await loginWorld(t)
  const cookie = sessionCookie(await login({ username: 'ada', password }))
  await hub.users!.setPassword('ada', 'another good password')
  assert.equal((await worker.ask({ cookie })).status, 401)
  assert.equal((await login({ username: 'ada', password })).status, 401)
  assert.equal((await login({ username: 'ada', password: 'another good password' })).status, 200)
})

test('a hash of another cost is made anew at the next login', async (t) => {
  const { world, hub, login } = await loginWorld(t)
  hub.commit(ownIssuer({ passwords: { ...passwords, passes: 2 } }), '/auth')
  const stored = async (): Promise<string> => (await world.stores.records.get('user', 'ada'))!.value['password'] as string
  assert.match(await stored(), /t=1,/)
  assert.equal((await login({ username: 'ada', password })).status, 200)
  // Behind the answer, in a hashing thread; should it never come, the runner's own bound ends the wait.
  while (!(await stored()).includes('m=64,t=2,p=1')) await setTimeout(5)
  assert.equal((await login({ username: 'ada', password })).status, 200)
})

test('users: names are taken once, a half-made one can be finished, clients are nobody’s subjects', async (t) => {
  const { world, hub } = await loginWorld(t, {
    clients: [{ id: 'orders-worker', secretSha256: '0'.repeat(64), scopes: [], roles: [], tenant: undefined }],
  })
  const users = hub.users!
  const order = { password, roles: [], tenant: undefined, subject: undefined }
  await assert.rejects(users.add({ ...order, name: 'ada' }), { kind: 'taken' })
  await assert.rejects(users.add({ ...order, name: 'ＡＤＡ' }), { kind: 'taken' })
  await assert.rejects(users.add({ ...order, name: 'eve', subject: 'ada' }), { kind: 'taken' })
  assert.equal((await users.add({ ...order, name: 'eve' })).subject, 'eve')
  await assert.rejects(users.add({ ...order, name: 'orders-worker' }), { kind: 'taken' })
  await assert.rejects(users.add({ ...order, name: 'mallory', password: 'short' }), { kind: 'invalid' })
  await assert.rejects(users.disable('nobody'), { kind: 'unknown' })
  await world.stores.records.create({
    kind: 'account',
    id: 'name:grace',
    owner: 'grace',
    value: {},
    schema: 1,
    expiresAt: Infinity,
  })
  assert.equal((await users.add({ ...order, name: 'grace' })).subject, 'grace')
  const mail = await users.add({ ...order, name: 'joan@example.com' })
  assert.match(mail.subject, /^u-[\w-]{16}$/)
  assert.deepEqual(
    (await users.list()).map(({ name }) => name),
    ['ada', 'eve', 'grace', 'joan@example.com'],
  )
  assert.ok(!JSON.stringify(await users.list()).includes('argon2'))
})
