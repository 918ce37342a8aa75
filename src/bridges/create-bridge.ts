import type { Bridge, BridgeEnv } from './bridge.ts'
import { createConnectBridge } from './connect/bridge.ts'
import { createRestBridge } from './grpc-json/bridge.ts'
import { createGrpcWebBridge } from './grpc-web/bridge.ts'
import type { JsonOptions } from './json/message-codec.ts'

/** A bridge of a route with its options, after the configuration was checked. Plain data. */
export type BridgeSpec = { readonly kind: 'rest' | 'connect'; readonly json: JsonOptions } | { readonly kind: 'grpc-web' }

/** The bridge of a kind, for one route and service. */
export function createBridge(spec: BridgeSpec, env: BridgeEnv): Bridge {
  switch (spec.kind) {
    case 'grpc-web':
      return createGrpcWebBridge(env)
    case 'connect':
      return createConnectBridge(env, spec.json)
    default:
      return createRestBridge(env, spec.json)
  }
}

/** REST claims whatever no other bridge did, so it is asked last, wherever it stands in the configuration. */
export function inClaimOrder(specs: readonly BridgeSpec[]): BridgeSpec[] {
  return [...specs.filter(({ kind }) => kind !== 'rest'), ...specs.filter(({ kind }) => kind === 'rest')]
}
