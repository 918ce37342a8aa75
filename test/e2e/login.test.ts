import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { serviceOf } from '../support/http-service.ts'
import { httpsAsker } from '../support/velum-https.ts'
import type { Reply } from '../support/velum-https.ts'
import { readyListeners, runCommand, runVelum, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('login.yaml', import.meta.url), 'utf8')
const password = 'correct horse battery'

/** A service that answers with the headers it got. */
function upstreamOf(t: TestContext): Promise<string> {
  return serviceOf(t, (incoming, response) => {
    incoming.resume().on('end', () => response.end(JSON.stringify({ method: incoming.method, ...incoming.headers })))
  })
}

const sessionOf = (reply: Reply): string => reply.cookies.find((pair) => pair.startsWith('__Host-Http-velum='))!
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what is expected is checked by the assertions
const jsonOf = <T = Record<string, unknown>>(text: string): T => JSON.parse(text) as T

test('people, from the shell to the service, over TLS, two workers and the embedded store', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const options = { folder: folder.path, env: { UPSTREAM: await upstreamOf(t) } }
  const velum = (args: readonly string[], input = ''): ReturnType<typeof runCommand> => runCommand(args, { ...options, input })

  await t.test('users are kept without a gateway', async () => {
    const adding = ['user', 'add', 'Ada', '--password-stdin', '--roles', 'staff,ops', '--tenant', 'acme']
    const added = await runVelum(t, adding, { ...options, input: `${password}\n` })
    assert.equal(added.code, 0, added.err)
    assert.equal(added.out, 'ada (subject ada) added\n')
    const again = await velum(['user', 'add', 'ada', '--password-stdin'], password)
    assert.equal(again.code, 1)
    assert.match(again.err, /^velum: there is a user "ada" already/m)
    const short = await velum(['user', 'add', 'bob', '--password-stdin'], 'short')
    assert.equal(short.code, 1)
    assert.ok(!short.err.includes('"short"'))
    assert.equal((await velum(['user', 'add', 'bob'])).code, 2, 'no terminal to ask in')
    assert.equal((await velum(['user', 'add'])).code, 2)
    assert.equal((await velum(['user', 'dance', 'ada'])).code, 2)
    assert.equal((await velum(['user', 'disable', 'nobody'])).code, 1)
    const listed = await velum(['user', 'list', '--json'])
    assert.deepEqual(
      jsonOf<Record<string, unknown>[]>(listed.out).map(({ name, subject, tenant, roles, isEnabled }) => ({
        name,
        subject,
        tenant,
        roles,
        isEnabled,
      })),
      [{ name: 'ada', subject: 'ada', tenant: 'acme', roles: ['staff', 'ops'], isEnabled: true }],
    )
    assert.ok(!listed.out.includes('argon2'))
    const rotated = await runVelum(t, ['keys', 'rotate', '--json'], options)
    assert.equal(rotated.code, 0, rotated.err)
    assert.match(jsonOf<{ kid: string }>(rotated.out).kid, /^[\w-]{43}$/)
  })

  const running = startVelum(t, ['run', '--workers', '2'], options)
  const base = (await readyListeners(running))['web'].replace('127.0.0.1', 'localhost')
  const ask = httpsAsker(base, folder.path)
  const login = (fields: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}): Promise<Reply> =>
    ask('POST', '/auth/login', { json: { username: 'ada', password, ...fields }, headers })
  const navigation = { accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-site': 'none' }

  await t.test('a person navigates, is led to the page, logs in by its form, and comes back', async () => {
    const led = await ask('GET', '/orders/1?a=b', { headers: navigation })
    assert.equal(led.status, 302)
    assert.equal(led.headers.location, '/auth/login?return_to=%2Forders%2F1%3Fa%3Db')
    const page = await ask('GET', led.headers.location, { headers: navigation })
    assert.equal(page.status, 200)
    assert.match(page.content, /name="return_to" value="\/orders\/1\?a=b"/)
    const form = { username: 'ada', password, return_to: '/orders/1?a=b' }
    const back = await ask('POST', '/auth/login', {
      form,
      headers: { accept: 'text/html', 'sec-fetch-site': 'same-origin', origin: base },
    })
    assert.equal(back.status, 303)
    assert.equal(back.headers.location, '/orders/1?a=b')
    const cookie = sessionOf(back)
    const seen = await ask('GET', '/orders/1?a=b', { headers: { ...navigation, cookie: back.cookies.join('; ') } })
    assert.equal(seen.status, 200)
    assert.ok(!seen.content.includes('__Host-Http-velum'))
    assert.deepEqual(jsonOf((await ask('GET', '/auth/session', { headers: { cookie } })).content)['roles'], ['staff', 'ops'])
  })

  await t.test('scripts and what is no GET get their 401', async () => {
    assert.equal((await ask('GET', '/orders/1', { headers: { accept: '*/*', 'sec-fetch-mode': 'cors' } })).status, 401)
    assert.equal((await ask('POST', '/orders/1', { headers: navigation, form: { a: '1' } })).status, 401)
  })

  await t.test('a session acts for pages of its own origin only', async () => {
    const cookie = sessionOf(await login({}))
    const post = (headers: Readonly<Record<string, string>>): Promise<Reply> =>
      ask('POST', '/orders/1', { headers: { cookie, ...headers }, json: {} })
    assert.equal((await post({ 'sec-fetch-site': 'same-origin' })).status, 200)
    const foreign = await post({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' })
    assert.equal(foreign.status, 403)
    assert.equal(jsonOf(foreign.content)['policy'], 'csrf')
    assert.equal((await post({})).status, 403)
    assert.equal((await login({}, { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' })).status, 403)
    assert.equal((await ask('POST', '/auth/logout', { headers: { cookie, 'sec-fetch-site': 'cross-site' } })).status, 403)
    assert.equal((await ask('POST', '/auth/refresh', { headers: { 'sec-fetch-site': 'cross-site' } })).status, 403)
  })

  await t.test(
    'every delivery gives what reaches the service; a token tells what it is and can be revoked from the shell',
    async () => {
      const memory = jsonOf<{ access_token: string }>((await login({ deliver: 'memory' })).content)
      const bearer = { authorization: `Bearer ${memory.access_token}` }
      assert.equal((await ask('GET', '/orders/1', { headers: bearer })).status, 200)
      const inspected = await velum(['token', 'inspect', '--json'], memory.access_token)
      assert.equal(inspected.code, 0, inspected.err)
      const { kind, status, claims } = jsonOf<{ kind: string; status: string; claims: { sub: string } }>(inspected.out)
      assert.deepEqual({ kind, status, sub: claims.sub }, { kind: 'jwt', status: 'valid', sub: 'ada' })
      assert.equal(
        jsonOf((await velum(['token', 'inspect', '--json'], `${memory.access_token.slice(0, -8)}AAAAAAAA`)).out)['status'],
        'bad-signature',
      )
      assert.equal((await velum(['token', 'inspect'], 'nonsense')).code, 1)
      const revoked = await runVelum(t, ['token', 'revoke'], { ...options, input: memory.access_token })
      assert.equal(revoked.code, 0, revoked.err)
      assert.match(revoked.out, /^revoked: token https:\/\/localhost:8443 /)
      await until(async () => (await ask('GET', '/orders/1', { headers: bearer })).status === 401)
      assert.equal(jsonOf((await velum(['token', 'inspect', '--json'], memory.access_token)).out)['status'], 'revoked')
      const both = jsonOf<{ refresh_token: string }>((await login({ deliver: 'token' })).content)
      assert.equal(jsonOf((await velum(['token', 'inspect', '--json'], both.refresh_token)).out)['kind'], 'refresh-token')
      assert.equal((await velum(['token', 'revoke'], both.refresh_token)).code, 0)
      const refreshed = await ask('POST', '/auth/token', {
        form: { grant_type: 'refresh_token', refresh_token: both.refresh_token },
      })
      assert.equal(refreshed.status, 400)
    },
  )

  await t.test('disabling from the shell ends what a user has, on every worker', async () => {
    assert.equal((await velum(['user', 'add', 'bob', '--password-stdin', '--roles', 'staff'], password)).code, 0)
    const cookie = sessionOf(await login({ username: 'bob' }))
    assert.equal((await ask('GET', '/orders/1', { headers: { cookie } })).status, 200)
    const disabled = await velum(['user', 'disable', 'bob'])
    assert.equal(disabled.code, 0, disabled.err)
    for (let i = 0; i < 6; i++) await until(async () => (await ask('GET', '/orders/1', { headers: { cookie } })).status === 401)
    assert.equal((await login({ username: 'bob' })).status, 401)
    assert.equal((await velum(['user', 'enable', 'bob'])).code, 0)
    assert.equal((await velum(['user', 'passwd', 'bob', '--password-stdin'], 'another good password')).code, 0)
    assert.equal((await login({ username: 'bob' })).status, 401)
    assert.equal((await login({ username: 'bob', password: 'another good password' })).status, 200)
  })

  await t.test('failures lock, over both workers together', async () => {
    const statuses: number[] = []
    for (let i = 0; i < 8; i++) statuses.push((await login({ username: 'eve', password: 'wrong horse battery' })).status)
    assert.ok(statuses.includes(429), statuses.join())
    assert.ok(statuses.indexOf(429) >= 5, statuses.join())
    const locked = await login({ username: 'eve' })
    assert.equal(locked.status, 429)
    assert.ok(Number(locked.headers['retry-after']) >= 1)
  })

  await t.test('the admin API shows what happened, without secrets', async () => {
    const line = readFileSync(join(folder.path, '.velum', 'gateway.lock'), 'utf8')
    const { admin } = jsonOf<{ admin: string }>(line)
    const token = readFileSync(join(folder.path, '.velum', 'admin.token'), 'utf8').trim()
    const got = await fetch(new URL('/api/audit', admin), { headers: { authorization: `Bearer ${token}` } })
    const text = await got.text()
    const events = new Set(jsonOf<{ entries: { event: string }[] }>(text).entries.map(({ event }) => event))
    for (const event of ['login', 'login-failed', 'login-locked', 'account-changed', 'password-changed', 'revoked', 'key-made'])
      assert.ok(events.has(event), event)
    assert.ok(!text.includes(password))
    assert.equal((await fetch(new URL('/api/users', admin))).status, 401)
  })

  running.kill('SIGTERM')
  assert.equal((await running.ended).code, 0)
})

/** Waits for what is heard within a second. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  const began = performance.now()
  while (!(await isSo())) assert.ok(performance.now() - began < 10_000, 'it did not come')
}
