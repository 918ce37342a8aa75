import type { LimitSpec } from '../../src/limits/limit-spec.ts'

/** A token bucket wide enough to refuse nobody: what is measured is the deciding. */
export const benchLimit: LimitSpec = {
  name: 'bench',
  algorithm: 'token-bucket',
  capacity: 1_000_000,
  refill: { units: 1000, periodMs: 1000 },
  per: [{ kind: 'address' }],
  missing: 'shared',
  shadow: false,
  tolerance: 0,
  onStoreFailure: 'closed',
}
