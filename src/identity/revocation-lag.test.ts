import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GatedStores } from '../../test/support/gated-stores.ts'
import { CountingMeter } from '../../test/support/policy-env.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { createMemoryStores } from '../stores/memory/memory-stores.ts'
import { RevocationLag } from './revocation-lag.ts'

test('the lag grows while nothing is heard, falls when it is again, and is gone with the gauge', async () => {
  const clock = new ManualClock()
  const stores = new GatedStores(createMemoryStores(clock), () => clock.monotonic())
  const meter = new CountingMeter()
  stores.isDown = true
  const lag = new RevocationLag(stores.bus, clock, meter)
  const shown = (): number => Math.round((meter.counts.get('velum_revocation_lag_seconds') ?? 0) * 1000) / 1000
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await pass(500)
  stores.isDown = false
  await pass(250)
  await pass(250)
  assert.equal(shown(), 0)
  stores.deafen()
  await pass(2000)
  assert.equal(shown(), 2)
  stores.isDeaf = false
  await pass(250)
  assert.equal(shown(), 0)
  stores.deafen()
  await pass(1000)
  lag.close()
  assert.equal(shown(), 0)
  await pass(1000)
  assert.equal(shown(), 0)
})
