import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { bodyOf, entryOf, load, store } from '../../test/support/cache-hammer.ts'
import type { Led, Leading } from '../../test/support/claim-hammer.ts'
import { allocateCache, CacheMemory, countAt, smallestCacheBytes } from './cache-memory.ts'
import { CacheStorage } from './cache-storage.ts'
import { Claims, releaseClaims } from './claims.ts'
import { SlabWriter } from './slab-writer.ts'
import { StoredBody } from './stored-body.ts'

/** As many views of one memory, by as many workers and by main. */
function views(count = 2): CacheStorage[] {
  const memory = allocateCache({ maxBytes: smallestCacheBytes, workers: count })
  return Array.from({ length: count + 1 }, (_, worker) => new CacheStorage(new CacheMemory(memory, worker)))
}

/** Writes bodies that nothing points to, until this slab is another generation. */
function dropSlab(by: CacheStorage, slab: number): void {
  const before = by.memory.generation(slab)
  for (let i = 0; by.memory.generation(slab) === before; i++) by.fill(`waste ${i}`, Infinity).write(Buffer.alloc(16_384))
}

const everything =
  (fate: 'drop' | 'stale') =>
  (storage: CacheStorage): void =>
    storage.sweep(0, storage.places, () => fate)

describe('an entry that a worker holds near', () => {
  it('is stale for it as soon as it is made stale elsewhere', () => {
    const [one, two, main] = views()
    store(one, 'swept')
    store(one, 'asked')
    assert.equal(one.find('swept')!.isStale, false)
    assert.equal(one.find('asked')!.isStale, false)
    two.makeStale(two.find('asked')!)
    assert.equal(one.find('asked')!.isStale, true)
    assert.equal(one.find('swept')!.isStale, false)
    everything('stale')(main)
    assert.equal(one.find('swept')!.isStale, true)
  })

  it('is not taken for another of the same key in the same place', async () => {
    const [one, two] = views()
    const at = new Set<number>()
    // Each fills its slab nearly, so that all begin at the start of one.
    for (let i = 0; ; i++) {
      const body = Buffer.alloc(two.memory.slabBytes - 8192, i + 1)
      store(two, 'key', body)
      const stored = two.find('key')!
      const isSeen = at.has(stored.at)
      if (!isSeen) one.find('key')
      else {
        assert.ok((await load(one, 'key'))!.equals(body))
        break
      }
      at.add(stored.at)
    }
  })
})

describe('what earned to be moved out of a dropped slab', () => {
  it('does not come back once it was purged', () => {
    const [one, , main] = views()
    store(one, 'wanted', Buffer.from('old'))
    const { at } = one.find('wanted')!
    dropSlab(one, one.memory.slabOf(at))
    assert.notEqual(one.find('wanted')?.at, at)
    everything('drop')(main)
    store(one, 'another', Buffer.from('x'))
    assert.equal(one.find('wanted'), undefined)
  })

  it('stays stale', () => {
    const [one] = views()
    store(one, 'wanted', Buffer.from('old'))
    const stored = one.find('wanted')!
    one.makeStale(stored)
    dropSlab(one, one.memory.slabOf(stored.at))
    store(one, 'another', Buffer.from('x'))
    const moved = one.find('wanted')!
    assert.notEqual(moved.at, stored.at)
    assert.equal(moved.isStale, true)
  })

  it('does not replace what came after it', async () => {
    const [one, two] = views()
    store(one, 'wanted', Buffer.from('old'))
    const { at } = one.find('wanted')!
    dropSlab(one, one.memory.slabOf(at))
    store(two, 'wanted', Buffer.from('new'))
    store(one, 'another', Buffer.from('x'))
    assert.equal(String(await load(one, 'wanted')), 'new')
    assert.equal(String(await load(two, 'wanted')), 'new')
  })
})

describe('epochs', () => {
  it('go on beyond 32 bits', async () => {
    const [one] = views()
    const { memory } = one
    new BigInt64Array(memory.header.buffer)[countAt.epoch] = 2n ** 31n - 1n
    store(one, 'before', Buffer.from('x'), { epoch: memory.epoch, url: 7 })
    memory.voidUrl(7)
    store(one, 'after', Buffer.from('y'), { epoch: memory.epoch, url: 7 })
    assert.equal(memory.epoch, 2 ** 31)
    assert.equal(await load(one, 'before'), undefined)
    assert.equal(String(await load(one, 'after')), 'y')
  })

  it('that are below the floor are not stored any more', () => {
    const [one, , main] = views()
    const asked = one.memory.epoch
    main.memory.raiseFloor(main.memory.nextEpoch())
    assert.equal(store(one, 'late', Buffer.from('x'), { epoch: asked }), false)
    assert.equal(one.find('late'), undefined)
    assert.equal(store(one, 'in time', Buffer.from('x'), { epoch: one.memory.epoch }), true)
  })
})

describe('a body that was dropped before its record', () => {
  it('is not found, and not put again', () => {
    const [one, two] = views()
    const fill = two.fill('key', Infinity)
    fill.write(Buffer.from('body'))
    const record = { ...entryOf('key'), pieces: fill.pieces }
    // As a 304 does: a new record for the old body.
    assert.equal(one.put(record), true)
    const { at } = one.find('key')!
    assert.notEqual(one.memory.slabOf(at), fill.pieces[0].slab)
    dropSlab(two, fill.pieces[0].slab)
    assert.equal(one.find('key'), undefined)
    assert.equal(one.put(record), false)
  })
})

describe('a slab that is about to be dropped', () => {
  it('cannot be pinned any more', () => {
    const [one, two] = views()
    const memory = one.memory
    store(one, 'key', Buffer.alloc(1000))
    const { pieces } = one.find('key')!.record
    // Lets go of the slab in hand.
    dropSlab(one, memory.probation - 1)
    const seen: (StoredBody | undefined)[] = []
    const writer = new SlabWriter(memory, 'probation', {
      before: (slab) => {
        if (slab === pieces[0].slab) seen.push(StoredBody.of(two.memory, pieces, 0, 1000))
      },
      after() {},
    })
    while (seen.length === 0) assert.notEqual(writer.reserve(memory.slabBytes, 8), undefined)
    assert.deepEqual(seen, [undefined])
    assert.equal(memory.isPinned(pieces[0].slab), false)
  })
})

describe('a worker that died while it dropped a slab', () => {
  it('leaves what lay there, and the slab to others', async () => {
    const [one, two, main] = views()
    store(two, 'key')
    const { at } = two.find('key')!
    const slab = two.memory.slabOf(at)
    // Lets go of the slab in hand.
    dropSlab(two, two.memory.probation - 1)
    const writer = new SlabWriter(one.memory, 'probation', {
      before: (dropped) => {
        if (dropped === slab) throw new Error('died')
      },
      after() {},
    })
    assert.throws(() => {
      for (;;) writer.reserve(one.memory.slabBytes, 8)
    }, /died/)
    assert.equal(two.memory.pin(slab), false)
    main.memory.releaseWorker(0)
    assert.equal(two.memory.pin(slab), true)
    two.memory.unpin(slab)
    assert.ok((await load(two, 'key'))!.equals(bodyOf('key')))
  })
})

describe('a claim', () => {
  it('is held by one at a time, whoever takes it at once', async () => {
    const memory = allocateCache({ maxBytes: smallestCacheBytes, workers: 3 })
    const inside = new SharedArrayBuffer(64)
    const url = new URL('../../test/support/claim-hammer.ts', import.meta.url)
    const threads = [0, 1, 2].map(
      (worker) => new Worker(url, { workerData: { claiming: memory, inside, worker, rounds: 20_000 } satisfies Leading }),
    )
    const results = await Promise.all(threads.map(async (thread) => ((await once(thread, 'message')) as [Led])[0]))
    for (const { led, beside } of results) {
      assert.ok(led > 0)
      assert.equal(beside, 0)
    }
  })

  it('of a dead worker is ended, and only that', async () => {
    const memory = allocateCache({ maxBytes: smallestCacheBytes, workers: 2 })
    const [one, dead] = [0, 1].map((worker) => new Claims(new CacheMemory(memory, worker)))
    assert.equal(dead.take('a').kind, 'mine')
    assert.equal(one.take('b').kind, 'mine')
    const waiting = one.take('a')
    assert.ok(waiting.kind === 'theirs')
    releaseClaims(new CacheMemory(memory, 2), 1)
    await waiting.ended
    assert.equal(one.take('a').kind, 'mine')
    assert.equal(dead.take('b').kind, 'theirs')
  })
})
