import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CacheWorld } from '../../test/support/cache-world.ts'
import { LocalHub } from '../../test/support/local-hub.ts'
import { BytesBody } from '../core/body.ts'
import type { Body } from '../core/body.ts'
import { StreamBody } from '../core/body.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { silentLog } from '../core/log.ts'
import { silentMeter } from '../core/meter.ts'
import type { Purge } from '../cache/purges.ts'
import type { Stores } from '../core/stores.ts'
import { createMemoryStores } from '../stores/memory/memory-stores.ts'
import { NodeCache } from './node-cache.ts'

const minuteMs = 60_000
const hour: [string, string] = ['cache-control', 'max-age=3600']
const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve))

/** A node's cache and one worker of it, on one clock. */
async function node(
  stores?: Stores,
): Promise<{ main: NodeCache; world: CacheWorld; clock: ManualClock; get: ReturnType<CacheWorld['client']> }> {
  const hub = new LocalHub()
  const clock = new ManualClock(Date.UTC(2026, 10, 24))
  const main = new NodeCache({
    maxBytes: 8 * 1024 ** 2,
    workers: 2,
    hub,
    clock,
    log: silentLog,
    meter: silentMeter,
    store: () => (stores === undefined ? undefined : { stores }),
  })
  await main.prepare()
  const world = new CacheWorld(0, 0, main.memory, clock)
  return { main, world, clock, get: world.client(await world.worker(0, hub.link())) }
}

/** Lets main end the purges whose time has come. */
async function settled(main: NodeCache): Promise<void> {
  for (let i = 0; i < 1000 && main.state.purges > 0; i++) await turn()
  assert.equal(main.state.purges, 0)
}

/** A body whose end comes when it is called for. */
class Held extends StreamBody {
  readonly #ended: Promise<void>
  #isGiven = false

  constructor(ended: Promise<void>) {
    super(undefined)
    this.#ended = ended
  }

  trailers(): undefined {
    return undefined
  }

  protected async read(): Promise<Buffer | null> {
    if (this.#isGiven) {
      await this.#ended
      return null
    }
    this.#isGiven = true
    return Buffer.from('before')
  }

  protected stop(): void {}
}

const all: Purge = { kind: 'prefix', value: '/', isSoft: false }

describe('a purge, long afterwards,', () => {
  for (const isSoft of [false, true]) {
    it(`${isSoft ? 'made stale' : 'took out'} what was on its way when it was said and came while it stood`, async () => {
      const { main, world, clock, get } = await node()
      const end = Promise.withResolvers<void>()
      world.respond = (): { headers: [string, string][]; body: Body | string } =>
        world.seen.length === 1 ? { headers: [hour], body: new Held(end.promise) } : { headers: [hour], body: 'after' }
      const first = get({ target: '/a' })
      await turn()
      await main.purge({ ...all, isSoft })
      // The first sweep, if there is one, is long over.
      clock.advance(minuteMs / 2)
      for (let i = 0; i < 100; i++) await turn()
      end.resolve()
      assert.equal((await first).text, 'before')
      clock.advance(minuteMs)
      await settled(main)
      assert.equal((await get({ target: '/a' })).text, 'after')
      main.close()
    })
  }

  for (const isWhole of [true, false]) {
    it(`keeps out what began before it and came after it was over, ${isWhole ? 'whole' : 'in pieces'}`, async () => {
      const { main, world, clock, get } = await node()
      const end = Promise.withResolvers<void>()
      world.respond = async () => {
        if (world.seen.length > 1) return { headers: [hour], body: 'after' }
        if (!isWhole) return { headers: [hour], body: new Held(end.promise) }
        await end.promise
        return { headers: [hour], body: new BytesBody(Buffer.from('before')) }
      }
      const first = get({ target: '/a' })
      await turn()
      await main.purge(all)
      clock.advance(minuteMs + 1)
      await settled(main)
      end.resolve()
      assert.equal((await first).text, 'before')
      assert.equal((await get({ target: '/a' })).text, 'after')
      main.close()
    })
  }

  it('is over even when it was one too many, and what is stored then stays', async () => {
    const { main, world, clock, get } = await node()
    world.respond = () => ({ headers: [hour], body: String(world.seen.length) })
    await get({ target: '/a' })
    for (let i = 0; i < 300; i++) await main.purge({ kind: 'url', value: `http://elsewhere.example/${i}`, isSoft: false })
    assert.ok(main.state.purges < 300)
    assert.equal((await get({ target: '/a' })).text, '2')
    clock.advance(minuteMs + 1)
    await settled(main)
    assert.equal((await get({ target: '/a' })).text, '2')
    main.close()
  })

  it('does not end one that was said later', async () => {
    const { main, world, clock, get } = await node()
    world.respond = () => ({ headers: [hour], body: String(world.seen.length) })
    await get({ target: '/a' })
    await main.purge({ kind: 'url', value: '/b', isSoft: false })
    clock.advance(minuteMs / 2)
    await main.purge({ kind: 'url', value: '/a', isSoft: false })
    clock.advance(minuteMs / 2 + 1)
    for (let i = 0; i < 1000 && main.state.purges > 1; i++) await turn()
    assert.equal(main.state.purges, 1)
    assert.equal((await get({ target: '/a' })).text, '2')
    clock.advance(minuteMs / 2)
    await settled(main)
    assert.equal((await get({ target: '/a' })).text, '2')
    main.close()
  })
})

describe('the nodes of a fleet', () => {
  it('hear what one was told to purge, each once, and ignore what they do not know', async () => {
    const stores = createMemoryStores(new ManualClock())
    const [one, two] = [await node(stores), await node(stores)]
    for (const { world } of [one, two]) world.respond = () => ({ headers: [hour], body: String(world.seen.length) })
    for (const { get } of [one, two]) await get({ target: '/a' })
    await one.main.purge({ kind: 'url', value: '/a', isSoft: false })
    await turn()
    assert.deepEqual([one.main.state.purges, two.main.state.purges], [1, 1])
    assert.equal((await two.get({ target: '/a' })).text, '2')
    await stores.bus.append({ topic: 'cache-purge', key: '', data: { url: '/a', of: 'a later version' }, keepUntil: 0 })
    for (const data of [null, 7, {}, { url: 7 }]) await stores.bus.append({ topic: 'cache-purge', key: '', data, keepUntil: 0 })
    await turn()
    assert.deepEqual([one.main.state.purges, two.main.state.purges], [2, 2])
    for (const { main } of [one, two]) main.close()
    await stores.close()
  })
})
