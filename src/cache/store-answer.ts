import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { H, headerId } from '../core/header-names.ts'
import { dropTable, Headers } from '../core/headers.ts'
import { trimSpace } from '../lib/trim-space.ts'
import type { Directives } from './cache-control.ts'
import type { Cache } from './cache.ts'
import type { CacheRecord } from './cache-record.ts'
import type { Stored } from './cache-storage.ts'
import { updatedBy } from './conditional.ts'
import { FillBody } from './fill-body.ts'
import type { FreshnessOptions, Timing } from './freshness.ts'
import { storingOf } from './storable.ts'
import type { NotStored } from './storable.ts'

/** What is kept of answers, besides their freshness. */
export interface StoreOptions extends FreshnessOptions {
  readonly tags: readonly string[]
  /** The longest body that is stored. */
  readonly maxBytes: number
}

/** One request to the service whose answer may be kept. */
export interface Fetch {
  /** The URL's own key, before `Vary`. */
  readonly key: string
  readonly url: number
  /** The count of changes when it began: what was changed since then voids its answer. */
  readonly epoch: number
  readonly requestedAt: number
  readonly directives: Directives
  readonly isCredentialed: boolean
  readonly hasCookies: boolean
  /** Others may go by what becomes of it: when its answer is not kept, nobody should wait for one. */
  readonly isForOthers: boolean
  /** Called once, when it is known whether the answer is stored whole. */
  readonly over: () => void
}

/** For how long it is remembered that answers of a URL are not kept, so that nobody waits for one. */
const passMs = 120_000
const mostTags = 64

/** Fields that are not stored: of one connection, of one exchange, or meant for this cache alone. */
const unstored = dropTable([
  H.connection,
  H.keepAlive,
  H.proxyConnection,
  H.proxyAuthenticate,
  H.transferEncoding,
  H.contentLength,
  H.te,
  H.trailer,
  H.upgrade,
  H.setCookie,
  H.requestId,
  ...['age', 'proxy-authentication-info', 'velum-cache-control', 'cache-tag', 'surrogate-key', 'surrogate-control'].map(headerId),
])

/**
 * Keeps an answer to GET if it may be kept: at once when it is whole, else as its body passes. Returns why not, if not.
 * Failures of the service are never remembered as "not kept": the next request may fare better.
 */
export function storeAnswer(cache: Cache, x: Exchange, answer: Answer, fetch: Fetch, options: StoreOptions): NotStored | undefined {
  const timing: Timing = { requestedAt: fetch.requestedAt, receivedAt: cache.clock.now() }
  const unkept = (why: NotStored): NotStored => {
    if (fetch.isForOthers && answer.status < 500) passFor(cache, x, fetch, timing.receivedAt)
    fetch.over()
    return why
  }
  const storing = storingOf(answer.status, answer.headers, timing, fetch, options)
  if (!storing.isStored) return unkept(storing.why)
  const { body } = answer
  if (answer.isUntilClose) return unkept('until-close')
  if (body.size !== undefined && body.size > options.maxBytes) return unkept('size')
  const { storage } = cache
  const common = { epoch: fetch.epoch, url: fetch.url, freshness: storing.freshness }
  const key = cache.variantKey(fetch.key, storing.vary, x.headers, common)
  if (key === undefined) {
    fetch.over()
    return 'vary-wide'
  }
  const record: Omit<CacheRecord, 'hashHi' | 'hashLo' | 'pieces'> = {
    ...common,
    kind: 'entry',
    key,
    status: answer.status,
    head: answer.headers.toLines(unstored),
    forWhom: storing.forWhom,
    tags: tagsOf(cache, answer.headers, options.tags),
  }
  const fill = storage.fill(key, options.maxBytes)
  if (body.bytes !== undefined) {
    const isKept = (body.bytes.length === 0 || fill.write(body.bytes)) && storage.put({ ...record, pieces: fill.pieces })
    fetch.over()
    return isKept ? undefined : 'no-room'
  }
  answer.body = new FillBody(body, fill, (isComplete) => {
    if (isComplete) storage.put({ ...record, pieces: fill.pieces })
    fetch.over()
  })
  return undefined
}

/** Brings a stored answer up to date by a 304, or by the answer to HEAD. False when there was no room to say so. */
export function freshen(cache: Cache, stored: Stored, update: Headers, fetch: Fetch, options: StoreOptions): boolean {
  const headers = Headers.from(updatedBy(stored.headers, update))
  const timing: Timing = { requestedAt: fetch.requestedAt, receivedAt: cache.clock.now() }
  const storing = storingOf(stored.record.status, headers, timing, fetch, options)
  if (!storing.isStored) {
    cache.storage.makeStale(stored)
    return false
  }
  return cache.storage.put({
    ...stored.record,
    epoch: fetch.epoch,
    head: headers.toLines(unstored),
    freshness: storing.freshness,
    forWhom: storing.forWhom,
  })
}

/** Says so of the variant that this request stands for, not of the whole URL. */
function passFor(cache: Cache, x: Exchange, fetch: Fetch, now: number): void {
  const until = now + passMs
  cache.storage.put({
    kind: 'pass',
    key: cache.find(fetch.key, x.headers).key,
    epoch: fetch.epoch,
    url: fetch.url,
    status: 0,
    head: '',
    freshness: {
      bornAt: now,
      freshUntil: until,
      whileRevalidateUntil: until,
      ifErrorUntil: until,
      mustRevalidate: true,
      noCache: false,
    },
    forWhom: { credentialed: false, withCookies: false },
    pieces: [],
    tags: [],
  })
}

/** Hashes of the route's tags and of those that the service gave: `Cache-Tag` by commas, `Surrogate-Key` by spaces. */
function tagsOf(cache: Cache, headers: Headers, own: readonly string[]): number[] {
  const tags = new Set(own)
  for (const line of headers.all('cache-tag')) for (const tag of line.split(',')) tags.add(trimSpace(tag))
  for (const line of headers.all('surrogate-key')) for (const tag of line.split(/[ \t]+/)) tags.add(tag)
  tags.delete('')
  return [...tags].slice(0, mostTags).flatMap((tag) => cache.storage.tagHash(tag))
}
