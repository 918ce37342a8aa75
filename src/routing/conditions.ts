import { headerId } from '../core/header-names.ts'
import type { Headers } from '../core/headers.ts'
import { trimSpace } from '../lib/trim-space.ts'
import type { FieldMatch } from './route-match.ts'

/** A header or query condition made ready: the field must be there, with one of the values if any are named. */
export interface Condition {
  readonly name: string
  /** Id of a header's name; 0 for a query parameter. */
  readonly id: number
  readonly values: readonly string[] | undefined
}

/** Conditions on headers, undefined when there is none. Throws on what is no header name, or one with "_". */
export function headerConditions(matches: readonly FieldMatch[]): readonly Condition[] | undefined {
  if (matches.length === 0) return undefined
  return matches.map(({ name, values }) => ({ name: name.toLowerCase(), id: headerId(name.toLowerCase()), values }))
}

/** Conditions on query parameters, undefined when there is none. */
export function queryConditions(matches: readonly FieldMatch[]): readonly Condition[] | undefined {
  return matches.length === 0 ? undefined : matches.map(({ name, values }) => ({ name, id: 0, values }))
}

/**
 * Whether a request's headers meet all conditions. Several lines of one name count as one value joined by ", ".
 * `announced` is what a CORS preflight says of the request to come: a name in it meets its condition.
 */
export function headersHold(conditions: readonly Condition[], headers: Headers, announced: string | undefined): boolean {
  for (const { name, id, values } of conditions) {
    const value = values === undefined ? headers.first(id) : headers.get(name)
    if (value !== undefined && (values === undefined || values.includes(value))) continue
    if (announced === undefined || !isListed(announced, name)) return false
  }
  return true
}

function isListed(list: string, name: string): boolean {
  return list.split(',').some((entry) => trimSpace(entry).toLowerCase() === name)
}

/**
 * Whether a query meets all conditions. A parameter given more than once meets its condition only if every one of its
 * values does: services differ in which they believe, so an ambiguous query never reaches the more particular route.
 */
export function queryHolds(conditions: readonly Condition[], query: string | undefined): boolean {
  if (query === undefined) return false
  for (const condition of conditions) if (!parameterHolds(condition, query)) return false
  return true
}

function parameterHolds(condition: Condition, query: string): boolean {
  let found = false
  let start = 0
  let equals = -1
  let isCoded = false
  for (let i = 0; i <= query.length; i++) {
    const code = i === query.length ? 0x26 : query.charCodeAt(i)
    if (code === 0x25 || code === 0x2b) isCoded = true
    else if (code === 0x3d && equals === -1) equals = i
    else if (code === 0x26) {
      const nameEnd = equals === -1 ? i : equals
      if (isNamed(condition.name, query, start, nameEnd, isCoded)) {
        const value = equals === -1 ? '' : formDecoded(query.slice(equals + 1, i), isCoded)
        if (condition.values !== undefined && (value === undefined || !condition.values.includes(value))) return false
        found = true
      }
      start = i + 1
      equals = -1
      isCoded = false
    }
  }
  return found
}

function isNamed(name: string, query: string, start: number, end: number, isCoded: boolean): boolean {
  if (!isCoded) return end - start === name.length && query.startsWith(name, start)
  return formDecoded(query.slice(start, end), true) === name
}

/** A name or value as forms encode them; undefined when its encoding is broken. */
export function formDecoded(text: string, isCoded: boolean): string | undefined {
  if (!isCoded) return text
  const spaced = text.replaceAll('+', ' ')
  if (!spaced.includes('%')) return spaced
  try {
    return decodeURIComponent(spaced)
  } catch {
    return undefined
  }
}
