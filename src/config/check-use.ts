import type { CredentialKind } from '../core/identity.ts'
import type { CustomUse } from '../policies/custom.ts'
import type { CheckContext } from './check-context.ts'
import { checkCache } from './check-cache.ts'
import { checkExternal } from './check-external.ts'
import { issuerRemedy } from './check-own-issuer.ts'
import type { GatewayModel, RouteModel } from './model.ts'

/** What is in order by itself and yet makes no sense together: parts that nobody uses, callers that nobody can be. */
export function checkUse(context: CheckContext, model: Omit<GatewayModel, 'hash'>): void {
  const { findings } = context
  checkCredentials(context, model)
  checkConnectionsAreSafe(context, model)
  checkPriorities(context, model)
  checkCache(context, model)
  checkExternal(context, model)
  checkCustomPolicies(context, model)
  const services = new Set(
    model.routes.flatMap(({ action }) =>
      action.kind === 'to'
        ? [...action.services.map(({ service }) => service), ...(action.mirror === undefined ? [] : [action.mirror])]
        : [],
    ),
  )
  for (const { auth } of model.routes) if (auth.external !== undefined) services.add(auth.external.service)
  for (const { name } of model.services) {
    if (!services.has(name)) findings.warn(['services', name], 'no route leads to this service', 'remove it, or add a route')
  }
  const limits = new Set([
    ...model.routes.flatMap((route) => route.limits.map(({ use }) => use)),
    ...model.listeners.flatMap((listener) => listener.edgeLimits.map(({ use }) => use)),
    ...model.services.flatMap(({ limits: uses }) => (uses ?? []).map(({ use }) => use)),
  ])
  for (const { name } of model.limits) {
    if (!limits.has(name))
      findings.warn(
        ['limits', name],
        'nothing uses this limit',
        "remove it, or name it in limits of a route, of defaults, of a service or of a listener's edge",
      )
  }
}

/** Modules that stand on no route. */
function checkCustomPolicies({ findings }: CheckContext, { policies = [], routes }: Omit<GatewayModel, 'hash'>): void {
  const used = new Set(
    routes.flatMap((route) =>
      route.policies.flatMap(({ policy, options }) =>
        policy === 'policies' ? (options as CustomUse[]).map(({ use }) => use) : [],
      ),
    ),
  )
  for (const { name } of policies) {
    if (!used.has(name))
      findings.warn(['policies', name], 'no route uses this policy', 'remove it, or name it in policies of a route')
  }
}

function checkCredentials(context: CheckContext, model: Omit<GatewayModel, 'hash'>): void {
  const { trustedIssuers, apiKeys, own, certificates = [] } = model.identity
  const missing = new Map<CredentialKind, string>()
  if (trustedIssuers.length === 0 && own === undefined) {
    missing.set('bearer', 'add the issuer of the tokens to identity.trustedIssuers, or identity.issuer for tokens of this gateway')
  }
  if (own === undefined) missing.set('session', issuerRemedy)
  if (own === undefined) missing.set('basic', issuerRemedy)
  if (apiKeys.length === 0 && own === undefined)
    missing.set('api-key', 'add a key to identity.apiKeys, or identity.issuer for keys made by `velum key create`')
  if (!model.listeners.some(({ tls }) => tls?.clientCertificates !== undefined))
    missing.set('client-certificate', 'add clientCertificates to the tls of a listener')
  else if (certificates.length === 0) missing.set('client-certificate', 'say in identity.certificates whom they stand for')
  const told = new Set<string>()
  for (const route of model.routes) {
    if (route.auth.mode === 'public' || route.auth.any.length === 0) continue
    const at = authPath(route)
    if (told.has(route.auth.source)) continue
    told.add(route.auth.source)
    const lacking = route.auth.any.filter((kind) => missing.has(kind))
    const remedy = lacking.map((kind) => missing.get(kind)).join('; ')
    if (lacking.length === route.auth.any.length && route.auth.mode === 'required') {
      context.findings.error(at, `nobody could ever pass: no ${lacking.join(' or ')} that is presented can be valid`, remedy)
    } else {
      for (const kind of lacking) context.findings.warn(at, `no ${kind} that is presented can be valid`, missing.get(kind)!)
    }
  }
}

/**
 * The cookie of a session only exists over https (`__Host-`), and a password that travels without it is everybody's: TLS is
 * terminated here, or at a proxy that is trusted to say so.
 */
function checkConnectionsAreSafe({ findings }: CheckContext, model: Omit<GatewayModel, 'hash'>): void {
  if (model.trustedProxies.length > 0) return
  const isUsed = (kind: CredentialKind): boolean =>
    model.routes.some(({ auth }) => auth.mode !== 'public' && auth.any.includes(kind))
  const message = isUsed('session')
    ? 'routes accept sessions, whose cookie no browser sends without TLS'
    : isUsed('basic')
      ? 'routes accept basic, whose passwords anybody on the way could read without TLS'
      : undefined
  if (message === undefined) return
  for (const { name, tls, redirectPort } of model.listeners) {
    if (tls !== undefined || redirectPort !== undefined) continue
    findings.error(
      ['listeners', name],
      message,
      'give the listener tls, or redirect it to one that has it; or name the proxy that terminates TLS in trustedProxies',
    )
  }
}

/** Priorities mean something only where capacity is known to be short. */
function checkPriorities({ findings, reading }: CheckContext, { routes, services }: Omit<GatewayModel, 'hash'>): void {
  const bounded = new Set(services.filter(({ concurrency }) => concurrency !== undefined).map(({ name }) => name))
  for (const route of routes) {
    const at = ['routes', routeNumber(route), 'priority']
    if (reading.at(at) === undefined) continue
    if (route.action.kind === 'to' && route.action.services.some(({ service }) => bounded.has(service))) continue
    findings.warn(
      at,
      'the priority changes nothing: no service of this route has `concurrency`',
      'give the service `concurrency`, such as `adaptive`, or remove the priority',
    )
  }
}

function authPath(route: RouteModel): (string | number)[] {
  if (route.auth.source === 'defaults.auth') return ['defaults', 'auth', 'any']
  return ['routes', routeNumber(route), 'auth', 'any']
}

function routeNumber(route: RouteModel): number {
  return Number(/\d+/.exec(route.source)?.[0])
}
