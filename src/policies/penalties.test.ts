import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { CountingMeter } from '../../test/support/policy-env.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Link } from '../core/link.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { compose, peekAll } from '../core/pipeline.ts'
import type { Policy } from '../core/policy.ts'
import type { ProblemName } from '../core/problem.ts'
import { refuse } from '../core/verdict.ts'
import { textAnswer } from '../core/answer.ts'
import type { RefusalReport } from '../limits/penalty-count.ts'
import type { PenaltyOrder } from '../limits/penalty-order.ts'
import { penaltyOf } from '../limits/penalty-order.ts'
import type { PenaltySpec } from '../limits/penalty-spec.ts'
import { PenaltyWard } from '../limits/penalty-ward.ts'
import { penaltyPolicies } from './penalties.ts'
import type { PenaltyPolicies } from './penalties.ts'

const abusive: PenaltySpec = {
  name: 'abusive',
  after: { refusals: 50, windowMs: 60_000 },
  forMs: 600_000,
  per: [{ kind: 'address' }],
  answer: 429,
  shadow: false,
}
const outcome = { end: 'complete', status: 200, fault: undefined, receivedBytes: 0, sentBytes: 0, endedAt: 0 } as const

/** The policies of a worker, and what it tells main. */
class World {
  readonly clock = new ManualClock()
  readonly meter = new CountingMeter()
  readonly reports: RefusalReport[] = []
  readonly ward: PenaltyWard
  readonly policies: PenaltyPolicies
  readonly #specs: readonly PenaltySpec[]

  constructor(specs: readonly PenaltySpec[]) {
    const link: Link = {
      ask: async () => [],
      tell: (_topic, message) => void this.reports.push(...(message as readonly RefusalReport[])),
      hear: () => () => undefined,
    }
    this.#specs = specs
    this.ward = new PenaltyWard(link, this.clock, silentLog)
    const { clock, meter, ward } = this
    this.policies = penaltyPolicies({ specs, clock, meter, ward, isExempt: (address) => address === '10.0.0.1' })
  }

  async box(who: PenaltyOrder['who'], penalty = 'abusive', forMs?: number): Promise<void> {
    await this.ward.ready
    const order = { penalty, who, reason: 'scraping', forMs }
    this.ward.list.apply({ kind: 'boxed', penalty: penaltyOf(order, this.#specs, this.clock.now(), 'https://issuer.example') })
  }

  /** Sends it past the box, and past `then`. */
  async send(
    x: Exchange,
    ...then: readonly Policy[]
  ): Promise<{ status: number; retryAfter: string | undefined; document: Record<string, unknown> }> {
    const { early, caller } = this.policies
    const chain = [early, ...then, caller].filter((policy) => policy !== undefined)
    const answer = await compose(chain, () => textAnswer(200, '{}'))(x)
    for (const policy of chain) policy.onDone?.(x, { ...outcome, status: answer.status })
    const text = String(await answer.body.pull())
    return {
      status: answer.status,
      retryAfter: answer.headers.get('retry-after'),
      document: JSON.parse(text) as Record<string, unknown>,
    }
  }

  told(): (readonly [string, string, number])[] {
    this.clock.advance(20)
    return this.reports.splice(0).map(({ penalty, key, refusals }) => [penalty, key, refusals])
  }
}

function refusing(name: ProblemName, label?: string): Policy {
  const verdict = refuse('because', { name }, label)
  return { name: 'limits', stage: 'limit', source: 'test', decide: () => verdict }
}

function authenticating(subject: string): Policy {
  return {
    name: 'auth',
    stage: 'authenticate',
    source: 'test',
    decide(x) {
      x.identity = {
        kind: 'bearer',
        issuer: 'https://issuer.example',
        subject,
        tenant: undefined,
        client: undefined,
        scopes: [],
        roles: [],
        claims: {},
        expiresAt: Infinity,
        session: undefined,
        credentialId: undefined,
      }
      return { code: 'valid', refusal: undefined }
    },
  }
}

describe('a boxed client', () => {
  it('gets 429 with the true end of its penalty, a problem of its kind and a label', async () => {
    const world = new World([abusive])
    await world.box({ address: '192.0.2.1' }, 'abusive', 90_500)
    const x = exchangeOf()
    const { status, retryAfter, document } = await world.send(x)
    assert.deepEqual([status, retryAfter], [429, '91'])
    assert.equal(document['type'], 'https://iana.org/assignments/http-problem-types#abnormal-usage-detected')
    assert.deepEqual([document['policy'], document['violated-policies']], ['abusive', ['abusive']])
    assert.doesNotMatch(JSON.stringify(document), /scraping/, 'the reason is the operators own')
    assert.deepEqual([x.refusal?.code, x.refusal?.label], ['boxed', 'penalty:abusive'])
    assert.match(x.refusal!.words!(), /address "192.0.2.1" is boxed as abusive until .* by hand: scraping; id abusive\./)
    world.clock.advance(90_499)
    assert.equal((await world.send(exchangeOf())).retryAfter, '1')
    world.clock.advance(1)
    assert.equal((await world.send(exchangeOf())).status, 200)
    assert.equal(world.meter.counts.get('velum_penalty_decisions_total abusive refused'), 2)
  })

  it('gets 403 where the penalty says so, without a time', async () => {
    const world = new World([{ ...abusive, answer: 403 }])
    await world.box({ address: '192.0.2.1' })
    const { status, retryAfter, document } = await world.send(exchangeOf())
    assert.deepEqual([status, retryAfter, document['status']], [403, undefined, 403])
    assert.match(String(document['type']), /#abnormal-usage-detected$/)
  })

  it('does not take its neighbours along, where the key tells them apart', async () => {
    const world = new World([{ ...abusive, per: [{ kind: 'address' }, { kind: 'header', name: 'x-app' }] }])
    await world.box({ address: '192.0.2.1', 'header:x-app': 'scraper' })
    assert.equal((await world.send(exchangeOf({ headers: ['x-app', 'scraper'] }))).status, 429)
    assert.equal((await world.send(exchangeOf({ headers: ['x-app', 'shop'] }))).status, 200)
    assert.equal((await world.send(exchangeOf())).status, 200)
    assert.equal((await world.send(exchangeOf({ headers: ['x-app', 'scraper'], remoteAddress: '192.0.2.2' }))).status, 200)
  })

  it('who is told by identity is refused once it is known who it is', async () => {
    const world = new World([{ ...abusive, per: [{ kind: 'subject' }] }])
    assert.equal(world.policies.caller?.stage, 'caller-penalty')
    await world.box({ subject: 'ann' })
    assert.equal((await world.send(exchangeOf(), authenticating('ann'))).status, 429)
    assert.equal((await world.send(exchangeOf(), authenticating('bob'))).status, 200)
    assert.equal((await world.send(exchangeOf())).status, 200)
  })

  it('in shadow is told of and not refused', async () => {
    const world = new World([{ ...abusive, shadow: true }])
    await world.box({ address: '192.0.2.1' })
    const x = exchangeOf()
    assert.equal((await world.send(x)).status, 200)
    assert.equal(x.verdicts[0]?.code, 'shadow-boxed')
    assert.equal(x.verdicts[0].shadowed?.name, 'abnormal-usage')
    assert.equal(world.meter.counts.get('velum_penalty_decisions_total abusive shadow_refused'), 1)
  })

  it('is found by a peek, which counts nothing', async () => {
    const world = new World([abusive, { ...abusive, name: 'late', per: [{ kind: 'subject' }] }])
    await world.box({ address: '192.0.2.1' })
    const [verdict, later] = await peekAll([world.policies.early!, world.policies.caller!], exchangeOf())
    assert.deepEqual([verdict?.code, later?.code], ['boxed', 'free'])
    assert.equal(world.meter.counts.get('velum_penalty_decisions_total abusive refused') ?? 0, 0)
  })
})

describe('what counts towards a penalty', () => {
  it('is what speaks against the client', async () => {
    const world = new World([abusive])
    for (const name of ['quota-exceeded', 'invalid-credential', 'forbidden', 'address-denied', 'cross-site'] as const) {
      await world.send(exchangeOf(), refusing(name))
    }
    assert.deepEqual(world.told(), [['abusive', '192.0.2.1', 5]])
  })

  it('is not the invitation to log in, nor want of capacity, nor a malformed request, nor what a service says', async () => {
    const world = new World([abusive])
    for (const name of ['unauthenticated', 'reduced-capacity', 'unavailable', 'no-route', 'invalid-content'] as const) {
      await world.send(exchangeOf(), refusing(name))
    }
    const x = exchangeOf()
    x.service = 'orders'
    x.route = { name: 'orders', index: 0, paramNames: [], policies: [] }
    world.policies.early!.onDone!(x, { ...outcome, status: 403 })
    world.policies.early!.onDone!(exchangeOf(), { ...outcome, status: 401 })
    assert.deepEqual(world.told(), [])
  })

  it('is a failed login', () => {
    const world = new World([abusive])
    world.policies.early!.onDone!(exchangeOf({ method: 'POST', target: '/auth/login' }), { ...outcome, status: 401 })
    assert.deepEqual(world.told(), [['abusive', '192.0.2.1', 1]])
  })

  it('is not being boxed: whoever keeps coming is let out in time all the same', async () => {
    const world = new World([abusive])
    await world.box({ address: '192.0.2.1' })
    for (let i = 0; i < 100; i++) await world.send(exchangeOf())
    assert.deepEqual(world.told(), [])
  })

  it('is not what a trusted proxy is refused, behind which many stand', async () => {
    const world = new World([abusive])
    await world.send(exchangeOf({ remoteAddress: '10.0.0.1' }), refusing('quota-exceeded'))
    assert.deepEqual(world.told(), [])
  })

  it('is counted by every key that the request has', async () => {
    const bySubject: PenaltySpec = { ...abusive, name: 'bySubject', per: [{ kind: 'subject' }] }
    const byHand: PenaltySpec = { ...abusive, name: 'byHand', after: undefined }
    const world = new World([abusive, bySubject, byHand])
    await world.send(exchangeOf(), authenticating('ann'), refusing('quota-exceeded', 'limited:perTenant'))
    await world.send(exchangeOf(), refusing('invalid-credential'))
    world.clock.advance(20)
    assert.deepEqual(
      world.reports.map(({ penalty, refusals, by, parts }) => [penalty, refusals, by, parts]),
      [
        [
          'abusive',
          2,
          [
            ['limited:perTenant', 1],
            ['limits:because', 1],
          ],
          ['192.0.2.1'],
        ],
        ['bySubject', 1, [['limited:perTenant', 1]], ['https://issuer.example\0ann']],
      ],
    )
  })
})

it('without penalties there is nothing in the way', () => {
  assert.deepEqual(new World([]).policies, { early: undefined, caller: undefined })
})
