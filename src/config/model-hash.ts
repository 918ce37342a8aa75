import { createHash } from 'node:crypto'
import { stableJson } from '../lib/stable-json.ts'
import type { GatewayModel } from './model.ts'

/** SHA-256, in hex, of everything a model says: equal exactly when two configurations mean the same. */
export function modelHash(model: Omit<GatewayModel, 'hash'>): string {
  return createHash('sha256').update(stableJson(model)).digest('hex')
}
