/** A token bucket of the proof: how much at once, how much a second, and what is declared of it. */
export interface DeclaredLimit {
  readonly name: string
  readonly capacity: number
  readonly perSecond: number
  readonly tolerance: number
  readonly onStoreFailure: 'closed' | 'open' | 'local'
}

export const declaredLimits: readonly DeclaredLimit[] = [
  { name: 'exact', capacity: 30, perSecond: 10, tolerance: 0, onStoreFailure: 'closed' },
  { name: 'leased', capacity: 120, perSecond: 10, tolerance: 0.05, onStoreFailure: 'closed' },
  { name: 'local', capacity: 30, perSecond: 10, tolerance: 0, onStoreFailure: 'local' },
  { name: 'open', capacity: 30, perSecond: 10, tolerance: 0, onStoreFailure: 'open' },
]

/** Of refresh tokens: within this a token that was used before gets the successor it got then. */
export const reuseGraceMs = 10_000

/** What every node of the proof runs: a bit of everything that a fleet shares. */
export const fleetConfig = `
name: fleet
listeners: { web: { port: '\${WEB_PORT}', host: '\${HOST}' } }
admin: { port: '\${ADMIN_PORT}', host: '\${HOST}' }
probes: { port: '\${PROBES_PORT}', host: '\${HOST}' }
store: { kind: redis, url: '\${REDIS}' }
secret: ['a secret of the fleet that is long enough']
trustedProxies: [127.0.0.0/8]
log: { format: none }
services: { echo: { url: '\${UPSTREAM}' } }
identity:
  issuer: https://api.example.com
  roles: { staff: ['orders:read'] }
  tokens: { reuseGrace: ${reuseGraceMs / 1000}s, deliver: [session, memory] }
limits:
${declaredLimits.map(({ name, capacity, perSecond, tolerance, onStoreFailure }) => `  ${name}: { algorithm: token-bucket, capacity: ${capacity}, refill: ${perSecond}/s, per: ['header:x-key'], tolerance: ${tolerance}, onStoreFailure: ${onStoreFailure} }`).join('\n')}
defaults: { auth: public }
routes:
  - { name: plain, match: { path: '/plain/**' }, to: echo }
  - { name: kept, match: { path: '/kept/**' }, to: echo, cache: true }
  - { name: mine, match: { path: /mine }, to: echo, auth: { any: [session, bearer], scopes: ['orders:read'] } }
  - { name: known, match: { path: /known }, to: echo, auth: { any: [session, bearer] }, onStoreFailure: { stale: 30s } }
${declaredLimits.map(({ name }) => `  - { name: ${name}, match: { path: /limited/${name} }, respond: { status: 200, body: ok }, limits: [${name}] }`).join('\n')}
`
