/** How much a route matters when a service is short of capacity, the most important first. */
export const priorities = ['critical', 'default', 'sheddable'] as const
export type Priority = (typeof priorities)[number]

/** Of the places of a service, what every priority keeps for those above it. */
const kept = 0.2

/**
 * How many of `limit` places requests of each priority may fill. Every priority whose routes lead to the service keeps a
 * fifth of the places (at least one) from those below it; one that no route has keeps none, so that a service without
 * priorities gets all of its places. Nobody is left without a place: with a limit of 1 all compete for it.
 */
export function placesOf(limit: number, present: readonly Priority[]): readonly [number, number, number] {
  const share = Math.max(1, Math.round(limit * kept))
  const above = present.includes('critical') ? share : 0
  const aboveSheddable = above + (present.includes('default') ? share : 0)
  return [limit, Math.max(1, limit - above), Math.max(1, limit - aboveSheddable)]
}
