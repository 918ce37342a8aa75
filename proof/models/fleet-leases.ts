import assert from 'node:assert/strict'
import type { BudgetCall, BudgetHolders, BudgetReply } from '../../src/core/budgets.ts'
import type { Counters } from '../../src/core/counters.ts'
import { Fault } from '../../src/core/fault.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import { FleetClient } from '../../src/limits/fleet/fleet-client.ts'
import { createFleetCounters } from '../../src/limits/fleet/fleet-counters.ts'
import type { LimitSpec } from '../../src/limits/limit-spec.ts'
import { allocateLimitTable, createLimitTable } from '../../src/limits/limit-table.ts'
import { everyInterleaving } from '../../test/support/interleavings.ts'
import type { Steps } from '../../test/support/interleavings.ts'
import { MemoryBudgets } from '../../test/support/memory-budgets.ts'
import { CountingMeter } from '../../test/support/policy-env.ts'
import type { Promised } from '../support/promises.ts'
import { caught, holding } from './model.ts'

const capacity = 4
const msPerUnit = 10
/** In which a budget that is empty is whole again, and a message on its way is late, but no lease is returned. */
const refillMs = capacity * msPerUnit
/** How long an answer is waited for. */
const deadlineMs = 15
/** In which leases that nobody spends are returned. */
const idleMs = 400
/** In which a node that died is forgotten. */
const forgottenMs = 4000

const leased: LimitSpec = {
  name: 'leased',
  algorithm: 'token-bucket',
  capacity,
  refill: { units: 1, periodMs: msPerUnit },
  per: [],
  missing: 'shared',
  shadow: false,
  tolerance: 1,
  onStoreFailure: 'closed',
}
const exact: LimitSpec = { ...leased, name: 'exact', tolerance: 0 }

type Wrong = 'counts-no-holders' | 'torn' | 'gives-back-what-was-spent'

/** A store in memory: what it is asked arrives when the schedule says so, and so does its answer. */
class GatedBudgets extends MemoryBudgets {
  steps: Steps | undefined
  /** The longest that something was taken of which nobody heard in time, until it was given back. */
  lateMs = 0
  #lateSince = Infinity
  readonly #heard = new Map<string, number>()
  readonly #wrong: Wrong | undefined

  constructor(wrong: Wrong | undefined) {
    super()
    this.#wrong = wrong
  }

  override async run(calls: readonly BudgetCall[]): Promise<BudgetReply[]> {
    if (calls.length === 0) return []
    await this.steps?.wait()
    if (calls.some(({ verb }) => verb === 'credit')) this.lateMs = Math.max(this.lateMs, this.now - this.#lateSince)
    const takenAt = this.now
    const replies = await (this.#wrong === 'torn' ? this.#torn(calls) : super.run(calls))
    await this.steps?.wait()
    if (this.now - takenAt >= deadlineMs) this.#lateSince = Math.min(this.#lateSince, takenAt)
    return replies
  }

  override async greet(node = '', _holder = '', forgetMs = Infinity): Promise<BudgetHolders> {
    this.#heard.set(node, this.now)
    for (const [name, at] of this.#heard) if (this.now - at > forgetMs) this.#heard.delete(name)
    const count = this.#wrong === 'counts-no-holders' ? 1 : this.#heard.size
    return { holders: count, nodes: count }
  }

  /** Decides, and writes what it decided later. */
  async #torn(calls: readonly BudgetCall[]): Promise<BudgetReply[]> {
    const replies = await super.run(calls.map((call) => (call.verb === 'charge' ? { ...call, verb: 'peek' } : call)))
    await this.steps?.wait()
    const writes = calls.map((call, i): BudgetCall => ({ ...call, verb: 'debit', count: replies[i].granted }))
    await super.run(writes.filter((_, i) => calls[i].verb === 'charge'))
    return replies
  }
}

interface Node {
  readonly counters: Counters
  readonly client: FleetClient
  readonly clock: ManualClock
  isDead: boolean
}

const spare = createLimitTable(allocateLimitTable({ maxKeys: 64, workers: 1 }, new ManualClock()), 0, new ManualClock())

/** A fleet under one schedule. */
class Run {
  readonly store: GatedBudgets
  readonly nodes: Node[] = []
  /** When each request passed, by the store's clock. */
  readonly passed: number[] = []
  readonly #spec: LimitSpec
  readonly #wrong: Wrong | undefined

  constructor(spec: LimitSpec, wrong: Wrong | undefined) {
    this.#spec = spec
    this.#wrong = wrong
    this.store = new GatedBudgets(wrong)
  }

  async join(name: string): Promise<void> {
    const clock = new ManualClock(this.store.now)
    const client = new FleetClient({ store: this.store, clock, node: name, holder: '0', schedule: queueMicrotask })
    const open = spare.open.bind(spare)
    const counters = createFleetCounters({
      specs: [this.#spec],
      isLocal: () => false,
      client,
      open,
      meter: new CountingMeter(),
    })
    this.nodes.push({ counters, client, clock, isDead: false })
    await client.start()
  }

  /** Nodes that know of each other, and each of which has prepaid what it may. */
  async warmUp(): Promise<void> {
    await this.join('a')
    await this.join('b')
    for (let i = 0; i < 3; i++) await this.pass(500)
    for (let i = 0; i < 3; i++) {
      for (const node of this.nodes) {
        await this.ask(node)
        await this.pass(2 * msPerUnit)
      }
    }
    await this.pass(refillMs)
  }

  /** As many requests in one turn. */
  async ask(node: Node, count = 1): Promise<void> {
    if (node.isDead) return
    await Promise.all(Array.from({ length: count }, async () => this.#askOnce(node)))
  }

  async #askOnce(node: Node): Promise<void> {
    const charges = [{ limit: this.#spec.name, key: '', cost: 1 }]
    try {
      const { refusedBy } = await node.counters.charge(charges)
      if (refusedBy !== -1 || node.isDead) return
      this.passed.push(this.store.now)
      if (this.#wrong === 'gives-back-what-was-spent') await node.counters.credit(charges)
    } catch (thrown) {
      if (!(thrown instanceof Fault)) throw thrown
    }
  }

  /** Time passes for the store and for all nodes that live, which go on introducing themselves. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 100) {
      this.store.now += Math.min(100, left)
      for (const { clock, isDead } of this.nodes) if (!isDead) clock.advance(Math.min(100, left))
      for (let i = 0; i < 12; i++) await Promise.resolve()
    }
  }

  /** Everybody asks for more than there is, then nobody for as long as a budget takes to be whole; twice. */
  async burst(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      for (const node of this.nodes) await this.ask(node, 2 * capacity + 2)
      await this.pass(refillMs)
    }
  }

  /** The most that passed beyond what came back in any span of time. */
  most(): number {
    let most = 0
    for (let from = 0; from < this.passed.length; from++) {
      for (let to = from; to < this.passed.length; to++) {
        most = Math.max(most, to - from + 1 - (this.passed[to] - this.passed[from]) / msPerUnit)
      }
    }
    return most
  }

  close(): void {
    for (const { client } of this.nodes) client.close()
  }
}

type Task = (run: Run, steps: Steps) => Promise<void>

function asks(node: number, ...counts: readonly number[]): Task {
  return async (run, steps) => {
    for (const count of counts) {
      await steps.wait()
      await run.ask(run.nodes[node], count)
    }
  }
}

function passes(ms: number): Task {
  return async (run, steps) => {
    await steps.wait()
    await run.pass(ms)
  }
}

const dies: Task = async (run, steps) => {
  await steps.wait()
  run.nodes[0].isDead = true
}

const joins: Task = async (run, steps) => {
  await steps.wait()
  await run.join('c')
}

type Case = readonly [name: string, tasks: readonly Task[]]
const small: Case = ['two charges of each of two nodes', [asks(0, 1, 1), asks(1, 2)]]
/** Leaves nearly everything prepaid that may be. */
const calm: Case = ['a charge of one of two nodes', [asks(0, 1)]]
const cases: readonly Case[] = [
  calm,
  small,
  ['charges of two nodes, while the budget refills', [asks(0, 3), asks(1, 3), passes(refillMs)]],
  ['charges of two nodes, while leases run out', [asks(0, 3), asks(1, 3), passes(idleMs)]],
  ['charges of two nodes of which one dies', [asks(0, 3), asks(1, 3), dies, passes(refillMs)]],
  ['charges of two nodes of which one dies and is forgotten', [asks(1, 3), dies, passes(forgottenMs)]],
  ['charges of a node, while another joins', [asks(1, 3), joins, passes(refillMs)]],
]

/** Limits that nodes share: leases and corrections of `src/limits/fleet`, with every message to and from the store a step. */
export async function fleetLeases(isLean: boolean): Promise<readonly Promised[]> {
  const lines: Promised[] = []
  for (const each of isLean ? cases.slice(0, 2) : cases) {
    lines.push(
      await holding(`${each[0]}, exact`, `never more than the limit (${capacity}) and its refill, with that of a late answer`, () =>
        explored(each, exact),
      ),
      await holding(
        `${each[0]}, leased`,
        `never more than the limit × (1 + tolerance) (${2 * capacity}) and its refill, with that of a late answer`,
        () => explored(each, leased),
      ),
    )
  }
  lines.push(
    await caught('prepays an exact limit', () => explored(calm, leased, undefined, 0)),
    await caught('does not share the tolerance among its holders', () =>
      explored(calm, { ...leased, tolerance: 0.5 }, 'counts-no-holders'),
    ),
    await caught('decides in the store and writes later', () => explored(small, exact, 'torn')),
    await caught('gives back what was spent', () => explored(small, exact, 'gives-back-what-was-spent')),
  )
  return lines
}

async function explored([name, tasks]: Case, spec: LimitSpec, wrong?: Wrong, tolerance: number = spec.tolerance): Promise<string> {
  let most = 0
  const count = await everyInterleaving(async (steps) => {
    const run = new Run(spec, wrong)
    await run.warmUp()
    run.store.steps = steps
    await steps.run(tasks.map((task) => () => task(run, steps)))
    run.store.steps = undefined
    await run.burst()
    const passed = run.most()
    most = Math.max(most, passed)
    run.close()
    // What was taken unheard and given back counts from when it was taken: the budget has refilled since.
    const bound = capacity * (1 + tolerance) + run.store.lateMs / msPerUnit
    assert.ok(passed <= bound, `${passed} passed where ${bound} may`)
  })
  return `${count} interleavings of ${name}, ${spec.name} (at most ${most} passed)`
}
