import { z } from 'zod'
import { credentialKinds } from '../core/identity.ts'
import type { CredentialKind } from '../core/identity.ts'
import { availableCredentials } from '../identity/authenticators.ts'
import type { AvailableCredential } from '../identity/authenticators.ts'
import { Authenticate } from './authenticate.ts'
import { Authorise } from './authorise.ts'
import { BindStreams } from './bind-streams.ts'
import { shadowing } from './in-shadow.ts'
import { LoginRedirect } from './login-redirect.ts'
import { ExternalAuth } from './external/external-auth.ts'
import { externalOption } from './external/external-options.ts'
import type { ExternalInput, ExternalOptions } from './external/external-options.ts'
import type { PolicyEnv, PolicyKind } from './policy-kind.ts'

/** A value that a claim must have, or several of which it must have one. */
export type ClaimInput = string | number | boolean | readonly (string | number | boolean)[]

/** `'public'` reads no credential at all. */
export type AuthInput =
  | 'public'
  | {
      /** Kinds of credentials that are accepted. The first one presented, in Velum's fixed order, is the one that counts. */
      readonly any?: readonly AvailableCredential[] | undefined
      /** Lets requests without any of these credentials pass anonymously; an invalid one is still refused. */
      readonly optional?: boolean | undefined
      /** Scopes the caller needs, all of them. */
      readonly scopes?: readonly string[] | undefined
      /** Roles of which the caller needs one. */
      readonly roles?: readonly string[] | undefined
      /** Claims of the caller's token, every one with this value or one of these. */
      readonly claims?: Readonly<Record<string, ClaimInput>> | undefined
      /** A service that decides whether a request may pass, after all else (forward auth); it may stand without `any`. */
      readonly external?: ExternalInput | undefined
      /** Decides and reports, but never refuses: everybody passes, known where they can be. Default: false. */
      readonly shadow?: boolean | undefined
    }

export interface ClaimNeed {
  readonly name: string
  readonly values: readonly (string | number | boolean)[]
}

export interface AuthOptions {
  readonly mode: 'public' | 'optional' | 'required'
  /** In the order in which a presented credential is chosen; empty only when public. */
  readonly any: readonly CredentialKind[]
  readonly scopes: readonly string[]
  readonly roles: readonly string[]
  readonly claims: readonly ClaimNeed[]
  /** A route's `onStoreFailure`, which stands beside its `auth`; 0 or absent: closed. */
  readonly staleMs?: number | undefined
  readonly shadow?: boolean | undefined
  /** Absent: nobody else is asked. */
  readonly external?: ExternalOptions | undefined
}

const claimValue = z.union([z.string(), z.number(), z.boolean()])
// RFC 6749 §3.3: a scope has no space, quote or backslash; one that had could never be granted.
const scopeOption = z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, { error: 'a scope is one word without quotes' })

const required = z.strictObject({
  any: z
    .array(z.enum(availableCredentials))
    .min(1)
    .readonly()
    .optional()
    .describe(
      `Kinds of credentials that are accepted. The first one presented counts, in this order: ${credentialKinds.join(', ')}; if it is invalid the answer is 401, whatever else was sent.`,
    ),
  optional: z
    .boolean()
    .optional()
    .describe('Lets requests without any of these credentials pass anonymously; an invalid one is still 401. Default: false.'),
  scopes: z.array(scopeOption).readonly().optional().describe('Scopes the caller needs, all of them. Default: none.'),
  roles: z.array(z.string().min(1)).readonly().optional().describe('Roles of which the caller needs one. Default: none needed.'),
  claims: z
    .record(z.string(), z.union([claimValue, z.array(claimValue).min(1).readonly()]))
    .optional()
    .describe(
      'Claims the token must have: each with this value, or one of those listed. A claim that is a list must hold such a value.',
    ),
  external: externalOption
    .optional()
    .describe('A service that decides whether a request may pass, after all else (forward auth). It may stand without `any`.'),
  shadow: z
    .boolean()
    .optional()
    .describe('Decides and reports, but never refuses: everybody passes, known where they can be. Default: false.'),
})

const options: z.ZodType<AuthOptions, AuthInput> = z
  .union([z.literal('public'), required])
  .transform((value, context): AuthOptions => {
    if (value === 'public') return { mode: 'public', any: [], scopes: [], roles: [], claims: [] }
    const scopes = value.scopes ?? []
    const roles = value.roles ?? []
    const claims = Object.entries(value.claims ?? {}).map(([name, wanted]) => ({
      name,
      values: Array.isArray(wanted) ? wanted : [wanted],
    }))
    const isOptional = value.optional === true
    if (isOptional && scopes.length + roles.length + claims.length > 0) {
      const remedy = 'leave optional out: whoever needs scopes, roles or claims must say who they are'
      context.addIssue({
        code: 'custom',
        path: ['optional'],
        message: 'an anonymous caller has no scopes, roles and claims',
        params: { remedy },
      })
    }
    const wanted: readonly CredentialKind[] = value.any ?? []
    const { shadow, external } = value
    if (wanted.length === 0) checkWithoutKinds(context, external, isOptional || scopes.length + roles.length + claims.length > 0)
    return {
      mode: isOptional ? 'optional' : 'required',
      any: credentialKinds.filter((kind) => wanted.includes(kind)),
      scopes,
      roles,
      claims,
      ...(external === undefined ? {} : { external }),
      ...(shadow === true ? { shadow } : {}),
    }
  })

function checkWithoutKinds(context: z.RefinementCtx, external: ExternalOptions | undefined, asksForMore: boolean): void {
  const issue = (message: string, remedy: string): void =>
    context.addIssue({ code: 'custom', path: ['any'], message, params: { remedy } })
  if (external === undefined) issue('"any" is missing', "say which credentials are accepted, such as any: ['bearer']")
  else if (asksForMore)
    issue('without `any` nobody is known who could hold something', 'add any, or leave the rest to the authoriser')
}

/** Who may call: two policies, one that establishes who is calling and one that asks whether they may. */
export const auth: PolicyKind<AuthOptions, AuthInput> = {
  name: 'auth',
  stage: 'authenticate',
  doc: 'Who may call: `public`, or the kinds of credentials that are accepted and what a caller must hold. Without a valid credential the answer is 401, without the scopes, roles or claims it is 403.',
  options,
  build(needs, env) {
    if (needs.mode === 'public') return undefined
    const authenticators = needs.any.map((kind) => {
      const authenticator = env.authenticators[kind]
      if (authenticator === undefined) throw new Error(`${env.source}.any: ${kind} is not available yet`)
      return authenticator
    })
    const authenticate =
      authenticators.length === 0 ? [] : [new Authenticate(authenticators, needs.mode === 'optional', needs.staleMs ?? 0, env)]
    const external = needs.external === undefined ? undefined : externalAuth(needs.external, needs.any, env)
    const binding = env.streams === undefined ? [] : [new BindStreams(env.streams, env.source)]
    const isOpen = needs.scopes.length + needs.roles.length + needs.claims.length === 0
    // Outside of who refuses, so that it sees the refusal.
    const { loginPath } = env
    const leading = needs.any.includes('session') && loginPath !== undefined ? [new LoginRedirect(loginPath, env.source)] : []
    const authorising = [...(isOpen ? [] : [new Authorise(needs, env)]), ...(external === undefined ? [] : [external])]
    const deciding = shadowing(needs.shadow === true, [...authenticate, ...authorising], env)
    return { policies: [...leading, ...deciding, ...binding], requestEdit: external?.requestEdit }
  },
}

function externalAuth(external: ExternalOptions, any: readonly CredentialKind[], env: PolicyEnv): ExternalAuth {
  if (env.askService === undefined) throw new Error(`${env.source}.external: there are no services to ask`)
  const send = external.send ?? (any.length === 0 ? ['authorization', 'cookie'] : [])
  return new ExternalAuth(external, send, env.askService(external.service), env)
}
