import type { Exchange } from '../core/exchange.ts'
import type { Handler } from '../core/handler.ts'
import type { AdminRole } from './admin-tokens.ts'

/** One address of the admin surface. */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** As it is asked for; a segment in braces stands for any one segment, as long as no literal path fits. */
  readonly path: string
  /** Who may call it; `anyone` needs no token. */
  readonly roles: readonly AdminRole[] | 'anyone'
  readonly handle: Handler
}

/** A segment of the path, decoded, counted from the end by a negative `at`; undefined for what is not percent-encoded UTF-8. */
export function segmentOf(x: Exchange, at: number): string | undefined {
  try {
    return decodeURIComponent(pathOf(x).split('/').at(at) ?? '')
  } catch {
    return undefined
  }
}

/** The parameters of the request's query. */
export function queryOf(x: Exchange): URLSearchParams {
  const at = x.target.indexOf('?')
  return new URLSearchParams(at === -1 ? '' : x.target.slice(at + 1))
}

/** The path of the request's target. The admin surface has few, literal paths, so it is compared as it came. */
export function pathOf(x: Exchange): string {
  const end = x.target.indexOf('?')
  return end === -1 ? x.target : x.target.slice(0, end)
}
