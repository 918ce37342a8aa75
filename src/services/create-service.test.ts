import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import { callOf, fails, isFault, serviceWorld, specOf, targetOf } from '../../test/support/service-world.ts'
import { Answer } from '../core/answer.ts'
import { BytesBody, END, StreamBody, emptyBody } from '../core/body.ts'
import type { BuildEnv } from '../core/build-env.ts'
import { Fault } from '../core/fault.ts'
import type { FaultCode } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import type { Call } from '../core/service.ts'
import type { CompiledService } from './create-service.ts'
import { createService as createWithRandom } from './create-service.ts'
import type { ServiceSpec } from './service-spec.ts'
import type { CreateClientWire } from './target.ts'

class Unread extends StreamBody {
  trailers(): undefined {
    return undefined
  }
  protected read(): null {
    return END
  }
  protected stop(): void {}
}

/** Without waiting between tries. */
function createService(spec: ServiceSpec, env: BuildEnv, createWire: CreateClientWire): CompiledService {
  return createWithRandom(spec, env, createWire, () => 0)
}

describe('service', () => {
  it('spreads calls over its targets and notes on the exchange where they went', async () => {
    const s = serviceWorld()
    const { service } = createService(specOf([7001, 7002]), s.env(), s.createWire)
    s.clock.advance(7)
    const x = exchangeOf()
    await service(callOf(), x)
    await service(callOf(), exchangeOf())
    await service(callOf(), exchangeOf())
    assert.deepEqual(s.sent, [7001, 7002, 7001])
    assert.deepEqual([x.targetAddress, x.attempts, x.serviceHeadAt], ['10.0.0.1:7001', 1, 8])
    assert.equal(s.meter.counts.get('velum_service_requests_total orders 2xx'), 3)
  })

  it('tells how long each try took until its head came', async () => {
    const s = serviceWorld()
    const { service } = createService(specOf([7001]), s.env(), (...options) => {
      const wire = s.createWire(...options)
      const send = wire.send.bind(wire)
      return Object.assign(wire, {
        send(...call: Parameters<typeof send>) {
          s.clock.advance(20)
          return send(...call)
        },
      })
    })
    await service(callOf(), exchangeOf())
    assert.deepEqual(s.meter.observed, [['velum_service_request_duration_seconds', 0.02]])
  })

  it('prefers the less loaded of two when asked to', async () => {
    const s = serviceWorld()
    s.busy.set(7001, 3)
    const { service } = createService(specOf([7001, 7002], { balance: 'least-requests' }), s.env(), s.createWire)
    for (let i = 0; i < 4; i++) await service(callOf(), exchangeOf())
    assert.deepEqual(s.sent, [7002, 7002, 7002, 7002])
  })

  it('moves on to the next target while nothing was sent', async () => {
    const s = serviceWorld()
    s.behave.set(7001, fails('service-refused', true))
    s.behave.set(7002, fails('overloaded', true))
    const { service } = createService(specOf([7001, 7002, 7003]), s.env(), s.createWire)
    const x = exchangeOf()
    // Not even a POST whose body is still to come is in danger: no byte of it was read.
    const answer = await service(callOf({ method: 'POST', body: new Unread(undefined) }), x)
    assert.equal(answer.status, 200)
    assert.deepEqual(s.sent, [7001, 7002, 7003])
    assert.deepEqual([x.targetAddress, x.attempts], ['10.0.0.1:7003', 3])
    assert.equal(s.meter.counts.get('velum_service_requests_total orders refused'), 1)
    assert.equal(s.meter.counts.get('velum_service_requests_total orders overloaded'), 1)
  })

  it('gives the last fault when every target refuses, having asked each once', async () => {
    const s = serviceWorld()
    for (const port of [7001, 7002, 7003]) s.behave.set(port, fails('service-refused', true))
    const { service } = createService(specOf([7001, 7002, 7003]), s.env(), s.createWire)
    await assert.rejects(async () => service(callOf(), exchangeOf()), isFault('service-refused'))
    assert.deepEqual(s.sent, [7001, 7002, 7003])
  })

  it('does not move on once something was sent, unless tries were configured', async () => {
    const s = serviceWorld()
    s.behave.set(7001, fails('service-reset'))
    const single = createService(specOf([7001, 7002]), s.env(), s.createWire)
    await assert.rejects(async () => single.service(callOf(), exchangeOf()), isFault('service-reset'))
    assert.deepEqual(s.sent, [7001])
    const twice = createService(specOf([7001, 7002], { attempts: 2 }), s.env(), s.createWire)
    assert.equal((await twice.service(callOf(), exchangeOf())).status, 200)
    assert.deepEqual(s.sent, [7001, 7001, 7002])
  })

  it('moves on from a target that went away with a call, where the call may be carried out twice', async () => {
    const s = serviceWorld()
    s.behave.set(7001, fails('service-refused'))
    const { service } = createService(specOf([7001, 7002]), s.env(), s.createWire)
    assert.equal((await service(callOf(), exchangeOf())).status, 200)
    await service(callOf(), exchangeOf())
    assert.deepEqual(s.sent, [7001, 7002, 7002])
    await assert.rejects(async () => service(callOf({ method: 'POST' }), exchangeOf()), isFault('service-refused'))
  })

  const unsafe: Record<string, [Partial<Call>, FaultCode]> = {
    'a POST': [{ method: 'POST', body: new BytesBody(Buffer.from('x')) }, 'service-reset'],
    'a body too large to be kept': [{ method: 'PUT', body: new Unread(65_537) }, 'service-reset'],
    'an answer that was nonsense': [{}, 'service-nonsense'],
  }
  for (const [what, [parts, code]] of Object.entries(unsafe)) {
    it(`does not try again after ${what}`, async () => {
      const s = serviceWorld()
      s.behave.set(7001, fails(code))
      const { service } = createService(specOf([7001, 7002], { attempts: 3 }), s.env(), s.createWire)
      await assert.rejects(async () => service(callOf(parts), exchangeOf()), isFault(code))
      assert.deepEqual(s.sent, [7001])
    })
  }

  it('tries again after 503 and after a timeout, with a streamed body from its start', async () => {
    const s = serviceWorld()
    s.behave.set(7001, async () => new Answer(503, new Headers(), emptyBody))
    s.behave.set(7002, fails('service-timeout'))
    const { service } = createService(specOf([7001, 7002, 7003], { attempts: 3 }), s.env(), s.createWire)
    const x = exchangeOf()
    assert.equal((await service(callOf({ method: 'PUT', body: new Unread(100) }), x)).status, 200)
    assert.deepEqual([s.sent, x.attempts], [[7001, 7002, 7003], 3])
    const post = callOf({ method: 'POST', body: new BytesBody(Buffer.from('x')) })
    await assert.rejects(async () => service(post, exchangeOf()), isFault('service-timeout'))
    assert.equal(s.sent.length, 4)
  })

  it('gives the answer to the client when the same target asks to be left alone for long', async () => {
    const s = serviceWorld()
    let retryAfter = '60'
    s.behave.set(7001, async () => new Answer(503, Headers.from([['retry-after', retryAfter]]), emptyBody))
    const { service } = createService(specOf([7001], { attempts: 2 }), s.env(), s.createWire)
    assert.equal((await service(callOf({ headBy: 5000 }), exchangeOf())).status, 503)
    assert.equal(s.sent.length, 1)
    retryAfter = '1'
    const answered = service(callOf({ headBy: 5000 }), exchangeOf())
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(s.sent.length, 2)
    s.clock.advance(1000)
    assert.equal((await answered).status, 503)
    assert.equal(s.sent.length, 3)
  })

  it('sends no more than a fifth again, however calls fail', async () => {
    const s = serviceWorld()
    s.behave.set(7001, fails('service-reset'))
    const { service } = createService(specOf([7001], { attempts: 5, eject: { failures: 5, baseMs: 1000 } }), s.env(), s.createWire)
    for (let i = 0; i < 100; i++) await assert.rejects(async () => service(callOf(), exchangeOf()), isFault('service-reset'))
    assert.ok(s.sent.length > 110 && s.sent.length <= 120, `${s.sent.length} tries`)
  })

  it('tries a single target as often as configured', async () => {
    const s = serviceWorld()
    s.behave.set(7001, fails('service-refused', true))
    const { service } = createService(specOf([7001], { attempts: 3 }), s.env(), s.createWire)
    await assert.rejects(async () => service(callOf(), exchangeOf()), isFault('service-refused'))
    assert.deepEqual(s.sent, [7001, 7001, 7001])
  })

  it('does not try again once the time is over or the client has left', async () => {
    const s = serviceWorld()
    s.behave.set(7001, async () => {
      s.clock.advance(100)
      throw new Fault('service-refused', 'late', { unsent: true })
    })
    const { service } = createService(specOf([7001, 7002]), s.env(), s.createWire)
    await assert.rejects(async () => service(callOf({ headBy: 100 }), exchangeOf()), isFault('service-refused'))
    await service(callOf(), exchangeOf())
    const x = exchangeOf()
    s.behave.set(7001, async () => {
      x.leave(new Fault('client-left'))
      throw new Fault('service-refused', 'gone', { unsent: true })
    })
    await assert.rejects(async () => service(callOf(), x), isFault('service-refused'))
    assert.deepEqual(s.sent, [7001, 7002, 7001])
  })

  it('has no target when none has weight', () => {
    const s = serviceWorld()
    const weightless = specOf([], { targets: [targetOf(7001, { weight: 0 })] })
    assert.throws(() => createService(weightless, s.env(), s.createWire).service(callOf(), exchangeOf()), isFault('no-target'))
    assert.equal(s.meter.counts.get('velum_service_requests_total orders no-target'), 1)
  })

  it('keeps its connections over a reload that does not concern them', () => {
    const s = serviceWorld()
    const first = s.env()
    createService(specOf([7001]), first, s.createWire)
    const next = s.env()
    createService(specOf([7001, 7002]), next, s.createWire)
    assert.deepEqual(
      s.made.map(({ port }) => port),
      [7001, 7002],
    )
    first.hold.close()
    assert.equal(s.closed, 0)
    const last = s.env()
    createService(specOf([7001, 7002], { timeoutMs: 100 }), last, s.createWire)
    assert.equal(s.made.length, 4)
    next.hold.close()
    assert.equal(s.closed, 2)
  })

  it('starts at another target on another worker', async () => {
    const s = serviceWorld()
    const { service } = createService(specOf([7001, 7002]), s.env(1), s.createWire)
    await service(callOf(), exchangeOf())
    assert.deepEqual(s.sent, [7002])
  })
})
