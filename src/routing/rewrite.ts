import { PatternError } from './path-pattern.ts'
import type { Params, PathTemplate } from './path-template.ts'
import { compilePathTemplate, cutTemplate, TemplateNames } from './path-template.ts'
import { readPath } from './read-path.ts'
import type { RouteMatch } from './route-match.ts'

/**
 * Compiles `rewrite.path` for a route: gives the path that the service is asked for. The query is not its business and
 * stays. Throws PatternError when a name is not caught by every pattern of the route.
 */
export function compileRewrite(template: string, match: RouteMatch): PathTemplate {
  const marker = masked(template).search(/[?#]/)
  if (marker !== -1) throw new PatternError('a rewritten path has no query and no fragment', marker, 'the query is kept by itself')
  return compilePathTemplate(template, match)
}

/** Gives the Location of a redirect for what was caught and the query of the request. */
export type Redirect = (params: Params, query: string | undefined) => string

/**
 * Compiles `redirect.to`: a path on the same host, or an http(s) URL whose host is fixed. What a client sends lands in
 * path segments or query values and cannot leave them, so it never chooses where the redirect leads. The request's query
 * is kept, behind the template's own. Throws PatternError.
 */
export function compileRedirect(to: string, match: RouteMatch): Redirect {
  const { origin, path, query, fragment } = cutUrl(to)
  const toPath = compilePathTemplate(path.text, match, path.position)
  const names = new TemplateNames(match)
  const ownQuery =
    query === undefined
      ? undefined
      : cutTemplate(query.text, query.position, names, (text, at) => {
          if (text.includes('**')) throw new PatternError('"**" stands for a path only', at, 'use a {name} in a query')
          return visible(text, at)
        })
  return (params, requestQuery) => {
    let location = origin + toPath(params)
    let mark = '?'
    if (ownQuery !== undefined) {
      location += mark
      for (const piece of ownQuery) location += typeof piece === 'string' ? piece : queryValue(params[piece])
      mark = '&'
    }
    if (requestQuery !== undefined && requestQuery !== '') location += mark + requestQuery
    return location + fragment
  }
}

/** A caught segment as the value of a query parameter: nothing in it can begin another one. */
export function queryValue(segment: string | undefined): string {
  return segment === undefined ? '' : encodeURIComponent(decodeURIComponent(segment))
}

/** The template with its parameters blotted out, so that the "?" of `{x?}` begins no query. */
function masked(template: string): string {
  return template.replace(/\{[^{}]*\}/g, (found) => '_'.repeat(found.length))
}

interface Part {
  readonly text: string
  readonly position: number
}

function cutUrl(to: string): { origin: string; path: Part; query: Part | undefined; fragment: string } {
  let origin = ''
  const absolute = /^(https?:\/\/)([^/?#]*)/i.exec(to)
  if (absolute !== null) {
    origin = fixedOrigin(absolute[1], absolute[2])
  } else if (to[0] !== '/') {
    throw new PatternError('a redirect leads to a path or to an http(s) URL', 0, 'begin with "/", "https://" or "http://"')
  } else if (/^\/[/\\]/.test(to)) {
    // Browsers read "//host" and "/\host" as another host.
    throw new PatternError('"//" begins a host name', 0, `write "https:${to.replaceAll('\\', '/')}" if another host is meant`)
  }
  const pathAt = absolute === null ? 0 : absolute[0].length
  const text = masked(to)
  const hash = text.indexOf('#', pathAt)
  const pathEnd = hash === -1 ? to.length : hash
  const mark = text.slice(0, pathEnd).indexOf('?', pathAt)
  const fragment = hash === -1 ? '' : `#${visible(to.slice(hash + 1), hash + 1)}`
  if (/[{}]/.test(fragment)) throw new PatternError('a fragment has no parameters', hash, 'put the parameter into path or query')
  const path = to.slice(pathAt, mark === -1 ? pathEnd : mark)
  return {
    origin,
    path: { text: path === '' ? '/' : path, position: pathAt },
    query: mark === -1 ? undefined : { text: to.slice(mark + 1, pathEnd), position: mark + 1 },
    fragment,
  }
}

function fixedOrigin(scheme: string, authority: string): string {
  if (/[{}*]/.test(authority)) {
    throw new PatternError('the host of a redirect is fixed', scheme.length, 'write the host out; one route per host')
  }
  const url = URL.parse(scheme + authority)
  if (url === null || authority.includes('@') || authority.includes('\\')) {
    throw new PatternError(`"${authority}" is not a host`, scheme.length, 'write "https://host" or "https://host:port"')
  }
  return url.origin
}

/** Text that may stand in a target behind its path, as it is. */
function visible(text: string, position: number): string {
  if (text !== '' && readPath(`/?${text}`).fault !== undefined) {
    throw new PatternError(`"${text}" contains characters that may not stand there`, position, 'percent-encode them')
  }
  return text
}
