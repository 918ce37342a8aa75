import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import * as fc from 'fast-check'
import { exchangeOf } from '../../test/support/exchange.ts'
import { identityWorld, worldSecret } from '../../test/support/identity-world.ts'
import type { IdentityWorld, WorkerWorld } from '../../test/support/identity-world.ts'
import type { Identity } from '../core/identity.ts'
import { ApiKeyAdmin, ApiKeyFault } from './api-key-admin.ts'
import type { ApiKeyOrder } from './api-key-admin.ts'
import { newApiKey, parseApiKey } from './api-key-text.ts'
import type { Audit } from './audit.ts'
import { Rejection } from './rejection.ts'
import { deriveKeys } from './sealing.ts'

interface Scene {
  readonly world: IdentityWorld
  readonly worker: WorkerWorld
  readonly admin: ApiKeyAdmin
  readonly events: string[]
  readonly make: (order?: Partial<ApiKeyOrder>) => Promise<string>
  readonly ask: (key: string, remoteAddress?: string) => Promise<string>
}

async function scene(t: TestContext): Promise<Scene> {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const events: string[] = []
  const audit: Audit = { write: (event) => void events.push(event) }
  const keys = deriveKeys([worldSecret])
  const admin = new ApiKeyAdmin({ stores: world.stores, clock: world.clock, audit, keys, configured: ['fixed'] })
  return {
    world,
    worker,
    admin,
    events,
    make: async (order = {}) => (await admin.create({ client: 'worker', ...order })).key,
    async ask(key, remoteAddress = '192.0.2.1') {
      const found = await worker.identity.authenticators['api-key']!.verify(
        key,
        exchangeOf({ startedAt: world.clock.now(), remoteAddress }),
        0,
      )
      return found instanceof Rejection ? found.reason : found.client!
    },
  }
}

function callsOf(worker: WorkerWorld): number {
  return [...worker.stores.calls.values()].reduce((sum, count) => sum + count, 0)
}

test('a key that was made is accepted, and says whose it is', async (t) => {
  const { make, worker, world, events } = await scene(t)
  const key = await make({ tenant: 'acme', scopes: ['orders:read'], roles: ['machine'], subject: 'robot' })
  const x = exchangeOf({ startedAt: world.clock.now() })
  const found = (await worker.identity.authenticators['api-key']!.verify(key, x, 0)) as Identity
  const { kind, issuer, subject, tenant, client, scopes, roles } = found
  assert.deepEqual(
    { kind, issuer, subject, tenant, client, scopes, roles },
    {
      kind: 'api-key',
      issuer: 'api-keys',
      subject: 'robot',
      tenant: 'acme',
      client: 'worker',
      scopes: ['orders:read'],
      roles: ['machine'],
    },
  )
  assert.equal(found.credentialId, parseApiKey(key)!.id)
  assert.deepEqual(events, ['api-key-made'])
})

test('any one wrong letter is found before anything is looked up', async (t) => {
  const { make, ask, worker } = await scene(t)
  const key = await make()
  const before = callsOf(worker)
  const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
  for (let i = 4; i < key.length; i++) {
    if (i === 20) continue
    const wrong = key.slice(0, i) + letters[(letters.indexOf(key[i]) + 1 + (i % 61)) % 62] + key.slice(i + 1)
    assert.notEqual(wrong, key)
    assert.equal(await ask(wrong), 'api-key-checksum', `letter ${i}`)
  }
  assert.equal(await ask(key.slice(0, 20) + '-' + key.slice(21)), 'api-key-checksum')
  assert.equal(callsOf(worker), before)
  assert.equal(await ask(key), 'worker')
  assert.ok(callsOf(worker) > before)
})

test('whatever letter of a key is replaced, and whichever two neighbours are swapped, the checksum tells', () => {
  fc.assert(
    fc.property(fc.nat(69), fc.constantFrom('0', 'a', 'Z', '9', '_', '-', '.'), (at, letter) => {
      const { text } = newApiKey()
      const replaced = text.slice(0, at) + letter + text.slice(at + 1)
      const swapped = at === 69 ? text : text.slice(0, at) + text[at + 1] + text[at] + text.slice(at + 2)
      for (const other of [replaced, swapped]) if (other !== text) assert.equal(parseApiKey(other), undefined, other)
    }),
  )
})

test('the usual request asks the store nothing', async (t) => {
  const { make, ask, worker, world } = await scene(t)
  const key = await make()
  assert.equal(await ask(key), 'worker')
  await world.settle()
  const before = callsOf(worker)
  for (let i = 0; i < 5; i++) assert.equal(await ask(key), 'worker')
  assert.equal(callsOf(worker), before)
})

test('another secret under the id of a key is refused, as is a key that was never made', async (t) => {
  const { make, ask, world } = await scene(t)
  const { id } = parseApiKey(await make())!
  assert.equal(await ask(await make()), 'worker')
  // A forger can compute checksums: only the secret tells.
  assert.equal(await ask(newApiKey().text), 'unknown-api-key')
  const other = newApiKey()
  const record = (await world.stores.records.get('api-key', id))!
  const { value, schema, expiresAt } = record
  await world.stores.records.create({ kind: 'api-key', id: other.id, owner: 'worker', value, schema, expiresAt })
  assert.equal(await ask(other.text), 'unknown-api-key')
})

test('a revoked key is refused everywhere at once', async (t) => {
  const { make, ask, admin, events, world } = await scene(t)
  const key = await make()
  assert.equal(await ask(key), 'worker')
  await admin.revoke(parseApiKey(key)!.id)
  await world.settle()
  assert.equal(await ask(key), 'revoked')
  assert.equal(await ask(key), 'unknown-api-key')
  assert.deepEqual(events, ['api-key-made', 'api-key-revoked'])
  await assert.rejects(admin.revoke(parseApiKey(key)!.id), ApiKeyFault)
})

test('a key that is read while it is being revoked does not get in', async (t) => {
  const { make, ask, admin, world, worker } = await scene(t)
  const key = await make()
  let release!: () => void
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  worker.stores.before = (verb) => (verb === 'records.get' ? gate : undefined)
  const asked = ask(key)
  await admin.revoke(parseApiKey(key)!.id)
  await world.settle()
  worker.stores.before = undefined
  release()
  assert.notEqual(await asked, 'worker')
  assert.notEqual(await ask(key), 'worker')
})

test('a key ends, and is bound to addresses', async (t) => {
  const { make, ask, world } = await scene(t)
  const key = await make({ expiresAt: world.clock.now() + 10_000, addresses: ['10.0.0.0/8'] })
  assert.equal(await ask(key), 'api-key-address')
  assert.equal(await ask(key, '10.1.2.3'), 'worker')
  world.clock.advance(10_000)
  await world.settle()
  assert.equal(await ask(key, '10.1.2.3'), 'api-key-expired')
})

test('a client has two keys that live, so that it can change them over; an ended one does not count', async (t) => {
  const { make, admin, world, ask } = await scene(t)
  const first = await make({ expiresAt: world.clock.now() + 10_000 })
  const second = await make()
  await assert.rejects(make(), /two keys already/)
  assert.equal((await admin.list()).length, 2)
  assert.equal(await ask(first), 'worker')
  assert.equal(await ask(second), 'worker')
  world.clock.advance(10_000)
  assert.equal(typeof (await make()), 'string')
})

test('of many orders at one time no third key stays', async (t) => {
  const { make, admin } = await scene(t)
  await Promise.allSettled([make(), make(), make(), make()])
  assert.ok((await admin.list()).length <= 2)
})

test('what a key may not be is refused with a reason', async (t) => {
  const { make, world } = await scene(t)
  const wrong: Partial<ApiKeyOrder>[] = [
    { client: '' },
    { client: 'a b' },
    { client: 'fixed' },
    { scopes: ['a b'] },
    { scopes: ['"'] },
    { roles: [''] },
    { tenant: 'a b' },
    { subject: 'ü' },
    { addresses: ['10.0.0.0/33'] },
    { expiresAt: world.clock.now() },
    { expiresAt: NaN },
  ]
  for (const order of wrong) await assert.rejects(make(order), ApiKeyFault, JSON.stringify(order))
})

test('last use is noted once in a while, and only for a key that was right', async (t) => {
  const { make, ask, admin, world } = await scene(t)
  const key = await make()
  assert.equal((await admin.list())[0].lastUsedAt, undefined)
  await ask(newApiKey().text)
  assert.equal(await ask(key), 'worker')
  await world.settle()
  const [{ lastUsedAt, lastUsedFrom }] = await admin.list()
  assert.equal(lastUsedAt, world.clock.now())
  assert.equal(lastUsedFrom, '192.0.2.1')
  world.clock.advance(299_000)
  await world.settle()
  await ask(key)
  await world.settle()
  assert.equal((await admin.list())[0].lastUsedAt, lastUsedAt)
  world.clock.advance(1000)
  await world.settle()
  await ask(key)
  await world.settle()
  assert.equal((await admin.list())[0].lastUsedAt, world.clock.now())
})

test('while the store is down nobody can be told apart: no 401, and nobody gets in', async (t) => {
  const { make, ask, worker } = await scene(t)
  const known = await make()
  const unknown = await make()
  assert.equal(await ask(known), 'worker')
  worker.stores.isDown = true
  assert.equal(await ask(unknown), 'store-unavailable')
  assert.equal(await ask(known), 'revocations-unknown')
})

test('neither the secret nor the text of a key is in the store', async (t) => {
  const { make, world } = await scene(t)
  const key = await make()
  const { secret, id } = parseApiKey(key)!
  const record = JSON.stringify(await world.stores.records.get('api-key', id))
  assert.equal(record.includes(secret), false)
  assert.equal(record.includes(key), false)
})
