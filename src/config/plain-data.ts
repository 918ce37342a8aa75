import type { ConfigPath } from './finding.ts'

/** Something in a module's export that is not data, and what would be. */
export interface NotData {
  readonly path: ConfigPath
  readonly message: string
  readonly remedy: string
}

/**
 * A copy of `value` made of nothing but plain objects, arrays, strings, numbers, booleans, null and undefined. What is
 * anything else is left out and reported with its place: functions do not pass between threads, and a configuration
 * that can be compared, hashed and explained must be data.
 */
export function plainCopy(value: unknown, report: (found: NotData) => void): unknown {
  return copy(value, [], new Map(), report)
}

/** Marks an object whose copy is still being made: meeting it again is a cycle. */
const open = Symbol('open')

function copy(value: unknown, path: ConfigPath, seen: Map<object, unknown>, report: (found: NotData) => void): unknown {
  if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint') {
    report({ path, ...wordsFor(value) })
    return undefined
  }
  if (typeof value !== 'object' || value === null) return value
  if (seen.has(value)) {
    const known = seen.get(value)
    if (known !== open) return known
    report({ path, message: 'a config is data: this refers back to something that contains it', remedy: 'write the value out' })
    return undefined
  }
  const isList = Array.isArray(value)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!isList && prototype !== Object.prototype && prototype !== null) {
    report({ path, ...wordsFor(value) })
    return undefined
  }
  seen.set(value, open)
  const made = isList ? value.map((item, i) => copy(item, [...path, i], seen, report)) : copyMembers(value, path, seen, report)
  seen.set(value, made)
  return made
}

function copyMembers(
  value: object,
  path: ConfigPath,
  seen: Map<object, unknown>,
  report: (found: NotData) => void,
): Record<string, unknown> {
  const made: Record<string, unknown> = {}
  for (const name of Object.keys(value)) {
    const member = copy((value as Record<string, unknown>)[name], [...path, name], seen, report)
    // Defined, not assigned: a member called __proto__ must stay a member.
    Object.defineProperty(made, name, { value: member, enumerable: true, writable: true, configurable: true })
  }
  return made
}

function wordsFor(value: unknown): { message: string; remedy: string } {
  if (typeof value === 'function') return refused('a function', 'write the value it would return, or call it in the file')
  if (typeof value === 'symbol') return refused('a symbol', 'write a string')
  if (typeof value === 'bigint') return refused('a bigint', 'write a number')
  if (value instanceof Date) return refused('a Date', `write a string, such as '2027-01-31T00:00:00Z'`)
  if (value instanceof RegExp) return refused('a regular expression', 'write a string')
  if (value instanceof Promise) return refused('a promise', 'await it in the file')
  if (value instanceof Map) return refused('a Map', 'write a plain object, or use Object.fromEntries()')
  if (value instanceof Set) return refused('a Set', 'write an array, or spread it: [...set]')
  if (value instanceof URL) return refused('a URL object', 'write a string, or use its href')
  const name = (value as object).constructor?.name
  return refused(name ? `an object of class ${name}` : 'an object of a class', 'write a plain object')
}

function refused(what: string, remedy: string): { message: string; remedy: string } {
  return { message: `a config is data: ${what} cannot stand in it`, remedy }
}
