import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LocalHub } from '../../test/support/local-hub.ts'
import { silentLog } from '../core/log.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentMeter } from '../core/meter.ts'
import { NameBoard } from './name-board.ts'
import { NodeNames } from './node-names.ts'
import type { DnsSpec, ServiceSpec, TargetSpec } from './service-spec.ts'

const dns: DnsSpec = { servers: [], refreshMs: 10_000, ipv6: undefined }

function target(host: string): TargetSpec {
  return { url: `http://${host}`, protocol: 'http', tls: false, host, port: 80, weight: 1 }
}

function services(...hosts: readonly string[]): ServiceSpec[] {
  return [{ name: 'orders', targets: hosts.map(target) } as unknown as ServiceSpec]
}

class World {
  readonly clock = new ManualClock()
  readonly hub = new LocalHub()
  /** Names that were asked for, each time. */
  readonly asked: string[] = []
  /** What is answered; names without an answer are never answered. */
  readonly answers = new Map<string, readonly string[] | Error>()
  resolvers = 0
  closed = 0
  readonly names = new NodeNames(this.hub, {
    clock: this.clock,
    log: silentLog,
    meter: silentMeter,
    changed: () => {},
    createResolver: () => {
      this.resolvers++
      return {
        addresses: (name) => {
          this.asked.push(name)
          const answer = this.answers.get(name)
          if (answer === undefined) return new Promise(() => {})
          return answer instanceof Error ? Promise.reject(answer) : Promise.resolve({ records: answer, ttlMs: Infinity })
        },
        services: () => Promise.reject(new Error('not asked for')),
        close: () => void this.closed++,
      }
    },
  })

  async serve(specs: readonly ServiceSpec[], settings = dns): Promise<void> {
    await this.names.prepare(settings, specs)
    this.names.commit()
  }

  async later(ms: number): Promise<string[]> {
    const from = this.asked.length
    this.clock.advance(ms)
    await new Promise((resolve) => setImmediate(resolve))
    return this.asked.slice(from)
  }

  hosts(specs: readonly ServiceSpec[]): string[] {
    return this.names.resolved(specs)[0].targets.map(({ host }) => host)
  }
}

describe('names of a node', () => {
  it('that two services share are asked for once', async () => {
    const w = new World()
    w.answers.set('a.test', ['10.0.0.1'])
    await w.serve([...services('a.test'), ...services('a.test')])
    assert.deepEqual(w.asked, ['a.test'])
    w.names.close()
  })

  it('are waited for when a configuration brings them, but not for long', async () => {
    const w = new World()
    const specs = services('silent.test')
    const serving = w.serve(specs)
    w.clock.advance(3000)
    await serving
    assert.deepEqual(w.hosts(specs), [])
    assert.equal(w.names.names(specs[0])[0].failure, 'no answer has come yet')
    w.names.close()
  })

  it('that are served already are not asked for again by a reload, and those that go are asked for no more', async () => {
    const w = new World()
    for (const name of ['a.test', 'b.test', 'c.test']) w.answers.set(name, ['10.0.0.1'])
    await w.serve(services('a.test', 'b.test'))
    await w.serve(services('b.test', 'c.test'))
    assert.deepEqual(w.asked, ['a.test', 'b.test', 'c.test'])
    assert.equal(w.resolvers, 1)
    assert.deepEqual(await w.later(10_000), ['b.test', 'c.test'])
    await w.serve(services('10.0.0.9'))
    assert.deepEqual(await w.later(60_000), [])
    assert.equal(w.closed, 1)
  })

  it('of a configuration that is not served leave nothing behind', async () => {
    const w = new World()
    for (const name of ['a.test', 'b.test']) w.answers.set(name, ['10.0.0.1'])
    await w.serve(services('a.test'))
    await w.names.prepare({ ...dns, servers: ['10.0.0.53'] }, services('a.test', 'b.test'))
    w.names.discard()
    assert.equal(w.closed, 1)
    assert.deepEqual(await w.later(10_000), ['a.test'])
    w.names.close()
    assert.equal(w.closed, 2)
  })

  it('keep their last answer when other servers are to be asked and do not answer', async () => {
    const w = new World()
    const specs = services('a.test')
    w.answers.set('a.test', ['10.0.0.1'])
    await w.serve(specs)
    w.answers.set('a.test', Object.assign(new Error('refused'), { code: 'EREFUSED' }))
    await w.serve(specs, { ...dns, servers: ['10.0.0.53'] })
    await w.later(0)
    assert.deepEqual(w.hosts(specs), ['10.0.0.1'])
    assert.match(w.names.names(specs[0])[0].failure, /EREFUSED/)
    w.names.close()
  })

  it('are told to workers that come later, and to all when they change', async () => {
    const w = new World()
    w.answers.set('a.test', ['10.0.0.1'])
    await w.serve(services('a.test'))
    const board = new NameBoard(w.hub.link())
    await board.ready
    assert.deepEqual(
      board.endpoints('a.test').map(({ host }) => host),
      ['10.0.0.1'],
    )
    let heard = 0
    const stop = board.listen(() => void heard++)
    w.answers.set('a.test', ['10.0.0.2', '10.0.0.1'])
    await w.later(10_000)
    assert.deepEqual(
      board.endpoints('a.test').map(({ host }) => host),
      ['10.0.0.1', '10.0.0.2'],
    )
    assert.equal(heard, 1)
    // The same in another order is no news.
    w.answers.set('a.test', ['10.0.0.1', '10.0.0.2'])
    await w.later(10_000)
    assert.equal(heard, 1)
    stop()
    w.names.close()
  })

  it('that lead to no end of addresses are cut', async () => {
    const w = new World()
    const specs = services('a.test')
    w.answers.set(
      'a.test',
      Array.from({ length: 1000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`),
    )
    await w.serve(specs)
    assert.equal(w.hosts(specs).length, 256)
    w.names.close()
  })
})
