import type { Bridge, BridgeEnv } from './bridge.ts'
import { createRestBridge } from './grpc-json/bridge.ts'
import type { JsonOptions } from './json/message-codec.ts'

/** A bridge of a route with its options, after the configuration was checked. Plain data. */
export type BridgeSpec = { readonly kind: 'rest'; readonly json: JsonOptions }

/** The bridge of a kind, for one route and service. */
export function createBridge(spec: BridgeSpec, env: BridgeEnv): Bridge {
  return createRestBridge(env, spec.json)
}
