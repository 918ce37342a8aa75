import { fleetLeases } from './fleet-leases.ts'
import { generationSwap } from './generation-swap.ts'
import { limitTable } from './limit-table.ts'
import type { Model } from './model.ts'
import { refreshFamilies } from './refresh-families.ts'

/** All models by their names. */
export const models: Readonly<Record<string, Model>> = {
  'refresh-families': refreshFamilies,
  'fleet-leases': fleetLeases,
  'limit-table': limitTable,
  'generation-swap': generationSwap,
}
