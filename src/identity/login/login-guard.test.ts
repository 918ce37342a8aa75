import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatedStores } from '../../../test/support/gated-stores.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import type { Stores } from '../../core/stores.ts'
import { createMemoryStores } from '../../stores/memory/memory-stores.ts'
import type { GuardedAttempt, GuardKeys } from './login-guard.ts'
import { LoginGuard } from './login-guard.ts'

const keysOf = (over: Partial<GuardKeys> = {}): GuardKeys => ({ address: '192.0.2.1', account: 'ada', device: undefined, ...over })

function guarded(): { guard: LoginGuard; clock: ManualClock; stores: Stores } {
  const clock = new ManualClock()
  const stores = createMemoryStores(clock)
  return { guard: new LoginGuard(stores.records, clock), clock, stores }
}

/** Fails once; gives the wait when it was not judged, else 0. */
async function fail(guard: LoginGuard, over: Partial<GuardKeys> = {}): Promise<number> {
  const begun = await guard.begin(keysOf(over))
  if (typeof begun === 'number') return begun
  begun.failed()
  return 0
}

async function attempt(guard: LoginGuard, over: Partial<GuardKeys> = {}): Promise<GuardedAttempt> {
  const begun = await guard.begin(keysOf(over))
  if (typeof begun === 'number') assert.fail(`locked for ${begun} ms`)
  return begun
}

test('five failures of an account are free; then locks grow, and the wait that was told is true', async () => {
  const { guard, clock } = guarded()
  // Each from another address, so that only the account is counted.
  let n = 0
  const next = (): Promise<number> => fail(guard, { address: `198.51.100.${n++}` })
  for (let i = 0; i < 5; i++) assert.equal(await next(), 0)
  assert.equal(await next(), 0)
  for (const lockMs of [1000, 2000, 4000, 8000]) {
    assert.equal(await next(), lockMs)
    clock.advance(lockMs - 1)
    assert.equal(await next(), 1, 'asking meanwhile does not lengthen it')
    clock.advance(1)
    assert.equal(await next(), 0)
  }
})

test('a lock never exceeds a quarter of an hour, also when the clock jumps, and failures are forgotten', async () => {
  const { guard, clock, stores } = guarded()
  let longest = 0
  for (let i = 0; i < 60; i++) {
    const wait = await fail(guard)
    longest = Math.max(longest, wait)
    clock.advance(wait)
  }
  assert.ok(longest > 60_000 && longest <= 900_000, String(longest))
  clock.setNow(clock.now() - 3_600_000)
  assert.ok((await fail(guard)) <= 900_000)
  clock.advance(2 * 86_400_000)
  for (let i = 0; i < 5; i++) assert.equal(await fail(guard), 0)
  clock.advance(2 * 86_400_000)
  assert.deepEqual((await stores.records.list('login-failures', '', 10)).records, [], 'nothing is kept of it')
})

test('64 guesses at once gain nothing over one after the other, on one node or on two', async () => {
  const { clock, stores } = guarded()
  const slow = new GatedStores(stores, () => clock.monotonic())
  slow.before = () => new Promise((resolve) => setImmediate(resolve))
  const nodes = [new LoginGuard(slow.records, clock), new LoginGuard(slow.records, clock)]
  const begun = await Promise.all(Array.from({ length: 64 }, (_, i) => nodes[i % 2].begin(keysOf())))
  assert.equal(begun.filter((one) => typeof one !== 'number').length, 6)
  // What was not judged was not counted of the address either: twenty are free there, and six are used.
  clock.advance(1000)
  for (let i = 0; i < 14; i++) assert.equal(await fail(nodes[1], { account: `other-${i}` }), 0)
  assert.equal(await fail(nodes[0], { account: 'another' }), 0)
  assert.equal(await fail(nodes[1], { account: 'one more' }), 1000)
})

test('a lock on one node is a lock on every node, and outlives a restart; a known device passes on each', async () => {
  const { guard, clock, stores } = guarded()
  const other = new LoginGuard(stores.records, clock)
  for (let i = 0; i < 3; i++) for (const node of [guard, other]) assert.equal(await fail(node), 0)
  assert.equal(await fail(other), 1000)
  assert.equal(await fail(guard), 1000)
  const restarted = new LoginGuard(stores.records, clock)
  assert.equal(await fail(restarted), 1000)
  for (const node of [guard, other, restarted]) await (await attempt(node, { device: 'laptop' })).undecided()
  clock.advance(1000)
  await (await attempt(other)).succeeded()
  for (const node of [restarted, guard]) assert.equal(await fail(node), 0, 'who knew the password has cleared it for all')
})

test('a flood against a lock costs the store nothing', async () => {
  const { clock, stores } = guarded()
  const gate = new GatedStores(stores, () => clock.monotonic())
  const guard = new LoginGuard(gate.records, clock)
  while ((await fail(guard)) === 0);
  const before = JSON.stringify([...gate.calls])
  for (let i = 0; i < 1000; i++) assert.equal(await fail(guard, { address: `a${i}` }), 1000)
  assert.equal(JSON.stringify([...gate.calls]), before)
})

test('success clears the account, and gives the address its own attempt back only', async () => {
  const { guard } = guarded()
  for (let i = 0; i < 5; i++) await fail(guard)
  await (await attempt(guard)).succeeded()
  for (let i = 0; i < 6; i++) assert.equal(await fail(guard), 0)
  assert.equal(await fail(guard), 1000)
  // 11 failures are left of the address; its twenty free ones are used up by other accounts.
  for (let i = 0; i < 10; i++) assert.equal(await fail(guard, { account: `other-${i}` }), 0)
  assert.equal(await fail(guard, { account: 'another' }), 1000)
})

test('who locks an account out does not lock out its own devices, and those have a bound too', async () => {
  const { guard } = guarded()
  for (let i = 0; (await fail(guard, { address: `203.0.113.${i}` })) === 0; i++);
  await (await attempt(guard, { device: 'laptop' })).succeeded()
  assert.ok((await fail(guard, { address: '203.0.113.99' })) > 0, 'the account stays locked for strangers')
  let tries = 0
  while ((await fail(guard, { device: 'laptop', address: `198.51.100.${tries}` })) === 0) tries++
  assert.equal(tries, 11)
})

test('a success does not lift a lock that another attempt has caused meanwhile', async () => {
  const { guard } = guarded()
  for (let i = 0; i < 19; i++) await fail(guard, { account: `u${i}` })
  const slow = await attempt(guard, { account: 'mallory' })
  assert.equal(await fail(guard, { account: 'victim' }), 0)
  await slow.succeeded()
  assert.equal(await fail(guard, { account: 'victim-2' }), 1000)
})

test('what could not be judged is not counted', async () => {
  const { guard } = guarded()
  for (let i = 0; i < 100; i++) await (await attempt(guard)).undecided()
  assert.equal(await fail(guard), 0)
})

test('while most logins fail, strangers get fewer tries; when that is over, as many as before', async () => {
  const { guard, clock } = guarded()
  for (let i = 0; i < 100; i++) await fail(guard, { address: `a${i}`, account: `u${i}` })
  assert.equal(guard.isUnderAttack, true)
  const tries = async (account: string): Promise<number> => {
    let count = 0
    while ((await fail(guard, { account, address: `${account} ${count}` })) === 0) count++
    return count
  }
  assert.equal(await tries('bob'), 3)
  clock.advance(120_000)
  assert.equal(guard.isUnderAttack, false)
  assert.equal(await tries('eve'), 6)
})

test('many successful logins with some failures are no attack', async () => {
  const { guard } = guarded()
  for (let i = 0; i < 300; i++) await (await attempt(guard, { address: `a${i}`, account: `u${i}` })).succeeded()
  for (let i = 0; i < 120; i++) await fail(guard, { address: `b${i}`, account: `v${i}` })
  assert.equal(guard.isUnderAttack, false)
})

test('a store that does not answer judges nobody, and takes what it could not give back for a failure', async () => {
  const { clock, stores } = guarded()
  const gate = new GatedStores(stores, () => clock.monotonic())
  const guard = new LoginGuard(gate.records, clock)
  const begun = await attempt(guard)
  gate.isDown = true
  await assert.rejects(guard.begin(keysOf()), { code: 'store-down' })
  await begun.undecided()
  gate.isDown = false
  for (let i = 0; i < 5; i++) assert.equal(await fail(guard), 0)
  assert.equal(await fail(guard), 1000)
})
