import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { limitDefaults, perTenant } from '../../../test/support/limit-world.ts'
import { MemoryBudgets } from '../../../test/support/memory-budgets.ts'
import { CountingMeter } from '../../../test/support/policy-env.ts'
import type { Charge, Charged, Counters } from '../../core/counters.ts'
import { Fault } from '../../core/fault.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import type { LimitSpec } from '../limit-spec.ts'
import { allocateLimitTable, createLimitTable } from '../limit-table.ts'
import { FleetClient } from './fleet-client.ts'
import { createFleetCounters } from './fleet-counters.ts'
import { largestLease } from './fleet-limit.ts'

const exact: LimitSpec = { ...perTenant, name: 'exact', tolerance: 0 }
const large: LimitSpec = {
  ...perTenant,
  name: 'large',
  capacity: 1000,
  refill: { units: 1, periodMs: 86_400_000 },
  tolerance: 0.05,
}
const held: LimitSpec = { ...limitDefaults, name: 'held', algorithm: 'concurrency', limit: 3 }

interface Node {
  readonly counters: Counters
  readonly client: FleetClient
  readonly clock: ManualClock
  readonly meter: CountingMeter
  /** Ends the turn: what was asked goes to the store, and its answers come. */
  readonly turn: () => Promise<void>
}

function nothing(): void {}

async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

/** A node with its own clock, which may be wrong, on a store that all share. */
async function node(store: MemoryBudgets, specs: readonly LimitSpec[], name = 'n1', skewMs = 0): Promise<Node> {
  const clock = new ManualClock(1_700_000_000_000 + skewMs)
  const meter = new CountingMeter()
  let send = nothing
  const client = new FleetClient({ store, clock, node: name, holder: '0', schedule: (run) => void (send = run) })
  await client.start()
  const table = createLimitTable(allocateLimitTable({ maxKeys: 1000, workers: 1 }, clock), 0, clock)
  const counters = createFleetCounters({ specs, isLocal: () => false, client, open: (own) => table.open(own), meter })
  const turn = async (): Promise<void> => {
    send()
    send = nothing
    await settled()
  }
  return { counters, client, clock, meter, turn }
}

async function ask({ counters, turn }: Node, charges: readonly Charge[]): Promise<Charged> {
  const charged = counters.charge(charges)
  await turn()
  return charged
}

/** Lets time pass on a node and in the store. */
async function pass(store: MemoryBudgets, ms: number, ...nodes: Node[]): Promise<void> {
  for (let left = ms; left > 0; left -= 100) {
    store.now += Math.min(100, left)
    for (const { clock, turn } of nodes) {
      clock.advance(Math.min(100, left))
      await turn()
    }
  }
}

const one = (limit: string, cost = 1, key = 'acme'): Charge => ({ limit, key, cost })

describe('a budget of the fleet', () => {
  it('is one, however far apart the clocks of nodes are', async () => {
    const store = new MemoryBudgets()
    const nodes = [await node(store, [exact], 'a', -5000), await node(store, [exact], 'b', 5000), await node(store, [exact], 'c')]
    let passed = 0
    for (let i = 0; i < 30; i++) if ((await ask(nodes[i % 3], [one('exact')])).refusedBy === -1) passed++
    assert.equal(passed, 10)
    await pass(store, 500, ...nodes)
    for (const each of nodes) if ((await ask(each, [one('exact')])).refusedBy === -1) passed++
    assert.equal(passed, 11)
  })

  it('is asked once a turn: equal requests are one call, others go along', async () => {
    const store = new MemoryBudgets()
    const n = await node(store, [exact])
    const asked = [
      ...Array.from({ length: 12 }, () => n.counters.charge([one('exact')])),
      n.counters.charge([one('exact', 1, 'other')]),
    ]
    await n.turn()
    const charged = await Promise.all(asked.map(async (each) => each))
    assert.deepEqual(
      charged.map(({ refusedBy }) => refusedBy),
      [...Array.from({ length: 10 }, () => -1), 0, 0, -1],
    )
    assert.deepEqual(
      charged.map(({ levels }) => levels[0].remaining),
      [9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 9],
    )
    assert.equal(charged[11].levels[0].retryAfterMs, 500)
    assert.deepEqual(
      store.batches.map((calls) => calls.map(({ count }) => count)),
      [[12, 1]],
    )
  })

  it('charges all levels of a step or none', async () => {
    const store = new MemoryBudgets()
    const small: LimitSpec = { ...exact, name: 'small', capacity: 3 }
    const a = await node(store, [exact, small], 'a')
    const b = await node(store, [exact, small], 'b')
    const results = await Promise.all([a, b, a, b, a, b].map((each) => ask(each, [one('exact'), one('small')])))
    assert.equal(results.filter(({ refusedBy }) => refusedBy === -1).length, 3)
    for (const { refusedBy } of results) assert.ok(refusedBy === -1 || refusedBy === 1)
    // Three were taken, not six.
    assert.equal((await ask(a, [one('exact')])).levels[0].remaining, 6)
  })

  it('and a limit of the node are charged together, or not', async () => {
    const store = new MemoryBudgets()
    const n = await node(store, [exact, held])
    for (let i = 0; i < 3; i++) assert.equal((await ask(n, [one('held'), one('exact', 4)])).refusedBy, i < 2 ? -1 : 1)
    // The refusal of the fleet gave the third place back.
    assert.equal((await ask(n, [one('held'), one('exact')])).refusedBy, -1)
    const refused = await ask(n, [one('held'), one('exact')])
    assert.equal(refused.refusedBy, 0)
    await pass(store, 5000, n)
    assert.equal((await ask(n, [one('exact', 10)])).refusedBy, -1)
  })

  it('remembers refusals, and asks again when it is time', async () => {
    const store = new MemoryBudgets()
    const n = await node(store, [exact])
    await ask(n, [one('exact', 10)])
    assert.equal((await ask(n, [one('exact')])).levels[0].retryAfterMs, 500)
    const calls = store.batches.length
    n.clock.advance(400)
    store.now += 400
    for (let i = 0; i < 100; i++) assert.equal((await ask(n, [one('exact')])).levels[0].retryAfterMs, 100)
    assert.equal(store.batches.length, calls)
    n.clock.advance(100)
    store.now += 100
    assert.equal((await ask(n, [one('exact')])).refusedBy, -1)
  })

  it('never passes what costs more than it holds', async () => {
    const n = await node(new MemoryBudgets(), [exact])
    const { refusedBy, levels } = await ask(n, [one('exact', 11)])
    assert.deepEqual([refusedBy, levels[0].retryAfterMs], [0, Infinity])
  })

  it('can be credited and debited, into debt', async () => {
    const store = new MemoryBudgets()
    const n = await node(store, [exact])
    await ask(n, [one('exact', 5)])
    for (const verb of ['debit', 'credit'] as const) {
      const done = n.counters[verb]([one('exact', 7)])
      await n.turn()
      await done
      const peeked = n.counters.peek([one('exact', 0)])
      await n.turn()
      assert.equal((await peeked).levels[0].remaining, verb === 'debit' ? 0 : 5)
    }
  })
})

describe('leases', () => {
  it('are as large as the tolerance allows', () => {
    assert.equal(largestLease({ largestCost: 1000, tolerance: 0.05 }, 10), 5)
    assert.equal(largestLease({ largestCost: 10, tolerance: 0.05 }, 3), 0)
    assert.equal(largestLease({ largestCost: 1000, tolerance: 0 }, 1), 0)
  })

  it('save calls, and a flash crowd gets no more than the limit and no less than the tolerance', async () => {
    const store = new MemoryBudgets()
    store.holders = { holders: 3, nodes: 3 }
    const nodes = [await node(store, [large], 'a'), await node(store, [large], 'b'), await node(store, [large], 'c')]
    await pass(store, 1100, ...nodes)
    let passed = 0
    for (let i = 0; i < 10_000; i++) if ((await ask(nodes[i % 3], [one('large')])).refusedBy === -1) passed++
    assert.ok(passed <= 1000 && passed >= 950, `${passed} passed`)
    assert.ok(store.batches.length < 200, `${store.batches.length} calls`)
  })

  it('that nobody uses are returned, and at the end all are', async () => {
    const store = new MemoryBudgets()
    const n = await node(store, [large])
    await pass(store, 1100, n)
    const asked = Array.from({ length: 20 }, () => n.counters.charge([one('large')]))
    await n.turn()
    await Promise.all(asked.map(async (each) => each))
    const left = async (): Promise<number> => {
      const [{ levels }] = await store.run([{ verb: 'peek', count: 1, levels: store.batches[0][0].levels }])
      return levels[0].remaining
    }
    assert.equal(await left(), 960)
    await pass(store, 400, n)
    assert.equal(await left(), 980)
    await ask(n, [one('large')])
    assert.equal(await left(), 978)
    n.client.close()
    await settled()
    assert.equal(await left(), 979)
    assert.deepEqual(store.left, ['n1/0'])
  })

  it('are not given to who has just come: others do not know of it yet', async () => {
    const store = new MemoryBudgets()
    const n = await node(store, [large])
    await ask(n, [one('large')])
    assert.equal(store.batches.at(-1)?.[0].count, 1)
  })
})

describe('while the store does not answer', () => {
  const behaviours = ['local', 'open', 'closed'] as const
  const limits = behaviours.map((onStoreFailure): LimitSpec => ({ ...exact, name: onStoreFailure, onStoreFailure }))

  for (const mood of ['down', 'silent'] as const) {
    it(`(${mood}) each limit does what it says, at once after the first deadline, and it is counted`, async () => {
      const store = new MemoryBudgets()
      store.holders = { holders: 2, nodes: 2 }
      const n = await node(store, limits)
      store.mood = mood
      const first = behaviours.map(async (name) => n.counters.charge([one(name)]))
      const outcomes = Promise.allSettled(first)
      await n.turn()
      n.clock.advance(16)
      const [local, open, closed] = await outcomes
      assert.equal(local.status === 'fulfilled' && local.value.refusedBy, -1)
      assert.equal(open.status === 'fulfilled' && open.value.refusedBy, -1)
      assert.ok(closed.status === 'rejected' && closed.reason instanceof Fault && closed.reason.code === 'store-down')
      // From here nobody waits any more. The node's share of ten is five, one of which is used.
      const more = Array.from({ length: 8 }, () => n.counters.charge([one('local')]) as Charged)
      assert.deepEqual(
        more.map(({ refusedBy }) => refusedBy),
        [-1, -1, -1, -1, 0, 0, 0, 0],
      )
      for (let i = 0; i < 50; i++) assert.equal((n.counters.charge([one('open')]) as Charged).refusedBy, -1)
      assert.throws(() => n.counters.charge([one('closed')]), { code: 'store-down' })
      assert.throws(() => n.counters.charge([one('open'), one('closed')]), { code: 'store-down' })
      const count = (name: string): number | undefined => n.meter.counts.get(`velum_limit_store_failures_total ${name} ${name}`)
      assert.deepEqual([count('local'), count('open'), count('closed')], [9, 52, 3])
    })
  }

  it('goes back to the store when that answers again', async () => {
    const store = new MemoryBudgets()
    const n = await node(store, [exact])
    await ask(n, [one('exact', 4)])
    store.mood = 'down'
    await ask(n, [one('exact')])
    assert.ok(n.client.isDown)
    store.mood = 'up'
    n.clock.advance(100)
    await settled()
    assert.ok(!n.client.isDown)
    assert.equal((await ask(n, [one('exact')])).levels[0].remaining, 5)
  })
})
