import type { Exchange } from '../core/exchange.ts'
import type { Handler } from '../core/handler.ts'
import { headerBlock } from '../core/headers.ts'
import { cookieNames, readCookie } from './cookies.ts'
import { isCrossSite } from './cross-site.ts'
import type { Endpoint } from './endpoint.ts'

/** The last segment of the path of an exchange: what `{id}` of an endpoint stands for. */
export function lastSegment(x: Exchange): string {
  return x.path.slice(x.path.lastIndexOf('/') + 1)
}

interface Place {
  readonly byMethod: ReadonlyMap<string, Endpoint>
  readonly allow: ReturnType<typeof headerBlock>
}

/**
 * Stands before routing: answers everything below `path` and the other paths of endpoints, and gives the rest to `next`.
 * A request by which a page of another site would change something is refused.
 */
export function dispatching(path: string, endpoints: readonly Endpoint[], origins: readonly string[], next: Handler): Handler {
  const places = new Map<string, Place>()
  for (const endpoint of endpoints) {
    const key = endpoint.path.endsWith('/{id}') ? endpoint.path.slice(0, -4) : endpoint.path
    const byMethod = new Map(places.get(key)?.byMethod).set(endpoint.method, endpoint)
    const methods = [...byMethod.keys()].flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    places.set(key, { byMethod, allow: headerBlock([['allow', methods.join(', ')]]) })
  }
  const below = `${path}/`
  const find = (x: Exchange): Place | undefined => {
    return places.get(x.path) ?? (x.path.startsWith(below) ? places.get(x.path.slice(0, x.path.lastIndexOf('/') + 1)) : undefined)
  }
  return (x) => {
    if (!x.path.startsWith(below) && !x.path.startsWith('/.well-known/') && x.path !== path) return next(x)
    const place = find(x)
    if (place === undefined) return x.path.startsWith('/.well-known/') ? next(x) : x.renderProblem({ name: 'no-route' }, x)
    const endpoint = place.byMethod.get(x.method === 'HEAD' ? 'GET' : x.method)
    if (endpoint === undefined) return x.renderProblem({ name: 'method-not-allowed', headers: place.allow }, x)
    if (endpoint.isSameSiteOnly && isCrossSite(x, origins, hasOwnCookie(x))) return x.renderProblem({ name: 'cross-site' }, x)
    return endpoint.handle(x)
  }
}

function hasOwnCookie(x: Exchange): boolean {
  return Object.values(cookieNames).some((name) => readCookie(x, name) !== undefined)
}
