import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Answer } from '../core/answer.ts'
import { textAnswer } from '../core/answer.ts'
import type { Charge, Charged, Counters } from '../core/counters.ts'
import { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import { compose, peekAll } from '../core/pipeline.ts'
import type { Policy } from '../core/policy.ts'
import type { LimitSpec } from '../limits/limit-spec.ts'
import {
  end,
  exportsLimit,
  from,
  limitDefaults,
  perAddress,
  perTenant,
  problemOf,
  send,
  statuses,
  world,
} from '../../test/support/limit-world.ts'

describe('a limit in shadow', () => {
  it('decides and reports, refuses nobody and says nothing to clients', async () => {
    const { step, meter } = world([perTenant, perAddress])
    const policies = [step('route', ['perAddress', { use: 'perTenant', shadow: true, cost: 5 }])]
    const xs = [from('acme'), from('acme'), from('acme')]
    for (const x of xs) {
      const answer = await send(policies, x)
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('ratelimit-policy'), '"perAddress";q=20;w=10')
    }
    assert.deepEqual(
      xs.map((x) => [x.verdicts[0]?.code, x.verdicts[0]?.refusal, x.verdicts[0]?.shadowed?.policy]),
      [
        ['within', undefined, undefined],
        ['within', undefined, undefined],
        ['shadow-over-limit', undefined, 'perTenant'],
      ],
    )
    assert.equal(meter.counts.get('velum_limit_decisions_total perTenant allowed'), 2)
    assert.equal(meter.counts.get('velum_limit_decisions_total perTenant shadow_refused'), 1)
    assert.equal(meter.counts.get('velum_limit_decisions_total perAddress allowed'), 3)
  })

  it('is not charged by what an enforced limit refuses', async () => {
    const { step } = world([{ ...perAddress, capacity: 1 }, perTenant])
    const policies = [step('route', ['perAddress', { use: 'perTenant', shadow: true, cost: 10 }])]
    await send(policies, from('first'))
    assert.equal((await send(policies, from('acme'))).status, 429)
    const x = from('acme', '192.0.2.9')
    await send(policies, x)
    assert.equal(x.verdicts[0]?.code, 'within')
  })

  it('of concurrency is given back at the end', async () => {
    const { step } = world([exportsLimit])
    const policies = [step('route', [{ use: 'exports', shadow: true }])]
    for (let i = 0; i < 5; i++) {
      const x = from('acme')
      await send(policies, x)
      assert.equal(x.verdicts[0]?.code, 'within')
      end(policies, x)
    }
  })
})

describe('concurrency', () => {
  it('holds a place until the exchange is over, once', async () => {
    const { step } = world([exportsLimit])
    const policies = [step('route', ['exports'])]
    const [one, two, three] = [from('a'), from('b'), from('c')]
    assert.equal((await send(policies, one)).status, 200)
    assert.equal((await send(policies, two)).status, 200)
    const refused = await send(policies, three)
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1'])
    assert.equal(refused.headers.get('ratelimit-policy'), '"exports";q=2;qu="concurrent-requests"')
    for (const x of [three, one, one, one]) end(policies, x)
    assert.deepEqual(await statuses(policies, 2), [200, 429])
  })

  it('gives its place back when a later step refuses, and not twice', async () => {
    const { step } = world([exportsLimit, { ...perTenant, capacity: 1 }])
    const policies = [step('route', ['exports']), step('service', ['perTenant'])]
    const held = from('a')
    await send(policies, held)
    for (let i = 0; i < 5; i++) {
      const x = from('a')
      assert.equal((await send(policies, x)).status, 429)
      end(policies, x)
    }
    // One place is still held by the first.
    assert.equal((await send(policies, from('b'))).status, 200)
    assert.equal((await send(policies, from('c'))).status, 429)
  })
})

describe('a leaky bucket as a queue', () => {
  const queue: LimitSpec = {
    ...limitDefaults,
    name: 'shaped',
    algorithm: 'leaky-bucket',
    mode: 'queue',
    capacity: 2,
    leak: { units: 2, periodMs: 1000 },
    per: [],
  }

  it('lets requests go on at its rate, in order, and refuses those that would wait too long', async () => {
    const { step, clock } = world([queue])
    const policies = [step('route', ['shaped'])]
    const done: number[] = []
    const sent = Array.from({ length: 4 }, async (_, i) => {
      const answer = await send(policies, from('acme'))
      done.push(i)
      return answer.status
    })
    await Promise.resolve()
    assert.equal(await sent[3], 429)
    assert.equal(await sent[0], 200)
    clock.advance(499)
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(
      done,
      [0, 3].toSorted((a, b) => done.indexOf(a) - done.indexOf(b)),
    )
    clock.advance(1)
    assert.equal(await sent[1], 200)
    clock.advance(500)
    assert.equal(await sent[2], 200)
  })

  it('gives the place of a client that leaves to the next', async () => {
    const { step } = world([queue])
    const policies = [step('route', ['shaped'])]
    const waiting = [from('a'), from('b'), from('c')]
    const sent = waiting.map((x) => send(policies, x))
    assert.equal((await send(policies, from('d'))).status, 429)
    waiting[2].leave(new Fault('client-left'))
    await sent[2]
    assert.equal(waiting[2].fault?.code, 'client-left')
    const peeked = await peekAll(policies, from('e'))
    assert.equal(peeked[0]?.refusal, undefined)
  })
})

/** Sends a request whose answer says what it cost. */
function costing(policies: readonly Policy[], told: string | undefined): MaybePromise<Answer> {
  return compose(policies, () => {
    const answer = textAnswer(200, 'ok')
    if (told !== undefined) answer.headers.set('x-cost', told)
    return answer
  })(from('acme'))
}

describe('a cost that only the service knows', () => {
  const tokens: LimitSpec = { ...perTenant, name: 'tokens', capacity: 1000, refill: { units: 1, periodMs: 1000 } }
  const use = { use: 'tokens', cost: 100, settle: 'X-Cost' }

  it('is reserved, and settled by what the answer says', async () => {
    const { step, counters } = world([tokens])
    const policies = [step('route', [use])]
    const left = async (): Promise<number> => (await counters.peek([{ limit: 'tokens', key: 'acme', cost: 0 }])).levels[0].remaining
    const answer = await costing(policies, '30')
    assert.equal(answer.headers.get('ratelimit'), '"tokens";r=970;t=970')
    assert.equal(await left(), 970)
    await costing(policies, '170')
    assert.equal(await left(), 800)
    await costing(policies, '0')
    assert.equal(await left(), 800)
  })

  it('is what was reserved when the answer does not say, or says nonsense', async () => {
    const { step, counters } = world([tokens])
    const policies = [step('route', [use])]
    const nonsense = [undefined, '', '-5', '1.5', 'NaN', '1e3', '99999999999999999999', '5, 5']
    for (const told of nonsense) await costing(policies, told)
    const { levels } = await counters.peek([{ limit: 'tokens', key: 'acme', cost: 0 }])
    assert.equal(levels[0].remaining, 1000 - 100 * nonsense.length)
  })

  it('may leave a debt, of one capacity at most, that later requests wait for', async () => {
    const { step, clock } = world([tokens])
    const policies = [step('route', [use])]
    await costing(policies, '1000000000')
    const refused = await costing(policies, '1')
    assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1100'])
    clock.advance(1_100_000)
    assert.equal((await costing(policies, '1')).status, 200)
  })

  it('is given back as it was settled', async () => {
    const { step, counters } = world([tokens, { ...exportsLimit, limit: 1 }])
    const policies = [step('route', [use]), step('service', ['exports'])]
    await costing(policies, '40')
    assert.equal((await costing(policies, '40')).status, 429)
    const { levels } = await counters.peek([{ limit: 'tokens', key: 'acme', cost: 0 }])
    assert.equal(levels[0].remaining, 960)
  })

  it('settles over counters that have to be waited for', async () => {
    const { step, counters } = world([tokens], slowly)
    await costing([step('route', [use])], '30')
    await new Promise((resolve) => setImmediate(resolve))
    const { levels } = await counters.peek([{ limit: 'tokens', key: 'acme', cost: 0 }])
    assert.equal(levels[0].remaining, 970)
  })
})

function slowly(local: Counters): Counters {
  return {
    charge: async (charges) => local.charge(charges),
    peek: async (charges) => local.peek(charges),
    credit: async (charges) => local.credit(charges),
    debit: async (charges) => local.debit(charges),
  }
}

function fail(): Promise<never> {
  return Promise.reject(new Fault('store-down'))
}

function raise(error: Error): never {
  throw error
}

function down(): Counters {
  return { charge: fail, peek: fail, credit: fail, debit: fail }
}

describe('counters that have to be waited for', () => {
  it('decide the same', async () => {
    const { step, clock } = world([perTenant, perAddress, exportsLimit], slowly)
    const policies = [step('edge', ['perAddress']), step('route', [{ use: 'perTenant', cost: 2 }]), step('service', ['exports'])]
    const xs = Array.from({ length: 8 }, () => from('acme'))
    for (const x of xs) {
      await send(policies, x)
      end(policies, x)
    }
    assert.deepEqual(
      xs.map((x) => x.refusal?.label),
      [undefined, undefined, undefined, undefined, undefined, 'limited:perTenant', 'limited:perTenant', 'limited:perTenant'],
    )
    clock.advance(1000)
    assert.deepEqual(await statuses(policies, 1), [200])
  })

  it("may be down: want of capacity, nobody's quota and no silent pass", async () => {
    for (const charge of [fail, (): never => raise(new Fault('overloaded', 'the table is full'))]) {
      const { step } = world([perTenant], () => ({ ...down(), charge }))
      const x = from('acme')
      const answer = await send([step('route', ['perTenant'])], x)
      assert.deepEqual([answer.status, answer.headers.get('retry-after'), x.refusal?.label], [503, '1', 'limiter-unavailable'])
      const problem = await problemOf(answer)
      assert.equal(problem['type'], 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity')
      assert.equal(problem['policy'], 'perTenant')
    }
  })

  it('that fail for the service give the middle charge back', async () => {
    const { step, counters } = world([perTenant, { ...perTenant, name: 'service', per: [] }], (local) => ({
      charge: (charges) => (charges[0].limit === 'service' ? fail() : local.charge(charges)),
      peek: (charges) => local.peek(charges),
      credit: (charges) => local.credit(charges),
      debit: (charges) => local.debit(charges),
    }))
    assert.equal((await send([step('route', ['perTenant']), step('service', ['service'])], from('acme'))).status, 503)
    const { levels } = await counters.peek([{ limit: 'perTenant', key: 'acme', cost: 0 }])
    assert.equal(levels[0].remaining, 10)
  })

  it('with a bug are a bug', async () => {
    const { step } = world([perTenant], () => ({ ...down(), charge: () => raise(new Error('a bug')) }))
    const x = from('acme')
    assert.equal((await send([step('route', ['perTenant'])], x)).status, 500)
    assert.equal(x.fault?.code, 'internal')
  })

  it('that fail are counted, and in shadow they harm nobody', async () => {
    const { step, meter } = world([perTenant, perAddress], (local) => ({
      ...down(),
      charge: (charges) => (charges[0].limit === 'perTenant' ? fail() : local.charge(charges)),
    }))
    const enforced = await send([step('route', ['perTenant'])], from('acme'))
    assert.equal(enforced.status, 503)
    assert.equal(meter.counts.get('velum_limit_decisions_total perTenant failed'), 1)
    const shadowed = await send([step('route', ['perAddress', { use: 'perTenant', shadow: true }])], from('acme'))
    assert.equal(shadowed.status, 200)
    assert.equal(meter.counts.get('velum_limit_decisions_total perTenant failed'), 2)
  })

  it('give a place back that they grant after the client has gone', async () => {
    const { step, counters } = world([{ ...exportsLimit, per: [] }], slowly)
    for (const shadow of [false, true]) {
      const policies = [step('route', [{ use: 'exports', shadow }])]
      const x = from('acme')
      const sent = send(policies, x)
      end(policies, x)
      await sent
      await new Promise((resolve) => setImmediate(resolve))
      const { levels } = await counters.peek([{ limit: 'exports', key: '', cost: 0 }])
      assert.equal(levels[0].remaining, 2)
    }
  })

  it('may fail to take a charge back: that is logged and harms nobody', async () => {
    for (const credit of [(): Promise<void> => Promise.reject(new Fault('store-down')), (): void => assert.fail('broken')]) {
      const { step, warnings } = world([exportsLimit], (local) => ({
        charge: (charges: readonly Charge[]): Charged | Promise<Charged> => local.charge(charges),
        peek: (charges) => local.peek(charges),
        credit,
        debit: (charges) => local.debit(charges),
      }))
      const policies = [step('route', ['exports'])]
      const x = from('acme')
      await send(policies, x)
      end(policies, x)
      await new Promise((resolve) => setImmediate(resolve))
      assert.equal(warnings[0], 'a charge could not be corrected')
    }
  })
})
