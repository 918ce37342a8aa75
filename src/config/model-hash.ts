import { hash } from 'node:crypto'
import { stableJson } from '../lib/stable-json.ts'
import type { GatewayModel, RouteModel } from './model.ts'

/** Of routes that are in several models, one after the other. */
const digests = new WeakMap<RouteModel, string>()

/** SHA-256, in hex, of everything a model says: equal exactly when two configurations mean the same. A route stands in it by its own. */
export function modelHash({ routes, ...frame }: Omit<GatewayModel, 'hash'>): string {
  return hash('sha256', stableJson({ ...frame, routes: routes.map(digestOf) }), 'hex')
}

function digestOf(route: RouteModel): string {
  let digest = digests.get(route)
  if (digest === undefined) digests.set(route, (digest = hash('sha256', stableJson(route), 'base64url')))
  return digest
}
