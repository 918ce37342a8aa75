import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { emptyAnswer, textAnswer } from '../core/answer.ts'
import { compose, peekAll } from '../core/pipeline.ts'
import type { LimitSpec } from '../limits/limit-spec.ts'
import { exportsLimit, from, perAddress, perTenant, problemOf, send, statuses, world } from '../../test/support/limit-world.ts'

describe('the case of the picture', () => {
  it('lets five of eight requests of cost 2 through, refuses three with Retry-After: 1, and keeps that promise', async () => {
    const { step, clock } = world([perTenant])
    const policies = [step('route', [{ use: 'perTenant', cost: 2 }])]
    const answers = await Promise.all(Array.from({ length: 8 }, () => send(policies, from('acme'))))
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [200, 200, 200, 200, 200, 429, 429, 429],
    )
    for (const answer of answers.slice(5)) assert.equal(answer.headers.get('retry-after'), '1')
    clock.advance(1000)
    assert.deepEqual(await statuses(policies, 2), [200, 429])
  })
})

describe('a refusal', () => {
  it('says what was exceeded, when to come back, and carries a label', async () => {
    const { step } = world([perTenant])
    const policies = [step('route', ['perTenant'])]
    await statuses(policies, 10)
    const x = from('acme')
    const answer = await send(policies, x)
    assert.equal(answer.headers.get('ratelimit-policy'), '"perTenant";q=10;w=5')
    assert.equal(answer.headers.get('ratelimit'), '"perTenant";r=0;t=1')
    assert.deepEqual(await problemOf(answer), {
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Too many requests',
      status: 429,
      detail: 'The budget of this limit is used up.',
      instance: 'test-1',
      policy: 'perTenant',
      'violated-policies': ['perTenant'],
    })
    assert.equal(x.refusal?.code, 'over-limit')
    assert.equal(x.refusal?.label, 'limited:perTenant')
    assert.match(x.refusal?.words?.() ?? '', /over perTenant \(bucket of 10, refilled at 2 per 1s\); it would pass in 1 s/)
  })

  it('touches no other tenant', async () => {
    const { step } = world([perTenant])
    const policies = [step('route', ['perTenant'])]
    await statuses(policies, 12)
    assert.deepEqual(await statuses(policies, 1, () => from('other')), [200])
  })

  it('of a cost that never fits has its own reason, no Retry-After, and one warning', async () => {
    const { step, warnings } = world([perTenant])
    const policies = [step('route', [{ use: 'perTenant', cost: 11 }])]
    const x = from('acme')
    const answer = await send(policies, x)
    assert.equal(answer.status, 429)
    assert.equal(answer.headers.get('retry-after'), undefined)
    assert.equal(x.refusal?.code, 'cost-above-capacity')
    assert.equal((await problemOf(answer))['detail'], 'The request costs more than this limit ever allows.')
    await send(policies, from('acme'))
    assert.deepEqual(warnings, [
      'a request costs more than its limit ever allows',
      { limit: 'perTenant', cost: 11, source: 'route.limits[0]' },
    ])
    assert.deepEqual(await statuses([step('route', ['perTenant'])], 1), [200])
  })

  it('waits as long as it says, however long that is', async () => {
    const slow: LimitSpec = { ...perTenant, refill: { units: 1, periodMs: 3_600_000 }, capacity: 1 }
    const { step, clock } = world([slow])
    const policies = [step('route', ['perTenant'])]
    await send(policies, from('acme'))
    clock.advance(1)
    assert.equal((await send(policies, from('acme'))).headers.get('retry-after'), '3600')
    clock.advance(3_599_998)
    assert.equal((await send(policies, from('acme'))).headers.get('retry-after'), '1')
    clock.advance(1)
    assert.equal((await send(policies, from('acme'))).status, 200)
  })
})

describe('a refusal with jitter', () => {
  it('tells refused clients apart, never one to come back too early or much later', async () => {
    const { clock, step } = world([{ ...perTenant, retryJitterMs: 10_000 }])
    const policies = [step('route', ['perTenant'])]
    await statuses(policies, 10)
    const told: number[] = []
    for (let i = 0; i < 300; i++) told.push(Number((await send(policies, from('acme'))).headers.get('retry-after')))
    assert.ok(told.every((seconds) => Number.isInteger(seconds) && seconds >= 1 && seconds <= 11))
    assert.ok(new Set(told).size > 5)
    clock.advance(Math.min(...told) * 1000)
    assert.equal((await send(policies, from('acme'))).status, 200)
  })
})

describe('a step of several limits', () => {
  it('is charged whole or not at all, and tells of all in its fields', async () => {
    const { step, counters } = world([perTenant, perAddress])
    const policies = [step('route', ['perTenant', 'perAddress'])]
    const answers = await Promise.all(Array.from({ length: 15 }, () => send(policies, from('acme'))))
    const last = answers[14]
    assert.equal(last.status, 429)
    assert.equal(last.headers.get('ratelimit-policy'), '"perTenant";q=10;w=5, "perAddress";q=20;w=10')
    assert.equal(last.headers.get('ratelimit'), '"perTenant";r=0;t=1')
    // The five refused requests took nothing from the address.
    const { levels } = await counters.peek([{ limit: 'perAddress', key: '192.0.2.1', cost: 0 }])
    assert.equal(levels[0].remaining, 10)
  })

  it('names every limit that refuses and waits for the slowest', async () => {
    const slower: LimitSpec = { ...perAddress, capacity: 10, refill: { units: 1, periodMs: 5000 } }
    const { step } = world([perTenant, slower])
    const policies = [step('route', ['perTenant', 'perAddress'])]
    await statuses(policies, 10)
    const x = from('acme')
    const answer = await send(policies, x)
    assert.equal(answer.headers.get('retry-after'), '5')
    const problem = await problemOf(answer)
    assert.equal(problem['policy'], 'perAddress')
    assert.deepEqual(problem['violated-policies'], ['perTenant', 'perAddress'])
    assert.match(x.refusal?.words?.() ?? '', /over perTenant, perAddress .* for address "192.0.2.1"; it would pass in 5 s/)
  })

  it('needs none: no limit, no policy', () => {
    const { step } = world([perTenant])
    assert.equal(step('route', []), undefined)
  })

  it('cannot name what is no limit, nor count by identity before routing', () => {
    const { step } = world([perTenant])
    assert.throws(() => step('route', ['perTenat']), /route\.limits\[0\]: no limit is named "perTenat"/)
    assert.throws(() => step('edge', ['perTenant']), /edge\.limits\[0\]: before routing only addresses are known/)
  })
})

describe('three steps', () => {
  const global: LimitSpec = { ...perTenant, name: 'shopLimit', capacity: 3, per: [] }

  it('charge one name once, at the first that names it', async () => {
    const { step } = world([perAddress])
    const policies = [step('edge', ['perAddress']), step('route', ['perAddress']), step('service', ['perAddress'])]
    const answer = await send(policies, from('acme'))
    assert.equal(answer.headers.get('ratelimit'), '"perAddress";r=19;t=10')
    assert.equal(answer.headers.get('ratelimit-policy'), '"perAddress";q=20;w=10')
  })

  it('speak with one voice in the header fields', async () => {
    const { step } = world([perAddress, perTenant, global])
    const policies = [step('edge', ['perAddress']), step('route', ['perTenant']), step('service', ['shopLimit'])]
    const answer = await send(policies, from('acme'))
    assert.equal(answer.headers.get('ratelimit-policy'), '"perAddress";q=20;w=10, "perTenant";q=10;w=5, "shopLimit";q=3;w=2')
    assert.equal(answer.headers.get('ratelimit'), '"shopLimit";r=2;t=1')
    assert.equal(answer.headers.all('ratelimit').length, 1)
  })

  it('give the middle charge back when the service step refuses, and keep that of the edge', async () => {
    const { step, counters } = world([perAddress, perTenant, global])
    const policies = [step('edge', ['perAddress']), step('route', ['perTenant']), step('service', ['shopLimit'])]
    assert.deepEqual(await statuses(policies, 6), [200, 200, 200, 429, 429, 429])
    const left = async (limit: string, key: string): Promise<number> =>
      (await counters.peek([{ limit, key, cost: 0 }])).levels[0].remaining
    assert.equal(await left('perTenant', 'acme'), 7)
    assert.equal(await left('perAddress', '192.0.2.1'), 14)
  })

  it('say so on refusals of the edge too', async () => {
    const { step } = world([{ ...perAddress, capacity: 1 }, perTenant])
    const policies = [step('edge', ['perAddress']), step('route', ['perTenant'])]
    await send(policies, from('acme'))
    const answer = await send(policies, from('acme'))
    assert.equal(answer.status, 429)
    assert.equal(answer.headers.get('ratelimit-policy'), '"perAddress";q=1;w=1')
  })
})

describe('a request without a part of the key', () => {
  it('shares one budget with its like', async () => {
    const { step } = world([perTenant])
    const policies = [step('route', ['perTenant'])]
    const anonymous = await statuses(policies, 12, () => from(undefined))
    assert.deepEqual(anonymous, [...Array.from({ length: 10 }, () => 200), 429, 429])
    assert.deepEqual(await statuses(policies, 1), [200])
  })

  it('is not limited where the limit says skip', async () => {
    const { step, meter } = world([{ ...perTenant, missing: 'skip' }])
    const policies = [step('route', ['perTenant'])]
    const x = from(undefined)
    const answer = await send(policies, x)
    assert.equal(answer.headers.get('ratelimit'), undefined)
    assert.equal(x.verdicts[0]?.code, 'not-limited')
    assert.equal(meter.counts.get('velum_limit_decisions_total perTenant skipped'), 1)
  })

  it('is refused where the limit says refuse, and nothing else is charged', async () => {
    const { step, meter } = world([perAddress, { ...perTenant, missing: 'refuse' }])
    const policies = [step('route', ['perAddress', 'perTenant'])]
    const x = from(undefined)
    const answer = await send(policies, x)
    assert.equal(answer.status, 429)
    assert.equal(answer.headers.get('retry-after'), undefined)
    assert.equal(x.refusal?.code, 'key-missing')
    assert.match(x.refusal?.words?.() ?? '', /counted per tenant, which the request lacks/)
    assert.equal(meter.counts.get('velum_limit_decisions_total perTenant refused'), 1)
    assert.equal((await send(policies, from('acme'))).headers.get('ratelimit'), '"perTenant";r=9;t=5')
    assert.equal((await send(policies, from('acme', '192.0.2.9'))).headers.get('ratelimit'), '"perTenant";r=8;t=4')
  })
})

describe('peek', () => {
  it('says what would be decided and charges, counts and holds nothing', async () => {
    const { step, meter } = world([perTenant, exportsLimit])
    const policies = [step('route', ['perTenant', 'exports'])]
    for (let i = 0; i < 30; i++) {
      const [verdict] = await peekAll(policies, from('acme'))
      assert.equal(verdict?.refusal, undefined)
      assert.match(
        verdict?.words?.() ?? '',
        /perTenant \(bucket of 10, .*\): 10 left for tenant "acme", this request costs 1; exports/,
      )
    }
    assert.equal(meter.counts.size, 0)
    for (let i = 0; i < 2; i++) await send(policies, from('acme'))
    const x = from('acme')
    const [verdict] = await peekAll(policies, x)
    assert.equal(verdict?.code, 'over-limit')
    const answer = emptyAnswer(200)
    policies[0].onHead?.(x, answer)
    assert.equal(answer.headers.get('ratelimit'), undefined)
  })
})

describe('header fields', () => {
  it('replace those of a service', async () => {
    const { step } = world([perTenant])
    const answer = await compose([step('route', ['perTenant'])], () => {
      const made = textAnswer(200, 'ok')
      made.headers.set('RateLimit', '"theirs";r=1;t=1')
      return made
    })(from('acme'))
    assert.deepEqual(answer.headers.all('ratelimit'), ['"perTenant";r=9;t=5'])
  })

  it('come in the older form on request, alone or beside', async () => {
    const legacy: LimitSpec = { ...perTenant, fields: ['x-ratelimit-epoch'] }
    const { step } = world([legacy, { ...perAddress, fields: ['ratelimit', 'x-ratelimit'] }])
    const one = await send([step('route', ['perTenant'])], from('acme'))
    assert.equal(one.headers.get('ratelimit'), undefined)
    assert.equal(one.headers.get('x-ratelimit-limit'), '10')
    assert.equal(one.headers.get('x-ratelimit-remaining'), '9')
    assert.equal(one.headers.get('x-ratelimit-reset'), '1700000005')
    const other = await send([step('edge', ['perAddress'])], from('acme'))
    assert.equal(other.headers.get('ratelimit'), '"perAddress";r=19;t=10')
    assert.equal(other.headers.get('x-ratelimit-reset'), '10')
  })
})
