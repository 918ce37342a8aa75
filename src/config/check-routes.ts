import { z } from 'zod'
import { checkAction } from './check-action.ts'
import type { CheckContext } from './check-context.ts'
import type { CheckedLimit } from './check-limits.ts'
import { checkDefaultLimits, checkLimitUses } from './check-limit-uses.ts'
import { checkMatch } from './check-match.ts'
import type { CheckMemory } from './check-memory.ts'
import { RouteRound } from './check-memory.ts'
import { checkPolicies } from './check-policies.ts'
import { checkTable } from './check-table.ts'
import type { RouteModel } from './model.ts'
import type { Fields } from './reading.ts'
import { defaultsSchema, routeSchema } from './schema/routes.ts'

/** A route's match is read for itself, so that one fault hides no other. */
const routeFields = routeSchema.extend({ match: z.unknown() })

/** What could be read of a route and of the defaults; the policies among it are each policy's own. */
export type ReadRoute = Fields<typeof routeFields>
export type ReadDefaults = Fields<typeof defaultsSchema>

/** What routes may name. */
export interface RouteNames {
  readonly services: readonly string[]
  readonly limits: ReadonlyMap<string, CheckedLimit>
  /** Below it no route may lie; undefined when nothing is reserved. */
  readonly reservedPath: string | undefined
}

/** The routes: each for itself, then all of them against each other. `memory`: what is known of the check before this one. */
export function checkRoutes(context: CheckContext, names: RouteNames, memory: CheckMemory | undefined): RouteModel[] {
  const { reading, findings } = context
  const written = reading.at(['routes'])
  if (written === undefined) {
    findings.error(['routes'], '"routes" is missing', 'add it: a list of routes')
    return []
  }
  const list = reading.read(z.array(z.unknown()), ['routes']) ?? []
  if (Array.isArray(written) && written.length === 0) {
    findings.warn(['routes'], 'there is no route, so every request is answered with 404', 'add a route')
  }
  const defaults = (reading.at(['defaults']) === undefined ? undefined : reading.readFields(defaultsSchema, ['defaults'])) ?? {}
  if (defaults.limits !== undefined) checkDefaultLimits(context, names.limits, defaults.limits)
  const models: RouteModel[] = []
  const seen = new Map<string, number>()
  const round = new RouteRound(context, memory)
  for (const [i, one] of list.entries()) {
    const known = round.known(i, one)
    if (known !== undefined) checkRouteName(context, i, known.name === '' ? undefined : known.name, seen)
    const model =
      known ??
      round.checked(i, one, (watched) => {
        const route = reading.readFields(routeFields, ['routes', i])
        if (route === undefined) return undefined
        checkRouteName(context, i, route.name, seen)
        return routeModel(watched, names, i, route, defaults)
      })
    if (model !== undefined) models.push(model)
  }
  round.together(models, names.reservedPath, () => checkTable(context, models, names.reservedPath))
  return models
}

function checkRouteName(context: CheckContext, i: number, name: string | undefined, seen: Map<string, number>): void {
  if (name === undefined) return
  const first = seen.get(name)
  if (first === undefined) seen.set(name, i)
  else context.findings.error(['routes', i, 'name'], `routes[${first}] is named "${name}" already`, 'give each route its own name')
}

function routeModel(
  context: CheckContext,
  names: RouteNames,
  i: number,
  route: ReadRoute,
  defaults: ReadDefaults,
): RouteModel | undefined {
  const match = checkMatch(context, ['routes', i, 'match'])
  const action = checkAction(context, ['routes', i], route, match, names.services)
  const limits = checkLimitUses(context, names.limits, i, route.limits, defaults.limits)
  const policies = checkPolicies(context, i, route, defaults)
  if (match === undefined || action === undefined || policies === undefined) return undefined
  return {
    name: route.name ?? '',
    source: `routes[${i}]`,
    match: isBridged(action) ? { ...match, allow: [...new Set([...match.allow, 'encoded-slash' as const])] } : match,
    action,
    auth: { ...policies.auth, staleMs: staleMsOf(route.onStoreFailure ?? defaults.onStoreFailure) },
    limits,
    priority: route.priority ?? defaults.priority ?? 'default',
    policies: policies.uses,
    timeoutMs: route.timeout ?? defaults.timeout ?? Infinity,
    deadlineMs: route.deadline ?? defaults.deadline,
    maxBodyBytes: policies.maxBodyBytes,
  }
}

/** Rules of HTTP may capture a slash inside of a segment, so bridges tell it from a real one themselves. */
function isBridged(action: RouteModel['action']): boolean {
  return action.kind === 'to' && action.bridges !== undefined && action.bridges.length > 0
}

function staleMsOf(written: 'closed' | { readonly stale: number } | undefined): number {
  return written === undefined || written === 'closed' ? 0 : written.stale
}
