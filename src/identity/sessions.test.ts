import assert from 'node:assert/strict'
import { test } from 'node:test'
import { claimsOf, contentOf, identityWorld, issuer, pairOf } from '../../test/support/identity-world.ts'
import { revoke } from './revoked.ts'

const idle = (): void => {}

test('a login gives an opaque cookie that works on every node, and whose secret the store does not hold', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const [one, other] = [await world.worker(), await world.worker()]
  const { id, setCookie, identity } = await one.parts.sessions.start(await world.login(), one.exchange())
  assert.match(setCookie, /^__Host-Http-velum=[\w-]{22}\.[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  assert.equal(identity.session, id)
  const answer = await other.ask({ cookie: pairOf(setCookie) })
  assert.equal(answer.status, 200)
  assert.deepEqual(
    { ...contentOf(answer), told: undefined },
    { subject: 'user-1', scopes: ['orders:read'], session: id, told: undefined },
  )
  const record = await world.stores.records.get('session', id)
  assert.ok(!JSON.stringify(record).includes(setCookie.split('.')[1].split(';')[0]))
})

test('the usual request asks no store, and a service gets the same token for half a minute', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const cookie = pairOf((await worker.parts.sessions.start(await world.login(), worker.exchange())).setCookie)
  const first = contentOf(await worker.ask({ cookie }))['told'] as string
  const before = JSON.stringify([...worker.stores.calls])
  assert.equal(contentOf(await worker.ask({ cookie }))['told'], first)
  assert.equal(JSON.stringify([...worker.stores.calls]), before)
  const claims = claimsOf(first)
  assert.equal(claims['iss'], issuer)
  assert.equal(claims['aud'], 'orders')
  assert.equal(claims['tenant'], 'acme')
  assert.equal((claims['exp'] as number) - (claims['iat'] as number), 60)
  world.clock.advance(31_000)
  assert.notEqual(contentOf(await worker.ask({ cookie }))['told'], first)
})

test('64 requests of one unknown session are one question to the store', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const [one, other] = [await world.worker(), await world.worker()]
  const cookie = pairOf((await one.parts.sessions.start(await world.login(), one.exchange())).setCookie)
  other.stores.before = (verb) => (verb === 'records.get' ? new Promise((resolve) => setImmediate(resolve)) : undefined)
  const answers = await Promise.all(Array.from({ length: 64 }, () => other.ask({ cookie })))
  assert.ok(answers.every(({ status }) => status === 200))
  assert.equal(other.stores.calls.get('records.get'), 1)
})

test('a session ended on one node is refused on every other, and cannot be brought back by a read under way', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const [one, other, third] = [await world.worker(), await world.worker(), await world.worker()]
  const { id, setCookie } = await one.parts.sessions.start(await world.login(), one.exchange())
  const cookie = pairOf(setCookie)
  assert.equal((await other.ask({ cookie })).status, 200)
  // The third has read the record and is about to keep it when the end is heard.
  let goOn: () => void = idle
  const { records } = third.stores
  const read = records.get.bind(records)
  Object.assign(records, {
    get: async (...args: Parameters<typeof read>) => {
      const record = await read(...args)
      await new Promise<void>((resolve) => (goOn = resolve))
      return record
    },
  })
  const late = third.ask({ cookie })
  await world.settle()
  assert.equal(await one.parts.sessions.end('user-1', id, 'logout'), true)
  goOn()
  assert.equal((await late).status, 401)
  for (const worker of [one, other]) assert.equal((await worker.ask({ cookie })).status, 401)
  assert.equal((await third.ask({ cookie })).status, 401)
})

test('while the store is down the answer is 503 with Retry-After and the cookie is left alone; stale routes go on as configured', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const closed = await world.worker()
  const stale = await world.worker(30_000)
  const cookie = pairOf((await closed.parts.sessions.start(await world.login(), closed.exchange())).setCookie)
  for (const worker of [closed, stale]) assert.equal((await worker.ask({ cookie })).status, 200)
  for (const worker of [closed, stale]) {
    worker.stores.deafen()
    worker.stores.isDown = true
  }
  for (const path of ['/orders', '/auth/session', '/auth/sessions']) {
    const refused = await closed.ask({ cookie, path })
    assert.equal(refused.status, 503)
    assert.equal(refused.headers.get('retry-after'), '1')
    assert.equal(refused.headers.has('set-cookie'), false)
  }
  assert.equal((await stale.ask({ cookie })).status, 200)
  world.clock.advance(29_000)
  assert.equal((await stale.ask({ cookie })).status, 200)
  world.clock.advance(2000)
  assert.equal((await stale.ask({ cookie })).status, 503)
  // A session that this node never saw is never accepted.
  const unknown = await stale.ask({ cookie: `__Host-Http-velum=${'a'.repeat(22)}.${'b'.repeat(43)}` })
  assert.equal(unknown.status, 503)
})

test('logging out while the store is down fails and takes no cookie', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const cookie = pairOf((await worker.parts.sessions.start(await world.login(), worker.exchange())).setCookie)
  worker.stores.isDown = true
  await assert.rejects(worker.ask({ method: 'POST', path: '/auth/logout', cookie }), { code: 'store-down' })
  worker.stores.isDown = false
  const done = await worker.ask({ method: 'POST', path: '/auth/logout', cookie })
  assert.equal(done.status, 204)
  assert.match(done.headers.get('set-cookie')!, /^__Host-Http-velum=; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=0$/)
  assert.equal((await worker.ask({ cookie })).status, 401)
})

test('a node that missed messages still denies within 1 s, and knows what it missed when it hears again', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const [one, cutOff] = [await world.worker(), await world.worker()]
  const { id, setCookie } = await one.parts.sessions.start(await world.login(), one.exchange())
  const cookie = pairOf(setCookie)
  assert.equal((await cutOff.ask({ cookie })).status, 200)
  cutOff.stores.deafen()
  await one.parts.sessions.end('user-1', id, 'logout')
  world.clock.advance(1001)
  assert.equal((await cutOff.ask({ cookie })).status, 503)
  await cutOff.stores.hearAgain()
  assert.equal((await cutOff.ask({ cookie })).status, 401)
})

test('a worker that was busy for longer takes what lies unread before it calls itself cut off', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const { setCookie } = await worker.parts.sessions.start(await world.login(), worker.exchange())
  const family = await worker.parts.families.start(await world.login(), 'body', worker.exchange())
  for (const credential of [{ cookie: pairOf(setCookie) }, { bearer: family.accessToken }]) {
    assert.equal((await worker.ask(credential)).status, 200)
    worker.stores.deafen()
    world.clock.advance(1001)
    // Taken in the turn that follows the request, as messages of other threads are.
    setImmediate(() => (worker.stores.isDeaf = false))
    assert.equal((await worker.ask(credential)).status, 200)
  }
})

test('a peek says who is calling and leaves no trace: last seen does not move, and the session still idles out', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const { id, setCookie, identity } = await worker.parts.sessions.start(await world.login(), worker.exchange())
  const cookie = pairOf(setCookie)
  const { session } = worker.identity.authenticators
  const peek = async (): Promise<unknown> => {
    const x = worker.exchange({ cookie })
    return session!.verify(session!.presented(x)!, x, 0, 'peek')
  }
  const before = await world.stores.records.get('session', id)
  for (let i = 0; i < 20; i++) {
    world.clock.advance(89_000)
    assert.equal(((await peek()) as typeof identity).session, id)
    await world.settle()
  }
  assert.deepEqual(await world.stores.records.get('session', id), before)
  assert.equal(worker.stores.calls.get('records.update'), undefined)
  world.clock.advance(100_000)
  assert.equal((await worker.ask({ cookie })).status, 401, 'nobody used it for half an hour')
})

test('a node booting amid 10,000 live revocations refuses them from its first request', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const one = await world.worker()
  const tokens: string[] = []
  for (let i = 0; i < 20; i++) {
    const { text, id } = one.parts.tokens.accessToken({
      subject: 'user-1',
      tenant: undefined,
      client: undefined,
      scopes: [],
      roles: [],
      session: undefined,
      generation: 0,
    })
    tokens.push(text)
    await revoke(one.parts.stores, { kind: 'token', issuer, id, keepUntil: world.clock.now() + 600_000 })
  }
  for (let i = 0; i < 10_000; i++)
    await world.stores.bus.append({
      topic: 'revoked.session',
      key: `session-${i}`,
      data: true,
      keepUntil: world.clock.now() + 600_000,
    })
  const fresh = await world.worker()
  for (const bearer of tokens) assert.equal((await fresh.ask({ bearer })).status, 401)
})

test('revoking everything and logging in again within one millisecond: the new login works, nothing old does', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const [one, other] = [await world.worker(), await world.worker()]
  const login = await world.login()
  const old = pairOf((await one.parts.sessions.start(login, one.exchange())).setCookie)
  const oldTokens = await one.parts.families.start(login, 'body', one.exchange())
  await one.parts.sessions.endAll('user-1', 'ended-by-owner')
  const fresh = pairOf((await one.parts.sessions.start(login, one.exchange())).setCookie)
  const freshTokens = await one.parts.families.start(login, 'body', one.exchange())
  for (const worker of [one, other]) {
    assert.equal((await worker.ask({ cookie: old })).status, 401)
    assert.equal((await worker.ask({ bearer: oldTokens.accessToken })).status, 401)
    assert.equal((await worker.ask({ cookie: fresh })).status, 200)
    assert.equal((await worker.ask({ bearer: freshTokens.accessToken })).status, 200)
  }
  assert.equal(await other.parts.families.refresh(oldTokens.refreshToken, 'body', other.exchange()), 'invalid')
})

test('idle and absolute ends; last seen is written at most once a minute and counts on other nodes', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const [one, other] = [await world.worker(), await world.worker()]
  const cookie = pairOf((await one.parts.sessions.start(await world.login(), one.exchange())).setCookie)
  for (const worker of [one, other]) assert.equal((await worker.ask({ cookie })).status, 200)
  for (let i = 0; i < 30; i++) {
    world.clock.advance(2000)
    await one.ask({ cookie })
  }
  assert.equal(one.stores.calls.get('records.update'), 1)
  // Only `one` sees it for hours; `other` must not take it for idle.
  for (let i = 0; i < 5; i++) {
    world.clock.advance(1_500_000)
    assert.equal((await one.ask({ cookie })).status, 200)
    await world.settle()
  }
  assert.equal((await other.ask({ cookie })).status, 200)
  world.clock.advance(1_800_000 + 61_000)
  for (const worker of [one, other]) assert.equal((await worker.ask({ cookie })).status, 401)
  const second = pairOf((await one.parts.sessions.start(await world.login(), one.exchange())).setCookie)
  for (let i = 0; i < 29; i++) {
    assert.equal((await one.ask({ cookie: second })).status, 200)
    world.clock.advance(1_500_000)
    await world.settle()
  }
  assert.equal((await one.ask({ cookie: second })).status, 401)
})

test('cookies that nobody can tell apart, and those of other forms, prove nobody', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const cookie = pairOf((await worker.parts.sessions.start(await world.login(), worker.exchange())).setCookie)
  const value = cookie.slice(cookie.indexOf('=') + 1)
  assert.equal((await worker.ask({ cookie: `a=1; ${cookie}; b=2` })).status, 200)
  assert.equal((await worker.ask({ cookie: `${cookie}; ${cookie}` })).status, 400)
  assert.equal((await worker.ask({ cookie: `${cookie}; b="x; __Host-Http-velum=planted"` })).status, 400)
  assert.equal((await worker.ask({ headers: ['Cookie', cookie, 'Cookie', '__Host-Http-velum=planted'] })).status, 400)
  for (const wrong of [
    `velum=${value}`,
    `__host-http-velum=${value}`,
    `__Host-Http-velum =${value}`,
    `x__Host-Http-velum=${value}`,
    `__Host-Http-velum-refresh=${value}`,
    `__Host-Http-velum="${value}"`,
    `__Host-Http-velum=${value}x`,
    `__Host-Http-velum=${value.slice(0, 22)}.${'A'.repeat(43)}`,
    `__Host-Http-velum=`,
  ]) {
    const answer = await worker.ask({ cookie: wrong })
    assert.equal(answer.status, 401, wrong)
  }
})

test('a login ends the session whose cookie came with it, and only with its secret', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const login = await world.login()
  const first = pairOf((await worker.parts.sessions.start(login, worker.exchange())).setCookie)
  const forged = `${first.slice(0, first.indexOf('.'))}.${'A'.repeat(43)}`
  await worker.parts.sessions.start(login, worker.exchange({ cookie: forged }))
  assert.equal((await worker.ask({ cookie: first })).status, 200)
  const second = pairOf((await worker.parts.sessions.start(login, worker.exchange({ cookie: first }))).setCookie)
  assert.equal((await worker.ask({ cookie: first })).status, 401)
  assert.equal((await worker.ask({ cookie: second })).status, 200)
})

test('one sees and ends one’s own sessions, and nobody else’s', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const mine = await worker.parts.sessions.start(await world.login(), worker.exchange({ headers: ['User-Agent', 'Laptop'] }))
  const phone = await worker.parts.families.start(
    await world.login(),
    'cookie',
    worker.exchange({ headers: ['User-Agent', 'Phone'] }),
  )
  const theirs = await worker.parts.sessions.start(await world.login('user-2'), worker.exchange())
  const cookie = pairOf(mine.setCookie)
  const rows = contentOf(await worker.ask({ path: '/auth/sessions', cookie }))['sessions'] as {
    id: string
    device: string
    current: boolean
  }[]
  assert.deepEqual(
    new Map(rows.map(({ device, current }) => [device, current])),
    new Map([
      ['Laptop', true],
      ['Phone', false],
    ]),
  )
  assert.equal((await worker.ask({ method: 'DELETE', path: `/auth/sessions/${theirs.id}`, cookie })).status, 404)
  assert.equal((await worker.ask({ cookie: pairOf(theirs.setCookie) })).status, 200)
  assert.equal((await worker.ask({ method: 'DELETE', path: `/auth/sessions/${phone.family}`, cookie })).status, 204)
  assert.equal((await worker.ask({ bearer: phone.accessToken })).status, 401)
  assert.equal(await worker.parts.families.refresh(phone.refreshToken, 'cookie', worker.exchange()), 'invalid')
  assert.equal(
    (
      await worker.ask({
        method: 'DELETE',
        path: '/auth/sessions',
        cookie,
        headers: ['Sec-Fetch-Site', 'cross-site', 'Origin', 'https://evil.example'],
      })
    ).status,
    403,
  )
  const gone = await worker.ask({ method: 'DELETE', path: '/auth/sessions', cookie })
  assert.equal(gone.status, 204)
  assert.ok(gone.headers.has('set-cookie'))
  assert.equal((await worker.ask({ cookie })).status, 401)
})
