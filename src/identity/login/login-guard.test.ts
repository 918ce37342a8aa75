import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../../core/manual-clock.ts'
import type { GuardedAttempt, GuardKeys } from './login-guard.ts'
import { LoginGuard } from './login-guard.ts'

const keysOf = (over: Partial<GuardKeys> = {}): GuardKeys => ({ address: '192.0.2.1', account: 'ada', device: undefined, ...over })

/** Fails once; gives the wait when it was not judged, else 0. */
function fail(guard: LoginGuard, over: Partial<GuardKeys> = {}): number {
  const begun = guard.begin(keysOf(over))
  if (typeof begun === 'number') return begun
  begun.failed()
  return 0
}

function attempt(guard: LoginGuard, over: Partial<GuardKeys> = {}): GuardedAttempt {
  const begun = guard.begin(keysOf(over))
  if (typeof begun === 'number') assert.fail(`locked for ${begun} ms`)
  return begun
}

test('five failures of an account are free; then locks grow, and the wait that was told is true', () => {
  const clock = new ManualClock()
  const guard = new LoginGuard(clock)
  // Each from another address, so that only the account is counted.
  let n = 0
  const next = (): number => fail(guard, { address: `198.51.100.${n++}` })
  for (let i = 0; i < 5; i++) assert.equal(next(), 0)
  assert.equal(next(), 0)
  for (const lockMs of [1000, 2000, 4000, 8000]) {
    assert.equal(next(), lockMs)
    clock.advance(lockMs - 1)
    assert.equal(next(), 1, 'asking meanwhile does not lengthen it')
    clock.advance(1)
    assert.equal(next(), 0)
  }
})

test('a lock never exceeds a quarter of an hour, and failures are forgotten', () => {
  const clock = new ManualClock()
  const guard = new LoginGuard(clock)
  let longest = 0
  for (let i = 0; i < 60; i++) {
    const wait = fail(guard)
    longest = Math.max(longest, wait)
    clock.advance(wait)
  }
  assert.ok(longest > 60_000 && longest <= 900_000, String(longest))
  clock.advance(86_400_000)
  for (let i = 0; i < 5; i++) assert.equal(fail(guard), 0)
})

test('64 guesses at once gain nothing over one after the other', () => {
  const guard = new LoginGuard(new ManualClock())
  const begun = Array.from({ length: 64 }, () => guard.begin(keysOf()))
  assert.equal(begun.filter((one) => typeof one !== 'number').length, 6)
})

test('success clears the account, and gives the address its own attempt back only', () => {
  const guard = new LoginGuard(new ManualClock())
  for (let i = 0; i < 5; i++) fail(guard)
  attempt(guard).succeeded()
  for (let i = 0; i < 6; i++) assert.equal(fail(guard), 0)
  assert.equal(fail(guard), 1000)
  // 11 failures are left of the address; its twenty free ones are used up by other accounts.
  for (let i = 0; i < 10; i++) assert.equal(fail(guard, { account: `other-${i}` }), 0)
  assert.equal(fail(guard, { account: 'another' }), 1000)
})

test('who locks an account out does not lock out its own devices, and those have a bound too', () => {
  const guard = new LoginGuard(new ManualClock())
  while (fail(guard, { address: `203.0.113.${Math.random()}` }) === 0);
  attempt(guard, { device: 'laptop' }).succeeded()
  assert.ok(fail(guard, { address: '203.0.113.9' }) > 0, 'the account stays locked for strangers')
  let tries = 0
  while (fail(guard, { device: 'laptop', address: `198.51.100.${tries}` }) === 0) tries++
  assert.equal(tries, 11)
})

test('a success does not lift a lock that another attempt has caused meanwhile', () => {
  const guard = new LoginGuard(new ManualClock())
  for (let i = 0; i < 19; i++) fail(guard, { account: `u${i}` })
  const slow = attempt(guard, { account: 'mallory' })
  assert.equal(fail(guard, { account: 'victim' }), 0)
  slow.succeeded()
  assert.equal(fail(guard, { account: 'victim-2' }), 1000)
})

test('what could not be judged is not counted', () => {
  const guard = new LoginGuard(new ManualClock())
  for (let i = 0; i < 100; i++) attempt(guard).undecided()
  assert.equal(fail(guard), 0)
})

test('while most logins fail, strangers get fewer tries; when that is over, as many as before', () => {
  const clock = new ManualClock()
  const guard = new LoginGuard(clock)
  for (let i = 0; i < 100; i++) fail(guard, { address: `a${i}`, account: `u${i}` })
  assert.equal(guard.isUnderAttack, true)
  const tries = (account: string): number => {
    let count = 0
    while (fail(guard, { account, address: `${account} ${count}` }) === 0) count++
    return count
  }
  assert.equal(tries('bob'), 3)
  clock.advance(120_000)
  assert.equal(guard.isUnderAttack, false)
  assert.equal(tries('eve'), 6)
})

test('many successful logins with some failures are no attack', () => {
  const guard = new LoginGuard(new ManualClock())
  for (let i = 0; i < 300; i++) attempt(guard, { address: `a${i}`, account: `u${i}` }).succeeded()
  for (let i = 0; i < 120; i++) fail(guard, { address: `b${i}`, account: `v${i}` })
  assert.equal(guard.isUnderAttack, false)
})

test('its memory is bounded', () => {
  const guard = new LoginGuard(new ManualClock(), 10)
  for (let i = 0; i < 1000; i++) fail(guard, { address: `a${i}`, account: `u${i}` })
  assert.equal(guard.size, 10)
})
