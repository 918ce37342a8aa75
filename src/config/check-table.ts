import { findConflicts } from '../routing/conflicts.ts'
import { parsePathPattern } from '../routing/path-pattern.ts'
import { findUnreachable } from '../routing/unreachable.ts'
import type { CheckContext } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import type { RouteModel } from './model.ts'

/** Documents of the identity part that stand before all routes, besides everything below `identity.path`. */
const wellKnown = ['/.well-known/jwks.json', '/.well-known/oauth-authorization-server']

/** Routes against each other: what could never be told apart, what no request reaches, what lies in a reserved place. */
export function checkTable(context: CheckContext, routes: readonly RouteModel[], reservedPath: string | undefined): void {
  if (reservedPath !== undefined) for (const route of routes) checkReserved(context, route, reservedPath)
  for (const { first, second, host, path, methods } of findConflicts(routes)) {
    const where = `${methods.length === 0 ? '' : `${methods.join(', ')} `}${path}${host === '' ? '' : ` on ${host}`}`
    context.findings.error(
      matchPath(context, routes[second], path),
      `${routes[second].name} and ${routes[first].name} (${routes[first].source}) could never be told apart: both match ${where}`,
      'give one of them other paths, hosts, methods, headers or query parameters, or remove it',
    )
  }
  // Of two that conflict one is never reached either; it has been said.
  if (context.findings.hasErrors) return
  for (const { index, path, coveredBy, needs } of findUnreachable(routes)) {
    const at = matchPath(context, routes[index], path)
    if (needs !== undefined) {
      context.findings.warn(
        at,
        `no request reaches "${path}": the route does not allow what is in it`,
        `add match: { allow: ['${needs}'] }`,
      )
    } else if (coveredBy.length > 0) {
      const names = coveredBy.map((i) => `${routes[i].name} (${routes[i].source})`).join(', ')
      context.findings.warn(
        at,
        `no request reaches "${path}": ${names} takes every one`,
        'remove it, or make the other route narrower',
      )
    } else {
      context.findings.warn(at, `no request reaches "${path}": its conditions can never be met`, 'correct the conditions')
    }
  }
}

function checkReserved(context: CheckContext, route: RouteModel, reservedPath: string): void {
  for (const path of route.match.paths) {
    const literal = literalStart(path)
    const below = literal === reservedPath || literal.startsWith(`${reservedPath}/`)
    const document = wellKnown.find((name) => literal === name)
    if (!below && document === undefined) continue
    context.findings.error(
      matchPath(context, route, path),
      `"${path}" lies in what the identity endpoints have for themselves (${document ?? `${reservedPath}/**`})`,
      document === undefined ? 'choose another path, or move the endpoints with identity.path' : 'choose another path',
    )
  }
}

/** The segments before the first that catches something. */
function literalStart(pattern: string): string {
  let start = ''
  for (const segment of parsePathPattern(pattern).segments) {
    if (segment.kind !== 'literal') break
    start += `/${segment.text}`
  }
  return start
}

function matchPath(context: CheckContext, route: RouteModel, path: string): ConfigPath {
  const at: ConfigPath = ['routes', Number(/\d+/.exec(route.source)?.[0]), 'match', 'path']
  const written = context.reading.at(at)
  return Array.isArray(written) ? [...at, written.indexOf(path)] : at
}
