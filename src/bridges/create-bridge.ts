import { lazily } from '../lib/lazily.ts'
import type { Bridge, BridgeEnv } from './bridge.ts'
import { createConnectBridge } from './connect/bridge.ts'
import { createRestBridge } from './grpc-json/bridge.ts'
import type { GraphqlOptions } from './graphql/options.ts'
import { createGrpcWebBridge } from './grpc-web/bridge.ts'
import type { JsonOptions } from './json/message-codec.ts'
import type * as GraphqlBridgeModule from './graphql/bridge.ts'
import type * as WebsocketBridgeModule from './websocket/bridge.ts'

// They stand on large libraries.
const graphql = lazily<typeof GraphqlBridgeModule>(import.meta.url, './graphql/bridge')
const websocket = lazily<typeof WebsocketBridgeModule>(import.meta.url, './websocket/bridge')

/** A bridge of a route with its options, after the configuration was checked. Plain data. */
export type BridgeSpec =
  | { readonly kind: 'rest' | 'connect' | 'websocket'; readonly json: JsonOptions }
  | { readonly kind: 'grpc-web' }
  | { readonly kind: 'graphql'; readonly graphql: GraphqlOptions }

/** The bridge of a kind, for one route and service. */
export function createBridge(spec: BridgeSpec, env: BridgeEnv): Bridge {
  switch (spec.kind) {
    case 'grpc-web':
      return createGrpcWebBridge(env)
    case 'connect':
      return createConnectBridge(env, spec.json)
    case 'websocket':
      return websocket().createWebsocketBridge(env, spec.json)
    case 'graphql':
      return graphql().createGraphqlBridge(env, spec.graphql)
    default:
      return createRestBridge(env, spec.json)
  }
}

/** Those that are told by the type of a request first; REST, which claims whatever no other bridge did, last. */
export function inClaimOrder(specs: readonly BridgeSpec[]): BridgeSpec[] {
  return specs.toSorted((a, b) => claimOrder.indexOf(a.kind) - claimOrder.indexOf(b.kind))
}

const claimOrder: readonly BridgeSpec['kind'][] = ['grpc-web', 'connect', 'graphql', 'websocket', 'rest']
