import type { z } from 'zod'
import type { BuildEnv } from '../core/build-env.ts'
import type { Policy, Stage } from '../core/policy.ts'
import type { RequestEdit } from '../core/request-edits.ts'
import type { Authenticators } from '../identity/authenticators.ts'
import type { LiveStreams } from '../identity/live-streams.ts'
import type { CustomPolicies } from './custom.ts'
import type { AskService } from './service-ask.ts'
import type { Shape } from './shapes/shape.ts'
import { isObject } from '../lib/is-object.ts'

/** What a policy of one route is built with. */
export interface PolicyEnv extends BuildEnv {
  /** Where its options stand in the configuration: `routes[2].cors`. */
  readonly source: string
  readonly route: {
    readonly name: string
    readonly index: number
    /** Whether it accepts what browsers send along by themselves, a session for one. */
    readonly acceptsSession?: boolean | undefined
    readonly shape?: string | undefined
  }
  /** How callers are recognised; one for all routes of a Generation. */
  readonly authenticators: Authenticators
  /** Origins whose pages may act with a session, besides the one that a request is sent to. */
  readonly trustedOrigins?: readonly string[] | undefined
  /** Where people log in; absent where nobody can. */
  readonly loginPath?: string | undefined
  /** What requests are checked by, by digest; absent: nothing. */
  readonly shapes?: ReadonlyMap<string, Shape> | undefined
  /** What the modules of custom policies export; absent: none is loaded. */
  readonly customPolicies?: CustomPolicies | undefined
  /** One number, seen by main: which custom policy runs (`policyMark`), 0 for none; absent: nobody looks. */
  readonly running?: Float64Array | undefined
  /** How a service is asked about an exchange, by its name; absent where there are no services. */
  readonly askService?: ((name: string) => AskService) | undefined
  /** What binds answers that go on to their callers; absent where nobody can be revoked. */
  readonly streams?: LiveStreams | undefined
}

/** What a route gains by a policy: deciders on its path, and a change to what its service sees. */
export interface Built {
  readonly policies: readonly Policy[]
  readonly requestEdit?: RequestEdit | undefined
  /** What has to be known before the first request; a rejection keeps the Generation from being served. */
  readonly ready?: Promise<void> | undefined
}

/**
 * A policy file's one export: how its options are written, checked and made into policies. `Input` is what a user
 * writes, `Options` the checked form: plain cloneable data with every default filled in.
 *
 * A schema reports what zod cannot say as a custom issue whose `params.remedy` tells what would be right.
 */
export interface PolicyKind<Options = unknown, Input = unknown> {
  /** Its key on a route and in `defaults`, kebab-case. */
  readonly name: string
  /** Where its first policy stands in the safe order. */
  readonly stage: Stage
  /** What it is for: a paragraph of the reference manual. */
  readonly doc: string
  readonly options: z.ZodType<Options, Input>
  /** How a route's value joins the one in `defaults`; absent: it replaces it. Both are as the user wrote them. */
  merge?(defaults: Input, own: Input): Input
  /** Undefined when these options ask for nothing. Throws only what `options` and config checks could not see. */
  build(options: Options, env: PolicyEnv): Built | undefined
}

/** Objects joined by key at every depth; anything else of `own` replaces what `defaults` says. */
export function mergeByKey(defaults: unknown, own: unknown): unknown {
  if (!isObject(defaults) || !isObject(own)) return own
  const merged = new Map(Object.entries(defaults))
  for (const [key, value] of Object.entries(own)) merged.set(key, merged.has(key) ? mergeByKey(merged.get(key), value) : value)
  return Object.fromEntries(merged)
}
