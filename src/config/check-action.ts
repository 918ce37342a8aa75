import { headerBlock } from '../core/headers.ts'
import { PatternError } from '../routing/path-pattern.ts'
import { compileRedirect, compileRewrite } from '../routing/rewrite.ts'
import type { QueryEdits } from '../routing/rewrite-query.ts'
import { compileQueryRewrite } from '../routing/rewrite-query.ts'
import type { RouteMatch } from '../routing/route-match.ts'
import { checkBridges } from './check-bridges.ts'
import { checkGuard } from './check-graphql.ts'
import type { CheckContext } from './check-context.ts'
import type { ReadRoute } from './check-routes.ts'
import type { ConfigPath } from './finding.ts'
import type { RewriteQueryInput } from './input.ts'
import type { RedirectAction, RespondAction, RouteModel, ToAction } from './model.ts'
import { checkName } from './unknown-name.ts'

const actions = ['to', 'redirect', 'respond'] as const

/** Where a route leads: exactly one of `to`, `redirect`, `respond`. Undefined, with findings, when that is not clear. */
export function checkAction(
  context: CheckContext,
  path: ConfigPath,
  route: ReadRoute,
  match: RouteMatch | undefined,
  services: readonly string[],
): RouteModel['action'] | undefined {
  const { findings, reading } = context
  const given = actions.filter((key) => reading.at([...path, key]) !== undefined)
  if (given.length !== 1) {
    const message = given.length === 0 ? 'the route leads nowhere' : `the route has ${given.join(' and ')}`
    findings.error(path, message, "give it exactly one of to (a service's name), redirect, respond")
    return undefined
  }
  if (given[0] !== 'to') {
    for (const key of ['rewrite', 'split', 'mirror', 'bridge', 'graphql'] as const) {
      if (reading.at([...path, key]) !== undefined)
        findings.error([...path, key], `${key} does nothing without to`, `remove it, or send the route to a service`)
    }
  }
  if (route.redirect !== undefined) return redirectAction(context, [...path, 'redirect', 'to'], route.redirect, match)
  if (route.respond !== undefined) return respondAction(context, [...path, 'respond'], route.respond)
  return route.to === undefined ? undefined : toAction(context, path, route.to, route, match, services)
}

function toAction(
  context: CheckContext,
  path: ConfigPath,
  to: NonNullable<ReadRoute['to']>,
  route: ReadRoute,
  match: RouteMatch | undefined,
  known: readonly string[],
): ToAction {
  const { findings } = context
  const shares = typeof to === 'string' ? [{ service: to, weight: 1 }] : to
  for (const [i, { service }] of shares.entries()) {
    const at = typeof to === 'string' ? [...path, 'to'] : [...path, 'to', i, 'service']
    checkName(findings, at, 'service', service, known)
    if (shares.findIndex((other) => other.service === service) < i)
      findings.error(at, `the service "${service}" stands here twice`, 'keep one of the two')
  }
  if (shares.every(({ weight }) => weight === 0)) {
    findings.error([...path, 'to'], 'every service has weight 0, so none would get a request', 'give at least one a weight above 0')
  }
  if (route.split !== undefined && shares.length < 2) {
    findings.warn(
      [...path, 'split'],
      'there is nothing to split: the route leads to one service',
      'remove split, or list several services in to',
    )
  }
  const { mirror, rewrite } = route
  if (mirror !== undefined) {
    const at = [...path, 'mirror']
    checkName(findings, at, 'service', mirror, known)
    if (shares.some(({ service }) => service === mirror))
      findings.error(at, `the route leads to "${mirror}" already`, 'mirror to another service, or remove mirror')
  }
  if (rewrite?.path !== undefined && match !== undefined) {
    checkTemplate(context, [...path, 'rewrite', 'path'], () => compileRewrite(rewrite.path!, match))
  }
  if (rewrite?.host !== undefined && !/^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?$/.test(rewrite.host)) {
    const at = [...path, 'rewrite', 'host']
    findings.error(
      at,
      `${context.reading.show(rewrite.host, at)} is not a host`,
      'write a host name, with a port if need be: orders.internal:8080',
    )
  }
  const query = rewrite?.query === undefined ? undefined : queryEdits(rewrite.query)
  if (query !== undefined && match !== undefined) {
    for (const [name, value] of query.set) {
      const at = [...path, 'rewrite', 'query', 'set', name]
      checkTemplate(context, at, () => compileQueryRewrite({ remove: [], set: [[name, value]] }, match))
    }
  }
  return {
    kind: 'to',
    services: shares,
    split: route.split ?? 'request',
    mirror,
    rewrite:
      rewrite === undefined
        ? undefined
        : { path: rewrite.path, host: rewrite.host?.toLowerCase(), ...(query === undefined ? {} : { query }) },
    ...(route.graphql === undefined ? {} : { graphql: checkGuard(context, [...path, 'graphql'], route.graphql, route) }),
    ...(route.bridge === undefined ? {} : { bridges: checkBridges(context, [...path, 'bridge'], route, shares) }),
  }
}

function queryEdits({ only, remove = [], set = {} }: RewriteQueryInput): QueryEdits {
  return { ...(only === undefined ? {} : { only }), remove, set: Object.entries(set) }
}

function redirectAction(
  context: CheckContext,
  path: ConfigPath,
  redirect: NonNullable<ReadRoute['redirect']>,
  match: RouteMatch | undefined,
): RedirectAction {
  if (match !== undefined) checkTemplate(context, path, () => compileRedirect(redirect.to, match))
  return { kind: 'redirect', to: redirect.to, status: redirect.status ?? 308 }
}

function respondAction(context: CheckContext, path: ConfigPath, respond: NonNullable<ReadRoute['respond']>): RespondAction {
  const headers = Object.entries(respond.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const)
  for (const [name, value] of headers) {
    const at = [...path, 'headers', name]
    if (framing.has(name)) {
      context.findings.error(at, `${name} is the wire's own`, 'remove it')
      continue
    }
    try {
      headerBlock([[name, value]])
    } catch (thrown) {
      context.findings.error(
        at,
        thrown instanceof Error ? thrown.message : String(thrown),
        "use a header's name, and a value of printable characters without spaces at its ends",
      )
    }
  }
  const body = respond.body ?? ''
  if (body !== '' && (respond.status === 204 || respond.status === 304)) {
    context.findings.error(
      [...path, 'body'],
      `an answer with status ${respond.status} has no content`,
      'remove body, or choose another status',
    )
  }
  // A text without a type would be guessed at by browsers.
  if (body !== '' && !headers.some(([name]) => name === 'content-type')) headers.push(['content-type', 'text/plain; charset=utf-8'])
  return { kind: 'respond', status: respond.status, headers, body }
}

const framing = new Set(['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'trailer', 'te'])

function checkTemplate(context: CheckContext, path: ConfigPath, compile: () => unknown): void {
  try {
    compile()
  } catch (thrown) {
    if (!(thrown instanceof PatternError)) throw thrown
    context.findings.error(path, thrown.message, thrown.remedy)
  }
}
