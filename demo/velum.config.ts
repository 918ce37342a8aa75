import { defineGateway } from 'velum'

// The gateway of the demo, as `npm start` runs it: one door for the four services of the classic picture. Addresses
// and ports come from the environment where they are not the usual ones.
const auth = process.env['DEMO_AUTH_URL'] ?? 'http://127.0.0.1:7001'
const securePort = Number(process.env['DEMO_HTTPS_PORT'] ?? 8443)

export default defineGateway({
  name: 'demo',

  listeners: {
    plain: { port: Number(process.env['DEMO_HTTP_PORT'] ?? 8080), host: '127.0.0.1', redirect: 'https' },
    api: { port: securePort, host: '127.0.0.1', tls: { dev: true } },
  },
  admin: { port: Number(process.env['DEMO_ADMIN_PORT'] ?? 9900) },
  store: { kind: 'embedded', path: process.env['DEMO_STORE'] ?? '../.velum' },

  services: {
    orders: { url: process.env['DEMO_ORDERS_URL'] ?? 'http://127.0.0.1:7002', timeout: '5s', identity: 'headers' },
    users: { url: process.env['DEMO_USERS_URL'] ?? 'http://127.0.0.1:7004', timeout: '5s', identity: 'headers' },
    billing: {
      url: process.env['DEMO_BILLING_URL'] ?? 'grpc://127.0.0.1:7003',
      protos: 'protos/billing.proto',
      identity: 'headers',
    },
  },

  identity: {
    // People log in at Velum itself; `npm start` makes the user ada and says her password.
    issuer: `https://localhost:${securePort}`,
    passkeys: { name: 'Velum demo' },
    roles: {
      buyer: ['orders:read', 'orders:write', 'users:read'],
      approver: ['billing:read'],
      accountant: ['orders:read', 'billing:read'],
    },
    // The demo's auth service stands for an issuer of somebody else's: programs bring its tokens.
    trustedIssuers: {
      demo: { issuer: auth, jwksUri: `${auth}/jwks.json`, audience: 'velum-demo', tenants: ['acme', 'globex', 'initech'] },
    },
  },

  limits: {
    perTenant: { algorithm: 'token-bucket', capacity: 10, refill: '2/s', per: ['tenant'] },
  },

  defaults: { auth: { any: ['session', 'bearer'] }, headers: 'secure' },

  routes: [
    { name: 'catalog', match: { path: '/catalog/**', methods: ['GET'] }, to: 'orders', auth: 'public' },
    {
      name: 'orders',
      match: { path: '/orders/{id?}', methods: ['GET'] },
      to: 'orders',
      auth: { any: ['session', 'bearer'], scopes: ['orders:read'] },
      limits: ['perTenant'],
    },
    {
      name: 'place-order',
      match: { path: '/orders', methods: ['POST'] },
      to: 'orders',
      auth: { any: ['session', 'bearer'], scopes: ['orders:write'] },
      limits: [{ use: 'perTenant', cost: 2 }],
      body: { max: '64kb', types: ['application/json'] },
    },
    // Streams: new orders as they come, and a WebSocket that says back what it hears.
    {
      name: 'order-events',
      match: { path: '/orders/events', methods: ['GET'] },
      to: 'orders',
      auth: { any: ['session', 'bearer'], scopes: ['orders:read'] },
    },
    { name: 'echo', match: { path: '/orders/echo', methods: ['GET'] }, to: 'orders', auth: 'public' },
    {
      name: 'users',
      match: { path: '/users/{id?}', methods: ['GET'] },
      to: 'users',
      auth: { any: ['session', 'bearer'], scopes: ['users:read'] },
    },
    // REST outside, gRPC inside: the paths and methods stand in protos/billing.proto. Who speaks gRPC passes as it is.
    {
      name: 'billing',
      match: { path: ['/v1/**', '/billing.v1.Billing/{method}'] },
      to: 'billing',
      bridge: ['rest', 'websocket', 'grpc-web', 'connect'],
      auth: { any: ['session', 'bearer'], scopes: ['billing:read'] },
    },
    // The same methods as a GraphQL schema: "velum bridge sdl" prints it.
    {
      name: 'graphql',
      match: { path: '/graphql' },
      to: 'billing',
      bridge: { use: 'graphql', methods: { 'billing.v1.Billing.Reconcile': { as: 'none' } } },
      auth: { any: ['session', 'bearer'], scopes: ['billing:read'] },
    },
  ],
})
