import type { CheckContext } from './check-context.ts'
import { namesOf } from './check-context.ts'
import { checkCost, costOf } from './check-limits.ts'
import type { CheckedLimit } from './check-limits.ts'
import type { ReadDefaults, ReadRoute } from './check-routes.ts'
import type { ConfigPath } from './finding.ts'
import { pathText } from './finding.ts'
import type { LimitUse } from './model.ts'
import { checkName } from './unknown-name.ts'

type Uses = NonNullable<ReadDefaults['limits']>

/** The limits that a route is charged: those of `defaults`, then its own; of one that both name the route's use counts. */
export function checkLimitUses(
  context: CheckContext,
  limits: ReadonlyMap<string, CheckedLimit>,
  i: number,
  own: ReadRoute['limits'],
  defaults: Uses | undefined,
): LimitUse[] {
  const isOnly = own !== undefined && !Array.isArray(own)
  const ownUses = own === undefined ? [] : Array.isArray(own) ? own : own.only
  const ownPath: ConfigPath = isOnly ? ['routes', i, 'limits', 'only'] : ['routes', i, 'limits']
  const uses = limitUses(context, limits, ownPath, ownUses, true)
  if (isOnly) return uses
  // Faults of the defaults are reported once, by `checkDefaultLimits`.
  const inherited = limitUses(context, limits, ['defaults', 'limits'], defaults ?? [], false)
  return [...inherited.filter(({ use }) => !uses.some((other) => other.use === use)), ...uses]
}

/** Says what is wrong with the limits of `defaults`, whether or not a route inherits them. */
export function checkDefaultLimits(context: CheckContext, limits: ReadonlyMap<string, CheckedLimit>, defaults: Uses): void {
  limitUses(context, limits, ['defaults', 'limits'], defaults, true)
}

/** The limits of a service. */
export function checkServiceLimits(
  context: CheckContext,
  limits: ReadonlyMap<string, CheckedLimit>,
  service: string,
  written: Uses,
): LimitUse[] {
  return limitUses(context, limits, ['services', service, 'limits'], written, true)
}

function limitUses(
  context: CheckContext,
  limits: ReadonlyMap<string, CheckedLimit>,
  path: ConfigPath,
  written: Uses,
  isReported: boolean,
): LimitUse[] {
  const known = namesOf(context, ['limits'])
  const uses: LimitUse[] = []
  for (const [i, entry] of written.entries()) {
    const { use, cost, shadow } = typeof entry === 'string' ? { use: entry, cost: undefined, shadow: undefined } : entry
    const at = [...path, i]
    const isTwice = uses.some((other) => other.use === use)
    if (isReported) {
      checkName(context.findings, typeof entry === 'string' ? at : [...at, 'use'], 'limit', use, known)
      if (isTwice) context.findings.error(at, `the limit "${use}" stands here twice`, 'keep one of the two')
    }
    const limit = limits.get(use)
    if (limit === undefined || isTwice) continue
    if (isReported) checkCost(context, [...at, 'cost'], limit.spec, cost)
    const taken = cost === undefined ? { cost: limit.cost, settle: limit.settle } : costOf(cost)
    uses.push({ use, ...taken, shadow: shadow ?? limit.spec.shadow, source: pathText(at) })
  }
  return uses
}
