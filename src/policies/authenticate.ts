import type { Exchange } from '../core/exchange.ts'
import type { MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import { headerBlock } from '../core/headers.ts'
import type { HeaderBlock } from '../core/headers.ts'
import type { CredentialKind, Identity } from '../core/identity.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import type { Authenticator } from '../identity/authenticators.ts'
import { Rejection } from '../identity/rejection.ts'
import type { PolicyEnv } from './policy-kind.ts'

/** How a 401 asks for each kind of credential (RFC 9110 §11.6.1). Not all are registered schemes, but one must be named. */
const challenges: Readonly<Partial<Record<CredentialKind, string>>> = {
  'client-certificate': 'ClientCertificate realm="api"',
  bearer: 'Bearer realm="api"',
  basic: 'Basic realm="api", charset="UTF-8"',
  'api-key': 'ApiKey realm="api"',
}

/** What a 401 adds to the challenge of the credential that was invalid (RFC 6750 §3.1). */
const afterInvalid: Readonly<Partial<Record<CredentialKind, string>>> = { bearer: ', error="invalid_token"' }

const retrySoon = headerBlock([['retry-after', '1']])

const anonymous = pass('anonymous', () => 'No credential was presented, and none is needed.')
const assumed = pass('assumed', () => 'The identity was given by whoever asked.')

/**
 * Establishes who is calling. Exactly one credential counts: the first presented in the fixed order. If it is invalid
 * the request is refused, and no other credential is tried.
 */
export class Authenticate implements Policy {
  readonly name = 'auth'
  readonly stage = 'authenticate'
  readonly source: string
  readonly #slots: readonly CredentialSlot[]
  readonly #absent: Verdict
  readonly #absentCount: Count
  readonly #staleMs: number

  /** `staleMs`: for how long what is known of revocations may be old (`onStoreFailure`). */
  constructor(authenticators: readonly Authenticator[], isOptional: boolean, staleMs: number, env: PolicyEnv) {
    this.source = env.source
    this.#staleMs = staleMs
    const kinds = authenticators.map(({ kind }) => kind)
    this.#slots = authenticators.map((authenticator) => new CredentialSlot(authenticator, kinds, env.meter))
    this.#absentCount = counter(env.meter, 'none', isOptional ? 'anonymous' : 'absent')
    const problem = { name: 'unauthenticated', policy: 'auth', headers: challengeBlock(kinds, undefined) } as const
    this.#absent = isOptional
      ? anonymous
      : refuse('no-credential', problem, undefined, () => `None of ${kinds.join(', ')} was presented.`)
  }

  decide(x: Exchange, mode: DecideMode): MaybePromise<Verdict> {
    // Only a peek can find somebody here: `explain --subject` asks what would be decided for them.
    if (mode === 'peek' && x.identity !== undefined) return assumed
    const isCounted = mode === 'charge'
    for (const slot of this.#slots) {
      const credential = slot.authenticator.presented(x)
      if (credential === undefined) continue
      if (credential === null) return slot.repeated(isCounted)
      const found = slot.authenticator.verify(credential, x, this.#staleMs, mode)
      return isPromise(found) ? found.then((late) => slot.settle(late, x, isCounted)) : slot.settle(found, x, isCounted)
    }
    if (isCounted) this.#absentCount.add()
    return this.#absent
  }
}

/** One accepted kind of credential with its verdicts, ready, and its counts. */
class CredentialSlot {
  readonly authenticator: Authenticator
  readonly #valid: Verdict
  readonly #repeated: Verdict
  /** By reason, made when one first occurs: reasons are few and constant. */
  readonly #rejected = new Map<Rejection, Verdict>()
  readonly #challenge: HeaderBlock
  readonly #counts: Readonly<Record<'valid' | 'invalid' | 'undecided' | 'repeated', Count>>

  constructor(authenticator: Authenticator, kinds: readonly CredentialKind[], meter: Meter) {
    const { kind } = authenticator
    this.authenticator = authenticator
    this.#challenge = challengeBlock(kinds, kind)
    this.#valid = pass('valid', () => `The ${kind} credential is valid.`)
    const repeated = { name: 'duplicate-credential', policy: 'auth' } as const
    this.#repeated = refuse('duplicate-credential', repeated, undefined, () => `More than one ${kind} credential was presented.`)
    this.#counts = {
      valid: counter(meter, kind, 'valid'),
      invalid: counter(meter, kind, 'invalid'),
      undecided: counter(meter, kind, 'undecided'),
      repeated: counter(meter, kind, 'repeated'),
    }
  }

  settle(found: Identity | Rejection, x: Exchange, isCounted: boolean): Verdict {
    if (!(found instanceof Rejection)) {
      x.identity = found
      if (isCounted) this.#counts.valid.add()
      return this.#valid
    }
    if (isCounted) (found.isUndecided ? this.#counts.undecided : this.#counts.invalid).add()
    return this.#rejected.get(found) ?? this.#reject(found)
  }

  repeated(isCounted: boolean): Verdict {
    if (isCounted) this.#counts.repeated.add()
    return this.#repeated
  }

  #reject(rejection: Rejection): Verdict {
    const verdict = this.#lock(rejection) ?? this.#refusal(rejection)
    this.#rejected.set(rejection, verdict)
    return verdict
  }

  #lock({ reason, words, lockedS }: Rejection): Verdict | undefined {
    if (lockedS === undefined) return undefined
    const headers = headerBlock([['retry-after', String(lockedS)]])
    return refuse(reason, { name: 'abnormal-usage', policy: 'auth', headers }, undefined, () => words)
  }

  #refusal(rejection: Rejection): Verdict {
    return rejection.isUndecided
      ? refuse(rejection.reason, { name: 'unavailable', policy: 'auth', headers: retrySoon }, undefined, () => rejection.words)
      : refuse(
          rejection.reason,
          { name: 'invalid-credential', policy: 'auth', headers: this.#challenge },
          undefined,
          () => rejection.words,
        )
  }
}

function counter(meter: Meter, kind: string, result: string): Count {
  return meter.counter('velum_auth_total', 'Requests by the credential that counted and what came of it.', { kind, result })
}

/** A challenge line for each accepted kind; `invalid` is the kind of which an invalid credential was presented. */
function challengeBlock(kinds: readonly CredentialKind[], invalid: CredentialKind | undefined): HeaderBlock {
  const lines: [string, string][] = []
  for (const kind of kinds) {
    const challenge = challenges[kind]
    if (challenge === undefined) continue
    lines.push(['www-authenticate', kind === invalid ? challenge + (afterInvalid[kind] ?? '') : challenge])
  }
  return headerBlock(lines)
}
