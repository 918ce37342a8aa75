import type { Gateway } from '../gateway/gateway.ts'

/** The series of a counter as they stand now, by one label and within it by another; none while nothing was counted. */
export function countsBy(
  gateway: Pick<Gateway, 'families'>,
  metric: string,
  outer: string,
  inner: string,
): ReadonlyMap<string, Readonly<Record<string, number>>> {
  const found = new Map<string, Record<string, number>>()
  const family = gateway.families().find(({ name }) => name === metric)
  for (const { labels, values } of family?.series.values() ?? []) {
    const named = new Map(labels)
    const key = named.get(outer) ?? ''
    const counts = found.get(key) ?? {}
    counts[named.get(inner) ?? ''] = values[0]
    found.set(key, counts)
  }
  return found
}
