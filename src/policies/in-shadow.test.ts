import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { CountingMeter, policyEnv } from '../../test/support/policy-env.ts'
import { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import { addresses } from './addresses.ts'
import { body } from './body.ts'
import { InShadow, shadowing } from './in-shadow.ts'

const denied = refuse('denied', { name: 'forbidden', policy: 'test' }, 'a label', () => 'No.')

function policy(decide: (mode: DecideMode) => MaybePromise<Verdict>): Policy {
  return { name: 'test', stage: 'custom', source: 'routes[0].test', decide: (_x, mode) => decide(mode) }
}

describe('a policy in shadow', () => {
  it('reports what it would have refused, counts it, and refuses nothing', async () => {
    const meter = new CountingMeter()
    for (const decide of [() => denied, () => Promise.resolve(denied)]) {
      const verdict = await new InShadow(policy(decide), policyEnv({ meter })).decide(exchangeOf(), 'charge')
      assert.deepEqual(
        [verdict.code, verdict.refusal, verdict.shadowed, verdict.label],
        ['denied', undefined, denied.refusal, 'a label'],
      )
    }
    assert.equal(meter.counts.get('velum_shadow_refusals_total test test'), 2)
  })

  it('counts nothing when it is only asked', async () => {
    const meter = new CountingMeter()
    const modes: DecideMode[] = []
    const shadow = new InShadow(
      policy((mode) => (modes.push(mode), denied)),
      policyEnv({ meter }),
    )
    assert.equal((await shadow.decide(exchangeOf(), 'peek')).refusal, undefined)
    assert.deepEqual([modes, meter.counts.size], [['peek'], 0])
  })

  it('lets pass what passes, as it is', () => {
    const passed = pass('fine')
    assert.equal(
      new InShadow(
        policy(() => passed),
        policyEnv(),
      ).decide(exchangeOf(), 'charge'),
      passed,
    )
  })

  it('refuses nothing when it fails', async () => {
    const failing = [
      () => Promise.reject(new Fault('store-down')),
      (): never => {
        throw new Fault('store-down')
      },
    ]
    for (const decide of failing) {
      const verdict = await new InShadow(policy(decide), policyEnv()).decide(exchangeOf(), 'charge')
      assert.deepEqual([verdict.code, verdict.refusal, verdict.shadowed?.name], ['failed', undefined, 'unavailable'])
    }
  })

  it('is what `shadow: true` makes of addresses and body', async () => {
    const x = exchangeOf({ remoteAddress: '192.0.2.1', headers: ['content-type', 'text/plain'] })
    const from = addresses.build(addresses.options.parse({ deny: ['192.0.2.0/24'], shadow: true }), policyEnv())!
    assert.equal((await from.policies[0].decide!(x, 'charge')).shadowed?.name, 'address-denied')
    const of = body.build(body.options.parse({ max: '1kb', shadow: true }), policyEnv())!
    assert.equal(of.policies[0] instanceof InShadow, true)
  })

  it('is not made of policies that decide nothing', () => {
    const silent: Policy = { name: 'silent', stage: 'custom', source: '' }
    assert.deepEqual(shadowing(true, [silent], policyEnv()), [silent])
  })
})
