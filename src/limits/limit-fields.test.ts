import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parseList } from 'structured-headers'
import type { Charge, LevelState } from '../core/counters.ts'
import type { HeaderBlock } from '../core/headers.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { draftFields, legacyFields, LimitVoice, policiesOf, retrySeconds } from './limit-fields.ts'
import type { Standing } from './limit-fields.ts'
import type { LimitSpec } from './limit-spec.ts'
import { allocateLimitTable, createLimitTable } from './limit-table.ts'

const common = { name: 'tenant-burst', per: [], missing: 'shared', shadow: false, tolerance: 0, onStoreFailure: 'local' } as const
const burst: LimitSpec = { ...common, algorithm: 'token-bucket', capacity: 10, refill: { units: 2, periodMs: 1000 } }

/** How a limit stands after these charges at once, and after `waitMs`. */
function standing(spec: LimitSpec, costs: readonly number[], waitMs = 0, last = 0): Standing {
  const clock = new ManualClock()
  const counters = createLimitTable(allocateLimitTable({ maxKeys: 100, workers: 1 }, clock), 0, clock).open([spec])
  for (const cost of costs) counters.charge([{ limit: spec.name, key: 'k', cost }])
  clock.advance(waitMs)
  const charge: Charge = { limit: spec.name, key: 'k', cost: last }
  return { voice: new LimitVoice(spec), charge, state: counters.charge([charge]).levels[0] }
}

function valueOf(block: HeaderBlock | undefined, name: string): string | undefined {
  return block?.pairs.find(([key]) => key === name)?.[1]
}

function fieldsOf(levels: readonly Standing[]): [policy: string | undefined, limit: string | undefined] {
  const block = draftFields(policiesOf(levels.map((level) => level.voice)), levels)
  assert.equal(block.text, block.pairs.map(([name, value]) => `${name}: ${value}\r\n`).join(''))
  assert.equal(block.ids.length, block.pairs.length)
  return [valueOf(block, 'ratelimit-policy'), valueOf(block, 'ratelimit')]
}

function state(remaining: number): LevelState {
  return { remaining, retryAfterMs: 0, resetAfterMs: 0, unitAfterMs: 0, delayMs: 0 }
}

describe('RateLimit of a bucket', () => {
  it('is as in the draft: full, three left, empty', () => {
    assert.deepEqual(fieldsOf([standing(burst, [])]), ['"tenant-burst";q=10;w=5', '"tenant-burst";r=10;t=5'])
    assert.equal(fieldsOf([standing(burst, [7])])[1], '"tenant-burst";r=3;t=2')
    assert.equal(fieldsOf([standing(burst, [10])])[1], '"tenant-burst";r=0;t=1')
    assert.equal(fieldsOf([standing(burst, [10], 0, 1)])[1], '"tenant-burst";r=0;t=1')
  })

  it('never invites more than the sustained rate, and tells of an effective window no longer than the retry', () => {
    const bucketAndPart = fc.record({
      capacity: fc.integer({ min: 1, max: 5000 }),
      units: fc.integer({ min: 1, max: 100 }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(bucketAndPart, ({ capacity, units, part }) => {
        const spec: LimitSpec = { ...common, algorithm: 'token-bucket', capacity, refill: { units, periodMs: 1000 } }
        const level = standing(spec, [Math.round(part * capacity)])
        const { remaining } = level.state
        const seconds = level.voice.seconds(level.state)
        assert.ok(remaining / seconds <= units)
        const refused = standing(spec, [Math.round(part * capacity)], 0, capacity)
        if (refused.state.retryAfterMs > 0)
          assert.ok(refused.voice.seconds(refused.state) <= retrySeconds(refused.state.retryAfterMs))
      }),
    )
  })
})

describe('RateLimit of the other algorithms', () => {
  it('tells the seconds to the reset of a window, and to the next unit when none is left', () => {
    const fixed: LimitSpec = { ...common, algorithm: 'fixed-window', limit: 5, windowMs: 10_000 }
    assert.deepEqual(fieldsOf([standing(fixed, [2], 3000)]), ['"tenant-burst";q=5;w=10', '"tenant-burst";r=3;t=7'])
    assert.equal(fieldsOf([standing(fixed, [])])[1], '"tenant-burst";r=5;t=10')
    const log: LimitSpec = { ...common, algorithm: 'sliding-log', limit: 2, windowMs: 10_000 }
    assert.equal(fieldsOf([standing(log, [1], 4000, 1)])[1], '"tenant-burst";r=0;t=6')
  })

  it('counts a quota to the end of its day, and gives a month no fixed window', () => {
    const day: LimitSpec = { ...common, algorithm: 'quota', limit: 1000, period: 'day' }
    const [policy, limit] = fieldsOf([standing(day, [1])])
    assert.equal(policy, '"tenant-burst";q=1000;w=86400')
    // The manual clock starts at 22:13:20 UTC.
    assert.equal(limit, '"tenant-burst";r=999;t=6400')
    assert.equal(fieldsOf([standing({ ...day, period: 'month' }, [1])])[0], '"tenant-burst";q=1000')
  })

  it('says concurrent-requests of a concurrency limit, and no time', () => {
    const held: LimitSpec = { ...common, algorithm: 'concurrency', limit: 4 }
    assert.deepEqual(fieldsOf([standing(held, [1])]), ['"tenant-burst";q=4;qu="concurrent-requests"', '"tenant-burst";r=3'])
  })
})

describe('fields of several limits', () => {
  const wide = { ...burst, name: 'wide', capacity: 100 }

  it('name all policies and the level that refuses first', () => {
    const levels = [standing(wide, [10]), standing(burst, [7])]
    assert.deepEqual(fieldsOf(levels), ['"wide";q=100;w=50, "tenant-burst";q=10;w=5', '"tenant-burst";r=3;t=2'])
  })

  it('weigh what is left by what a request costs there', () => {
    const dear = standing(wide, [10], 0, 40)
    assert.equal(fieldsOf([dear, standing(burst, [7])])[1], '"wide";r=50;t=25')
  })

  it('leave out those that say nothing', () => {
    const silent = standing({ ...burst, name: 'silent', fields: [] }, [9])
    assert.deepEqual(fieldsOf([silent, standing(wide, [])]), ['"wide";q=100;w=50', '"wide";r=100;t=50'])
    assert.equal(policiesOf([silent.voice]), '')
  })

  it('read back as structured fields, whatever the limit is called', () => {
    const name = fc.string({
      unit: fc.integer({ min: 33, max: 126 }).map((code) => String.fromCharCode(code)),
      minLength: 1,
      maxLength: 64,
    })
    fc.assert(
      fc.property(name, name, fc.nat(10), (first, second, cost) => {
        const levels = [first, second].map((called) => standing({ ...burst, name: called }, [cost]))
        const [policy, limit] = fieldsOf(levels)
        assert.deepEqual(
          parseList(policy!).map(([item, parameters]) => [item, parameters.get('q'), parameters.get('w')]),
          [first, second].map((called) => [called, 10, 5]),
        )
        const [[item, parameters]] = parseList(limit!)
        assert.equal(item, first)
        assert.equal(parameters.get('r'), 10 - cost)
      }),
    )
  })
})

describe('X-RateLimit fields', () => {
  const names = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset']

  it('count the reset as seconds to go or since 1970', () => {
    const now = 1_700_000_000_500
    const values = (level: Standing): (string | undefined)[] => names.map((name) => valueOf(legacyFields([level], now), name))
    assert.deepEqual(values(standing({ ...burst, fields: ['x-ratelimit'] }, [7])), ['10', '3', '2'])
    assert.deepEqual(values(standing({ ...burst, fields: ['x-ratelimit-epoch'] }, [7])), ['10', '3', '1700000003'])
  })

  it('are not sent unasked', () => {
    assert.equal(legacyFields([standing(burst, [])], 0), undefined)
  })
})

describe('Retry-After', () => {
  it('is whole seconds, never too early, at least one', () => {
    assert.deepEqual([1, 999, 1000, 1001, 59_999].map(retrySeconds), [1, 1, 1, 2, 60])
  })
})

it('keeps few blocks, however many values there are', () => {
  const voice = new LimitVoice({ ...burst, capacity: 1_000_000 })
  const first = voice.block('p', state(7))
  assert.equal(voice.block('p', state(7)), first)
  assert.notEqual(voice.block('p', state(7 + 1024)), first)
  assert.notEqual(voice.block('p', state(7)), first)
  assert.equal(valueOf(voice.block('q', state(7)), 'ratelimit-policy'), 'q')
  const seen = Array.from({ length: 1000 }, (_, left) => voice.block('p', state(left)))
  // The latest first, so that looking pushes none of them out before its turn.
  assert.equal(seen.toReversed().filter((block, i) => voice.block('p', state(999 - i)) === block).length, 128)
})
