import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ScheduledKey } from './key-schedule.ts'
import { overlapMs, scheduleOf } from './key-schedule.ts'

const now = 1_000_000_000_000
const key = (kid: string, activeAt: number, algorithm: ScheduledKey['algorithm'] = 'ES256'): ScheduledKey => ({
  kid,
  activeAt,
  algorithm,
})
const signerOf = (keys: readonly ScheduledKey[]): string | undefined => scheduleOf(keys, now, 'ES256', 0).signer?.kid

test('the latest key that is active signs, and one that is to follow does not', () => {
  assert.equal(signerOf([key('old', now - 5000), key('new', now - 1000), key('next', now + overlapMs)]), 'new')
  assert.equal(signerOf([]), undefined)
})

test('a key of another algorithm signs only while there is none of the wanted one', () => {
  assert.equal(signerOf([key('other', now - 1000, 'EdDSA'), key('wanted', now + overlapMs)]), 'other')
  assert.equal(signerOf([key('other', now - 1000, 'EdDSA'), key('wanted', now)]), 'wanted')
})

test('the first key of a fleet signs at once on a node whose clock is behind that of the node that made it', () => {
  const keys = [key('next', now + 10_000 + overlapMs), key('first', now + 10_000)]
  const { signer, isDue, removable } = scheduleOf(keys, now, 'ES256', 0)
  assert.equal(signer?.kid, 'first')
  assert.equal(isDue, false)
  assert.deepEqual(removable, [])
})
