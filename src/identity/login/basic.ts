import { createHmac, randomBytes } from 'node:crypto'
import { isUtf8 } from 'node:buffer'
import type { BuildEnv } from '../../core/build-env.ts'
import type { Exchange } from '../../core/exchange.ts'
import { faultFrom } from '../../core/fault.ts'
import type { MaybePromise } from '../../core/handler.ts'
import { H } from '../../core/header-names.ts'
import type { Identity } from '../../core/identity.ts'
import type { Closable } from '../../core/lasting.ts'
import type { DecideMode } from '../../core/policy.ts'
import { trimSpace } from '../../lib/trim-space.ts'
import type { Authenticator } from '../authenticators.ts'
import type { OwnIssuerSpec } from '../identity-spec.ts'
import { KnownIdentity } from '../known-identity.ts'
import { lockedFor, loginsFull, notJudged, Rejection, rejections, storeUnavailable } from '../rejection.ts'
import type { Revocations } from '../revocations.ts'
import { scopesOfRoles } from '../session-record.ts'
import { standing } from '../standing.ts'
import { askLogin } from './ask-login.ts'
import type { LoginOutcome } from './login-messages.ts'

/** How long a password that was right is believed; what ends its user's sessions ends it at once. */
const believedMs = 300_000
/** A program that keeps sending one wrong password is no guesser, and costs a hash each ten seconds only. */
const refusedMs = 10_000
const maxKept = 4096
const maxLength = 1024

interface Judged {
  readonly found: Identity | Rejection
  /** Monotonic milliseconds. */
  readonly until: number
}

/** What a worker remembers of credentials, under a key that nobody else has: no password and no hash that could be guessed at. */
export class BasicMemory implements Closable {
  readonly #key = randomBytes(32)
  readonly #judged = new Map<string, Judged>()
  readonly judging = new Map<string, Promise<Identity | Rejection>>()

  keyOf(credential: string): string {
    return createHmac('sha256', this.#key).update(credential).digest('base64url')
  }

  find(key: string, now: number): Identity | Rejection | undefined {
    const judged = this.#judged.get(key)
    return judged !== undefined && now < judged.until ? judged.found : undefined
  }

  keep(key: string, found: Identity | Rejection, until: number): void {
    this.#judged.delete(key)
    this.#judged.set(key, { found, until })
    if (this.#judged.size > maxKept) this.#judged.delete(this.#judged.keys().next().value!)
  }

  close(): void {
    this.#judged.clear()
  }
}

/**
 * Callers with a user name and password in every request (RFC 7617), for small set-ups: the users of `velum user`, judged
 * where logins are judged, under the same locks. A pair that was right costs a look-up from then on.
 */
export class BasicAuthenticator implements Authenticator {
  readonly kind = 'basic'
  readonly #spec: OwnIssuerSpec
  readonly #memory: BasicMemory
  readonly #revocations: Revocations
  readonly #env: Pick<BuildEnv, 'link' | 'clock'>

  constructor(spec: OwnIssuerSpec, memory: BasicMemory, revocations: Revocations, env: Pick<BuildEnv, 'link' | 'clock'>) {
    this.#spec = spec
    this.#memory = memory
    this.#revocations = revocations
    this.#env = env
  }

  presented(x: Exchange): string | null | undefined {
    const line = x.headers.single(H.authorization)
    if (typeof line !== 'string') return line
    if (!/^basic(?: |$)/i.test(line)) return undefined
    return trimSpace(line.slice(6))
  }

  verify(credential: string, x: Exchange, staleMs: number, mode: DecideMode = 'charge'): MaybePromise<Identity | Rejection> {
    if (credential === '') return rejections.empty
    // Whoever sees the connection could read the password, and it is too late to keep it; at least it opens nothing.
    if (x.scheme !== 'https') return rejections['basic-without-tls']
    const key = this.#memory.keyOf(credential)
    const known = this.#memory.find(key, this.#env.clock.monotonic())
    if (known !== undefined) return this.#standing(known, staleMs)
    if (mode === 'peek') return notJudged
    let judging = this.#memory.judging.get(key)
    if (judging === undefined) {
      const pair = pairOf(credential)
      if (pair === undefined) return rejections['not-a-pair']
      judging = this.#judge(key, pair, x).finally(() => this.#memory.judging.delete(key))
      this.#memory.judging.set(key, judging)
    }
    return judging.then((found) => this.#standing(found, staleMs))
  }

  #standing(found: Identity | Rejection, staleMs: number): MaybePromise<Identity | Rejection> {
    return found instanceof Rejection ? found : standing(found, this.#revocations, staleMs)
  }

  async #judge(key: string, { name, password }: Pair, x: Exchange): Promise<Identity | Rejection> {
    const { clock } = this.#env
    let outcome: LoginOutcome
    try {
      outcome = await askLogin({ name, password, address: x.clientAddress, device: undefined, request: x.id }, this.#env)
    } catch (thrown) {
      const fault = faultFrom(thrown)
      if (fault.code === 'internal') throw fault
      return storeUnavailable
    }
    if (outcome.kind === 'locked') return lockedFor(outcome.retryAfterMs)
    if (outcome.kind === 'full') return loginsFull
    const found = outcome.kind === 'refused' ? rejections['wrong-password'] : this.#identity(outcome)
    this.#memory.keep(key, found, clock.monotonic() + (found instanceof Rejection ? refusedMs : believedMs))
    return found
  }

  #identity({ account, generation }: Extract<LoginOutcome, { kind: 'proved' }>): Identity {
    const { subject, tenant, roles } = account
    const claims: Record<string, unknown> = Object.assign(Object.create(null) as Record<string, unknown>, { gen: generation })
    return new KnownIdentity({
      kind: 'basic',
      issuer: this.#spec.issuer,
      subject,
      tenant,
      client: undefined,
      scopes: scopesOfRoles(roles, this.#spec),
      roles,
      claims,
      expiresAt: Infinity,
      session: undefined,
      credentialId: undefined,
    })
  }
}

interface Pair {
  readonly name: string
  readonly password: string
}

/** User name and password (RFC 7617 §2), in UTF-8; control characters stand in neither. */
function pairOf(credential: string): Pair | undefined {
  if (credential.length > maxLength || !/^[A-Za-z0-9+/]+={0,2}$/.test(credential)) return undefined
  const bytes = Buffer.from(credential, 'base64')
  if (!isUtf8(bytes)) return undefined
  const text = bytes.toString('utf8')
  const colon = text.indexOf(':')
  // oxlint-disable-next-line no-control-regex -- those are what is looked for
  if (colon === -1 || /[\u0000-\u001f\u007f]/.test(text)) return undefined
  return { name: text.slice(0, colon), password: text.slice(colon + 1) }
}
