import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, it } from 'node:test'
import { Worker } from 'node:worker_threads'
import { END } from '../core/body.ts'
import { Fault } from '../core/fault.ts'
import { bodyOf, load, store } from '../../test/support/cache-hammer.ts'
import type { Hammered, Hammering } from '../../test/support/cache-hammer.ts'
import { allocateCache, CacheMemory, smallestCacheBytes, unitBytes } from './cache-memory.ts'
import { readRecord } from './cache-record.ts'
import { CacheStorage } from './cache-storage.ts'

function storage(maxBytes = smallestCacheBytes, workers = 1): CacheStorage {
  return new CacheStorage(new CacheMemory(allocateCache({ maxBytes, workers }), 0))
}

/** Room for bodies that are read piece by piece. */
const long = 64 * 1024 ** 2
const kib = (n: number, fill = 1): Buffer => Buffer.alloc(n * 1024, fill)

describe('the storage of the cache', () => {
  it('gives back what was stored, over pieces and slabs', async () => {
    const cache = storage(64 * 1024 ** 2)
    for (const length of [0, 1, 4095, 65_536, 65_537, 1_000_000, 1_500_000]) {
      const body = Buffer.alloc(length, length % 251)
      assert.ok(store(cache, `key ${length}`, body))
      assert.ok((await load(cache, `key ${length}`))?.equals(body), String(length))
    }
    assert.equal(store(cache, 'too long', Buffer.alloc(cache.longestBody + 1)), false)
  })

  it('keeps near no more memory than the copies that it counts', async () => {
    const cache = storage()
    store(cache, 'short', Buffer.alloc(300, 1))
    await load(cache, 'short')
    // A slice of the common pool would hold all of the pool for as long as it is near.
    assert.equal(cache.find('short')!.copy?.buffer.byteLength, 300)
  })

  it('keeps nothing near that was replaced, however often answers end and are fetched again', async () => {
    const cache = storage()
    const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`)
    for (let round = 0; round < 100; round++) {
      for (const key of keys) {
        store(cache, key, Buffer.alloc(1000, round))
        assert.equal((await load(cache, key))?.[0], round)
      }
    }
    assert.ok(cache.nearEntries < 3 * keys.length, `${cache.nearEntries} are near`)
  })

  it('puts a new answer in the place of the old one', async () => {
    const cache = storage()
    store(cache, 'key', Buffer.from('one'))
    store(cache, 'key', Buffer.from('two'))
    assert.equal(String(await load(cache, 'key')), 'two')
  })

  it('stays within its memory, and always takes what is new', async () => {
    const cache = storage()
    for (let i = 0; i < 5000; i++) store(cache, `key ${i}`, kib(4, i % 251))
    assert.ok((await load(cache, 'key 4999'))?.equals(kib(4, 4999 % 251)))
    assert.ok(cache.memory.counted('dropped') > 2000)
    assert.equal(cache.memory.counted('full'), 0)
  })

  it('keeps what is used while a scan passes through', async () => {
    const cache = storage()
    const hot = Array.from({ length: 500 }, (_, i) => `hot ${i}`)
    for (const key of hot) store(cache, key, kib(4))
    for (let i = 0; i < 20_000; i++) {
      store(cache, `scan ${i}`, kib(4))
      if (i % 10 === 0) for (const key of hot.slice((i / 10) % 500, ((i / 10) % 500) + 5)) await load(cache, key)
    }
    let kept = 0
    for (const key of hot) if ((await load(cache, key)) !== undefined) kept++
    assert.ok(kept > 450, `${kept} of 500 were kept`)
  })

  it('knows again what it dropped too early', async () => {
    const cache = storage()
    for (let i = 0; i < 3000; i++) store(cache, `fill ${i}`, kib(4))
    store(cache, 'wanted', kib(4))
    for (let i = 0; i < 400; i++) store(cache, `once ${i}`, kib(4))
    assert.equal(await load(cache, 'wanted'), undefined)
    store(cache, 'wanted', kib(4))
    for (let i = 0; i < 400; i++) store(cache, `twice ${i}`, kib(4))
    assert.notEqual(await load(cache, 'wanted'), undefined)
  })

  it('does not take a body for a record, even one that copies a record of its own', () => {
    const cache = storage()
    store(cache, 'real', Buffer.from('x'))
    const stored = cache.find('real')!
    const { bytes } = cache.memory
    const copy = Buffer.from(bytes.subarray(stored.at, stored.at + 256))
    const body = Buffer.concat([copy, copy, copy, copy])
    const fill = cache.fill('evil', Infinity)
    fill.write(body)
    for (let at = fill.pieces[0].at; at < fill.pieces[0].at + body.length; at++) {
      if (at % unitBytes !== 0) continue
      assert.equal(readRecord(cache.memory, at, fill.pieces[0].generation), undefined)
    }
  })

  it('lets a slow reader finish a long body while all else is dropped around it', async () => {
    const cache = storage(long)
    const body = Buffer.concat(Array.from({ length: 30 }, (_, i) => kib(32, i + 1)))
    store(cache, 'long', body)
    const reader = cache.bodyOf(cache.find('long')!)!
    const read: Buffer[] = [(await reader.pull())!]
    for (let i = 0; i < 500; i++) store(cache, `key ${i}`, kib(100))
    for (let chunk = await reader.pull(); chunk !== END; chunk = await reader.pull()) read.push(chunk)
    assert.ok(Buffer.concat(read).equals(body))
    assert.equal(cache.memory.isPinned(0), false)
  })

  it('lets go of what a reader that leaves was reading', async () => {
    const cache = storage(long)
    store(cache, 'long', kib(400))
    const stored = cache.find('long')!
    const { slab } = stored.record.pieces[0]
    const reader = cache.bodyOf(stored)!
    await reader.pull()
    assert.equal(cache.memory.isPinned(slab), true)
    reader.cancel(new Fault('client-left'))
    assert.equal(cache.memory.isPinned(slab), false)
  })

  it('passes answers by when every slab is being read', async () => {
    const cache = storage(long)
    const readers = []
    for (let i = 0; i < 200; i++) {
      store(cache, `long ${i}`, kib(300))
      const stored = cache.find(`long ${i}`)
      const reader = stored === undefined ? undefined : cache.bodyOf(stored)
      await reader?.pull()
      readers.push(reader)
    }
    for (let i = 0; i < 200; i++) store(cache, `more ${i}`, kib(300))
    assert.ok(cache.memory.counted('full') > 0)
    for (const reader of readers) reader?.cancel(new Fault('client-left'))
    assert.equal(store(cache, 'after', kib(4)), true)
  })

  it('frees what a dead worker held', async () => {
    const memory = allocateCache({ maxBytes: long, workers: 2 })
    const dead = new CacheStorage(new CacheMemory(memory, 1))
    store(dead, 'long', kib(400))
    const stored = dead.find('long')!
    await dead.bodyOf(stored)!.pull()
    const main = new CacheMemory(memory, 2)
    assert.equal(main.isPinned(stored.record.pieces[0].slab), true)
    main.releaseWorker(1)
    assert.equal(main.isPinned(stored.record.pieces[0].slab), false)
    assert.ok((await load(new CacheStorage(new CacheMemory(memory, 0)), 'long'))?.equals(kib(400)))
  })

  it('never gives one key the body of another, while threads write and drop at once', async () => {
    const memory = allocateCache({ maxBytes: smallestCacheBytes, workers: 3 })
    const url = new URL('../../test/support/cache-hammer.ts', import.meta.url)
    const threads = [0, 1, 2].map((worker) => new Worker(url, { workerData: { memory, worker, rounds: 3000 } satisfies Hammering }))
    const results = await Promise.all(threads.map(async (thread) => ((await once(thread, 'message')) as [Hammered])[0]))
    for (const { found, missed, wrong } of results) {
      assert.equal(wrong, 0)
      assert.ok(found > 0 && missed > 0)
    }
    assert.ok(bodyOf('a').length > 0)
  })
})
