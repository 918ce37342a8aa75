import type { CheckContext } from './check-context.ts'
import type { GatewayModel } from './model.ts'

/** What does not count over the nodes of a fleet although it looks as if it did. */
export function checkFleet({ findings }: CheckContext, { store, listeners, routes, services }: Omit<GatewayModel, 'hash'>): void {
  if (store.kind !== 'redis') return
  const inside = new Set([...routes, ...services].flatMap(({ limits = [] }) => limits.map(({ use }) => use)))
  for (const { name, edgeLimits } of listeners) {
    for (const [i, { use }] of edgeLimits.entries()) {
      if (!inside.has(use)) continue
      findings.warn(
        ['listeners', name, 'edge', 'limits', i],
        `"${use}" also stands on routes or services: because of its use here each node counts it for itself there too, not the fleet`,
        'give the edge a limit of its own',
      )
    }
  }
}
