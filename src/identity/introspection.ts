import { hash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Identity } from '../core/identity.ts'
import type { Closable } from '../core/lasting.ts'
import type { Log } from '../core/log.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { DecideMode } from '../core/policy.ts'
import { readBoundedBody } from '../lib/bounded-body.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import type { IntrospectionSpec, TrustedIssuerSpec } from './identity-spec.ts'
import { introspected, IntrospectionError } from './introspection-answer.ts'
import type { Fetch } from './key-origins.ts'
import { introspectionUnavailable, notIntrospected, Rejection } from './rejection.ts'

const maxKept = 10_000
const maxRefused = 1000
/** Who is told that a token is no good may get it a moment later; and a flood of junk must not cost a question each. */
const refusedMs = 10_000
/** More tokens nobody has seen yet than this at one time, on one worker: the issuer is slow, or somebody is guessing. */
const maxAsking = 64
const maxAnswerBytes = 64 * 1024

interface Kept {
  readonly found: Identity | Rejection
  /** Milliseconds since 1970. */
  readonly freshUntil: number
  readonly keptUntil: number
}

export interface IntrospectionEnv {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  readonly fetch: Fetch
}

type Result = 'active' | 'inactive' | 'failed' | 'stale' | 'full'

/**
 * Judges tokens of one issuer that only the issuer can read (RFC 7662). What it said is remembered for a while, by a hash of
 * issuer, endpoint and token, and never longer than the token lives; what is revoked here is asked for outside of this.
 */
export class Introspection implements Closable {
  readonly spec: TrustedIssuerSpec
  readonly #introspection: IntrospectionSpec
  readonly #tenantClaim: string
  readonly #env: IntrospectionEnv
  readonly #good = new Map<string, Kept>()
  readonly #refused = new Map<string, Kept>()
  readonly #asking = new Map<string, Promise<Identity | Rejection>>()
  readonly #counts: Readonly<Record<Result, Count>>
  #isFailing = false

  constructor(spec: TrustedIssuerSpec, tenantClaim: string, env: IntrospectionEnv) {
    this.spec = spec
    this.#introspection = spec.introspection!
    this.#tenantClaim = tenantClaim
    this.#env = env
    const counted = (result: Result): Count =>
      env.meter.counter('velum_introspections_total', 'Tokens about which a foreign issuer was asked, by what came of it.', {
        issuer: spec.name,
        result,
      })
    this.#counts = {
      active: counted('active'),
      inactive: counted('inactive'),
      failed: counted('failed'),
      stale: counted('stale'),
      full: counted('full'),
    }
  }

  /** `now` in milliseconds since 1970. A promise only where the issuer is asked; a peek asks nobody. */
  verify(token: string, now: number, mode: DecideMode): MaybePromise<Identity | Rejection> {
    const key = hash('sha256', `${this.spec.issuer}\n${this.#introspection.endpoint}\n${token}`, 'base64url')
    const kept = this.#good.get(key) ?? this.#refused.get(key)
    if (kept !== undefined && now < kept.freshUntil) return kept.found
    if (mode === 'peek') return notIntrospected
    let asking = this.#asking.get(key)
    if (asking === undefined) {
      if (this.#asking.size >= maxAsking) {
        this.#counts.full.add()
        return this.#staleOr(key, now)
      }
      asking = this.#ask(token, key, now).finally(() => this.#asking.delete(key))
      this.#asking.set(key, asking)
    }
    return asking
  }

  close(): void {
    this.#good.clear()
    this.#refused.clear()
  }

  async #ask(token: string, key: string, now: number): Promise<Identity | Rejection> {
    const { clock, log } = this.#env
    const { endpoint } = this.#introspection
    let found: Identity | Rejection
    try {
      const tokenId = hash('sha256', token, 'base64url')
      found = introspected(await this.#question(token), this.spec, this.#tenantClaim, tokenId, clock.now())
    } catch (error) {
      if (!this.#isFailing) log.warn('an issuer cannot be asked about its tokens', { issuer: this.spec.name, endpoint, error })
      this.#isFailing = true
      this.#counts.failed.add()
      return this.#staleOr(key, now)
    }
    if (this.#isFailing) log.info('an issuer answers about its tokens again', { issuer: this.spec.name })
    this.#isFailing = false
    this.#keep(key, found, clock.now())
    this.#counts[found instanceof Rejection ? 'inactive' : 'active'].add()
    return found
  }

  /** What was good a while ago stands in for an issuer that does not answer, where that was configured. */
  #staleOr(key: string, now: number): Identity | Rejection {
    const kept = this.#good.get(key)
    if (kept === undefined || now >= kept.keptUntil) return introspectionUnavailable
    this.#counts.stale.add()
    return kept.found
  }

  #keep(key: string, found: Identity | Rejection, now: number): void {
    this.#good.delete(key)
    this.#refused.delete(key)
    const { cacheMs, staleMs } = this.#introspection
    if (found instanceof Rejection) {
      const freshUntil = now + Math.min(cacheMs, refusedMs)
      remember(this.#refused, maxRefused, key, { found, freshUntil, keptUntil: freshUntil })
      return
    }
    const freshUntil = Math.min(now + cacheMs, found.expiresAt)
    remember(this.#good, maxKept, key, { found, freshUntil, keptUntil: Math.min(freshUntil + staleMs, found.expiresAt) })
  }

  /** One POST (RFC 7662 §2.1): no redirects, one time for all of it, never more bytes than an answer may have. */
  async #question(token: string): Promise<unknown> {
    const { endpoint, timeoutMs, clientId, clientSecret, authMethod } = this.#introspection
    const form = new URLSearchParams({ token, token_type_hint: 'access_token' })
    const headers: Record<string, string> = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }
    if (authMethod === 'basic') headers['authorization'] = `Basic ${basicOf(clientId, clientSecret)}`
    else {
      form.set('client_id', clientId)
      form.set('client_secret', clientSecret)
    }
    const abort = new AbortController()
    const timer = this.#env.clock.after(timeoutMs, () => {
      abort.abort(new IntrospectionError(`there was no complete answer within ${timeoutMs} ms`))
    })
    try {
      const body = form.toString()
      const response = await this.#env.fetch(endpoint, { method: 'POST', body, headers, redirect: 'error', signal: abort.signal })
      if (response.status !== 200) throw new IntrospectionError(`the answer has status ${response.status}`)
      return parseStrictJson(
        await readBoundedBody(response, maxAnswerBytes, () => new IntrospectionError('the answer is larger than 64 KiB')),
      )
    } finally {
      timer.cancel()
      // Ends a body that was left unread; nothing happens when it was read to its end.
      abort.abort()
    }
  }
}

function remember(kept: Map<string, Kept>, most: number, key: string, entry: Kept): void {
  kept.set(key, entry)
  if (kept.size > most) kept.delete(kept.keys().next().value!)
}

/** Both halves are form-encoded before they are joined (RFC 6749 §2.3.1). */
function basicOf(id: string, secret: string): string {
  return Buffer.from(`${formEncoded(id)}:${formEncoded(secret)}`).toString('base64')
}

function formEncoded(text: string): string {
  return new URLSearchParams({ a: text }).toString().slice(2)
}
