import { createHash } from 'node:crypto'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { readAll } from '../../src/core/body.ts'
import { CacheMemory } from '../../src/cache/cache-memory.ts'
import type { CacheRecord } from '../../src/cache/cache-record.ts'
import { CacheStorage } from '../../src/cache/cache-storage.ts'

/** What a hammering thread is told. */
export interface Hammering {
  readonly memory: SharedArrayBuffer
  readonly worker: number
  readonly rounds: number
}

/** What it saw. */
export interface Hammered {
  readonly found: number
  readonly missed: number
  /** Bodies that were not those of their key: must be 0. */
  readonly wrong: number
}

/** A body that nothing but its key has: from a few bytes to some hundred KiB. */
export function bodyOf(key: string): Buffer {
  const seed = createHash('sha256').update(key).digest()
  const length = seed[0] < 8 ? 300_000 : 16 + seed.readUInt16LE(1)
  const body = Buffer.alloc(length)
  for (let at = 0; at < length; at += seed.length) seed.copy(body, at)
  return body
}

export function entryOf(key: string, more: Partial<CacheRecord> = {}): Omit<CacheRecord, 'hashHi' | 'hashLo' | 'pieces'> {
  return {
    kind: 'entry',
    key,
    status: 200,
    head: `X-Key: ${key}\r\n`,
    freshness: {
      bornAt: 0,
      freshUntil: Infinity,
      whileRevalidateUntil: Infinity,
      ifErrorUntil: Infinity,
      mustRevalidate: false,
      noCache: false,
    },
    forWhom: { credentialed: false, withCookies: false },
    tags: [],
    epoch: 1,
    url: 0,
    ...more,
  }
}

/** Stores a key's body. False when there was no room. */
export function store(storage: CacheStorage, key: string, body = bodyOf(key), more: Partial<CacheRecord> = {}): boolean {
  const fill = storage.fill(key, Infinity)
  return fill.write(body) && storage.put({ ...entryOf(key, more), pieces: fill.pieces })
}

/** The stored body of a key; undefined when it is not there. */
export async function load(storage: CacheStorage, key: string): Promise<Buffer | undefined> {
  const stored = storage.find(key)
  const body = stored === undefined ? undefined : storage.bodyOf(stored)
  return body === undefined ? undefined : readAll(body, Infinity)
}

async function hammer({ memory, worker, rounds }: Hammering): Promise<Hammered> {
  const storage = new CacheStorage(new CacheMemory(memory, worker))
  let [found, missed, wrong] = [0, 0, 0]
  let state = worker + 1
  for (let round = 0; round < rounds; round++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff
    const key = `http://host/${(state >> 8) % 1500}\nshape\n`
    const body = await load(storage, key)
    if (body === undefined) {
      missed++
      store(storage, key)
    } else {
      found++
      if (!body.equals(bodyOf(key))) wrong++
    }
  }
  return { found, missed, wrong }
}

if (!isMainThread && parentPort !== null && (workerData as Hammering | undefined)?.memory !== undefined) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- threads have no origins
  parentPort.postMessage(await hammer(workerData as Hammering))
}
