import { mkdirSync } from 'node:fs'
import type { GatewayModel } from '../config/model.ts'
import { EnvironmentFault } from './environment-fault.ts'

/** The folder for what the node keeps; made, for its owner alone, when it is not there. */
export function storeFolder(model: GatewayModel): string {
  const folder = model.store.kind === 'embedded' ? model.store.path : '.velum'
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
  } catch (thrown) {
    throw new EnvironmentFault(`the store's folder ${folder} cannot be made: ${(thrown as Error).message}`, { cause: thrown })
  }
  return folder
}
