import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { exchangeOf } from '../../test/support/exchange.ts'
import { answers, breakerOf, callOf, fails, good, serviceWorld, specOf } from '../../test/support/service-world.ts'
import type { Behaviour } from '../../test/support/service-world.ts'
import type { Fault } from '../core/fault.ts'
import { createService } from './create-service.ts'
import type { ServiceSpec } from './service-spec.ts'

const ports = [7001, 7002, 7003]
const behaviours: Record<string, Behaviour> = {
  good,
  'answers 503': answers(503),
  'answers 500': answers(500),
  resets: fails('service-reset'),
  refuses: fails('service-refused', true),
  hangs: fails('service-timeout'),
  'talks nonsense': fails('service-nonsense'),
}

type Step =
  | { readonly kind: 'ask'; readonly worker: number; readonly method: string; readonly times: number }
  | { readonly kind: 'turn'; readonly port: number; readonly to: string }
  | { readonly kind: 'drain'; readonly port: number; readonly isDraining: boolean }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'reload' }

const port = fc.constantFrom(...ports)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('ask' as const),
      worker: fc.nat(1),
      method: fc.constantFrom('GET', 'POST'),
      times: fc.integer({ min: 1, max: 15 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('turn' as const), port, to: fc.constantFrom(...Object.keys(behaviours)) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('drain' as const), port, isDraining: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(8000) }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'reload' as const }) },
)
const balance: fc.Arbitrary<ServiceSpec['balance']> = fc.constantFrom<ServiceSpec['balance'][]>('round-robin', 'least-requests', {
  hash: { kind: 'address' },
} as const)

/** Plays the steps and holds the promises against what came of each. */
async function run(how: ServiceSpec['balance'], slowStartMs: number | undefined, steps: readonly Step[]): Promise<void> {
  const w = serviceWorld()
  const spec = specOf(ports, {
    balance: how,
    slowStartMs,
    attempts: 3,
    eject: { failures: 2, baseMs: 1000 },
    breaker: breakerOf({ isOfService: false, minCalls: 5 }),
  })
  w.main.commit([spec])
  const create = (worker: number): ReturnType<typeof createService> => createService(spec, w.env(worker, 2), w.createWire, () => 0)
  let services = [create(0), create(1)]
  const draining = new Set<number>()
  const calls = [0, 0]
  for (const each of steps) {
    if (each.kind === 'turn') w.behave.set(each.port, behaviours[each.to])
    else if (each.kind === 'wait') w.clock.advance(each.ms)
    else if (each.kind === 'reload') {
      w.main.commit([spec])
      services = [create(0), create(1)]
    } else if (each.kind === 'drain') {
      w.main.drain('orders', `10.0.0.1:${each.port}`, each.isDraining)
      if (each.isDraining) draining.add(each.port)
      else draining.delete(each.port)
    } else {
      for (let i = 0; i < each.times; i++) {
        w.sent.length = 0
        const remoteAddress = `192.0.2.${i}`
        calls[each.worker]++
        let came: number | string
        try {
          came = (await services[each.worker].service(callOf({ method: each.method }), exchangeOf({ remoteAddress }))).status
        } catch (thrown) {
          came = (thrown as Fault).code
        }
        assert.ok(
          w.sent.every((to) => !draining.has(to)),
          'nothing new goes where it drains',
        )
        assert.equal(came === 'no-target', draining.size === ports.length, `${came} while ${draining.size} drain`)
        assert.notEqual(came, 'breaker-open')
        assert.ok(w.sent.length <= ports.length + 2, `${w.sent.length} tries`)
      }
    }
  }
  const again = ['reset', 'timeout', 'status', 'stale'].map(
    (why) => w.meter.counts.get(`velum_service_retries_total orders ${why}`) ?? 0,
  )
  const allowed = calls.reduce((sum, n) => sum + Math.max(3, 0.2 * n), 0)
  assert.ok(again.reduce((sum, n) => sum + n) <= allowed + 1e-6, `${again.join()} of ${calls.join()}`)
}

describe('a service whose targets do as they please', () => {
  it('is sent to while it has a target, never where it drains, and within the budget', async () => {
    await fc.assert(fc.asyncProperty(balance, fc.constantFrom(undefined, 5000), fc.array(step, { maxLength: 40 }), run), {
      numRuns: 150,
    })
  })
})
