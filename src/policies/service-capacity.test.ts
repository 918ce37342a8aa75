import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Answer } from '../core/answer.ts'
import { emptyAnswer, textAnswer } from '../core/answer.ts'
import type { Body } from '../core/body.ts'
import { emptyBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { FaultCode } from '../core/fault.ts'
import type { Handler } from '../core/handler.ts'
import { silentLog } from '../core/log.ts'
import { compose, peekAll } from '../core/pipeline.ts'
import type { Policy } from '../core/policy.ts'
import { AdaptiveGate } from '../limits/adaptive-gate.ts'
import type { CapacityGate, Place, PlaceEnd } from '../limits/capacity-gate.ts'
import { end, from, perTenant, problemOf, world } from '../../test/support/limit-world.ts'
import type { World } from '../../test/support/limit-world.ts'
import type { Priority } from '../limits/priority.ts'
import { serviceCapacity } from './service-capacity.ts'
import type { CapacityUse } from './service-capacity.ts'

/** A body of which nothing has come yet. */
const stillComing = Object.create(emptyBody, { bytes: { value: undefined } }) as Body

/** A gate that is open or not, and remembers how it was left. */
class OneGate implements CapacityGate {
  isOpen = true
  readonly ends: PlaceEnd[] = []
  readonly measured: boolean[] = []

  enter(place: Place): boolean {
    place.isHeld = this.isOpen
    if (this.isOpen) this.measured.push(place.isMeasured)
    return this.isOpen
  }

  hasPlace(): boolean {
    return this.isOpen
  }

  leave(place: Place, how: PlaceEnd): void {
    place.isHeld = false
    this.ends.push(how)
  }

  words(): string {
    return this.isOpen ? 'open' : 'closed'
  }
}

interface Scene extends World {
  readonly gate: OneGate
  readonly capacity: (priority: Priority, holds?: CapacityUse['holds']) => Policy
}

function scene(): Scene {
  const gate = new OneGate()
  const there = world([perTenant])
  const capacity: Scene['capacity'] = (priority, holds = 'until-head') =>
    serviceCapacity(
      { service: 'shop', priority, gate, holds, source: 'services.shop.concurrency' },
      { log: silentLog, meter: there.meter, counters: there.counters },
    )
  return { ...there, gate, capacity }
}

/** A service that answers as `Tries` would have it noted. */
function answering(status: number, attempts = 1): Handler {
  return (x) => {
    x.serviceHeadAt = 1
    x.attempts = attempts
    return status === 200 ? textAnswer(200, 'ok') : emptyAnswer(status)
  }
}

function failing(code: FaultCode): Handler {
  return () => {
    throw new Fault(code)
  }
}

async function send(policies: readonly Policy[], service: Handler, x: Exchange = from('acme')): Promise<Answer> {
  const answer = await compose(policies, service)(x)
  end(policies, x)
  return answer
}

describe('a request for which a service has no capacity', () => {
  it('is refused with 503, Retry-After and the reason, without the name of the service', async () => {
    const { gate, capacity, meter } = scene()
    gate.isOpen = false
    const x = from('acme')
    const answer = await send([capacity('sheddable')], answering(200), x)
    assert.equal(answer.status, 503)
    assert.equal(answer.headers.get('retry-after'), '1')
    assert.deepEqual(await problemOf(answer), {
      type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
      title: 'The service is short of capacity',
      status: 503,
      detail: 'The service has no capacity for this request now.',
      instance: 'test-1',
      policy: 'concurrency',
    })
    assert.equal(x.refusal?.code, 'shed')
    // It is not the client who is at fault: nothing to ban him for.
    assert.equal(x.refusal?.label, undefined)
    assert.equal(x.refusal?.words?.(), 'service shop is short of capacity: closed')
    assert.equal((await send([capacity('critical')], answering(200))).status, 503)
    const counted = (priority: Priority, decision: string): number | undefined =>
      meter.counts.get(`velum_service_admissions_total shop ${priority} ${decision}`)
    assert.equal(counted('sheddable', 'refused'), 1)
    assert.equal(counted('critical', 'refused'), 1)
    gate.isOpen = true
    await send([capacity('critical')], answering(200))
    assert.equal(counted('critical', 'admitted'), 1)
    assert.equal(meter.counts.get('velum_service_places_held shop critical'), 0)
  })

  it('costs nothing: what its limits took is given back', async () => {
    const { gate, capacity, step } = scene()
    const policies = [step('route', ['perTenant']), capacity('default')]
    gate.isOpen = false
    for (let i = 0; i < 30; i++) assert.equal((await send(policies, answering(200))).status, 503)
    gate.isOpen = true
    for (let i = 0; i < 10; i++) assert.equal((await send(policies, answering(200))).status, 200)
    assert.equal((await send(policies, answering(200))).status, 429)
  })

  it('is known beforehand, and asking takes no place', async () => {
    const { gate, capacity, meter } = scene()
    const policies = [capacity('default')]
    assert.deepEqual(
      (await peekAll(policies, from('acme'))).map((verdict) => verdict?.code),
      ['admitted'],
    )
    gate.isOpen = false
    const [verdict] = await peekAll(policies, from('acme'))
    assert.equal(verdict?.code, 'no-capacity')
    assert.equal(verdict?.refusal?.name, 'reduced-capacity')
    assert.equal(meter.counts.get('velum_service_admissions_total shop default refused'), undefined)
    assert.deepEqual(gate.ends, [])
  })
})

describe('a place', () => {
  it('is held until the answer’s head where it is measured, else until the end, and left once', async () => {
    const { gate, capacity } = scene()
    const x = from('acme')
    const measured = [capacity('default')]
    await compose(measured, answering(200))(x)
    assert.deepEqual(gate.ends, ['answered'])
    end(measured, x)
    assert.deepEqual(gate.ends, ['answered'])
    const counted = [capacity('default', 'until-end')]
    const y = from('acme')
    await compose(counted, answering(200))(y)
    assert.equal(gate.ends.length, 1)
    end(counted, y)
    assert.equal(gate.ends.length, 2)
  })

  it('tells what the end of a request says of the service’s load', async () => {
    const { gate, capacity } = scene()
    const policies = [capacity('default')]
    const cases: readonly (readonly [Handler, PlaceEnd])[] = [
      [answering(200), 'answered'],
      [answering(404), 'answered'],
      [answering(500), 'nothing'],
      [answering(429), 'nothing'],
      [answering(503), 'overloaded'],
      [answering(504), 'overloaded'],
      // Waits between tries are ours.
      [answering(200, 2), 'nothing'],
      // Something in between answered, not the service.
      [() => textAnswer(200, 'from elsewhere'), 'nothing'],
      [failing('overloaded'), 'overloaded'],
      [failing('service-timeout'), 'given-up'],
      [failing('client-left'), 'given-up'],
      [failing('service-refused'), 'nothing'],
      [failing('no-target'), 'nothing'],
    ]
    for (const [service] of cases) await send(policies, service)
    assert.deepEqual(
      gate.ends,
      cases.map(([, told]) => told),
    )
  })

  it('is measured only for requests whose body had come: a slow sender says nothing of the service', async () => {
    const { gate, capacity } = scene()
    const x = from('acme')
    x.body = stillComing
    await send([capacity('default')], answering(200), x)
    await send([capacity('default')], answering(200))
    assert.deepEqual(gate.measured, [false, true])
  })

  it('that was waited for is held like any other', async () => {
    const { clock, capacity } = scene()
    const gate = new AdaptiveGate(clock, { add() {} })
    const use = { service: 'shop', priority: 'default', gate, holds: 'until-head', source: '' } as const
    const policies = [serviceCapacity(use, { ...scene(), log: silentLog })]
    const answers: ((answer: Answer) => void)[] = []
    const held: Handler = (x) => {
      x.serviceHeadAt = 1
      x.attempts = 1
      return new Promise((resolve) => answers.push(resolve))
    }
    gate.serves(['default'])
    const sent = Array.from({ length: 4 }, () => send(policies, held))
    assert.equal(answers.length, 3)
    clock.advance(10)
    answers[0](textAnswer(200, 'ok'))
    await sent[0]
    await Promise.resolve()
    assert.equal(answers.length, 4)
    for (const answer of answers.slice(1)) answer(textAnswer(200, 'ok'))
    assert.deepEqual(
      (await Promise.all(sent)).map(({ status }) => status),
      [200, 200, 200, 200],
    )
    assert.match(gate.words(1), /^0 under way/)
    assert.equal(capacity('default').stage, 'service-limit')
  })
})
