import { formDecoded } from './conditions.ts'
import { PatternError } from './path-pattern.ts'
import type { Params, Piece } from './path-template.ts'
import { cutTemplate, TemplateNames } from './path-template.ts'
import { queryValue } from './rewrite.ts'
import type { RouteMatch } from './route-match.ts'

/** What becomes of a query's parameters, by their decoded names. */
export interface QueryEdits {
  /** Only these of the client's stay; absent: all. */
  readonly only?: readonly string[] | undefined
  readonly remove: readonly string[]
  /** These get exactly this value, behind all others; `{x}` stands for what the match caught. */
  readonly set: readonly (readonly [name: string, value: string])[]
}

/** Gives the query that the service gets for the client's and what the match caught; undefined: none. */
export type QueryRewrite = (query: string | undefined, params: Params) => string | undefined

/**
 * Compiles `rewrite.query` for a route. What stays, stays byte for byte and in its order. A value of which an optional
 * part is missing is left out. Throws PatternError when a name is not caught by every pattern of the route.
 */
export function compileQueryRewrite({ only, remove, set }: QueryEdits, match: RouteMatch): QueryRewrite {
  const names = new TemplateNames(match)
  const added = set.map(([name, value]) => ({ front: `${encodeURIComponent(name)}=`, pieces: valuePieces(value, names) }))
  const dropped = new Set([...remove, ...set.map(([name]) => name)])
  const kept = only === undefined ? undefined : new Set(only)
  const stays = (pair: string): boolean => {
    const name = nameOf(pair)
    return !dropped.has(name) && (kept === undefined || kept.has(name))
  }
  const touchesClients = kept !== undefined || dropped.size > 0
  return (query, params) => {
    let rewritten = query ?? ''
    if (rewritten !== '' && touchesClients) rewritten = rewritten.split('&').filter(stays).join('&')
    for (const { front, pieces } of added) {
      const value = valueOf(pieces, params)
      if (value !== undefined) rewritten += (rewritten === '' ? '' : '&') + front + value
    }
    return rewritten === '' ? undefined : rewritten
  }
}

function valuePieces(value: string, names: TemplateNames): readonly Piece[] {
  return cutTemplate(value, 0, names, (text, at) => {
    if (text.includes('**')) throw new PatternError('"**" stands for a path only', at, 'use a {name} in a query')
    return encodeURIComponent(text)
  })
}

/** A value's text; what a client sent in a segment cannot leave the value. Undefined where a part is missing. */
function valueOf(pieces: readonly Piece[], params: Params): string | undefined {
  let value = ''
  for (const piece of pieces) {
    const part = typeof piece === 'string' ? piece : params[piece]
    if (part === undefined) return undefined
    value += typeof piece === 'string' ? piece : queryValue(part)
  }
  return value
}

/** A parameter's name as services read it: decoded, `+` a space; as it stands where it cannot be decoded. */
function nameOf(pair: string): string {
  const end = pair.indexOf('=')
  const name = end === -1 ? pair : pair.slice(0, end)
  return /[%+]/.test(name) ? (formDecoded(name, true) ?? name) : name
}
