import assert from 'node:assert/strict'
import { test } from 'node:test'
import { identityWorld, issuer, pairOf } from '../../test/support/identity-world.ts'

test('an operator sees everybody’s sessions and ends any of them', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const one = await worker.parts.sessions.start(await world.login(), worker.exchange())
  const other = await worker.parts.sessions.start(await world.login('user-2'), worker.exchange())
  const tokens = await worker.parts.families.start(await world.login('user-2'), 'body', worker.exchange())
  const admin = world.keys.admin!
  const { sessions } = await admin.list('', 100)
  assert.deepEqual(
    new Map(sessions.map(({ id, subject }) => [id, subject])),
    new Map([
      [one.id, 'user-1'],
      [other.id, 'user-2'],
    ]),
  )
  assert.ok(!JSON.stringify(sessions).includes('secret'))
  assert.deepEqual(new Set((await admin.listOf('user-2')).map(({ id }) => id)), new Set([other.id, tokens.family]))
  assert.equal(await admin.end('nothing'), false)
  assert.equal(await admin.end(one.id), true)
  assert.equal(await admin.end(tokens.family), true)
  assert.equal((await worker.ask({ cookie: pairOf(one.setCookie) })).status, 401)
  assert.equal((await worker.ask({ bearer: tokens.accessToken })).status, 401)
  assert.equal((await worker.ask({ cookie: pairOf(other.setCookie) })).status, 200)
})

test('a token, a subject, a client and a key are revoked by name', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const admin = world.keys.admin!
  const mint = (client?: string): ReturnType<typeof worker.parts.tokens.accessToken> =>
    worker.parts.tokens.accessToken({
      subject: 'user-1',
      tenant: undefined,
      client,
      scopes: [],
      roles: [],
      session: undefined,
      generation: 0,
    })
  const [first, second, third] = [mint(), mint('cli'), mint()]
  const statuses = async (): Promise<number[]> =>
    Promise.all([first, second, third].map(async ({ text }) => (await worker.ask({ bearer: text })).status))
  assert.deepEqual(await statuses(), [200, 200, 200])
  await admin.revoke({ kind: 'token', issuer, id: first.id })
  assert.deepEqual(await statuses(), [401, 200, 200])
  await admin.revoke({ kind: 'client', client: 'cli' })
  assert.deepEqual(await statuses(), [401, 401, 200])
  const { kid } = JSON.parse(Buffer.from(third.text.split('.')[0], 'base64url').toString()) as { kid: string }
  await admin.revoke({ kind: 'key', keyId: kid })
  assert.deepEqual(await statuses(), [401, 401, 401])
  await world.settle()
  const { entries } = await admin.auditLog('', 10)
  assert.deepEqual(
    entries.slice(0, 3).map(({ event, facts }) => [event, facts['kind']]),
    [
      ['revoked', 'key'],
      ['revoked', 'client'],
      ['revoked', 'token'],
    ],
  )
})
