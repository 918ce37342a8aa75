import type { Exchange } from '../core/exchange.ts'
import type { Handler } from '../core/handler.ts'
import { headerBlock } from '../core/headers.ts'
import type { Problem } from '../core/problem.ts'
import { cookieNames, readCookie } from './cookies.ts'
import { isCrossSite } from './cross-site.ts'
import type { Endpoint } from './endpoint.ts'

/** The last segment of the path of an exchange: what `{id}` of an endpoint stands for. */
export function lastSegment(x: Exchange): string {
  return x.path.slice(x.path.lastIndexOf('/') + 1)
}

const noRoute: Problem = { name: 'no-route' }
const crossSite: Problem = { name: 'cross-site' }

interface Place {
  readonly byMethod: ReadonlyMap<string, Endpoint>
  readonly allow: ReturnType<typeof headerBlock>
}

/** Says where a request ends before routing: at an endpoint, or with a problem; undefined when it goes on. */
export type Dispatch = (x: Exchange) => Endpoint | Problem | undefined

/**
 * Finds the endpoint of everything below `path` and of the other paths of endpoints. A request by which a page of another
 * site would change something is refused.
 */
export function createDispatch(path: string, endpoints: readonly Endpoint[], origins: readonly string[]): Dispatch {
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
    if (!x.path.startsWith(below) && !x.path.startsWith('/.well-known/') && x.path !== path) return undefined
    const place = find(x)
    if (place === undefined) return x.path.startsWith('/.well-known/') ? undefined : noRoute
    const endpoint = place.byMethod.get(x.method === 'HEAD' ? 'GET' : x.method)
    if (endpoint === undefined) return { name: 'method-not-allowed', headers: place.allow }
    return endpoint.isSameSiteOnly && isCrossSite(x, origins, hasOwnCookie(x)) ? crossSite : endpoint
  }
}

/** Stands before routing: answers what ends there, and gives the rest to `next`. */
export function dispatching(dispatch: Dispatch, next: Handler): Handler {
  return (x) => {
    const found = dispatch(x)
    if (found === undefined) return next(x)
    return 'handle' in found ? found.handle(x) : x.renderProblem(found, x)
  }
}

function hasOwnCookie(x: Exchange): boolean {
  return Object.values(cookieNames).some((name) => readCookie(x, name) !== undefined)
}
