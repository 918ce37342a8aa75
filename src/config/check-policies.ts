import type { AddressesOptions } from '../policies/addresses.ts'
import type { BodyOptions } from '../policies/body.ts'
import { isSentAlong } from '../policies/csrf.ts'
import type { CustomUse } from '../policies/custom.ts'
import { policyKinds } from '../policies/list.ts'
import type { PolicyKind } from '../policies/policy-kind.ts'
import { checkBody } from './body-shapes.ts'
import { checkAddresses } from './check-addresses.ts'
import { checkCustomUses } from './check-custom.ts'
import type { CheckContext } from './check-context.ts'
import type { ReadDefaults, ReadRoute } from './check-routes.ts'
import { pathText } from './finding.ts'
import type { AuthModel, PolicyUse } from './model.ts'

/** What a route's policy keys come to, with the defaults joined in. */
export interface CheckedPolicies {
  readonly auth: Omit<AuthModel, 'staleMs'>
  readonly uses: readonly PolicyUse[]
  readonly maxBodyBytes: number
}

/** The policies of one route; undefined, with findings, when there is no auth or something joined badly. */
export function checkPolicies(
  context: CheckContext,
  i: number,
  route: ReadRoute,
  defaults: ReadDefaults,
): CheckedPolicies | undefined {
  const uses: PolicyUse[] = []
  let isGood = true
  for (const kind of policyKinds) {
    const use = policyUse(context, kind, i, route, defaults) ?? policyByItself(kind, i, uses)
    if (use === 'faulty') isGood = false
    else if (use !== undefined) uses.push(use)
  }
  const auth = uses.find(({ policy }) => policy === 'auth')
  if (auth === undefined && isGood) {
    context.findings.error(
      ['routes', i, 'auth'],
      'the route does not say who may call it, and nothing is public by omission',
      "add auth: { any: ['bearer'] } or auth: 'public' here, or to defaults",
    )
  }
  if (auth === undefined || !isGood) return undefined
  const at = uses.findIndex(({ policy }) => policy === 'body')
  const body = uses[at].options as BodyOptions
  uses[at] = { ...uses[at], options: checkBody(context, i, body) }
  const listed = uses.findIndex(({ policy }) => policy === 'addresses')
  if (listed !== -1)
    uses[listed] = { ...uses[listed], options: checkAddresses(context, i, uses[listed].options as AddressesOptions) }
  const own = uses.findIndex(({ policy }) => policy === 'policies')
  if (own !== -1) uses[own] = { ...uses[own], options: checkCustomUses(context, i, uses[own].options as readonly CustomUse[]) }
  return {
    auth: { ...(auth.options as Omit<AuthModel, 'source' | 'staleMs'>), source: auth.source },
    uses: uses.filter((use) => use !== auth),
    maxBodyBytes: body.maxBytes,
  }
}

function policyUse(
  context: CheckContext,
  kind: PolicyKind,
  i: number,
  route: ReadRoute,
  defaults: ReadDefaults,
): PolicyUse | 'faulty' | undefined {
  const { reading } = context
  const ownPath = ['routes', i, kind.name]
  const defaultPath = ['defaults', kind.name]
  const own = reading.at(ownPath)
  const inherited = reading.at(defaultPath)
  const readOwn = (route as Record<string, unknown>)[kind.name]
  const readDefault = (defaults as Record<string, unknown>)[kind.name]
  // What does not fit by itself has been said where it stands.
  if ((own !== undefined && readOwn === undefined) || (inherited !== undefined && readDefault === undefined)) return 'faulty'
  if (own !== undefined && inherited !== undefined && kind.merge !== undefined) {
    const options = reading.readValue(kind.options, kind.merge(inherited, own), ownPath)
    return options === undefined ? 'faulty' : { policy: kind.name, options, source: pathText(ownPath) }
  }
  if (own !== undefined) return { policy: kind.name, options: readOwn, source: pathText(ownPath) }
  if (inherited !== undefined) return { policy: kind.name, options: readDefault, source: pathText(defaultPath) }
  return undefined
}

/** What holds on routes that say nothing of it: the bound on request bodies, and CSRF protection where browsers send the credential. */
function policyByItself(kind: PolicyKind, i: number, uses: readonly PolicyUse[]): PolicyUse | undefined {
  const auth = uses.find(({ policy }) => policy === 'auth')?.options as Pick<AuthModel, 'any'> | undefined
  const isNeeded = kind.name === 'body' || (kind.name === 'csrf' && auth !== undefined && isSentAlong(auth.any))
  return isNeeded ? { policy: kind.name, options: kind.options.parse({}), source: pathText(['routes', i, kind.name]) } : undefined
}
