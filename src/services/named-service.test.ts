import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { LocalHub } from '../../test/support/local-hub.ts'
import { Answer } from '../core/answer.ts'
import { emptyBody } from '../core/body.ts'
import type { BuildEnv } from '../core/build-env.ts'
import { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import { Lasting } from '../core/lasting.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentMeter } from '../core/meter.ts'
import { Sweeper } from '../core/sweeper.ts'
import type { ClientWireOptions } from '../wire/client-wire.ts'
import { createService } from './create-service.ts'
import type { Found, NameResolver, SrvRecord } from './dns-resolver.ts'
import { createNamedService } from './named-service.ts'
import type { NamedService } from './named-service.ts'
import { NodeNames } from './node-names.ts'
import type { ServiceSpec, TargetSpec } from './service-spec.ts'

const dns = { servers: [], refreshMs: 10_000, ipv6: undefined }

function target(host: string, more: Partial<TargetSpec> = {}): TargetSpec {
  return { url: `http://${host}`, protocol: 'http', tls: false, host, port: 80, weight: 1, ...more }
}

function spec(...targets: readonly TargetSpec[]): ServiceSpec {
  return {
    name: 'orders',
    targets,
    balance: 'round-robin',
    timeoutMs: 1000,
    connectTimeoutMs: 1000,
    idleMs: 1000,
    maxConnections: 1,
    attempts: 1,
    eject: { failures: 1, baseMs: 60_000 },
    identity: 'none',
    audience: 'orders',
  }
}

class World {
  readonly clock = new ManualClock()
  readonly hub = new LocalHub()
  readonly lasting = new Lasting()
  /** What the DNS says; a text is the code of its error. */
  readonly addresses = new Map<string, readonly string[] | string>()
  readonly records = new Map<string, readonly SrvRecord[] | string>()
  ttlMs = Infinity
  asked = 0
  changes = 0
  /** Whether no connections can be made ready. */
  isBroken = false
  /** Addresses that were sent to, in order, and those that do not answer. */
  readonly sent: string[] = []
  readonly dead = new Set<string>()
  readonly refusing = new Set<string>()
  readonly made = new Map<string, ClientWireOptions>()
  readonly closed: string[] = []
  readonly names: NodeNames

  constructor(t: TestContext) {
    const answer = <T>(known: readonly T[] | string | undefined): Found<T> => {
      this.asked++
      if (typeof known === 'object') return { records: known, ttlMs: this.ttlMs }
      throw Object.assign(new Error(known), { code: known ?? 'ENOTFOUND' })
    }
    const resolver: NameResolver = {
      addresses: async (name) => answer(this.addresses.get(name)),
      services: async (name) => answer(this.records.get(name)),
      close() {},
    }
    this.names = new NodeNames(this.hub, {
      clock: this.clock,
      log: silentLog,
      meter: silentMeter,
      changed: () => void this.changes++,
      createResolver: () => resolver,
    })
    t.after(() => this.names.close())
  }

  async serve(service: ServiceSpec): Promise<NamedService> {
    await this.names.prepare(dns, [service])
    this.names.commit()
    const env: BuildEnv = {
      clock: this.clock,
      sweeper: new Sweeper(this.clock),
      log: silentLog,
      meter: silentMeter,
      hold: this.lasting.hold(),
      link: this.hub.link(),
      shared: { limits: new SharedArrayBuffer(8), metrics: new SharedArrayBuffer(8) },
      worker: 0,
      workers: 1,
    }
    const named = createNamedService(service, env, (one, oneEnv) =>
      createService(one, oneEnv, (options) => {
        const place = `${options.host}:${options.port}`
        if (this.isBroken) throw new Error('a certificate cannot be read')
        this.made.set(place, options)
        return {
          send: async () => {
            this.sent.push(place)
            if (this.dead.has(place)) throw new Fault('service-reset')
            if (this.refusing.has(place)) throw new Fault('service-refused', 'nobody listens', { unsent: true })
            return new Answer(200, new Headers(), emptyBody)
          },
          open: 0,
          busy: 0,
          queued: 0,
          close: () => void this.closed.push(place),
        }
      }),
    )
    await named.ready
    return named
  }

  /** Lets time pass until names are asked for again, and the answers arrive. */
  async later(ms = 10_000): Promise<void> {
    this.clock.advance(ms)
    for (let i = 0; i < 10; i++) await Promise.resolve()
    await new Promise((resolve) => setImmediate(resolve))
  }

  async call(named: NamedService, times = 1): Promise<string[]> {
    const from = this.sent.length
    for (let i = 0; i < times; i++) {
      const x = exchange(this.clock)
      await named.service(
        {
          method: 'POST',
          target: '/',
          authority: undefined,
          headers: new Headers(),
          body: emptyBody,
          upgrade: undefined,
          headBy: Infinity,
        },
        x,
      )
    }
    return this.sent.slice(from)
  }
}

function exchange(clock: ManualClock): Exchange {
  return new Exchange({
    method: 'POST',
    target: '/',
    headers: new Headers(),
    version: '1.1',
    authority: 'a',
    upgrade: undefined,
    connection: { listener: '', remoteAddress: '', remotePort: 0, localPort: 0, tls: undefined },
    link: { inform() {} },
    body: emptyBody,
    startedAt: clock.now(),
    startedMono: clock.monotonic(),
  })
}

describe('targets known by name', () => {
  it('are every address that the name leads to, balanced and spoken to by the name', async (t) => {
    const w = new World(t)
    w.addresses.set('orders.internal', ['10.0.0.2', '10.0.0.1', '2001:db8::1'])
    const named = await w.serve(spec(target('orders.internal')))
    assert.deepEqual((await w.call(named, 3)).sort(), ['10.0.0.1:80', '10.0.0.2:80', '2001:db8::1:80'])
    assert.equal(w.made.get('10.0.0.1:80')?.name, 'orders.internal')
  })

  it('cost addresses and localhost nothing', async (t) => {
    const w = new World(t)
    const named = await w.serve(spec(target('127.0.0.1'), target('::1'), target('localhost'), target('a.localhost')))
    assert.equal(named.ready, undefined)
    assert.equal(w.asked, 0)
    await w.call(named, 4)
    assert.deepEqual(new Set(w.sent), new Set(['127.0.0.1:80', '::1:80', 'localhost:80', 'a.localhost:80']))
  })

  it('change with the name: what is gone ends, what stays keeps its connections', async (t) => {
    const w = new World(t)
    w.addresses.set('orders.internal', ['10.0.0.1', '10.0.0.2'])
    const named = await w.serve(spec(target('orders.internal')))
    w.addresses.set('orders.internal', ['10.0.0.2', '10.0.0.3'])
    await w.later()
    assert.deepEqual(w.closed, ['10.0.0.1:80'])
    assert.deepEqual((await w.call(named, 2)).sort(), ['10.0.0.2:80', '10.0.0.3:80'])
    assert.equal(w.changes, 2)
    named.close()
    assert.deepEqual(w.closed.sort(), ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.3:80'])
  })

  for (const failure of ['ENOTFOUND', 'ENODATA', 'ESERVFAIL', 'ETIMEOUT']) {
    it(`stay as they were last known when the answer is ${failure}`, async (t) => {
      const w = new World(t)
      const service = spec(target('orders.internal'))
      w.addresses.set('orders.internal', ['10.0.0.1'])
      const named = await w.serve(service)
      w.addresses.set('orders.internal', failure)
      await w.later()
      assert.deepEqual(await w.call(named), ['10.0.0.1:80'])
      const [status] = w.names.names(service)
      assert.equal(status.addresses, 1)
      assert.match(status.failure, new RegExp(failure))
      w.addresses.set('orders.internal', ['10.0.0.9'])
      await w.later()
      assert.equal(w.names.names(service)[0].failure, '')
      assert.deepEqual(await w.call(named), ['10.0.0.9:80'])
    })
  }

  it('are refused at once while no name was ever resolved, and found soon after', async (t) => {
    const w = new World(t)
    const service = spec(target('orders.internal'))
    const named = await w.serve(service)
    await assert.rejects(w.call(named), (thrown) => thrown instanceof Fault && thrown.code === 'no-target')
    assert.deepEqual(w.names.names(service), [
      { name: 'orders.internal', addresses: 0, resolvedAt: 0, failure: 'there is no such name (ENOTFOUND)' },
    ])
    w.addresses.set('orders.internal', ['10.0.0.1'])
    await w.later(1000)
    assert.deepEqual(await w.call(named), ['10.0.0.1:80'])
  })

  it('are asked for again when the answer grows old, but not more than once a second', async (t) => {
    const w = new World(t)
    w.addresses.set('orders.internal', ['10.0.0.1'])
    w.ttlMs = 3000
    await w.serve(spec(target('orders.internal')))
    await w.later(2999)
    assert.equal(w.asked, 1)
    w.ttlMs = 0
    await w.later(1)
    assert.equal(w.asked, 2)
    await w.later(999)
    assert.equal(w.asked, 2)
    await w.later(1)
    assert.equal(w.asked, 3)
  })

  it('stay as they were when they cannot be followed', async (t) => {
    const w = new World(t)
    w.addresses.set('orders.internal', ['10.0.0.1'])
    const named = await w.serve(spec(target('orders.internal')))
    w.isBroken = true
    w.addresses.set('orders.internal', ['10.0.0.2'])
    await w.later()
    assert.deepEqual(await w.call(named), ['10.0.0.1:80'])
    w.isBroken = false
    w.addresses.set('orders.internal', ['10.0.0.3'])
    await w.later()
    assert.deepEqual(await w.call(named), ['10.0.0.3:80'])
    assert.deepEqual(w.closed, ['10.0.0.1:80'])
  })

  it('of two names that lead to one address are one, with the weight of both', async (t) => {
    const w = new World(t)
    w.addresses.set('a.internal', ['10.0.0.1'])
    w.addresses.set('b.internal', ['10.0.0.1', '10.0.0.2'])
    const named = await w.serve(spec(target('a.internal', { weight: 2 }), target('b.internal')))
    assert.deepEqual(
      named.targets.map(({ address, spec: { weight } }) => [address, weight]),
      [
        ['10.0.0.1:80', 3],
        ['10.0.0.2:80', 1],
      ],
    )
  })
})

describe('targets known by SRV records', () => {
  const srv = target('_http._tcp.orders.internal', { srv: true })

  it('have the ports and weights of the records, and the domain that was asked as their name', async (t) => {
    const w = new World(t)
    w.addresses.set('a.internal', ['10.0.0.1'])
    w.addresses.set('b.internal', ['10.0.0.2'])
    w.records.set('_http._tcp.orders.internal', [
      { host: 'a.internal', port: 8001, priority: 10, weight: 3 },
      { host: 'b.internal', port: 8002, priority: 10, weight: 0 },
    ])
    const named = await w.serve(spec(srv))
    const sent = await w.call(named, 8)
    assert.equal(sent.filter((place) => place === '10.0.0.1:8001').length, 6)
    assert.equal(sent.filter((place) => place === '10.0.0.2:8002').length, 2)
    assert.equal(w.made.get('10.0.0.1:8001')?.name, 'orders.internal')
  })

  it('are used by priority: the next ones while none of the first is well', async (t) => {
    const w = new World(t)
    w.addresses.set('a.internal', ['10.0.0.1'])
    w.addresses.set('b.internal', ['10.0.0.2'])
    w.records.set('_http._tcp.orders.internal', [
      { host: 'b.internal', port: 80, priority: 20, weight: 1 },
      { host: 'a.internal', port: 80, priority: 10, weight: 1 },
    ])
    const named = await w.serve(spec(srv))
    assert.deepEqual(await w.call(named, 2), ['10.0.0.1:80', '10.0.0.1:80'])
    w.dead.add('10.0.0.1:80')
    await assert.rejects(w.call(named))
    assert.deepEqual(await w.call(named, 2), ['10.0.0.1:80', '10.0.0.2:80', '10.0.0.2:80'].slice(1))
  })

  it('of a lower priority get a call at once of which the first have seen nothing', async (t) => {
    const w = new World(t)
    w.addresses.set('a.internal', ['10.0.0.1'])
    w.addresses.set('b.internal', ['10.0.0.2'])
    w.records.set('_http._tcp.orders.internal', [
      { host: 'a.internal', port: 80, priority: 10, weight: 1 },
      { host: 'b.internal', port: 80, priority: 20, weight: 1 },
    ])
    const named = await w.serve(spec(srv))
    w.refusing.add('10.0.0.1:80')
    assert.deepEqual(await w.call(named), ['10.0.0.1:80', '10.0.0.2:80'])
    w.dead.add('10.0.0.2:80')
    await assert.rejects(w.call(named), (thrown) => thrown instanceof Fault && thrown.code === 'service-reset')
  })

  it('keep the last addresses of a host that cannot be resolved at the moment', async (t) => {
    const w = new World(t)
    w.addresses.set('a.internal', ['10.0.0.1'])
    w.addresses.set('b.internal', ['10.0.0.2'])
    w.records.set('_http._tcp.orders.internal', [
      { host: 'a.internal', port: 80, priority: 0, weight: 1 },
      { host: 'b.internal', port: 80, priority: 0, weight: 1 },
    ])
    const named = await w.serve(spec(srv))
    w.addresses.set('a.internal', 'ESERVFAIL')
    w.addresses.set('b.internal', ['10.0.0.3'])
    await w.later()
    assert.deepEqual((await w.call(named, 2)).sort(), ['10.0.0.1:80', '10.0.0.3:80'])
  })
})
