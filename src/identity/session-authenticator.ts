import type { Exchange } from '../core/exchange.ts'
import type { Clock } from '../core/clock.ts'
import { faultFrom } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Identity } from '../core/identity.ts'
import type { DecideMode } from '../core/policy.ts'
import type { Authenticator } from './authenticators.ts'
import { cookieNames, readCookie } from './cookies.ts'
import { credentialLength, idOf, isCredential, secretHash, secretOf } from './credential-text.ts'
import type { SessionSpec } from './identity-spec.ts'
import { MissingKeys } from './missing-keys.ts'
import type { NearSession, NearSessions } from './near-sessions.ts'
import { rejections, storeUnavailable, revocationsUnknown } from './rejection.ts'
import type { Rejection } from './rejection.ts'
import type { Revocations } from './revocations.ts'
import { touchMs } from './session-record.ts'

/** Callers with a session cookie. The usual one costs a look-up and a hash; nothing waits. */
export class SessionAuthenticator implements Authenticator {
  readonly kind = 'session'
  readonly #spec: SessionSpec
  readonly #near: NearSessions
  readonly #revocations: Revocations
  /** Ids that were not there: a client that keeps sending a dead cookie shall not cost a question each time. */
  readonly #missing: MissingKeys

  constructor(spec: SessionSpec, near: NearSessions, revocations: Revocations, clock: Clock) {
    this.#spec = spec
    this.#near = near
    this.#revocations = revocations
    this.#missing = new MissingKeys(clock)
  }

  presented(x: Exchange): string | null | undefined {
    return readCookie(x, cookieNames.session)
  }

  verify(text: string, x: Exchange, staleMs: number, mode: DecideMode = 'charge'): MaybePromise<Identity | Rejection> {
    if (text.length !== credentialLength) return rejections['not-a-session']
    const session = this.#near.find(idOf(text))
    if (session === undefined) return this.#load(text, x, staleMs, mode)
    if (x.startedAt - session.usedAt < this.#spec.idleMs) return this.#judge(session, text, x, staleMs, mode)
    // Idle here; another node may have seen it since.
    this.#near.forget(session.id)
    return this.#load(text, x, staleMs, mode)
  }

  #judge(
    session: NearSession,
    text: string,
    x: Exchange,
    staleMs: number,
    mode: DecideMode,
    isSecondLook = false,
  ): MaybePromise<Identity | Rejection> {
    if (secretHash(secretOf(text)) !== session.hash) return rejections['unknown-session']
    const revocations = this.#revocations
    if (session.epoch !== revocations.epoch) {
      const { epoch } = revocations
      if (revocations.isRevoked(session.identity, undefined)) {
        this.#near.forget(session.id)
        return rejections.revoked
      }
      session.epoch = epoch
    }
    if (!revocations.isKnown(staleMs)) {
      return isSecondLook ? revocationsUnknown : revocations.heard().then(() => this.#judge(session, text, x, staleMs, mode, true))
    }
    const now = x.startedAt
    if (now >= session.endsAt) {
      this.#near.forget(session.id)
      return rejections['session-expired']
    }
    if (mode === 'peek') return session.identity
    if (now > session.usedAt) session.usedAt = now
    if (now >= session.touchAt) this.#near.touch(session, x.clientAddress)
    return session.identity
  }

  #load(text: string, x: Exchange, staleMs: number, mode: DecideMode): MaybePromise<Identity | Rejection> {
    if (!isCredential(text)) return rejections['not-a-session']
    const id = idOf(text)
    if (this.#missing.has(id)) return rejections['unknown-session']
    return this.#near.load(id).then(
      (session) => {
        if (session === undefined) {
          this.#missing.add(id)
          return rejections['unknown-session']
        }
        if (x.startedAt - session.usedAt >= this.#spec.idleMs + touchMs(this.#spec)) {
          this.#near.forget(id)
          return rejections['session-expired']
        }
        return this.#judge(session, text, x, staleMs, mode)
      },
      (thrown: unknown) => {
        const fault = faultFrom(thrown)
        if (fault.code === 'internal') throw fault
        return storeUnavailable
      },
    )
  }
}
