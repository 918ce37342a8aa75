const pattern = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/

/**
 * A moment as people write it, in milliseconds since 1970: a date (its first moment in UTC), or a time with its zone, since
 * without one it would mean something else on each machine. Undefined for anything else, a 30th of February included.
 */
export function parseInstant(text: string): number | undefined {
  const [, date] = pattern.exec(text) ?? []
  if (date === undefined) return undefined
  // Date.parse makes March of a 30th of February.
  const midnight = Date.parse(date)
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(date)) return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}
