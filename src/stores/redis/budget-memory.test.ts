import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { BudgetLevel } from '../../core/budgets.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { BudgetMemory } from './budget-memory.ts'

const level = (id: string): BudgetLevel => ({ id, place: id, kind: 'token-bucket', parameters: [10, 1, 1000], cost: 1 })
const used = (resetAfterMs: number) => ({ remaining: 9, retryAfterMs: 0, resetAfterMs, unitAfterMs: 0, delayMs: 0 })

describe('BudgetMemory', () => {
  it('forgets budgets that are whole again as others come, however many keys there are', () => {
    const clock = new ManualClock()
    const memory = new BudgetMemory(clock)
    memory.saw(level('lasting'), used(100_000_000))
    // Each is whole after two seconds, in which twenty others come: never more than that are worth remembering.
    for (let n = 0; n < 20_000; n++) {
      memory.saw(level(`key-${n}`), used(2000))
      clock.advance(100)
    }
    const taken = memory.take(() => true)
    assert.ok(taken.has('lasting'))
    assert.ok(taken.has('key-19999'))
    assert.ok(taken.size < 60, `${taken.size} are remembered`)
  })

  it('forgets those of a flood that is over', () => {
    const clock = new ManualClock()
    const memory = new BudgetMemory(clock)
    for (let n = 0; n < 20_000; n++) memory.saw(level(`flood-${n}`), used(2000))
    clock.advance(3000)
    for (let n = 0; n < 6000; n++) memory.saw(level('one'), used(2000))
    assert.equal(memory.take(() => true).size, 1)
  })

  it('keeps no heads of requests alive from which keys were cut', () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const memory = new BudgetMemory(new ManualClock())
    collect()
    const before = process.memoryUsage().heapUsed
    for (let n = 0; n < 1000; n++) {
      const head = Buffer.alloc(20_000, `${n} the value of a header line; `).toString('latin1')
      const key = head.slice(0, 30)
      memory.saw({ ...level(`limit:=${key}`), place: key }, used(60_000))
    }
    collect()
    const keptBytes = process.memoryUsage().heapUsed - before
    assert.ok(keptBytes < 4_000_000, `${keptBytes} bytes are kept`)
    assert.equal(memory.take(() => true).size, 1000)
  })
})
