import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import { H } from '../core/header-names.ts'
import type { Identity } from '../core/identity.ts'
import type { DecideMode } from '../core/policy.ts'
import type { Closable } from '../core/lasting.ts'
import type { Authenticator } from './authenticators.ts'
import type { Judgement, JwtVerifier } from './jwt-verifier.ts'
import type { OpaqueTokens } from './opaque-tokens.ts'
import { Rejection, rejections, revocationsUnknown } from './rejection.ts'
import type { Revocations } from './revocations.ts'
import { standing } from './standing.ts'
import { TokenMemory } from './token-memory.ts'

/** Longest time for which a verified token is believed without looking at it anew. */
const believedMs = 600_000
/** A client that keeps sending one badly signed token shall not cost a verification each time. */
const disbelievedMs = 30_000

/** A token that was found good, and at which state of the revocations. */
interface GoodToken {
  readonly identity: Identity
  readonly keyId: string
  epoch: number
}

/** What a worker remembers of tokens; outlives Generations that trust the same issuers. */
export class BearerMemory implements Closable {
  readonly good = new TokenMemory<GoodToken>({ maxTokens: 16_384, maxChars: 16 * 1024 ** 2 })
  readonly bad = new TokenMemory<Rejection>({ maxTokens: 256, maxChars: 256 * 1024 })

  close(): void {
    this.good.close()
    this.bad.close()
  }
}

/**
 * Callers with an access token in `Authorization: Bearer` (RFC 6750 §2.1); tokens in bodies and query strings are not
 * looked for. A token that was verified before costs a look-up.
 */
export class BearerAuthenticator implements Authenticator {
  readonly kind = 'bearer'
  readonly #verifier: JwtVerifier
  readonly #memory: BearerMemory
  readonly #revocations: Revocations | undefined
  readonly #opaque: OpaqueTokens | undefined

  /** Without `revocations` nothing is ever revoked: there is no store to say so. */
  constructor(verifier: JwtVerifier, memory: BearerMemory, revocations?: Revocations, opaque?: OpaqueTokens) {
    this.#verifier = verifier
    this.#memory = memory
    this.#revocations = revocations
    this.#opaque = opaque
  }

  presented(x: Exchange): string | null | undefined {
    const line = x.headers.single(H.authorization)
    // Of two Authorization lines nobody can tell which was meant, whatever their schemes.
    return typeof line === 'string' ? bearerToken(line) : line
  }

  verify(token: string, x: Exchange, staleMs: number, mode: DecideMode = 'charge'): MaybePromise<Identity | Rejection> {
    const now = x.startedAt
    const known = this.#memory.good.find(token, now)
    if (known !== undefined) return this.#standing(known, staleMs, false)
    const rejection = this.#memory.bad.find(token, now)
    if (rejection !== undefined) return rejection
    const asked = this.#opaque?.issuerOf(token)?.verify(token, now, mode)
    if (asked !== undefined) {
      return isPromise(asked) ? asked.then((late) => this.#askedStanding(late, staleMs)) : this.#askedStanding(asked, staleMs)
    }
    const judged = this.#verifier.verify(token, now)
    return isPromise(judged)
      ? judged.then((late) => this.#learn(token, late, now, staleMs))
      : this.#learn(token, judged, now, staleMs)
  }

  /** What an issuer says of its tokens is one thing; what was revoked here is another, and asked for each request. */
  #askedStanding(found: Identity | Rejection, staleMs: number): MaybePromise<Identity | Rejection> {
    if (found instanceof Rejection || this.#revocations === undefined) return found
    return standing(found, this.#revocations, staleMs)
  }

  #learn(token: string, { found, key }: Judgement, now: number, staleMs: number): MaybePromise<Identity | Rejection> {
    if (found instanceof Rejection) {
      if (key !== undefined) this.#memory.bad.remember(token, found, key, now + disbelievedMs, now)
      return found
    }
    const good: GoodToken = { identity: found, keyId: key!.kid, epoch: 0 }
    this.#memory.good.remember(token, good, key!, Math.min(found.expiresAt, now + believedMs), now)
    return this.#standing(good, staleMs, false)
  }

  /** Asked for each request, outside the memory: what was good a moment ago may be revoked by now. */
  #standing(good: GoodToken, staleMs: number, isSecondLook: boolean): MaybePromise<Identity | Rejection> {
    const revocations = this.#revocations
    if (revocations === undefined) return good.identity
    if (good.epoch !== revocations.epoch) {
      const { epoch } = revocations
      if (revocations.isRevoked(good.identity, good.keyId)) return rejections.revoked
      good.epoch = epoch
    }
    if (revocations.isKnown(staleMs)) return good.identity
    return isSecondLook ? revocationsUnknown : revocations.heard().then(() => this.#standing(good, staleMs, true))
  }
}

/** The token of a line of the scheme Bearer, without case (RFC 9110 §11.1); undefined for another scheme. */
function bearerToken(line: string): string | undefined {
  if (line.length < 6 || line.slice(0, 6).toLowerCase() !== 'bearer') return undefined
  if (line.length === 6) return ''
  if (line.charCodeAt(6) !== 32) return undefined
  let start = 7
  while (line.charCodeAt(start) === 32) start++
  return line.slice(start)
}
