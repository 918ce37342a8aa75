import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { limitDefaults, perTenant } from '../../../test/support/limit-world.ts'
import { MemoryBudgets } from '../../../test/support/memory-budgets.ts'
import { CountingMeter } from '../../../test/support/policy-env.ts'
import { placeLeaseMs } from '../../core/budgets.ts'
import type { Charge, Charged, Counters } from '../../core/counters.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import type { LimitSpec } from '../limit-spec.ts'
import { allocateLimitTable, createLimitTable } from '../limit-table.ts'
import { FleetClient } from './fleet-client.ts'
import { createFleetCounters } from './fleet-counters.ts'

const places: LimitSpec = { ...limitDefaults, name: 'places', algorithm: 'concurrency', limit: 4 }
const large: LimitSpec = {
  ...perTenant,
  name: 'large',
  capacity: 1000,
  refill: { units: 1, periodMs: 86_400_000 },
  tolerance: 0.05,
}

interface Node {
  readonly store: MemoryBudgets
  readonly clock: ManualClock
  readonly counters: Counters
  readonly client: FleetClient
  readonly pass: (ms: number) => Promise<void>
  readonly ask: (charge: Charge) => Promise<Charged>
  readonly end: (charge: Charge) => Promise<void>
  /** Units that the store counts for the limit. */
  readonly counted: () => Promise<number>
}

function nothing(): void {}

async function node(specs: readonly LimitSpec[]): Promise<Node> {
  const store = new MemoryBudgets()
  const clock = new ManualClock(1_700_000_000_000)
  let send = nothing
  const client = new FleetClient({ store, clock, node: 'n', holder: '0', schedule: (run) => void (send = run) })
  await client.start()
  const table = createLimitTable(allocateLimitTable({ maxKeys: 1000, workers: 1 }, clock), 0, clock)
  const open = (own: readonly LimitSpec[]): ReturnType<typeof table.open> => table.open(own)
  const counters = createFleetCounters({ specs, isLocal: () => false, client, open, meter: new CountingMeter() })
  const turn = async (): Promise<void> => {
    send()
    send = nothing
    for (let i = 0; i < 20; i++) await Promise.resolve()
  }
  // Shorter than the deadline, so that what is answered is heard.
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 10) {
      clock.advance(10)
      await turn()
    }
  }
  return {
    store,
    clock,
    counters,
    client,
    pass,
    async ask(charge) {
      const charged = counters.charge([charge])
      await turn()
      await pass(20)
      return charged
    },
    async end(charge) {
      const ended = counters.credit([charge])
      await turn()
      await pass(20)
      await ended
    },
    async counted() {
      const mood = store.mood
      store.mood = 'up'
      const levels = store.batches.flatMap((calls) => calls.flatMap((call) => call.levels))
      const [{ levels: states }] = await store.run([
        { verb: 'peek', count: 1, levels: [levels.find(({ kind }) => kind === 'concurrency')!] },
      ])
      store.mood = mood
      return 4 - states[0].remaining
    },
  }
}

const one: Charge = { limit: 'places', key: '', cost: 1 }

describe('places of a concurrency limit', () => {
  it('are taken and given back in the store, never prepaid, and a refusal holds no longer than it has to', async () => {
    const n = await node([places])
    await n.pass(1100)
    for (let i = 0; i < 4; i++) assert.equal((await n.ask(one)).refusedBy, -1)
    assert.equal(await n.counted(), 4)
    assert.equal((await n.ask(one)).refusedBy, 0)
    await n.end(one)
    assert.equal((await n.ask(one)).refusedBy, -1, 'a place came free')
  })

  it('are spoken for as long as they are held', async () => {
    const n = await node([places])
    for (let i = 0; i < 3; i++) await n.ask(one)
    const before = n.store.batches.length
    await n.pass(2 * placeLeaseMs)
    const words = n.store.batches.slice(before).flat()
    assert.ok(words.length >= 4, `${words.length} words in two leases`)
    assert.ok(words.every(({ verb, count }) => verb === 'hold' && count === 3))
    for (let i = 0; i < 3; i++) await n.end(one)
    const last = n.store.batches.length
    await n.pass(2 * placeLeaseMs)
    assert.equal(n.store.batches.length, last, 'who holds nothing says nothing')
  })

  for (const onStoreFailure of ['local', 'open'] as const) {
    it(`(${onStoreFailure}) count whatever passed while the store did not answer, and what ended then`, async () => {
      const n = await node([{ ...places, onStoreFailure }])
      for (let i = 0; i < 2; i++) await n.ask(one)
      n.store.mood = 'down'
      await n.end(one)
      let passed = 1
      for (let i = 0; i < 6; i++) if ((await n.ask(one)).refusedBy === -1) passed++
      // The node knows of the one that the store let pass.
      assert.equal(passed, onStoreFailure === 'local' ? 4 : 7)
      n.store.mood = 'up'
      await n.pass(400)
      assert.equal(await n.counted(), Math.min(4, passed))
      for (let i = 0; i < passed; i++) await n.end(one)
      assert.equal(await n.counted(), 0)
    })
  }

  it('are told anew to a store that has forgotten', async () => {
    const n = await node([places])
    for (let i = 0; i < 3; i++) await n.ask(one)
    n.store.forget(2000)
    assert.equal(await n.counted(), 0)
    await n.pass(50)
    assert.equal(await n.counted(), 3)
  })

  it('that were granted too late are not held', async () => {
    const n = await node([places])
    await n.ask(one)
    let answer = nothing
    const run = n.store.run.bind(n.store)
    n.store.run = async (calls) => {
      const replies = await run(calls)
      if (calls.some(({ verb }) => verb === 'charge')) await new Promise<void>((resolve) => void (answer = resolve))
      return replies
    }
    assert.equal((await n.ask(one)).refusedBy, -1, 'the node decides')
    assert.equal(await n.counted(), 2)
    answer()
    await n.pass(400)
    assert.equal(await n.counted(), 2)
    await n.end(one)
    await n.end(one)
    await n.pass(400)
    assert.equal(await n.counted(), 0)
  })

  it('are given back at the end', async () => {
    const n = await node([places])
    for (let i = 0; i < 3; i++) await n.ask(one)
    n.client.close()
    assert.equal(await n.counted(), 0)
  })
})

describe('a store that has forgotten', () => {
  it('lends nothing until it has been told what was used', async () => {
    const n = await node([large])
    const charge = { limit: 'large', key: 'k', cost: 1 }
    await n.pass(1100)
    const asked = async (): Promise<number> => {
      const before = n.store.batches.length
      const charges = Array.from({ length: 5 }, () => n.counters.charge([charge]))
      await n.pass(50)
      await Promise.all(charges.map(async (each) => each))
      const calls = n.store.batches.slice(before).flat()
      return calls.filter(({ verb }) => verb === 'charge').reduce((sum, { count }) => sum + count, 0)
    }
    assert.equal(await asked(), 10)
    await n.pass(500)
    n.store.forget(2000)
    assert.equal(await asked(), 5)
    await n.pass(1000)
    assert.equal(await asked(), 5)
    await n.pass(1000)
    assert.equal(await asked(), 10)
  })

  it('is not believed to know of all holders at once', async () => {
    const n = await node([large])
    n.store.holders = { holders: 6, nodes: 3 }
    await n.pass(500)
    assert.deepEqual(n.client.fleet, { holders: 6, nodes: 3 })
    n.store.forget(2000)
    n.store.holders = { holders: 1, nodes: 1 }
    await n.pass(2500)
    assert.deepEqual(n.client.fleet, { holders: 6, nodes: 3 })
    await n.pass(1500)
    assert.deepEqual(n.client.fleet, { holders: 1, nodes: 1 })
  })

  it('nor is one that did not answer for a while', async () => {
    const n = await node([large])
    n.store.holders = { holders: 6, nodes: 3 }
    await n.pass(500)
    n.store.mood = 'down'
    await n.pass(4000)
    n.store.mood = 'up'
    n.store.holders = { holders: 1, nodes: 1 }
    await n.pass(2000)
    assert.deepEqual(n.client.fleet, { holders: 6, nodes: 3 })
    await n.pass(2000)
    assert.deepEqual(n.client.fleet, { holders: 1, nodes: 1 })
  })
})
