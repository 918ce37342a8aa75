import type { Exchange } from '../core/exchange.ts'
import { headerBlock } from '../core/headers.ts'
import type { Identity } from '../core/identity.ts'
import type { Count } from '../core/meter.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import type { AuthOptions, ClaimNeed } from './auth.ts'
import type { PolicyEnv } from './policy-kind.ts'

const granted = pass('granted', () => 'The caller holds what is needed.')
const nobody = refuse('nobody', { name: 'unauthenticated', policy: 'auth' }, undefined, () => {
  return 'Nobody is known to be calling, so nothing is granted.'
})

/** Asks whether the caller who was established may call: all scopes, any one role, every claim. */
export class Authorise implements Policy {
  readonly name = 'auth'
  readonly stage = 'authorise'
  readonly source: string
  readonly #scopes: readonly string[]
  readonly #roles: readonly string[]
  readonly #claims: readonly ClaimNeed[]
  readonly #lacksScope: Verdict
  /** For bearer tokens, with the scopes that a new one would need (RFC 6750 §3.1). */
  readonly #tokenLacksScope: Verdict
  readonly #lacksRole: Verdict
  readonly #lacksClaim: Verdict
  readonly #forbidden: Count

  constructor({ scopes, roles, claims }: AuthOptions, env: PolicyEnv) {
    this.source = env.source
    this.#scopes = scopes
    this.#roles = roles
    this.#claims = claims
    const scopeRule = `${env.source}.scopes`
    const scopeWords = (): string => `Needs the scopes ${scopes.join(', ')}.`
    const challenge = `Bearer realm="api", error="insufficient_scope", scope="${scopes.join(' ')}"`
    const headers = headerBlock([['www-authenticate', challenge]])
    this.#lacksScope = refuse('missing-scope', { name: 'forbidden', policy: 'auth' }, undefined, scopeWords, scopeRule)
    this.#tokenLacksScope = refuse(
      'missing-scope',
      { name: 'forbidden', policy: 'auth', headers },
      undefined,
      scopeWords,
      scopeRule,
    )
    this.#lacksRole = refuse(
      'missing-role',
      { name: 'forbidden', policy: 'auth' },
      undefined,
      () => `Needs one of the roles ${roles.join(', ')}.`,
      `${env.source}.roles`,
    )
    this.#lacksClaim = refuse(
      'other-claim',
      { name: 'forbidden', policy: 'auth' },
      undefined,
      () => `Needs the claims ${claims.map(({ name, values }) => `${name} (${values.join(' or ')})`).join(', ')}.`,
      `${env.source}.claims`,
    )
    this.#forbidden = env.meter.counter(
      'velum_auth_forbidden_total',
      'Requests of known callers who lack a scope, role or claim.',
      {
        route: env.route.name,
      },
    )
  }

  decide(x: Exchange, mode: DecideMode): Verdict {
    const identity = x.identity
    if (identity === undefined) return nobody
    const verdict = this.#judge(identity)
    if (verdict.refusal !== undefined && mode === 'charge') this.#forbidden.add()
    return verdict
  }

  #judge(identity: Identity): Verdict {
    for (const scope of this.#scopes) {
      if (!identity.scopes.includes(scope)) return identity.kind === 'bearer' ? this.#tokenLacksScope : this.#lacksScope
    }
    if (this.#roles.length > 0 && !holdsOne(identity.roles, this.#roles)) return this.#lacksRole
    for (const { name, values } of this.#claims) if (!fits(identity.claims[name], values)) return this.#lacksClaim
    return granted
  }
}

function holdsOne(held: readonly unknown[], wanted: readonly unknown[]): boolean {
  for (const value of wanted) if (held.includes(value)) return true
  return false
}

/** A claim fits by being one of the values, or by being a list that holds one. */
function fits(claim: unknown, values: readonly (string | number | boolean)[]): boolean {
  return Array.isArray(claim) ? holdsOne(claim, values) : values.includes(claim as string)
}
