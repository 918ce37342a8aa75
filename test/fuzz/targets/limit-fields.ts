import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseItem, parseList } from 'structured-headers'
import type { Charge } from '../../../src/core/counters.ts'
import { ManualClock } from '../../../src/core/manual-clock.ts'
import { parseRetryAfter } from '../../../src/lib/retry-after.ts'
import { findLimitFault } from '../../../src/limits/limit-fault.ts'
import { draftFields, legacyFields, LimitVoice, policiesOf, retrySeconds } from '../../../src/limits/limit-fields.ts'
import type { Standing } from '../../../src/limits/limit-fields.ts'
import type { LimitSpec } from '../../../src/limits/limit-spec.ts'
import { allocateLimitTable, createLimitTable } from '../../../src/limits/limit-table.ts'
import { defineTarget } from '../fuzz-target.ts'
import { spoilt } from '../spoilt.ts'

const common = {
  per: [],
  missing: 'shared',
  shadow: false,
  tolerance: 0,
  onStoreFailure: 'local',
  fields: ['ratelimit', 'x-ratelimit'],
} as const
const amount = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 1_000_000 }))
const milliseconds = fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 86_400_000 }))
const name = spoilt(['perTenant', 'a,b', '"', '\\', 'x";r=9'], ['"', '\\', ';', ',', '=']).map(
  (text) => text.replace(/[^!-~]/g, '') || 'x',
)
const rate = fc.record({ units: fc.integer({ min: 1, max: 100 }), periodMs: milliseconds })

const specs: fc.Arbitrary<LimitSpec> = fc
  .oneof(
    fc.record({ name, algorithm: fc.constant('token-bucket' as const), capacity: amount, refill: rate }),
    fc.record({
      name,
      algorithm: fc.constant('leaky-bucket' as const),
      capacity: amount,
      leak: rate,
      mode: fc.constant('meter' as const),
    }),
    fc.record({
      name,
      algorithm: fc.constantFrom('fixed-window' as const, 'sliding-log' as const, 'sliding-window' as const),
      limit: fc.integer({ min: 1, max: 50 }),
      windowMs: milliseconds,
    }),
    fc.record({ name, algorithm: fc.constant('concurrency' as const), limit: amount }),
  )
  .map((spec) => Object.assign(spec, common))
  .filter((spec) => findLimitFault(spec) === undefined)

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) >= 0

const rateLimit = defineTarget({
  name: 'RateLimit, RateLimit-Policy, Retry-After that we write',
  promise: 'structured fields that name the limit, with whole numbers that fit its configuration, whatever was charged',
  cases: fc.record({
    spec: specs,
    costs: fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 5 }),
    waitMs: milliseconds,
    last: fc.integer({ min: 0, max: 30 }),
  }),
  fewCases: 200,
  check({ spec, costs, waitMs, last }) {
    const clock = new ManualClock()
    const counters = createLimitTable(allocateLimitTable({ maxKeys: 4, workers: 1 }, clock), 0, clock).open([spec])
    const chargeOf = (cost: number): Charge => ({ limit: spec.name, key: 'k', cost })
    for (const cost of costs) counters.charge([chargeOf(cost)])
    clock.advance(waitMs)
    const state = counters.charge([chargeOf(last)]).levels[0]
    const standing: Standing = { voice: new LimitVoice(spec), charge: chargeOf(last), state }
    const block = draftFields(policiesOf([standing.voice]), [standing])
    assert.deepEqual(
      block.pairs.map(([field]) => field),
      ['ratelimit-policy', 'ratelimit'],
    )
    const [policies, levels] = block.pairs.map(([, value]) => parseList(value))
    assert.deepEqual(
      [policies, levels].map((list) => list.map(([item]) => item)),
      [[spec.name], [spec.name]],
    )
    const left = levels[0][1].get('r')
    const window = policies[0][1].get('w')
    const seconds = levels[0][1].get('t')
    const quantity = 'capacity' in spec ? spec.capacity : spec.limit
    assert.equal(policies[0][1].get('q'), quantity)
    assert.ok(isCount(left) && Number(left) <= quantity, `r=${String(left)} of ${quantity}`)
    if (spec.algorithm !== 'concurrency') {
      assert.ok(isCount(window) && Number(window) >= 1 && isCount(seconds) && Number(seconds) >= 1)
      // Nobody is told to be back before the moment, nor a second after it.
      const retry = retrySeconds(state.retryAfterMs)
      if (state.retryAfterMs !== Infinity) {
        assert.ok(retry * 1000 >= state.retryAfterMs && (retry - 1) * 1000 < Math.max(1, state.retryAfterMs))
        if (state.retryAfterMs > 0) assert.ok(Number(seconds) <= retry, `t=${String(seconds)} after Retry-After ${retry}`)
      }
    }
    for (const [, value] of legacyFields([standing], Date.UTC(2026, 10, 24))!.pairs) assert.ok(isCount(parseItem(value)[0]), value)
  },
})

const now = Date.UTC(2026, 10, 24, 12)
const retryAfter = defineTarget({
  name: 'Retry-After',
  promise: 'the seconds that stand there, or those until a date; never a time before now',
  cases: fc.oneof(
    spoilt(['120', '0', new Date(now + 60_000).toUTCString(), '1.5', '-5', '1e9'], ['9'.repeat(12), 'GMT', '+', ' ', 'x']),
    fc.integer({ min: -1e9, max: 1e12 }).map((ms) => new Date(now + ms).toUTCString()),
  ),
  fewCases: 300,
  check(value) {
    const ms = parseRetryAfter(value, now)
    assert.ok(ms >= 0, String(ms))
    if (/^\d+$/.test(value)) assert.equal(ms, Number(value) * 1000)
    const at = new Date(value)
    if (!Number.isNaN(at.getTime()) && at.toUTCString() === value) assert.equal(ms, Math.max(0, at.getTime() - now))
    if (!/\d/.test(value)) assert.equal(ms, 0)
  },
})

export const limitFieldTargets = [rateLimit, retryAfter]
