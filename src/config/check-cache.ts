import type { CacheOptions } from '../policies/cache.ts'
import type { CheckContext } from './check-context.ts'
import type { GatewayModel, RouteModel } from './model.ts'

/** Caches that can never answer, and memory that no route uses. */
export function checkCache({ findings }: CheckContext, { routes, cacheBytes }: Omit<GatewayModel, 'hash'>): void {
  let isUsed = false
  for (const [i, route] of routes.entries()) {
    const use = route.policies.find(({ policy }) => policy === 'cache')
    if (use === undefined || use.options === 'off') continue
    isUsed = true
    // What stands in defaults is meant for those routes that can use it.
    if (use.source === 'defaults.cache') continue
    const found = uselessness(route, use.options as Exclude<CacheOptions, 'off'>)
    if (found !== undefined) findings.warn(['routes', i, 'cache'], ...found)
  }
  if (cacheBytes !== undefined && !isUsed)
    findings.warn(['cache'], 'no route uses the cache', 'put cache on a route, or remove its memory')
}

/** Why nothing of a route would ever come from the cache; undefined when something may. */
function uselessness({ auth, match }: RouteModel, options: Exclude<CacheOptions, 'off'>): [string, string] | undefined {
  if (match.methods.length > 0 && !match.methods.includes('GET'))
    return ['only answers to GET are stored, and the route takes none', 'remove the cache, or take GET']
  if (auth.mode === 'required' && options.authorized === 'bypass')
    return [
      'every request of this route has credentials, and those go past the cache',
      "give cache authorized: 'per-identity' (copies for each caller) or 'rfc' (what the service marks as shared)",
    ]
  if (auth.mode === 'public' && options.authorized === 'per-identity')
    return ['nobody is recognised on this route, so there is nobody to keep copies for', 'leave authorized out']
  return undefined
}
