import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { Clock } from '../core/clock.ts'
import { Standing } from './algorithm.ts'
import { algorithmFor } from './algorithm-of.ts'
import { findLimitFault } from './limit-fault.ts'
import type { LimitSpec } from './limit-spec.ts'
import { allocateLimitTable, createLimitTable } from './limit-table.ts'

interface Step {
  readonly at: number
  readonly cost: number
  readonly allow: boolean
  readonly remaining?: number
  readonly retryMs: number | null
  readonly delayMs?: number
  readonly wholeAt?: number
  readonly release?: number
}

interface Vectors {
  readonly tables: readonly { readonly name: string; readonly limit: object; readonly steps: readonly Step[] }[]
}

const common = { name: 'vector', per: [], missing: 'shared', shadow: false, tolerance: 0, onStoreFailure: 'local' }
const folder = new URL('../../test/vectors/limits/', import.meta.url)
const files = readdirSync(folder).filter((file) => file.endsWith('.json'))

/** Shows exactly the time of a vector, backwards too. */
class VectorClock implements Clock {
  at = 0
  now(): number {
    return this.at
  }
  monotonic(): number {
    return this.at
  }
  after(): never {
    throw new Error('nothing waits here')
  }
}

function expected(step: Step): object {
  return {
    allow: step.allow,
    remaining: step.remaining,
    retryMs: step.retryMs ?? Infinity,
    delayMs: step.delayMs,
    wholeAt: step.wholeAt,
  }
}

/** What happened, without what the vector says nothing of. */
function got(step: Step, seen: Required<Omit<Step, 'at' | 'cost' | 'release'>>): object {
  return {
    allow: seen.allow,
    remaining: step.remaining === undefined ? undefined : seen.remaining,
    retryMs: seen.retryMs,
    delayMs: step.delayMs === undefined ? undefined : seen.delayMs,
    wholeAt: step.wholeAt === undefined ? undefined : seen.wholeAt,
  }
}

it('has vectors for every algorithm', () => {
  assert.deepEqual(files.toSorted(), [
    'concurrency.json',
    'fixed-window.json',
    'leaky-meter.json',
    'leaky-queue.json',
    'quota.json',
    'sliding-log.json',
    'sliding-window.json',
    'token-bucket.json',
  ])
})

for (const file of files) {
  const { tables } = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Vectors
  describe(`test/vectors/limits/${file}`, () => {
    for (const table of tables) {
      const spec = { ...common, ...table.limit } as unknown as LimitSpec

      it(`${table.name}: the algorithm alone`, () => {
        assert.equal(findLimitFault(spec), undefined)
        const algorithm = algorithmFor(spec)
        const s = new Float64Array(algorithm.stateLength)
        const standing = new Standing()
        for (const [i, step] of table.steps.entries()) {
          algorithm.advance(s, 0, step.at)
          if (step.release !== undefined) algorithm.giveBack(s, 0, step.at, step.release)
          const retryMs = algorithm.retryAfter(s, 0, step.at, step.cost)
          const delayMs = retryMs === 0 ? algorithm.take(s, 0, step.at, step.cost) : 0
          algorithm.read(s, 0, step.at, standing)
          const wholeAt = algorithm.wholeAt(s, 0)
          const seen = { allow: retryMs === 0, remaining: standing.remaining, retryMs, delayMs, wholeAt }
          assert.deepEqual(got(step, seen), expected(step), `step ${i} at ${step.at}`)
        }
      })

      it(`${table.name}: in the shared table`, () => {
        const clock = new VectorClock()
        const counters = createLimitTable(allocateLimitTable({ maxKeys: 1000, workers: 1 }, clock), 0, clock).open([spec])
        for (const [i, step] of table.steps.entries()) {
          clock.at = step.at
          if (step.release !== undefined) counters.credit([{ limit: 'vector', key: 'k', cost: step.release }])
          const charges = [{ limit: 'vector', key: 'k', cost: step.cost }]
          const asked = counters.peek(charges)
          const { refusedBy, levels } = counters.charge(charges)
          const [{ remaining, retryAfterMs, delayMs }] = levels
          const seen = { allow: refusedBy === -1, remaining, retryMs: retryAfterMs, delayMs, wholeAt: step.wholeAt ?? 0 }
          assert.deepEqual(got(step, seen), expected(step), `step ${i} at ${step.at}`)
          assert.equal(asked.levels[0].retryAfterMs, retryAfterMs, 'peek says what charge does')
        }
      })
    }
  })
}
