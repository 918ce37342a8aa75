import { mergeBody, mergeHeaders, mergePolicies } from '../policies/merge-options.ts'
import { mergeByKey } from '../policies/policy-kind.ts'
import type { FloorInput } from './floor-input.ts'
import type { DefaultsInput, GatewayInput } from './input.ts'
import type { FloorLimit, PlatformInput, TeamGatewayInput } from './platform-input.ts'

/** What teams declare their gateways with. */
export interface Platform<F extends FloorInput> {
  /** A team's gateway on the platform's defaults and limits, with the floor that `velum check` holds it to. Plain data. */
  gateway<S extends string = never, L extends string = never>(config: TeamGatewayInput<F, S, L>): GatewayInput<S, L | FloorLimit<F>>
}

/**
 * Declares what all gateways of a house have in common: `defaults`, which a team may replace, and a `floor`, which it may
 * only raise. What the floor asks for a gateway has by itself where neither says more; what is looser is an error of
 * `velum check`, and where it can be seen in the types, of the compiler.
 */
export function definePlatform<const F extends FloorInput>({ defaults, floor }: PlatformInput<F>): Platform<F> {
  const below = joined(defaultsOf(floor), defaults ?? {})
  return {
    gateway: <S extends string, L extends string>(config: TeamGatewayInput<F, S, L>) =>
      ({
        ...config,
        limits: { ...floor.limits, ...config.limits },
        defaults: joined(below, config.defaults ?? {}),
        // The types let no team bring one. What a program brings all the same adds to it and takes nothing away.
        floor: { ...(config.floor as FloorInput | undefined), ...floor },
      }) as unknown as GatewayInput<S, L | FloorLimit<F>>,
  }
}

type Defaults = DefaultsInput

/** What a floor asks of routes, as defaults that satisfy it. */
function defaultsOf({ auth, onStoreFailure, limits, headers, body, csrf, addresses, timeout, deadline }: FloorInput): Defaults {
  return {
    ...(typeof auth === 'object' ? { auth } : {}),
    ...(onStoreFailure === undefined ? {} : { onStoreFailure }),
    ...(limits === undefined ? {} : { limits: Object.keys(limits) }),
    ...(headers === undefined ? {} : { headers }),
    ...(body?.max === undefined ? {} : { body: { max: body.max } }),
    ...(csrf?.origins === undefined ? {} : { csrf: { origins: csrf.origins } }),
    ...(addresses === undefined ? {} : { addresses }),
    ...(timeout === undefined ? {} : { timeout }),
    ...(deadline === undefined ? {} : { deadline }),
  }
}

/** How a key of `defaults` joins the one below it; any other replaces it. */
const joins: Partial<Record<keyof Defaults, (below: never, own: never) => unknown>> = {
  limits: joinedLimits,
  headers: mergeHeaders,
  body: mergeBody,
  policies: mergePolicies,
  csrf: mergeByKey,
  cache: mergeByKey,
  compress: mergeByKey,
}

/** Defaults on defaults, as a route's own stand on those of its gateway. */
function joined(below: Defaults, own: Defaults): Defaults {
  const made: Record<string, unknown> = { ...below }
  for (const key of Object.keys(own) as (keyof Defaults)[]) {
    if (own[key] === undefined) continue
    const join = below[key] === undefined ? undefined : joins[key]
    made[key] = join === undefined ? own[key] : join(below[key] as never, own[key] as never)
  }
  return made
}

type Limits = NonNullable<Defaults['limits']>

/** All of both; of one that both name, the upper use counts. What is no list is for the check to say. */
function joinedLimits(below: Limits, own: Limits): unknown {
  if (!Array.isArray(own)) return own
  const names = new Set(own.map(limitName))
  return [...below.filter((use) => !names.has(limitName(use))), ...own]
}

function limitName(use: Limits[number]): string {
  return typeof use === 'string' ? use : use?.use
}
