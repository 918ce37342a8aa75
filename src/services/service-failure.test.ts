import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { answers, breakerOf, callOf, fails, good, isFault, serviceWorld, specOf } from '../../test/support/service-world.ts'
import type { Behaviour, ServiceWorld } from '../../test/support/service-world.ts'
import { Answer } from '../core/answer.ts'
import { BytesBody, emptyBody } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import { problemOf } from '../core/problem.ts'
import type { CompiledService } from './create-service.ts'
import { createService } from './create-service.ts'
import type { ServiceSpec } from './service-spec.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** A worker's service, known to main. */
function open(w: ServiceWorld, spec: ServiceSpec, worker = 0, workers = 1): CompiledService {
  w.main.commit([spec])
  return createService(spec, w.env(worker, workers), w.createWire, () => 0)
}

/** What a call comes to: a status, or the code of a fault. */
async function ask({ service }: CompiledService, parts = {}): Promise<number | string> {
  try {
    return (await service(callOf(parts), exchangeOf())).status
  } catch (thrown) {
    return (thrown as Fault).code
  }
}

async function askTimes(service: CompiledService, times: number): Promise<(number | string)[]> {
  const came: (number | string)[] = []
  for (let i = 0; i < times; i++) came.push(await ask(service))
  return came
}

const eject = { failures: 2, baseMs: 1000 }
const unavailable = (...fields: (readonly [string, string])[]): Behaviour => answers(200, ['grpc-status', '14'], ...fields)
const grpcSpec = (parts: Partial<ServiceSpec> = {}): ServiceSpec => specOf([7001, 7002], { attempts: 2, ...parts })

function tally(ports: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const port of ports) counts.set(port, (counts.get(port) ?? 0) + 1)
  return counts
}

describe('a failing service', () => {
  it('is refused at once while its breaker is open, with the time to come back', async () => {
    const w = serviceWorld()
    w.behave.set(7001, fails('service-timeout'))
    const service = open(w, specOf([7001], { breaker: breakerOf() }))
    assert.deepEqual(new Set(await askTimes(service, 10)), new Set(['service-timeout']))
    w.sent.length = 0
    assert.throws(
      () => service.service(callOf(), exchangeOf()),
      (thrown) => {
        assert.ok(isFault('breaker-open')(thrown))
        const problem = problemOf(thrown as Fault)
        assert.equal(problem.name, 'unavailable')
        const headers = new Headers()
        headers.put(problem.headers!)
        assert.equal(headers.get('retry-after'), '5')
        return true
      },
    )
    assert.deepEqual(w.sent, [])
    assert.equal(w.meter.counts.get('velum_service_requests_total orders breaker-open'), 1)
    w.behave.set(7001, good)
    w.clock.advance(5000)
    assert.deepEqual(await askTimes(service, 3), [200, 200, 200])
    assert.equal(w.main.breaker('orders'), undefined)
  })

  it('is judged by what its clients see: a failure that another target made good is none', async () => {
    const w = serviceWorld()
    w.behave.set(7001, answers(503))
    const service = open(w, specOf([7001, 7002], { attempts: 2, retryBudget: 1, breaker: breakerOf({ isOfService: true }) }))
    assert.deepEqual(new Set(await askTimes(service, 40)), new Set([200]))
    assert.equal(w.main.breaker('orders'), undefined)
    assert.equal(w.main.status('orders', '10.0.0.1:7001').state, 'open')
  })

  it('gives the place of a probe back when the client leaves or nothing could be sent', async () => {
    const w = serviceWorld()
    w.behave.set(7001, answers(503))
    const service = open(w, specOf([7001], { breaker: breakerOf({ probes: 1 }) }))
    await askTimes(service, 10)
    w.clock.advance(5000)
    w.behave.set(7001, fails('client-left'))
    assert.equal(await ask(service), 'client-left')
    w.main.drain('orders', '10.0.0.1:7001', true)
    assert.equal(await ask(service), 'no-target')
    w.main.drain('orders', '10.0.0.1:7001', false)
    w.behave.set(7001, good)
    assert.equal(await ask(service), 200)
    assert.equal(w.main.breaker('orders'), undefined)
  })

  it('keeps its open breaker over a reload that does not concern it', async () => {
    const w = serviceWorld()
    w.behave.set(7001, answers(503))
    const spec = specOf([7001], { breaker: breakerOf() })
    const env = w.env()
    w.main.commit([spec])
    await askTimes(createService(spec, env, w.createWire), 10)
    const next = open(w, { ...spec, connectTimeoutMs: 7 })
    env.hold.close()
    assert.equal(await ask(next), 'breaker-open')
  })
})

describe('a failing target', () => {
  it('is left out by its breaker on all workers, and let in again by a few probes', async () => {
    const w = serviceWorld()
    const spec = specOf([7001, 7002], { breaker: breakerOf({ isOfService: false, probes: 1 }) })
    const [one, other] = [open(w, spec), open(w, spec, 1)]
    w.behave.set(7001, answers(503))
    await askTimes(one, 20)
    w.sent.length = 0
    await askTimes(one, 4)
    await askTimes(other, 4)
    assert.deepEqual(new Set(w.sent), new Set([7002]))
    w.clock.advance(5000)
    w.behave.set(7001, good)
    w.sent.length = 0
    await askTimes(one, 4)
    assert.deepEqual(Object.fromEntries(tally(w.sent)), { 7001: 2, 7002: 2 })
    assert.equal(w.main.status('orders', '10.0.0.1:7001').state, 'in')
  })

  it('is sent to all the same when every other one is out too, but for those that drain', async () => {
    const w = serviceWorld()
    for (const port of [7001, 7002, 7003]) w.behave.set(port, answers(503))
    const service = open(w, specOf([7001, 7002, 7003], { eject, breaker: breakerOf({ isOfService: false }) }))
    await askTimes(service, 60)
    assert.equal(w.main.status('orders', '10.0.0.1:7003').state, 'ejected')
    w.main.drain('orders', '10.0.0.1:7003', true)
    w.sent.length = 0
    assert.deepEqual(await askTimes(service, 6), [503, 503, 503, 503, 503, 503])
    assert.deepEqual(new Set(w.sent), new Set([7001, 7002]))
  })

  for (const code of ['service-refused', 'service-timeout'] as const) {
    it(`that gives ${code} is asked by one call at a time when nobody else is left; the others are refused at once`, async () => {
      const w = serviceWorld()
      w.behave.set(7001, fails(code))
      const service = open(w, specOf([7001], { eject }))
      assert.deepEqual(await askTimes(service, 2), [code, code])
      let answer: (given: Answer) => void
      w.behave.set(7001, () => new Promise((resolve) => (answer = resolve)))
      const first = ask(service)
      assert.equal(await ask(service), 'no-target')
      // Not even when its time is over do all rush in.
      w.clock.advance(1000)
      assert.equal(await ask(service), 'no-target')
      answer!(new Answer(200, new Headers(), emptyBody))
      assert.equal(await first, 200)
      w.behave.set(7001, good)
      assert.equal(await ask(service), 200)
    })
  }

  it('that probes cannot reach is asked by one call at a time, even if it is never ejected', async () => {
    const w = serviceWorld()
    const service = open(w, specOf([7001]))
    const tell = (isDown: boolean, reason: string): void =>
      w.hub.tellAll('services/standing', [
        { service: 'orders', address: '10.0.0.1:7001', isDown, isDraining: false, ejectedUntil: 0, reason },
      ])
    tell(true, 'service-timeout')
    w.behave.set(7001, () => new Promise(() => {}))
    void ask(service)
    assert.deepEqual(await askTimes(service, 2), ['no-target', 'no-target'])
    assert.equal(w.sent.length, 1)
    tell(false, '')
    w.behave.set(7001, good)
    assert.deepEqual(await askTimes(service, 2), [200, 200])
    // One that answers its probes, but not as it should, is sent to when there is no other.
    tell(true, 'status 503')
    assert.deepEqual(await askTimes(service, 2), [200, 200])
  })

  it('starts slowly when it has come back, and none does at the first start', async () => {
    const w = serviceWorld()
    const spec = specOf([7001, 7002], { eject: { failures: 1, baseMs: 1000 }, slowStartMs: 10_000 })
    w.main.commit([spec])
    let chance = 0.5
    const service = createService(spec, w.env(), w.createWire, () => chance)
    await askTimes(service, 4)
    assert.deepEqual(w.sent, [7001, 7002, 7001, 7002])
    w.behave.set(7001, answers(503))
    await ask(service)
    w.behave.delete(7001)
    w.clock.advance(1000)
    const shareOf = async (): Promise<number> => {
      w.sent.length = 0
      await askTimes(service, 4)
      return w.sent.filter((port) => port === 7001).length
    }
    assert.equal(await shareOf(), 0)
    chance = 0.05
    assert.equal(await shareOf(), 2, 'a tenth of its share is there from the beginning')
    chance = 0.5
    w.clock.advance(4900)
    assert.equal(await shareOf(), 0)
    w.clock.advance(200)
    assert.equal(await shareOf(), 2)
    chance = 0.999
    w.clock.advance(4900)
    assert.equal(await shareOf(), 2)
  })

  it('starts slowly when it joins others', async () => {
    const w = serviceWorld()
    const first = open(w, specOf([7001], { slowStartMs: 10_000 }))
    await ask(first)
    const service = createService(specOf([7001, 7002], { slowStartMs: 10_000 }), w.env(), w.createWire, () => 0.5)
    w.sent.length = 0
    await askTimes(service, 4)
    assert.deepEqual(w.sent, [7001, 7001, 7001, 7001])
    w.clock.advance(5100)
    w.sent.length = 0
    await askTimes(service, 4)
    assert.deepEqual(Object.fromEntries(tally(w.sent)), { 7001: 2, 7002: 2 })
  })
})

describe('a draining target', () => {
  it('gets no new calls, nor further tries, and finishes what it has; all workers say how much', async () => {
    const w = serviceWorld()
    const spec = specOf([7001, 7002], { attempts: 3 })
    const services = [open(w, spec), open(w, spec, 1, 2)]
    let answer: (given: Answer) => void
    w.behave.set(7001, () => new Promise((resolve) => (answer = resolve)))
    const early = ask(services[0])
    w.busy.set(7001, 1)
    assert.ok(w.main.drain('orders', '10.0.0.1:7001', true))
    assert.ok(w.main.drain('orders', '10.0.0.1:7001', true), 'saying it twice is no mistake')
    // Both workers look at the same wires here.
    assert.deepEqual(w.main.status('orders', '10.0.0.1:7001'), { state: 'draining', calls: 2 })
    w.behave.set(7002, fails('service-reset'))
    w.sent.length = 0
    for (const service of services) assert.equal(await ask(service), 'service-reset')
    assert.deepEqual(new Set(w.sent), new Set([7002]))
    answer!(new Answer(200, new Headers(), emptyBody))
    assert.equal(await early, 200)
    w.busy.set(7001, 0)
    w.clock.advance(500)
    assert.deepEqual(w.main.status('orders', '10.0.0.1:7001'), { state: 'draining', calls: 0 })
    assert.equal(w.meter.counts.get('velum_service_targets_draining orders'), 1)
  })

  it('is not brought back by the floor: when all drain, calls are refused with 503 at once', async () => {
    const w = serviceWorld()
    const service = open(w, specOf([7001, 7002]))
    for (const port of [7001, 7002]) w.main.drain('orders', `10.0.0.1:${port}`, true)
    assert.equal(await ask(service), 'no-target')
    const headers = new Headers()
    headers.put(problemOf(new Fault('no-target')).headers!)
    assert.equal(headers.get('retry-after'), '1')
    assert.deepEqual(w.sent, [])
    w.main.drain('orders', '10.0.0.1:7002', false)
    assert.equal(await ask(service), 200)
  })

  it('drains through reloads and on workers that start later, until the configuration has it no more', async () => {
    const w = serviceWorld()
    open(w, specOf([7001, 7002]))
    w.main.drain('orders', '10.0.0.1:7001', true)
    const late = open(w, specOf([7001, 7002], { connectTimeoutMs: 5 }), 1)
    await turn()
    await askTimes(late, 4)
    assert.deepEqual(new Set(w.sent), new Set([7002]))
    w.main.commit([specOf([7002])])
    w.main.commit([specOf([7001, 7002])])
    assert.equal(w.main.status('orders', '10.0.0.1:7001').state, 'in')
    assert.ok(!w.main.drain('orders', '10.0.0.1:7009', true))
    assert.ok(!w.main.drain('nobody', '10.0.0.1:7001', true))
  })

  it('is no more counted for a worker that has fallen silent', () => {
    const w = serviceWorld()
    w.main.commit([specOf([7001])])
    w.main.drain('orders', '10.0.0.1:7001', true)
    assert.deepEqual(w.main.status('orders', '10.0.0.1:7001'), { state: 'draining' })
    w.hub.link(3).tell('services/calls', { service: 'orders', address: '10.0.0.1:7001', calls: 7 })
    assert.equal(w.main.status('orders', '10.0.0.1:7001').calls, 7)
    w.clock.advance(3001)
    assert.equal(w.main.status('orders', '10.0.0.1:7001').calls, 0)
  })
})

describe('further tries', () => {
  const grpcCall = {
    method: 'POST',
    headers: Headers.received(['content-type', 'application/grpc+proto']),
    body: new BytesBody(Buffer.from('x')),
  }

  it('of gRPC follow an "unavailable" that came alone, and are told to the service', async () => {
    const w = serviceWorld()
    w.behave.set(7001, unavailable())
    const service = openGrpc(w, grpcSpec())
    assert.equal(await ask(service, grpcCall), 200)
    assert.deepEqual(w.sent, [7001, 7002])
    assert.equal(w.calls[1].headers.get('grpc-previous-rpc-attempts'), '1')
    assert.equal(w.meter.counts.get('velum_service_retries_total orders status'), 1)
  })

  it('of gRPC do not follow another status, a call that is not gRPC, or an answer that has begun', async () => {
    for (const [behave, parts] of [
      [answers(200, ['grpc-status', '13']), grpcCall],
      [unavailable(), { ...grpcCall, headers: Headers.received(['content-type', 'application/json']) }],
      [async () => new Answer(200, Headers.from([['grpc-status', '14']]), new BytesBody(Buffer.from('begun'))), grpcCall],
    ] as const) {
      const w = serviceWorld()
      w.behave.set(7001, behave)
      assert.equal(await ask(openGrpc(w, grpcSpec()), parts), 200)
      assert.deepEqual(w.sent, [7001])
    }
  })

  it('of gRPC wait as long as a pushback asks, and do not come when it forbids them or asks for too much', async () => {
    for (const [pushback, tries] of [
      ['-1', 1],
      ['soon', 1],
      ['60000', 1],
      ['500', 2],
    ] as const) {
      const w = serviceWorld()
      w.behave.set(7001, unavailable(['grpc-retry-pushback-ms', pushback]))
      const answered = ask(openGrpc(w, grpcSpec()), grpcCall)
      await turn()
      assert.equal(w.sent.length, 1)
      w.clock.advance(500)
      assert.equal(await answered, 200)
      assert.equal(w.sent.length, tries, pushback)
    }
  })

  it('count an "unavailable" of gRPC as a failure of the target', async () => {
    const w = serviceWorld()
    w.behave.set(7001, unavailable())
    const service = openGrpc(w, grpcSpec({ attempts: 1, eject }))
    for (let i = 0; i < 4; i++) await ask(service, grpcCall)
    assert.deepEqual(w.main.status('orders', '10.0.0.1:7001').out?.reason, 'grpc-unavailable')
  })

  it('on a stale connection come out of the budget, and are counted', () => {
    const w = serviceWorld()
    open(w, specOf([7001], { retryBudget: 0.2 }))
    const mayRepeat = w.made[0].mayRepeat!
    assert.deepEqual(
      [1, 2, 3, 4].map(() => mayRepeat()),
      [true, true, true, false],
    )
    assert.equal(w.meter.counts.get('velum_service_retries_total orders stale'), 3)
    assert.equal(w.meter.counts.get('velum_service_requests_total orders stale'), 3)
    assert.equal(w.meter.counts.get('velum_service_retries_exhausted_total orders'), 1)
  })

  it('that the budget does not allow are counted too', async () => {
    const w = serviceWorld()
    w.behave.set(7001, answers(503))
    const service = open(w, specOf([7001], { attempts: 2, retryBudget: 0 }))
    await askTimes(service, 5)
    assert.equal(w.sent.length, 8)
    assert.equal(w.meter.counts.get('velum_service_retries_total orders status'), 3)
    assert.equal(w.meter.counts.get('velum_service_retries_exhausted_total orders'), 2)
  })
})

/** HTTP/2 has a wire of its own; what matters here is that the service may speak gRPC. */
function openGrpc(w: ServiceWorld, spec: ServiceSpec): CompiledService {
  w.main.commit([spec])
  const [first, ...others] = spec.targets
  const idle = { ...first, protocol: 'grpc', port: 7999, weight: 0 } as const
  return createService({ ...spec, targets: [first, ...others, idle] }, w.env(), w.createWire, () => 0)
}
