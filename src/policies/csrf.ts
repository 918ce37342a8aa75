import { z } from 'zod'
import type { Exchange } from '../core/exchange.ts'
import type { CredentialKind } from '../core/identity.ts'
import type { Count } from '../core/meter.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import { isCrossSite } from '../identity/cross-site.ts'
import { isTrustableOrigin, originRemedy } from '../lib/origin.ts'
import { mergeByKey } from './policy-kind.ts'
import type { PolicyEnv, PolicyKind } from './policy-kind.ts'

/** How requests that pages of other sites cause are told apart. On by itself wherever browsers send the credential along. */
export interface CsrfInput {
  /** Further origins whose pages may act with a caller's session. Default: none besides `identity.trustedOrigins`. */
  readonly origins?: readonly string[] | undefined
  /** Decides and reports, but never refuses. */
  readonly shadow?: boolean | undefined
}

export interface CsrfOptions {
  readonly origins: readonly string[]
  readonly shadow: boolean
}

const originOption: z.ZodType<string, string> = z
  .string()
  .meta({ examples: ['https://app.example.com'] })
  .superRefine((text, context) => {
    if (isTrustableOrigin(text)) return
    context.addIssue({
      code: 'custom',
      message: `${JSON.stringify(text.slice(0, 60))} is not an origin`,
      params: { remedy: originRemedy },
    })
  })

const options: z.ZodType<CsrfOptions, CsrfInput> = z
  .strictObject({
    origins: z
      .array(originOption)
      .readonly()
      .optional()
      .describe("Further origins whose pages may act with a caller's session. Default: none besides `identity.trustedOrigins`."),
    shadow: z.boolean().optional().describe('Decides and reports, but never refuses. Default: false.'),
  })
  .transform(({ origins = [], shadow = false }): CsrfOptions => ({ origins, shadow }))

/** Keeps pages of other sites from acting with the session that a browser sends along. */
export const csrf: PolicyKind<CsrfOptions, CsrfInput> = {
  name: 'csrf',
  stage: 'csrf',
  doc: 'Keeps pages of other sites from acting with the session of whoever visits them. On by itself wherever `session`, `basic` or `client-certificate` is accepted, which browsers send along by themselves: what may change something, and every upgrade, must come from a page of this very origin or of a listed one, as the browser says (Fetch Metadata, else Origin or Referer).',
  options,
  merge: (defaults, own) => mergeByKey(defaults, own) as CsrfInput,
  build: (wanted, env) => (env.route.acceptsSession === true ? { policies: [new Csrf(wanted, env)] } : undefined),
}

const safe = pass('safe-method', () => 'The method changes nothing, and nothing is upgraded.')
const other = pass('no-session', () => 'The caller is not known by what browsers send along, so no page can act in their name.')
const own = pass('own-page', () => 'The browser says that the request comes from this origin, a listed one, or its user.')
const words = (): string =>
  'The request comes with what a browser sends along by itself, and is caused, or may be, by a page of another site.'

/** What a browser presents to whoever a page of any site sends it to. */
const sentAlong: ReadonlySet<CredentialKind> = new Set<CredentialKind>(['session', 'basic', 'client-certificate'])

/** Whether pages of other sites could act in the name of callers of these kinds. */
export function isSentAlong(kinds: readonly CredentialKind[]): boolean {
  return kinds.some((kind) => sentAlong.has(kind))
}

class Csrf implements Policy {
  readonly name = 'csrf'
  readonly stage = 'csrf'
  readonly source: string
  readonly #origins: readonly string[]
  readonly #foreign: Verdict
  readonly #refusals: Count

  constructor({ origins, shadow }: CsrfOptions, env: PolicyEnv) {
    this.source = env.source
    this.#origins = [...(env.trustedOrigins ?? []), ...origins]
    const problem = { name: 'cross-site', policy: 'csrf' } as const
    this.#foreign = shadow ? { ...pass('cross-site', words), shadowed: problem } : refuse('cross-site', problem, undefined, words)
    this.#refusals = env.meter.counter(
      'velum_csrf_refusals_total',
      'Requests with a session that come from pages of other sites.',
      {
        route: env.route.name,
        shadow: String(shadow),
      },
    )
  }

  decide(x: Exchange, mode: DecideMode): Verdict {
    // A WebSocket is asked for by GET and may do anything afterwards.
    if ((x.method === 'GET' || x.method === 'HEAD' || x.method === 'OPTIONS') && x.upgrade === undefined) return safe
    const kind = x.identity?.kind
    if (kind === undefined || !sentAlong.has(kind)) return other
    // Programs know neither Origin nor Fetch Metadata: of those with a session cookie there are none.
    if (!isCrossSite(x, this.#origins, kind === 'session')) return own
    if (mode === 'charge') this.#refusals.add()
    return this.#foreign
  }
}
