// What workers know of sessions and API keys: what has ended leaves, though nobody asks for it any more.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ManualClock } from '../core/manual-clock.ts'
import type { StoredRecord, Stores } from '../core/stores.ts'
import { NearApiKeys } from './api-key-near.ts'
import type { OwnIssuerSpec } from './identity-spec.ts'
import { NearSessions } from './near-sessions.ts'
import type { Revocations } from './revocations.ts'

const minuteMs = 60_000
const spec = {
  issuer: 'https://a.example',
  roles: [],
  sessions: { idleMs: minuteMs, absoluteMs: 3 * minuteMs },
} as unknown as OwnIssuerSpec

/** A store that knows every id, with this value. */
const storesOf = (value: () => object): Stores =>
  ({
    records: {
      get: async (_kind: string, id: string): Promise<StoredRecord> =>
        ({ id, owner: 'o', value: value() }) as unknown as StoredRecord,
    },
  }) as unknown as Stores

test('sessions that were left are not kept until there is no room', async () => {
  const clock = new ManualClock()
  const none = { epoch: 0, isRevoked: () => false } as unknown as Revocations
  const stores = storesOf(() => ({ roles: [], seenAt: clock.now(), startedAt: clock.now(), endsAt: clock.now() + 3 * minuteMs }))
  const near = new NearSessions(stores, spec, none, clock)
  await near.load('kept')
  for (let second = 0; second < 600; second++) {
    clock.advance(1000)
    const kept = near.find('kept')
    if (second < 175) {
      assert.ok(kept, 'one in use stays')
      kept.usedAt = clock.now()
    }
    await near.load(String(second))
  }
  assert.equal(near.find('kept'), undefined, 'it has ended')
  assert.ok(near.size <= 90, `${near.size}, of which 60 may have been left a minute ago or less`)
})

test('keys that were revoked are not kept until there is no room', async () => {
  const clock = new ManualClock()
  const live = new Set<string>()
  const revocations = {
    epoch: 0,
    isRevoked: ({ credentialId }: { credentialId: string }) => !live.has(credentialId),
  } as unknown as Revocations
  const near = new NearApiKeys(
    storesOf(() => ({ roles: [], scopes: [], addresses: [] })),
    revocations,
    clock,
  )
  for (let n = 0; n < 600; n++) {
    live.add(String(n))
    live.delete(String(n - 60))
    await near.load(String(n))
  }
  for (let n = 540; n < 600; n++) assert.ok(near.find(String(n)), 'one that is good stays')
  assert.ok(near.size <= 90, `${near.size} of which 60 are good`)
})
