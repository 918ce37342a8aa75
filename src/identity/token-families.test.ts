import assert from 'node:assert/strict'
import { test } from 'node:test'
import { claimsOf, contentOf, identityWorld, pairOf } from '../../test/support/identity-world.ts'
import type { IdentityWorld, WorkerWorld } from '../../test/support/identity-world.ts'
import type { IssuedTokens, RefreshRefusal } from './token-families.ts'

async function begun(world: IdentityWorld, worker: WorkerWorld): Promise<IssuedTokens> {
  return worker.parts.families.start(await world.login(), 'body', worker.exchange())
}

function issuedBy(result: IssuedTokens | RefreshRefusal): IssuedTokens {
  assert.equal(typeof result, 'object')
  return result as IssuedTokens
}

async function refresh(worker: WorkerWorld, token: string): Promise<IssuedTokens | RefreshRefusal> {
  return worker.parts.families.refresh(token, 'body', worker.exchange())
}

async function events(world: IdentityWorld): Promise<string[]> {
  await world.settle()
  const { entries } = await world.stores.audit.list('', 1000)
  return entries.map(({ event }) => event)
}

const nothing = (): void => {}

test('64 parallel refreshes of one token on two nodes are one rotation and one successor', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const nodes = [await world.worker(), await world.worker()]
  const first = await begun(world, nodes[0])
  const results = await Promise.all(Array.from({ length: 64 }, (_, i) => refresh(nodes[i % 2], first.refreshToken)))
  assert.equal(new Set(results.map((result) => issuedBy(result).refreshToken)).size, 1)
  assert.equal((await world.stores.families.get(first.family))!.rotations, 1)
})

test('a lost answer is made up for by a retry within the grace, and only within it', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const first = await begun(world, worker)
  const lost = issuedBy(await refresh(worker, first.refreshToken))
  world.clock.advance(9000)
  assert.equal(issuedBy(await refresh(worker, first.refreshToken)).refreshToken, lost.refreshToken)
  // The window is fixed by the rotation and not renewed by a retry.
  world.clock.advance(1001)
  assert.equal(await refresh(worker, first.refreshToken), 'invalid')
  assert.equal(await refresh(worker, lost.refreshToken), 'invalid')
  assert.ok((await events(world)).includes('refresh-reused'))
})

test('a grandparent ends the family, its access tokens everywhere, and nothing of another login', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const [worker, other] = [await world.worker(), await world.worker()]
  const first = await begun(world, worker)
  const elsewhere = await begun(world, worker)
  const second = issuedBy(await refresh(worker, first.refreshToken))
  const third = issuedBy(await refresh(worker, second.refreshToken))
  assert.equal((await other.ask({ bearer: third.accessToken })).status, 200)
  assert.equal(await refresh(worker, first.refreshToken), 'invalid')
  assert.equal(await refresh(worker, third.refreshToken), 'invalid')
  for (const node of [worker, other]) assert.equal((await node.ask({ bearer: third.accessToken })).status, 401)
  assert.equal((await other.ask({ bearer: elsewhere.accessToken })).status, 200)
  assert.notEqual(await refresh(worker, elsewhere.refreshToken), 'invalid')
})

test('who only knows the id of a family cannot end it', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const first = await begun(world, worker)
  const forged = `${first.family}.${Buffer.alloc(48, 7).toString('base64url')}`
  assert.equal(await refresh(worker, forged), 'invalid')
  assert.equal(await worker.parts.families.end(forged), false)
  assert.notEqual(await refresh(worker, first.refreshToken), 'invalid')
})

test('an end wins against a refresh that is under way', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const [worker, other] = [await world.worker(), await world.worker()]
  const first = await begun(world, worker)
  let goOn: () => void = nothing
  worker.stores.before = (verb) => (verb === 'families.rotate' ? new Promise<void>((resolve) => (goOn = resolve)) : undefined)
  const underWay = refresh(worker, first.refreshToken)
  await world.settle()
  await other.parts.families.end(first.refreshToken)
  goOn()
  assert.equal(await underWay, 'invalid')

  // The other order: rotated, and ended before the answer is made.
  const second = await begun(world, worker)
  worker.stores.before = (verb) => (verb === 'generations.of' ? new Promise<void>((resolve) => (goOn = resolve)) : undefined)
  const late = refresh(worker, second.refreshToken)
  await world.settle()
  await other.parts.families.end(second.refreshToken)
  goOn()
  worker.stores.before = undefined
  const issued = issuedBy(await late)
  assert.equal((await other.ask({ bearer: issued.accessToken })).status, 401, 'what was minted is void')
  assert.equal(await refresh(other, issued.refreshToken), 'invalid')
})

test('no rotation moves the absolute end, and an idle family ends', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  let held = await begun(world, worker)
  const idle = await begun(world, worker)
  for (let day = 0; day < 29; day++) {
    world.clock.advance(86_400_000)
    held = issuedBy(await refresh(worker, held.refreshToken))
  }
  assert.equal(await refresh(worker, idle.refreshToken), 'invalid')
  world.clock.advance(86_400_000)
  assert.equal(await refresh(worker, held.refreshToken), 'invalid')
})

test('a refresh asks whether the account is still there, and takes its roles as they are now', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const first = await begun(world, worker)
  const change = async (value: object): Promise<void> => {
    const record = (await world.stores.records.get('user', 'user-1'))!
    await world.stores.records.update('user', record, { value: { ...record.value, ...value }, schema: 1, expiresAt: Infinity })
  }
  await change({ roles: [] })
  const second = issuedBy(await refresh(worker, first.refreshToken))
  assert.deepEqual(contentOf(await worker.ask({ bearer: second.accessToken }))['scopes'], [])
  await change({ isEnabled: false })
  assert.equal(await refresh(worker, second.refreshToken), 'invalid')
  await change({ isEnabled: true })
  assert.equal(await refresh(worker, second.refreshToken), 'invalid', 'it has ended')
})

test('a refresh may ask for fewer scopes and never for more; a retry has to ask for the same', async (t) => {
  const world = await identityWorld({ roles: [['staff', ['orders:read', 'orders:write', 'billing:read']]] })
  t.after(() => world.close())
  const worker = await world.worker()
  const first = await begun(world, worker)
  const ask = async (token: string, scope?: string): Promise<[number, Record<string, unknown>]> => {
    const form = { grant_type: 'refresh_token', refresh_token: token, ...(scope === undefined ? {} : { scope }) }
    const answer = await worker.ask({ path: '/auth/token', form })
    return [answer.status, contentOf(answer)]
  }
  const [wider, why] = await ask(first.refreshToken, 'orders:read admin')
  assert.deepEqual([wider, why['error']], [400, 'invalid_scope'])
  const [narrower, got] = await ask(first.refreshToken, 'billing:read orders:read')
  assert.deepEqual([narrower, got['scope']], [200, 'orders:read billing:read'])
  assert.equal(claimsOf(got['access_token'] as string)['scope'], 'orders:read billing:read')
  const [other, refused] = await ask(first.refreshToken, 'orders:write')
  assert.deepEqual([other, refused['error']], [400, 'invalid_grant'], 'a retry that asks for something else')
  const [retried, again] = await ask(first.refreshToken, 'orders:read billing:read orders:read')
  assert.deepEqual([retried, again['refresh_token']], [200, got['refresh_token']], 'the order does not matter')
  // Narrowed once is not narrowed for good.
  const [whole, all] = await ask(got['refresh_token'] as string)
  assert.deepEqual([whole, all['scope']], [200, 'orders:read orders:write billing:read'])
  assert.equal((await world.stores.families.get(first.family))!.ended, undefined)
})

test('a cookie’s token is of no use in a body, nor the other way round, and trying ends nothing', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const page = await worker.parts.families.start(await world.login(), 'cookie', worker.exchange())
  assert.equal(await refresh(worker, page.refreshToken), 'invalid')
  const cookie = `__Host-Http-velum-refresh=${page.refreshToken}`
  const answer = await worker.ask({ method: 'POST', path: '/auth/refresh', cookie })
  assert.equal(answer.status, 200)
  assert.match(
    answer.headers.get('set-cookie')!,
    /^__Host-Http-velum-refresh=[\w-]{22}\.[\w-]{64}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=\d+$/,
  )
  assert.equal((await worker.ask({ bearer: contentOf(answer)['access_token'] as string })).status, 200)
  const next = pairOf(answer.headers.get('set-cookie')!)
  assert.equal(
    (
      await worker.ask({
        method: 'POST',
        path: '/auth/refresh',
        cookie: next,
        headers: ['Sec-Fetch-Site', 'same-site', 'Origin', 'https://evil.example.com'],
      })
    ).status,
    403,
  )
  assert.equal((await worker.ask({ method: 'POST', path: '/auth/refresh', cookie: next, headers: [] })).status, 403)
})

test('a refused refresh and a dead store leave the refresh cookie alone', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const page = await worker.parts.families.start(await world.login(), 'cookie', worker.exchange())
  const cookie = `__Host-Http-velum-refresh=${page.refreshToken}`
  worker.stores.isDown = true
  await assert.rejects(worker.ask({ method: 'POST', path: '/auth/refresh', cookie }), { code: 'store-down' })
  worker.stores.isDown = false
  await worker.parts.families.end(page.refreshToken)
  const refused = await worker.ask({ method: 'POST', path: '/auth/refresh', cookie })
  assert.equal(refused.status, 401)
  assert.equal(refused.headers.has('set-cookie'), false)
})

test('a store that fails behind the rotation costs nobody the login: the retry gets the successor', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const first = await begun(world, worker)
  worker.stores.before = (verb) => {
    if (verb === 'families.rotate') queueMicrotask(() => (worker.stores.isDown = true))
  }
  await assert.rejects(refresh(worker, first.refreshToken), { code: 'store-down' })
  worker.stores.isDown = false
  worker.stores.before = undefined
  assert.notEqual(await refresh(worker, first.refreshToken), 'invalid')
  assert.equal((await world.stores.families.get(first.family))!.rotations, 1)
})
