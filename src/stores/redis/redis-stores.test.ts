import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { noRedis, startCluster, startRedis } from '../../../test/support/redis-server.ts'
import type { RedisServer } from '../../../test/support/redis-server.ts'
import { LocalHub } from '../../../test/support/local-hub.ts'
import { systemClock } from '../../core/clock.ts'
import { Fault } from '../../core/fault.ts'
import { silentLog } from '../../core/log.ts'
import { ManualClock } from '../../core/manual-clock.ts'
import { StoreUnusable } from '../../core/stores.ts'
import type { BusMessage, Stores } from '../../core/stores.ts'
import { attachStoresToHub, createLinkedStores } from '../store-link.ts'
import { busKeys, shardOf, shards } from './key-layout.ts'
import { openRedisStores } from './redis-stores.ts'
import type { RedisStores } from './redis-stores.ts'

const answerMs = 200

let server: RedisServer
before(async () => {
  if (noRedis === false) server = await startRedis()
})
after(() => server?.stop())

/** Opens an empty store whose deadlines, probes and polls come only when the clock is moved. */
async function openByHand(t: TestContext, at: RedisServer = server): Promise<{ stores: Stores; clock: ManualClock }> {
  at.cli('flushall')
  const clock = new ManualClock(Date.now())
  return { stores: await open(t, { url: at.url, clock, comparesClocks: false }), clock }
}

async function open(t: TestContext, options: Partial<Parameters<typeof openRedisStores>[0]> = {}): Promise<Stores> {
  return (await openAll(t, options)).stores
}

async function openAll(t: TestContext, options: Partial<Parameters<typeof openRedisStores>[0]> = {}): Promise<RedisStores> {
  const opened = await openRedisStores({ url: server.url, clock: systemClock, log: silentLog, answerMs, startMs: 0, ...options })
  t.after(() => opened.stores.close())
  return opened
}

/** That opening it is refused in these words, which say nothing secret. */
async function refused(t: TestContext, words: RegExp, url: string): Promise<void> {
  await assert.rejects(
    () => open(t, { url }),
    (thrown) => thrown instanceof StoreUnusable && words.test(thrown.message) && !thrown.message.includes('hunter2'),
  )
}

const isDown = (thrown: unknown): boolean => thrown instanceof Fault && thrown.code === 'store-down'

/** Moves the clock until the condition holds, as probes and answers come in. */
async function untilMoved(clock: ManualClock, condition: () => boolean): Promise<void> {
  while (!condition()) {
    clock.advance(50)
    await sleep(10)
  }
}

/** Every verb that a caller may use. */
function everyCall({ records, families, generations, bus, audit }: Stores): (() => unknown)[] {
  const end = Date.now() + 60_000
  const notice = { topic: 'x', data: 1, keepUntil: end }
  const record = { kind: 'session', id: 'a', owner: 'ada', value: {}, schema: 1, expiresAt: end } as const
  const family = { id: 'f', owner: 'ada', value: {}, schema: 1, token: 't', bound: '', idleMs: 1000, expiresAt: end }
  const rotation = {
    id: 'f',
    presented: 't',
    successor: 'u',
    sealed: 's',
    bound: '',
    asked: '',
    graceMs: 0,
    idleMs: 1,
    onReuse: notice,
  }
  return [
    () => records.get('session', 'a'),
    () => records.create(record),
    () => records.update('session', { ...record, version: 1 }, record),
    () => records.remove('session', 'a', notice),
    () => records.owned('session', 'ada', 10),
    () => records.list('session', '', 10),
    () => families.create(family),
    () => families.get('f'),
    () => families.rotate(rotation),
    () => families.end('f', 'logout', notice),
    () => families.owned('ada', 10),
    () => generations.of('ada'),
    () => generations.raise('ada', 'x', end),
    () => bus.append({ ...notice, key: 'k' }),
    () => bus.follow({ reload: () => {}, hear: () => {} }),
    () => audit.append({ at: 0, event: 'x', facts: {} }),
    () => audit.list('', 10),
  ]
}

describe('a Redis that does not answer', { skip: noRedis }, () => {
  it('fails every call after its deadline, then at once, and is used again as soon as it answers', async (t) => {
    const { stores, clock } = await openByHand(t)
    await stores.records.create({ kind: 'session', id: 'a', owner: '', value: {}, schema: 1, expiresAt: Infinity })
    server.pause()
    t.after(() => server.resume())
    let isSettled = false
    const first = assert.rejects(async () => stores.records.get('session', 'a'), isDown).then(() => (isSettled = true))
    clock.advance(answerMs - 1)
    await sleep(1)
    assert.equal(isSettled, false)
    assert.equal(stores.isUp, true)
    clock.advance(1)
    await first
    assert.equal(stores.isUp, false)
    // The clock stands: nothing here waits for a deadline.
    for (const call of everyCall(stores)) await assert.rejects(async () => call(), isDown, String(call))
    clock.advance(5000)
    await assert.rejects(async () => stores.records.get('session', 'a'), isDown)
    server.resume()
    await untilMoved(clock, () => stores.isUp)
    assert.equal((await stores.records.get('session', 'a'))?.id, 'a')
  })

  it('is replaced by a new connection when the old one stays silent', async (t) => {
    const { stores, clock } = await openByHand(t)
    server.pause()
    t.after(() => server.resume())
    const lost = assert.rejects(async () => stores.generations.of('ada'), isDown)
    clock.advance(answerMs)
    await lost
    // Long enough for several new connections, none of which gets its handshake answered.
    for (let i = 0; i < 100; i++) {
      clock.advance(50)
      await sleep(1)
    }
    assert.equal(stores.isUp, false)
    server.resume()
    await untilMoved(clock, () => stores.isUp)
    assert.equal(await stores.generations.of('ada'), 0)
    // Those given up are closed, on both sides.
    await untilMoved(clock, () => server.cli('client', 'list').split('name=velum ').length - 1 === 1)
  })

  it('is found again after a restart, and followers start again from what it knows', async (t) => {
    const own = await startRedis()
    t.after(() => own.stop())
    const stores = await open(t, { url: own.url })
    const end = Date.now() + 60_000
    await stores.bus.append({ topic: 'revoked', key: 'before', data: 1, keepUntil: end })
    const heard: BusMessage[] = []
    const reloads: (readonly BusMessage[])[] = []
    const following = await stores.bus.follow({ reload: (live) => reloads.push(live), hear: (message) => heard.push(message) })
    t.after(() => following.stop())
    assert.deepEqual(
      reloads[0].map(({ key }) => key),
      ['before'],
    )
    await own.restartEmpty()
    const lag = following.caughtUpAt
    // In the moments before it is found again, that is what is said.
    for (;;) {
      try {
        await stores.bus.append({ topic: 'revoked', key: 'after', data: 1, keepUntil: end })
        break
      } catch (thrown) {
        assert.ok(isDown(thrown))
        await sleep(10)
      }
    }
    const knows = (): boolean =>
      heard.some(({ key }) => key === 'after') || reloads.slice(1).some((live) => live.some(({ key }) => key === 'after'))
    while (!knows() || following.caughtUpAt <= lag) await sleep(10)
    assert.ok(reloads.length >= 2, 'the stream was found to be another')
  })

  it('is still down for writes while it has no memory left, and goes on reading', async (t) => {
    const own = await startRedis('--maxmemory-policy', 'noeviction')
    t.after(() => own.stop())
    const stores = await open(t, { url: own.url })
    await stores.generations.raise('ada', 'x', 0)
    own.cli('config', 'set', 'maxmemory', '1')
    await assert.rejects(async () => stores.generations.raise('ada', 'x', 0), isDown)
    assert.equal(await stores.generations.of('ada'), 1)
    assert.equal(stores.isUp, true)
    own.cli('config', 'set', 'maxmemory', '0')
    assert.equal(await stores.generations.raise('ada', 'x', 0), 2)
  })

  it('that became a replica is down until it is a master again', async (t) => {
    const { stores, clock } = await openByHand(t)
    server.cli('replicaof', '127.0.0.1', '1')
    t.after(() => server.cli('replicaof', 'no', 'one'))
    await assert.rejects(async () => stores.generations.raise('ada', 'x', 0), isDown)
    assert.equal(stores.isUp, false)
    for (let i = 0; i < 10; i++) {
      clock.advance(50)
      await sleep(2)
    }
    assert.equal(stores.isUp, false, 'probes are not deceived by a server that still reads')
    server.cli('replicaof', 'no', 'one')
    await untilMoved(clock, () => stores.isUp)
    assert.equal(await stores.generations.raise('ada', 'x', 0), 1)
  })

  it('has forgotten its scripts and is told them again', async (t) => {
    const { stores } = await openByHand(t)
    assert.equal(await stores.generations.raise('ada', 'x', 0), 1)
    server.cli('script', 'flush')
    assert.equal(await stores.generations.raise('ada', 'x', 0), 2)
  })

  it('ends what is under way when it is closed', async (t) => {
    const { stores } = await openByHand(t)
    server.pause()
    t.after(() => server.resume())
    const calls = everyCall(stores).map((call) => assert.rejects(async () => call(), isDown))
    await stores.close()
    await Promise.all(calls)
  })
})

describe('a node that missed messages', { skip: noRedis }, () => {
  it('catches up, in order, within a second', async (t) => {
    const { stores, clock } = await openByHand(t)
    const other = await open(t)
    const heard: unknown[] = []
    await stores.bus.follow({ reload: () => {}, hear: ({ data }) => heard.push(data) })
    for (let i = 0; i < 3000; i += 100) {
      await Promise.all(
        Array.from({ length: 100 }, async (_, j) => other.bus.append({ topic: 'x', key: '', data: i + j, keepUntil: 0 })),
      )
    }
    await sleep(10)
    assert.deepEqual(heard, [], 'its clock stands still')
    // Woken up it gathers for a moment; then the clock stands, so that nothing is late.
    clock.advance(10)
    while (heard.length < 3000) await sleep(5)
    assert.deepEqual(
      heard,
      Array.from({ length: 3000 }, (_, i) => i),
    )
  })

  it('starts again from what is kept when the stream has gone on without it', async (t) => {
    const { stores, clock } = await openByHand(t)
    const other = await open(t)
    const reloads: (readonly BusMessage[])[] = []
    const heard: BusMessage[] = []
    const following = await stores.bus.follow({ reload: (live) => reloads.push(live), hear: (message) => heard.push(message) })
    const keepUntil = Date.now() + 60_000
    for (const data of [1, 2, 3]) await other.bus.append({ topic: 'revoked', key: 'k', data, keepUntil })
    server.cli('xtrim', busKeys[shardOf('k')][0], 'MAXLEN', '1')
    assert.ok(clock.monotonic() - following.caughtUpAt >= 0)
    await untilMoved(clock, () => reloads.length === 2)
    assert.deepEqual(
      reloads[1].map(({ key, data }) => [key, data]),
      [['k', 3]],
    )
    await other.bus.append({ topic: 'revoked', key: 'k', data: 4, keepUntil })
    await untilMoved(clock, () => heard.at(-1)?.data === 4)
  })

  it('shows by its lag that it hears nothing', async (t) => {
    const { stores, clock } = await openByHand(t)
    const following = await stores.bus.follow({ reload: () => {}, hear: () => {} })
    const heardUntil = following.caughtUpAt
    server.pause()
    t.after(() => server.resume())
    for (let i = 0; i < 100; i++) {
      clock.advance(50)
      await sleep(1)
    }
    assert.equal(following.caughtUpAt, heardUntil)
    assert.ok(clock.monotonic() - following.caughtUpAt >= 5000)
    server.resume()
    await untilMoved(clock, () => clock.monotonic() - following.caughtUpAt < 1000)
  })
})

describe('a Redis that must not be used', { skip: noRedis }, () => {
  it('evicts', async (t) => {
    server.cli('config', 'set', 'maxmemory-policy', 'volatile-lru')
    t.after(() => server.cli('config', 'set', 'maxmemory-policy', 'noeviction'))
    await refused(t, /volatile-lru.*noeviction/, server.url)
  })

  it('is a replica', async (t) => {
    server.cli('replicaof', '127.0.0.1', '1')
    t.after(() => server.cli('replicaof', 'no', 'one'))
    await refused(t, /replica/, server.url)
  })

  it('is laid out by another version', async (t) => {
    server.cli('set', 'velum:{0ax}:layout', '99')
    t.after(() => server.cli('flushall'))
    await refused(t, /layout 99/, server.url)
  })

  it('is not there', (t) => refused(t, /127\.0\.0\.1:1 cannot be used/, 'redis://velum:hunter2@127.0.0.1:1'))

  it('does not know the password', async (t) => {
    const own = await startRedis('--requirepass', 'correct')
    t.after(() => own.stop())
    await refused(t, /WRONGPASS/, `redis://:hunter2@127.0.0.1:${own.port}`)
    await refused(t, /NOAUTH/, own.url)
    const stores = await open(t, { url: `redis://:correct@127.0.0.1:${own.port}/3` })
    assert.equal(await stores.generations.raise('ada', 'x', 0), 1)
    assert.equal(await stores.generations.of('ada'), 1)
  })
})

describe('nodes whose clocks are apart', { skip: noRedis }, () => {
  it('agree on how long ago a refresh token was used', async (t) => {
    server.cli('flushall')
    const nodeAt = (skewMs: number): Promise<Stores> =>
      open(t, { clock: { ...systemClock, now: () => Date.now() + skewMs }, answerMs: 10_000 })
    const [behind, ahead] = [await nodeAt(-5000), await nodeAt(5000)]
    const notice = { topic: 'x', data: 1, keepUntil: 0 }
    const use = { id: 'f', sealed: 's', bound: '', asked: '', graceMs: 8000, idleMs: 3_600_000, onReuse: notice }
    const expiresAt = Date.now() + 3_600_000
    const family = { id: 'f', owner: 'ada', value: {}, schema: 1, token: 't', bound: '', idleMs: 3_600_000, expiresAt }
    await ahead.families.create(family)
    assert.equal((await behind.families.rotate({ ...use, presented: 't', successor: 'u' })).kind, 'rotated')
    assert.equal((await ahead.families.rotate({ ...use, presented: 't', successor: 'v' })).kind, 'replayed')
  })
})

describe('a worker with its own connection', { skip: noRedis }, () => {
  it('does without main, except for the stream', async (t) => {
    server.cli('flushall')
    const { stores: held, call, direct } = await openAll(t)
    const hub = new LocalHub()
    const attached = await attachStoresToHub(hub, held, call, systemClock, direct)
    t.after(() => attached.close())
    const stores = createLinkedStores(hub.link(), systemClock)
    t.after(() => stores.close())
    assert.equal(await stores.generations.raise('ada', 'x', 0), 1, 'through main, before it is there')
    let asked: number
    do {
      asked = hub.asked
      await stores.generations.of('ada')
      await sleep(10)
    } while (hub.asked > asked)
    hub.isDown = true
    assert.equal(await stores.generations.raise('ada', 'x', 0), 2)
  })
})

describe('a cluster of which one master does not answer', { skip: noRedis }, () => {
  it('serves the other parts, and all of them again afterwards', async (t) => {
    const cluster = await startCluster()
    t.after(() => cluster.stop())
    const clock = new ManualClock(Date.now())
    const url = `redis://${cluster.servers.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
    const stores = await open(t, { url, clock, startMs: 10_000 })
    // One subject in each part.
    const subjects = shards.map((shard) => Array.from({ length: 1000 }, (_, i) => `s${i}`).find((name) => shardOf(name) === shard)!)
    for (const subject of subjects) assert.equal(await stores.generations.raise(subject, 'x', 0), 1)
    cluster.servers[1].pause()
    t.after(() => cluster.servers[1].resume())
    const outcomes = await Promise.all(
      subjects.map(async (subject) => {
        const answer = Promise.resolve(stores.generations.of(subject)).catch((thrown: unknown) =>
          isDown(thrown) ? 'down' : thrown,
        )
        await sleep(100)
        clock.advance(answerMs)
        return answer
      }),
    )
    const downs = outcomes.filter((outcome) => outcome === 'down').length
    assert.ok(downs > 0 && downs < shards.length, `${downs} of ${shards.length} parts are down`)
    assert.equal(new Set(outcomes).size, 2, 'the others answer')
    assert.equal(stores.isUp, false)
    cluster.servers[1].resume()
    await untilMoved(clock, () => stores.isUp)
    for (const subject of subjects) assert.equal(await stores.generations.raise(subject, 'x', 0), 2)
  })
})
