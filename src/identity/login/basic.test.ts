import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../../test/support/exchange.ts'
import { ownIssuer } from '../../../test/support/identity-world.ts'
import { Fault } from '../../core/fault.ts'
import type { Identity } from '../../core/identity.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import type { DecideMode } from '../../core/policy.ts'
import { Rejection } from '../rejection.ts'
import type { Revocations } from '../revocations.ts'
import { BasicAuthenticator, BasicMemory } from './basic.ts'
import type { LoginAttempt, LoginOutcome } from './login-messages.ts'

interface World {
  readonly clock: ManualClock
  readonly attempts: LoginAttempt[]
  says: (attempt: LoginAttempt) => LoginOutcome | Promise<LoginOutcome>
  isRevoked: boolean
  verify(pair: string, more?: { scheme?: 'http' | 'https'; mode?: DecideMode }): Promise<Identity | Rejection>
}

const proved: LoginOutcome = {
  kind: 'proved',
  account: { subject: 'alice', tenant: 'acme', roles: ['staff'], isEnabled: true },
  generation: 3,
  device: '',
}

function world(): World {
  const clock = new ManualClock()
  const self: World = {
    clock,
    attempts: [],
    says: () => proved,
    isRevoked: false,
    async verify(pair, { scheme = 'https', mode = 'charge' } = {}) {
      const line = `Basic ${Buffer.from(pair).toString('base64')}`
      const x = exchangeOf({ headers: ['Authorization', line], startedAt: clock.now() })
      x.scheme = scheme
      return authenticator.verify(authenticator.presented(x)!, x, 0, mode)
    },
  }
  const revocations = {
    isRevoked: () => self.isRevoked,
    isKnown: () => true,
    heard: () => Promise.resolve(),
  } as unknown as Revocations
  const link = {
    ask: async (_topic: string, message: unknown) => {
      self.attempts.push(message as LoginAttempt)
      return self.says(message as LoginAttempt)
    },
    tell() {},
    hear: () => () => {},
  }
  const authenticator = new BasicAuthenticator(ownIssuer(), new BasicMemory(), revocations, { link, clock })
  return self
}

const reasonOf = (found: Identity | Rejection): string => (found instanceof Rejection ? found.reason : found.subject)

test('a pair that was right is judged once in five minutes, however many bring it', async () => {
  const w = world()
  const found = await Promise.all(Array.from({ length: 20 }, () => w.verify('alice:a:b')))
  assert.deepEqual(new Set(found.map(reasonOf)), new Set(['alice']))
  assert.equal(w.attempts.length, 1)
  assert.deepEqual([w.attempts[0].name, w.attempts[0].password], ['alice', 'a:b'])
  w.clock.advance(299_999)
  await w.verify('alice:a:b')
  assert.equal(w.attempts.length, 1)
  w.clock.advance(1)
  await w.verify('alice:a:b')
  assert.equal(w.attempts.length, 2)
})

test('it says who calls as a session would, with the generation that ends it', async () => {
  const found = await world().verify('alice:secret')
  assert.ok(!(found instanceof Rejection))
  const { kind, tenant, roles, scopes, claims, client } = found
  assert.deepEqual(
    [kind, tenant, roles, scopes, claims['gen'], client],
    ['basic', 'acme', ['staff'], ['orders:read'], 3, undefined],
  )
})

test('what is revoked is refused at once, also what is remembered', async () => {
  const w = world()
  await w.verify('alice:secret')
  w.isRevoked = true
  assert.equal(reasonOf(await w.verify('alice:secret')), 'revoked')
})

test('a wrong pair is refused without a hash for ten seconds; another one is judged', async () => {
  const w = world()
  w.says = () => ({ kind: 'refused' })
  for (let i = 0; i < 3; i++) assert.equal(reasonOf(await w.verify('alice:wrong')), 'wrong-password')
  assert.equal(w.attempts.length, 1)
  await w.verify('alice:other')
  assert.equal(w.attempts.length, 2)
  w.clock.advance(10_000)
  w.says = () => proved
  assert.equal(reasonOf(await w.verify('alice:wrong')), 'alice')
})

test('a lock tells a wait that is long enough, and is not remembered', async () => {
  const w = world()
  for (const [ms, seconds] of [
    [1, 1],
    [1001, 2],
    [700_000, 1024],
    [10_000_000, 1024],
  ]) {
    w.says = () => ({ kind: 'locked', retryAfterMs: ms })
    const found = await w.verify('alice:secret')
    assert.ok(found instanceof Rejection)
    assert.equal(found.lockedS, seconds)
  }
  w.says = () => proved
  assert.equal(reasonOf(await w.verify('alice:secret')), 'alice')
})

test('what cannot be judged is undecided: a full queue, a store that is down, main that does not answer', async () => {
  const w = world()
  w.says = () => ({ kind: 'full', retryAfterMs: 5 })
  assert.equal(reasonOf(await w.verify('alice:secret')), 'logins-full')
  w.says = () => {
    throw new Fault('store-down')
  }
  assert.equal(reasonOf(await w.verify('alice:secret')), 'store-unavailable')
  w.says = () => new Promise(() => {})
  const late = w.verify('alice:secret')
  await Promise.resolve()
  w.clock.advance(10_000)
  const found = await late
  assert.ok(found instanceof Rejection && found.isUndecided)
})

test('without TLS it counts for nothing, and in a peek no password is tried', async () => {
  const w = world()
  assert.equal(reasonOf(await w.verify('alice:secret', { scheme: 'http' })), 'basic-without-tls')
  assert.equal(reasonOf(await w.verify('alice:secret', { mode: 'peek' })), 'not-judged')
  assert.equal(w.attempts.length, 0)
  await w.verify('alice:secret')
  assert.equal(reasonOf(await w.verify('alice:secret', { mode: 'peek' })), 'alice')
  assert.equal(reasonOf(await w.verify('alice:secret', { scheme: 'http' })), 'basic-without-tls')
})
