import { Answer } from '../core/answer.ts'
import { emptyBody } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { Slot } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { CredentialKind } from '../core/identity.ts'
import type { Handler, MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import { headerId } from '../core/header-names.ts'
import { dropTable } from '../core/headers.ts'
import type { Headers } from '../core/headers.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { Policy } from '../core/policy.ts'
import type { RequestEdit } from '../core/request-edits.ts'
import { noDirectives, requestDirectives } from './cache-control.ts'
import type { Directives } from './cache-control.ts'
import type { Cache, Found } from './cache.ts'
import { keyOf, partitionOf, urlOf } from './cache-key.ts'
import { countsOf, forwardedLine } from './cache-status.ts'
import type { CacheResult, Forwarded } from './cache-status.ts'
import type { Stored } from './cache-storage.ts'
import type { Claim } from './claims.ts'
import { askWhether, conditionDrop, hasAlready, speaksOf } from './conditional.ts'
import { detachedFrom, finishDetached } from './detached.ts'
import { saidOfUrl, trait, traitsOf } from './request-traits.ts'
import { serveStored } from './serve-stored.ts'
import { freshen, storeAnswer } from './store-answer.ts'
import type { Fetch, StoreOptions } from './store-answer.ts'
import { isForErrors, usabilityOf } from './usability.ts'
import { variantOf } from './vary.ts'
import { voidedBy } from './voided-by.ts'

/** How one route uses the cache. */
export interface CacheRouteOptions extends StoreOptions {
  /** Request fields that tell answers apart besides those in `Vary`; lower case. */
  readonly vary: readonly string[]
  /** What becomes of requests with credentials. */
  readonly authorized: 'bypass' | 'rfc' | 'per-identity'
  /** Whether clients may ask for fresher or accept staler answers than the service says. */
  readonly obeysClients: boolean
  /** How long a request waits for another one that fetches the same. */
  readonly waitMs: number
}

/** What a route's cache is built with. */
export interface CacheRouteEnv {
  readonly cache: Cache
  readonly meter: Meter
  readonly route: string
  readonly source: string
  /** What the answers' shape depends on besides their URL: a changed configuration must not serve old shapes. */
  readonly shape: string
  /** Whether a service would see cookies of this request. */
  readonly passesCookies: (headers: Headers) => boolean
}

/** One request at the cache. */
interface Request {
  readonly key: string
  readonly url: string
  readonly directives: Directives
  readonly isCredentialed: boolean
  readonly hasCookies: boolean
}

/** What the request to the service shall ask: whether a stored answer still holds, or for the whole in any case. */
const asking = new Slot<{ readonly stored: Stored | undefined }>()
/** Fields that no client gets of an answer that came by the cache. */
const forCachesOnly = dropTable(['velum-cache-control', 'cache-tag', 'surrogate-key'].map(headerId))
const failures: ReadonlySet<number> = new Set([500, 502, 503, 504])
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])
const nothing = (): void => {}

/** The shared cache on one route: what is stored is answered from here, what is not is stored if it may be (RFC 9111). */
export class CacheRoute implements Policy {
  readonly name = 'cache'
  readonly stage = 'cache'
  readonly source: string
  readonly #options: CacheRouteOptions
  readonly #env: CacheRouteEnv
  readonly #cache: Cache
  readonly #counts: Readonly<Record<CacheResult, Count>>

  constructor(options: CacheRouteOptions, env: CacheRouteEnv) {
    this.source = env.source
    this.#options = options
    this.#env = env
    this.#cache = env.cache
    this.#counts = countsOf(env.meter, env.route)
  }

  /** Makes the request to the service ask for what the cache needs, whatever conditions the client set. */
  readonly requestEdit: RequestEdit = (headers, x) => {
    const asked = asking.get(x)
    if (asked === undefined) return
    headers.drop(conditionDrop)
    if (asked.stored !== undefined) askWhether(asked.stored.headers, headers)
  }

  wrap(next: Handler): Handler {
    return (x) => {
      const { headers } = x
      if (!safeMethods.has(x.method)) return this.#passUnsafe(x, next)
      const traits = traitsOf(headers)
      const hasCredentials = x.identity !== undefined || (traits & (trait.authorization | trait.apiKey)) !== 0
      const isOut =
        (x.method !== 'GET' && x.method !== 'HEAD') ||
        (traits & (trait.precondition | trait.method)) !== 0 ||
        x.upgrade !== undefined ||
        (x.body.size !== 0 && x.body !== emptyBody) || // a GET with content means more than its URL says
        (hasCredentials && (this.#options.authorized === 'bypass' || this.#isUntold(x.identity?.kind, traits)))
      if (isOut) return this.#bypass(x, next)
      const url = urlOf(x)
      const { vary, authorized } = this.#options
      const request: Request = {
        url,
        key: keyOf(
          url,
          this.#env.shape,
          (vary.length === 0 ? '' : variantOf(vary, headers)) +
            ((traits & (trait.url | trait.proxied)) === 0 ? '' : saidOfUrl(headers, x.isProxied)),
          authorized === 'per-identity' ? partitionOf(x.identity) : '',
        ),
        directives: (traits & trait.directives) === 0 ? noDirectives : requestDirectives(headers),
        isCredentialed: hasCredentials && authorized === 'rfc',
        hasCookies:
          (authorized !== 'per-identity' || x.identity === undefined) &&
          (traits & trait.cookie) !== 0 &&
          this.#env.passesCookies(headers),
      }
      return this.#serve(x, next, request, 0)
    }
  }

  /** Copies for each caller need to know him: whoever only the service can tell from others is not told apart here. */
  #isUntold(kind: CredentialKind | undefined, traits: number): boolean {
    if (this.#options.authorized !== 'per-identity') return false
    return (
      ((traits & trait.authorization) !== 0 && kind !== 'bearer' && kind !== 'basic') ||
      ((traits & trait.apiKey) !== 0 && kind !== 'api-key')
    )
  }

  /** Answers from the store, or goes to the service. `waitedMs`: how long this request has waited for others. */
  #serve(x: Exchange, next: Handler, request: Request, waitedMs: number): MaybePromise<Answer> {
    const found = this.#cache.find(request.key, x.headers)
    const stored = found.stored === undefined || !isFor(found.stored, request) ? undefined : found.stored
    if (stored === undefined) {
      if (request.directives.onlyIfCached && this.#options.obeysClients) return this.#notCached(x)
      return this.#fetch(x, next, request, found, undefined, found.hasVariants ? 'vary-miss' : 'uri-miss', waitedMs)
    }
    const now = this.#cache.clock.now()
    const state = usabilityOf(
      stored.record.freshness,
      found.isPurged,
      this.#options.obeysClients ? request.directives : noDirectives,
      now,
    )
    if (state === 'fresh') {
      const answer = serveStored(this.#cache.storage, x, stored, now)
      if (answer !== undefined) return this.#counted(x, waitedMs > 0 ? 'collapsed' : 'hit', answer)
    } else if (state === 'revalidating') {
      const answer = serveStored(this.#cache.storage, x, stored, now)
      if (answer !== undefined) {
        this.#refresh(x, next, request, found, stored)
        return this.#counted(x, 'stale', answer)
      }
    }
    if (request.directives.onlyIfCached && this.#options.obeysClients) return this.#notCached(x)
    return this.#fetch(x, next, request, found, stored, state === 'asked' ? 'request' : 'stale', waitedMs)
  }

  #fetch(
    x: Exchange,
    next: Handler,
    request: Request,
    found: Found,
    stored: Stored | undefined,
    why: Forwarded,
    waitedMs: number,
  ): MaybePromise<Answer> {
    // Requests that the service may answer for one caller only wait for nobody, and nobody waits for them.
    const isShared =
      x.method === 'GET' && !request.isCredentialed && !request.hasCookies && !found.isPassing && !x.headers.has('range')
    let claim: Claim | undefined
    if (isShared && waitedMs < this.#options.waitMs) {
      claim = this.#cache.claims.take(found.key)
      if (claim.kind === 'theirs') return this.#wait(x, next, request, claim.ended, waitedMs)
      if (claim.kind === 'mine' && this.#hasChanged(x, request, found)) {
        claim.end()
        return this.#serve(x, next, request, Math.max(waitedMs, Number.MIN_VALUE))
      }
    }
    const over = claim?.kind === 'mine' ? claim.end : nothing
    const fetch = this.#fetchOf(request, isShared, over)
    // The client's conditions are kept where nothing could be stored anyway.
    if (x.method === 'GET' && !x.headers.has('range') && !found.isPassing) asking.set(x, { stored })
    return this.#go(x, next, fetch, stored, why)
  }

  /** Whether another worker's fetch ended between the look that found nothing good and the claim to lead. */
  #hasChanged(x: Exchange, request: Request, found: Found): boolean {
    const now = this.#cache.find(request.key, x.headers)
    return now.key !== found.key || now.isPassing !== found.isPassing || now.stored?.record !== found.stored?.record
  }

  #go(x: Exchange, next: Handler, fetch: Fetch, stored: Stored | undefined, why: Forwarded): MaybePromise<Answer> {
    const failed = (thrown: unknown): never => {
      fetch.over()
      throw thrown
    }
    const arrived = (answer: Answer): MaybePromise<Answer> => this.#arrived(x, next, answer, fetch, stored, why)
    try {
      const answer = next(x)
      return isPromise(answer) ? answer.then(arrived).catch(failed) : arrived(answer)
    } catch (thrown) {
      return failed(thrown)
    }
  }

  #fetchOf(request: Request, isShared: boolean, over: () => void): Fetch {
    const { directives } = request
    return {
      key: request.key,
      url: this.#cache.storage.urlPlace(request.url),
      epoch: this.#cache.epoch,
      requestedAt: this.#cache.clock.now(),
      directives,
      isCredentialed: request.isCredentialed,
      hasCookies: request.hasCookies,
      isForOthers: isShared && !directives.noStore && !directives.isMalformed,
      over,
    }
  }

  /** What to make of an answer of the service. */
  #arrived(
    x: Exchange,
    next: Handler,
    answer: Answer,
    fetch: Fetch,
    stored: Stored | undefined,
    why: Forwarded,
  ): MaybePromise<Answer> {
    const now = this.#cache.clock.now()
    if (answer.status === 304 && asking.get(x) !== undefined) {
      const asked = asking.get(x)!.stored
      return asked !== undefined && speaksOf(answer.headers, asked.headers)
        ? this.#stillHolds(x, next, answer, fetch, asked)
        : this.#fetchWhole(x, next, fetch, asked)
    }
    if (stored !== undefined && failures.has(answer.status) && isForErrors(stored.record.freshness, now)) {
      const instead = serveStored(this.#cache.storage, x, stored, now, 'stale-if-error')
      if (instead !== undefined) {
        fetch.over()
        answer.body.cancel(x.fault ?? new Fault('cancelled'))
        // The client got a good answer; what failed is told by the detail and counted at the service.
        x.fault = undefined
        return this.#counted(x, 'stale', instead)
      }
    }
    if (answer.tunnel !== undefined || x.fault !== undefined) {
      fetch.over()
      return this.#sent(x, 'miss', answer, why, '')
    }
    if (x.method === 'HEAD') {
      if (stored !== undefined && answer.status === 200) this.#compare(stored, answer, fetch)
      fetch.over()
      return this.#sent(x, 'miss', answer, why, '')
    }
    const unkept = storeAnswer(this.#cache, x, answer, fetch, this.#options)
    const already = unkept === undefined && hasAlready(x.headers, answer.headers, answer.status, now)
    const sent = this.#sent(x, 'miss', answer, why, unkept === undefined ? '; stored' : `; detail=${unkept}`)
    return already && sent.body.bytes !== undefined ? new Answer(304, sent.headers, emptyBody) : sent
  }

  /** The service says that the stored answer holds: it is brought up to date and served. */
  #stillHolds(x: Exchange, next: Handler, answer: Answer, fetch: Fetch, stored: Stored): MaybePromise<Answer> {
    freshen(this.#cache, stored, answer.headers, fetch, this.#options)
    const now = this.#cache.clock.now()
    const found = this.#cache.find(fetch.key, x.headers).stored
    const hit =
      (found === undefined || !isFor(found, fetch) ? undefined : serveStored(this.#cache.storage, x, found, now, 'revalidated')) ??
      serveStored(this.#cache.storage, x, stored, now, 'revalidated')
    // Dropped in the very moment: the whole is asked for after all.
    if (hit === undefined) return this.#fetchWhole(x, next, fetch, stored)
    fetch.over()
    return this.#counted(x, 'revalidated', hit)
  }

  /** Asks once more, without conditions: a 304 spoke of something that is not, or no longer, stored here. */
  #fetchWhole(x: Exchange, next: Handler, fetch: Fetch, asked: Stored | undefined): MaybePromise<Answer> {
    if (asked === undefined) throw new Fault('service-nonsense', 'the service answers 304 to a request without conditions')
    asking.set(x, { stored: undefined })
    return this.#go(x, next, fetch, undefined, 'stale')
  }

  /** The answer to HEAD tells whether a stored answer to GET still stands (RFC 9111 §4.3.5). */
  #compare(stored: Stored, answer: Answer, fetch: Fetch): void {
    const isSame =
      speaksOf(answer.headers, stored.headers) &&
      answer.headers.has('etag') === stored.headers.has('etag') &&
      (answer.body.size === undefined || answer.body.size === stored.size)
    if (isSame) freshen(this.#cache, stored, answer.headers, fetch, this.#options)
    else this.#cache.storage.makeStale(stored)
  }

  /** Waits until another request has fetched the same, then looks again; not longer than the bound. */
  async #wait(x: Exchange, next: Handler, request: Request, ended: Promise<unknown>, waitedMs: number): Promise<Answer> {
    const { clock } = this.#cache
    const from = clock.monotonic()
    await new Promise<void>((resolve) => {
      const timer = clock.after(this.#options.waitMs - waitedMs, resolve)
      const done = (): void => {
        timer.cancel()
        resolve()
      }
      // oxlint-disable-next-line promise/no-callback-in-promise -- whichever comes first
      void ended.then(done)
      x.whenLeft(done)
    })
    if (x.left !== undefined) throw x.left
    return this.#serve(x, next, request, waitedMs + Math.max(clock.monotonic() - from, Number.MIN_VALUE))
  }

  /** Fetches anew in the background, once at a time for all of the node. */
  #refresh(x: Exchange, next: Handler, request: Request, found: Found, stored: Stored): void {
    const claim = this.#cache.claims.take(found.key)
    if (claim.kind === 'theirs') return
    if (claim.kind === 'mine' && this.#hasChanged(x, request, found)) return claim.end()
    const { clock } = this.#cache
    const over = claim.kind === 'mine' ? claim.end : nothing
    const offset = x.reached - (x.route?.policies.indexOf(this) ?? 0) - 1
    const detached = detachedFrom(x, clock)
    asking.set(detached, { stored })
    const fetch = this.#fetchOf(request, !request.isCredentialed && !request.hasCookies, over)
    void (async () => {
      let isComplete = false
      try {
        let answer = await next(detached)
        if (answer.status === 304 && speaksOf(answer.headers, stored.headers)) {
          freshen(this.#cache, stored, answer.headers, fetch, this.#options)
        } else if (answer.status === 304) {
          asking.set(detached, { stored: undefined })
          answer = await next(detached)
        }
        if (answer.status !== 304 && detached.fault === undefined && !failures.has(answer.status) && answer.tunnel === undefined) {
          storeAnswer(this.#cache, detached, answer, fetch, this.#options)
        }
        for (let chunk = await answer.body.pull(); chunk !== null; chunk = await answer.body.pull());
        isComplete = detached.fault === undefined
      } catch {
        // The stale answer stands until its time is over; the services' own counts tell of the failure.
      } finally {
        over()
        finishDetached(detached, this, offset, isComplete, clock)
      }
    })()
  }

  #bypass(x: Exchange, next: Handler): MaybePromise<Answer> {
    const answer = next(x)
    const sent = (a: Answer): Answer => this.#sent(x, 'bypass', a, 'bypass', '')
    return isPromise(answer) ? answer.then(sent) : sent(answer)
  }

  /** What may change something voids what is stored of its URL, once it succeeded (RFC 9111 §4.4). */
  #passUnsafe(x: Exchange, next: Handler): MaybePromise<Answer> {
    const answer = next(x)
    const sent = (a: Answer): Answer => {
      if (a.status >= 200 && a.status < 400) {
        for (const url of voidedBy(a.headers, urlOf(x))) this.#cache.storage.forgetUrl(url)
      }
      return this.#sent(x, 'bypass', a, 'method', '')
    }
    return isPromise(answer) ? answer.then(sent) : sent(answer)
  }

  #notCached(x: Exchange): Answer {
    const detail = 'Nothing fitting is stored, and nothing else was asked for.'
    return this.#counted(x, 'miss', x.renderProblem({ name: 'service-timeout', detail }, x))
  }

  #sent(x: Exchange, result: CacheResult, answer: Answer, why: Forwarded, more: string): Answer {
    answer.headers.drop(forCachesOnly)
    answer.headers.putLines(forwardedLine(why, answer.status, more))
    return this.#counted(x, result, answer)
  }

  #counted(x: Exchange, result: CacheResult, answer: Answer): Answer {
    this.#counts[result].add()
    x.trace?.cached(result)
    return answer
  }
}

/** Whether a stored answer may be given to who asks. */
function isFor({ record }: Stored, asked: Pick<Request, 'isCredentialed' | 'hasCookies'>): boolean {
  return (!asked.isCredentialed || record.forWhom.credentialed) && (!asked.hasCookies || record.forWhom.withCookies)
}
