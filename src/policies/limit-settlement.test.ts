import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { emptyAnswer } from '../core/answer.ts'
import { compose } from '../core/pipeline.ts'
import type { LimitSpec } from '../limits/limit-spec.ts'
import { end, from, limitDefaults, world } from '../../test/support/limit-world.ts'

const capacity = 1000
const reserve = 40
/** Refilled by one a day: nothing comes back while a property is looked at. */
const bucket: LimitSpec = {
  ...limitDefaults,
  name: 'tokens',
  algorithm: 'token-bucket',
  capacity,
  refill: { units: 1, periodMs: 86_400_000 },
}
const window: LimitSpec = { ...limitDefaults, name: 'tokens', algorithm: 'fixed-window', limit: capacity, windowMs: 86_400_000 }

/** How a request goes: its answer says what it cost, says nothing usable, or never comes (the process it was in is gone). */
type Fate = { readonly says: string } | 'silent' | 'lost'

const fates = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.nat({ max: 120 }).map((cost): Fate => ({ says: String(cost) })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<Fate>({ says: '-5' }, { says: '1.5' }, { says: 'many' }, { says: '' }, 'silent', 'lost'),
    },
  ),
  { maxLength: 60 },
)

function costOf(fate: Fate): number {
  return typeof fate === 'object' && /^\d+$/.test(fate.says) ? Number(fate.says) : reserve
}

describe('what was reserved and settled', () => {
  for (const spec of [bucket, window]) {
    it(`adds up to what answers said, and to the reservation of those that said nothing or were lost: ${spec.algorithm}`, async () => {
      await fc.assert(
        fc.asyncProperty(fates, async (requests) => {
          const { step, counters } = world([spec])
          const policies = [step('route', [{ use: 'tokens', cost: reserve, settle: 'x-cost' }])]
          let left = capacity
          for (const fate of requests) {
            const x = from('acme')
            if (fate === 'lost') {
              // Charged, and then nothing more: no head, no end.
              const verdict = await policies[0].decide!(x, 'charge')
              assert.equal(verdict.refusal === undefined, left >= reserve)
              if (verdict.refusal === undefined) left -= reserve
              continue
            }
            const answer = await compose(policies, () => {
              const given = emptyAnswer(204)
              if (fate !== 'silent') given.headers.set('x-cost', fate.says)
              return given
            })(x)
            end(policies, x)
            // A request passes exactly when its reservation fits.
            assert.equal(answer.status, left >= reserve ? 204 : 429)
            if (answer.status === 204) left -= costOf(fate)
          }
          const { levels } = await counters.peek([{ limit: 'tokens', key: '', cost: 0 }])
          assert.equal(levels[0].remaining, Math.max(0, left))
        }),
        { numRuns: 150 },
      )
    })
  }
})
