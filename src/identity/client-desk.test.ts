import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { claimsOf, contentOf, identityWorld } from '../../test/support/identity-world.ts'
import type { IdentityWorld, WorkerWorld } from '../../test/support/identity-world.ts'
import type { Answer } from '../core/answer.ts'
import { Fault } from '../core/fault.ts'
import type { ClientSpec } from './identity-spec.ts'

const client = (id: string, scopes: readonly string[] = ['a']): ClientSpec => ({
  id,
  secretSha256: hash('sha256', `secret of ${id}`),
  scopes,
  roles: [],
  tenant: 'acme',
})

interface Scene {
  readonly world: IdentityWorld
  readonly worker: WorkerWorld
  /** A post by a client with its own secret. */
  readonly post: (name: string, id: string, form: Record<string, string>) => Promise<Answer>
  readonly guess: (id: string, secret: string) => Promise<Answer>
  readonly tokenOf: (id: string) => Promise<string>
}

async function scene(t: TestContext): Promise<Scene> {
  const all = client('all', ['tokens:revoke', 'tokens:introspect'])
  const world = await identityWorld({ clients: [client('one'), client('other'), all] })
  t.after(() => world.close())
  const worker = await world.worker()
  const post = (name: string, id: string, form: Record<string, string>): Promise<Answer> =>
    worker.ask({ path: `/auth/${name}`, form: { ...form, client_id: id, client_secret: `secret of ${id}` } })
  return {
    world,
    worker,
    post,
    guess: (id, secret) =>
      worker.ask({ path: '/auth/token', form: { grant_type: 'client_credentials', client_id: id, client_secret: secret } }),
    async tokenOf(id) {
      return contentOf(await post('token', id, { grant_type: 'client_credentials' }))['access_token'] as string
    },
  }
}

test('a client sees its own tokens, and those of others only by the scope tokens:introspect', async (t) => {
  const { post, tokenOf } = await scene(t)
  const token = await tokenOf('one')
  const own = contentOf(await post('introspect', 'one', { token }))
  assert.deepEqual([own['active'], own['client_id']], [true, 'one'])
  assert.deepEqual(contentOf(await post('introspect', 'other', { token })), { active: false })
  assert.equal(contentOf(await post('introspect', 'all', { token }))['active'], true)
})

test('a client ends its own tokens, and those of others only by the scope tokens:revoke', async (t) => {
  const { post, tokenOf, worker } = await scene(t)
  const token = await tokenOf('one')
  const refused = await post('revoke', 'other', { token })
  assert.equal(refused.status, 400)
  assert.equal(contentOf(refused)['error'], 'unauthorized_client')
  assert.equal((await worker.ask({ bearer: token })).status, 200)
  assert.equal((await post('revoke', 'one', { token })).status, 200)
  assert.equal((await worker.ask({ bearer: token })).status, 401)
  const second = await tokenOf('other')
  assert.equal((await post('revoke', 'all', { token: second })).status, 200)
  assert.equal((await worker.ask({ bearer: second })).status, 401)
  assert.equal((await post('revoke', 'one', { token: 'no token' })).status, 200)
})

test('a refresh token is good for the client that it was issued to, and for no other', async (t) => {
  const { world, worker, post } = await scene(t)
  const login = await world.login()
  const { refreshToken, accessToken } = await worker.parts.families.start(login, 'body', worker.exchange(), 'one')
  assert.equal(claimsOf(accessToken)['client_id'], 'one')
  const form = { grant_type: 'refresh_token', refresh_token: refreshToken }
  const stolen = await post('token', 'other', form)
  assert.deepEqual([stolen.status, contentOf(stolen)['error']], [400, 'invalid_grant'])
  assert.equal((await worker.ask({ path: '/auth/token', form })).status, 400, 'without a proof')
  assert.equal((await post('revoke', 'other', { token: refreshToken })).status, 400)
  const issued = contentOf(await post('token', 'one', form))
  assert.equal(claimsOf(issued['access_token'] as string)['client_id'], 'one')
  const next = issued['refresh_token'] as string
  assert.equal((await post('revoke', 'one', { token: next })).status, 200)
  assert.equal((await post('token', 'one', { ...form, refresh_token: next })).status, 400)
  const anybody = await worker.parts.families.start(login, 'body', worker.exchange())
  const free = { grant_type: 'refresh_token', refresh_token: anybody.refreshToken }
  assert.equal((await post('token', 'one', free)).status, 400, 'it was not issued to this client')
  assert.equal((await worker.ask({ path: '/auth/token', form: free })).status, 200)
})

test('guessing a secret is locked out, also when the guess is right; the true client elsewhere is not', async (t) => {
  const { world, worker, guess } = await scene(t)
  let status = 0
  let guesses = 0
  while (status !== 429 && guesses < 20) status = (await guess('one', `guess ${guesses++}`)).status
  assert.equal(status, 429)
  assert.equal(guesses, 7, 'five are free, the sixth locks')
  const right = await guess('one', 'secret of one')
  assert.equal(right.status, 429)
  assert.match(right.headers.get('retry-after')!, /^[1-9]\d*$/)
  assert.equal((await guess('other', 'secret of other')).status, 200, 'another client from there')
  world.clock.advance(Number(right.headers.get('retry-after')) * 1000)
  assert.equal((await guess('one', 'secret of one')).status, 200)
  const second = await world.worker()
  assert.equal((await guess('one', 'wrong again')).status, 401)
  const form = { grant_type: 'client_credentials', client_id: 'one', client_secret: 'a guess there' }
  assert.equal((await second.ask({ path: '/auth/token', form })).status, 429, 'other workers count with it')
  assert.equal((await worker.ask({ path: '/auth/token', form: { ...form, client_secret: 'x' } })).status, 429)
})

test('a wrong secret is no answer of its own while failures cannot be counted', async (t) => {
  const { worker, guess } = await scene(t)
  worker.stores.isDown = true
  await assert.rejects(guess('one', 'wrong'), (thrown) => thrown instanceof Fault && thrown.code === 'store-down')
})
