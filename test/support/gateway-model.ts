import type { GatewayModel, ListenerModel, WireLimits } from '../../src/config/model.ts'

const limits: WireLimits = {
  maxHeadBytes: 16_384,
  maxHeaderCount: 100,
  maxTargetBytes: 8192,
  maxRequests: 100_000,
  maxConnections: 1000,
  headMs: 10_000,
  bodyMs: 10_000,
  minBodyRate: 100,
  idleMs: 60_000,
  writeMs: 10_000,
}

/** A listener on a loopback port that the machine chooses. */
export function listenerModel(over: Partial<ListenerModel> = {}): ListenerModel {
  return {
    name: 'web',
    host: '127.0.0.1',
    port: 0,
    wire: 'velum',
    redirectPort: undefined,
    tls: undefined,
    limits,
    edgeLimits: [],
    ...over,
  }
}

/** A checked configuration without routes, for tests of what stands around the data path. */
export function gatewayModel(over: Partial<GatewayModel> & Pick<GatewayModel, 'store'>): GatewayModel {
  const name = over.name ?? 'test'
  return {
    name,
    hash: `hash of ${name}`,
    listeners: [listenerModel()],
    admin: undefined,
    probes: undefined,
    trustedProxies: [],
    services: [],
    identity: { path: '/auth', tenantClaim: 'tenant', trustedIssuers: [], apiKeys: [] },
    limits: [],
    log: { format: 'none', file: 'stdout', level: 'info' },
    routes: [],
    ...over,
  }
}
