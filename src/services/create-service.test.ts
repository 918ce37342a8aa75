import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Answer } from '../core/answer.ts'
import { BytesBody, END, StreamBody, emptyBody } from '../core/body.ts'
import type { BuildEnv } from '../core/build-env.ts'
import { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { FaultCode } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import { Lasting } from '../core/lasting.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import type { Labels, Meter } from '../core/meter.ts'
import type { Call } from '../core/service.ts'
import { Sweeper } from '../core/sweeper.ts'
import type { ClientWireOptions } from '../wire/client-wire.ts'
import type { CompiledService } from './create-service.ts'
import { createService as createWithRandom } from './create-service.ts'
import type { ServiceSpec, TargetSpec } from './service-spec.ts'
import type { CreateClientWire } from './target.ts'

/** Counts by name and labels, as text. */
class TallyMeter implements Meter {
  readonly counts = new Map<string, number>()

  readonly counter = (name: string, _help: string, labels: Labels = {}): { add(n?: number): void } => {
    const key = [name, ...Object.values(labels)].join(' ')
    return { add: (n = 1) => void this.counts.set(key, (this.counts.get(key) ?? 0) + n) }
  }
  readonly gauge = this.counter
  readonly histogram = (): { observe(): void } => ({ observe() {} })
}

interface Setting {
  readonly env: BuildEnv
  readonly lasting: Lasting
  readonly clock: ManualClock
  readonly meter: TallyMeter
  /** Options of every wire that was made. */
  readonly made: ClientWireOptions[]
  /** Ports of the targets that were sent to, in order. */
  readonly sent: number[]
  closed: number
  /** What a target answers; by port. */
  readonly behave: Map<number, () => Promise<Answer>>
  readonly createWire: CreateClientWire
}

function setting(worker = 0): Setting {
  const clock = new ManualClock()
  const lasting = new Lasting()
  const meter = new TallyMeter()
  const env: BuildEnv = {
    clock,
    sweeper: new Sweeper(clock),
    log: silentLog,
    meter,
    hold: lasting.hold(),
    link: { ask: () => Promise.reject(new Error('nobody')), tell() {}, hear: () => () => {} },
    shared: { limits: new SharedArrayBuffer(8), metrics: new SharedArrayBuffer(8) },
    worker,
    workers: 1,
  }
  const parts: Setting = {
    env,
    lasting,
    clock,
    meter,
    made: [],
    sent: [],
    closed: 0,
    behave: new Map(),
    createWire(options) {
      parts.made.push(options)
      return {
        send() {
          parts.sent.push(options.port)
          return (parts.behave.get(options.port) ?? good)()
        },
        open: 0,
        busy: options.port === 7001 ? 3 : 0,
        queued: 0,
        close: () => void parts.closed++,
      }
    },
  }
  return parts
}

const good = async (): Promise<Answer> => new Answer(200, new Headers(), emptyBody)
const fails =
  (code: FaultCode, unsent = false) =>
  async (): Promise<Answer> => {
    throw new Fault(code, code, { unsent })
  }

function targetOf(port: number, protocol: TargetSpec['protocol'] = 'http', weight = 1): TargetSpec {
  return { url: `http://10.0.0.1:${port}`, protocol, tls: false, host: '10.0.0.1', port, weight }
}

function specOf(ports: readonly number[], parts: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name: 'orders',
    targets: ports.map((port) => ({
      url: `http://10.0.0.1:${port}`,
      protocol: 'http',
      tls: false,
      host: '10.0.0.1',
      port,
      weight: 1,
    })),
    balance: 'round-robin',
    timeoutMs: 5000,
    connectTimeoutMs: 1000,
    idleMs: 60_000,
    maxConnections: 100,
    attempts: 1,
    identity: 'none',
    audience: 'orders',
    ...parts,
  }
}

function callOf(parts: Partial<Call> = {}): Call {
  return {
    method: 'GET',
    target: '/',
    authority: undefined,
    headers: new Headers(),
    body: emptyBody,
    upgrade: undefined,
    headBy: Infinity,
    ...parts,
  }
}

function exchange(): Exchange {
  return new Exchange({
    method: 'GET',
    target: '/',
    headers: new Headers(),
    version: '1.1',
    authority: '',
    upgrade: undefined,
    connection: { listener: 'test', remoteAddress: '', remotePort: 0, localPort: 0, tls: undefined },
    link: { inform() {} },
    body: emptyBody,
    startedAt: 0,
    startedMono: 0,
  })
}

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

const isFault = (code: FaultCode) => (thrown: unknown) => thrown instanceof Fault && thrown.code === code

describe('service', () => {
  it('spreads calls over its targets and notes on the exchange where they went', async () => {
    const s = setting()
    const { service } = createService(specOf([7001, 7002]), s.env, s.createWire)
    s.clock.advance(7)
    const x = exchange()
    await service(callOf(), x)
    await service(callOf(), exchange())
    await service(callOf(), exchange())
    assert.deepEqual(s.sent, [7001, 7002, 7001])
    assert.deepEqual([x.targetAddress, x.attempts, x.serviceHeadAt], ['10.0.0.1:7001', 1, 7])
    assert.equal(s.meter.counts.get('velum_service_requests_total orders 2xx'), 3)
  })

  it('prefers the less loaded of two when asked to', async () => {
    const s = setting()
    const { service } = createService(specOf([7001, 7002], { balance: 'least-requests' }), s.env, s.createWire)
    for (let i = 0; i < 4; i++) await service(callOf(), exchange())
    assert.deepEqual(s.sent, [7002, 7002, 7002, 7002])
  })

  it('moves on to the next target while nothing was sent', async () => {
    const s = setting()
    s.behave.set(7001, fails('service-refused', true))
    s.behave.set(7002, fails('overloaded', true))
    const { service } = createService(specOf([7001, 7002, 7003]), s.env, s.createWire)
    const x = exchange()
    // Not even a POST whose body is still to come is in danger: no byte of it was read.
    const answer = await service(callOf({ method: 'POST', body: new Unread(undefined) }), x)
    assert.equal(answer.status, 200)
    assert.deepEqual(s.sent, [7001, 7002, 7003])
    assert.deepEqual([x.targetAddress, x.attempts], ['10.0.0.1:7003', 3])
    assert.equal(s.meter.counts.get('velum_service_requests_total orders refused'), 1)
    assert.equal(s.meter.counts.get('velum_service_requests_total orders overloaded'), 1)
  })

  it('gives the last fault when every target refuses, having asked each once', async () => {
    const s = setting()
    for (const port of [7001, 7002, 7003]) s.behave.set(port, fails('service-refused', true))
    const { service } = createService(specOf([7001, 7002, 7003]), s.env, s.createWire)
    await assert.rejects(async () => service(callOf(), exchange()), isFault('service-refused'))
    assert.deepEqual(s.sent, [7001, 7002, 7003])
  })

  it('does not move on once something was sent, unless tries were configured', async () => {
    const s = setting()
    s.behave.set(7001, fails('service-reset'))
    const single = createService(specOf([7001, 7002]), s.env, s.createWire)
    await assert.rejects(async () => single.service(callOf(), exchange()), isFault('service-reset'))
    assert.deepEqual(s.sent, [7001])
    const twice = createService(specOf([7001, 7002], { attempts: 2 }), s.env, s.createWire)
    assert.equal((await twice.service(callOf(), exchange())).status, 200)
    assert.deepEqual(s.sent, [7001, 7001, 7002])
  })

  it('moves on from a target that went away with a call, where the call may be carried out twice', async () => {
    const s = setting()
    s.behave.set(7001, fails('service-refused'))
    const { service } = createService(specOf([7001, 7002]), s.env, s.createWire)
    assert.equal((await service(callOf(), exchange())).status, 200)
    await service(callOf(), exchange())
    assert.deepEqual(s.sent, [7001, 7002, 7002])
    await assert.rejects(async () => service(callOf({ method: 'POST' }), exchange()), isFault('service-refused'))
  })

  const unsafe: Record<string, [Partial<Call>, FaultCode]> = {
    'a POST': [{ method: 'POST', body: new BytesBody(Buffer.from('x')) }, 'service-reset'],
    'a body too large to be kept': [{ method: 'PUT', body: new Unread(65_537) }, 'service-reset'],
    'an answer that was nonsense': [{}, 'service-nonsense'],
  }
  for (const [what, [parts, code]] of Object.entries(unsafe)) {
    it(`does not try again after ${what}`, async () => {
      const s = setting()
      s.behave.set(7001, fails(code))
      const { service } = createService(specOf([7001, 7002], { attempts: 3 }), s.env, s.createWire)
      await assert.rejects(async () => service(callOf(parts), exchange()), isFault(code))
      assert.deepEqual(s.sent, [7001])
    })
  }

  it('tries again after 503 and after a timeout, with a streamed body from its start', async () => {
    const s = setting()
    s.behave.set(7001, async () => new Answer(503, new Headers(), emptyBody))
    s.behave.set(7002, fails('service-timeout'))
    const { service } = createService(specOf([7001, 7002, 7003], { attempts: 3 }), s.env, s.createWire)
    const x = exchange()
    assert.equal((await service(callOf({ method: 'PUT', body: new Unread(100) }), x)).status, 200)
    assert.deepEqual([s.sent, x.attempts], [[7001, 7002, 7003], 3])
    const post = callOf({ method: 'POST', body: new BytesBody(Buffer.from('x')) })
    await assert.rejects(async () => service(post, exchange()), isFault('service-timeout'))
    assert.equal(s.sent.length, 4)
  })

  it('gives the answer to the client when the same target asks to be left alone for long', async () => {
    const s = setting()
    let retryAfter = '60'
    s.behave.set(7001, async () => new Answer(503, Headers.from([['retry-after', retryAfter]]), emptyBody))
    const { service } = createService(specOf([7001], { attempts: 2 }), s.env, s.createWire)
    assert.equal((await service(callOf({ headBy: 5000 }), exchange())).status, 503)
    assert.equal(s.sent.length, 1)
    retryAfter = '1'
    const answered = service(callOf({ headBy: 5000 }), exchange())
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(s.sent.length, 2)
    s.clock.advance(1000)
    assert.equal((await answered).status, 503)
    assert.equal(s.sent.length, 3)
  })

  it('sends no more than a fifth again, however calls fail', async () => {
    const s = setting()
    s.behave.set(7001, fails('service-reset'))
    const { service } = createService(specOf([7001], { attempts: 5, eject: { failures: 5, baseMs: 1000 } }), s.env, s.createWire)
    for (let i = 0; i < 100; i++) await assert.rejects(async () => service(callOf(), exchange()), isFault('service-reset'))
    assert.ok(s.sent.length > 110 && s.sent.length <= 120, `${s.sent.length} tries`)
  })

  it('tries a single target as often as configured', async () => {
    const s = setting()
    s.behave.set(7001, fails('service-refused', true))
    const { service } = createService(specOf([7001], { attempts: 3 }), s.env, s.createWire)
    await assert.rejects(async () => service(callOf(), exchange()), isFault('service-refused'))
    assert.deepEqual(s.sent, [7001, 7001, 7001])
  })

  it('does not try again once the time is over or the client has left', async () => {
    const s = setting()
    s.behave.set(7001, async () => {
      s.clock.advance(100)
      throw new Fault('service-refused', 'late', { unsent: true })
    })
    const { service } = createService(specOf([7001, 7002]), s.env, s.createWire)
    await assert.rejects(async () => service(callOf({ headBy: 100 }), exchange()), isFault('service-refused'))
    await service(callOf(), exchange())
    const x = exchange()
    s.behave.set(7001, async () => {
      x.leave(new Fault('client-left'))
      throw new Fault('service-refused', 'gone', { unsent: true })
    })
    await assert.rejects(async () => service(callOf(), x), isFault('service-refused'))
    assert.deepEqual(s.sent, [7001, 7002, 7001])
  })

  it('has no target when none has weight', () => {
    const s = setting()
    const weightless = specOf([], { targets: [targetOf(7001, 'http', 0)] })
    assert.throws(() => createService(weightless, s.env, s.createWire).service(callOf(), exchange()), isFault('no-target'))
    assert.equal(s.meter.counts.get('velum_service_requests_total orders no-target'), 1)
  })

  it('keeps its connections over a reload that does not concern them', () => {
    const s = setting()
    createService(specOf([7001]), s.env, s.createWire)
    const next = { ...s.env, hold: s.lasting.hold() }
    createService(specOf([7001, 7002]), next, s.createWire)
    assert.deepEqual(
      s.made.map(({ port }) => port),
      [7001, 7002],
    )
    s.env.hold.close()
    assert.equal(s.closed, 0)
    const last = { ...s.env, hold: s.lasting.hold() }
    createService(specOf([7001, 7002], { timeoutMs: 100 }), last, s.createWire)
    assert.equal(s.made.length, 4)
    next.hold.close()
    assert.equal(s.closed, 2)
  })

  it('starts at another target on another worker', async () => {
    const s = setting(1)
    const { service } = createService(specOf([7001, 7002]), s.env, s.createWire)
    await service(callOf(), exchange())
    assert.deepEqual(s.sent, [7002])
  })
})
