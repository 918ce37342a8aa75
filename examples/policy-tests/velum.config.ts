import { defineGateway } from 'velum'

// What velum.test.ts beside it tests: who may call, how often, and what services are told.
export default defineGateway({
  name: 'shop',

  listeners: { api: { port: 8443, tls: { dev: true } } },

  services: {
    orders: { url: 'http://127.0.0.1:7002', timeout: '5s', identity: 'headers' },
  },

  identity: {
    trustedIssuers: {
      partner: {
        issuer: 'https://partner.example.com',
        jwksUri: 'https://partner.example.com/jwks.json',
        audience: 'https://api.example.com',
        tenants: ['acme', 'globex'],
      },
    },
  },

  limits: {
    perTenant: { algorithm: 'token-bucket', capacity: 10, refill: '2/s', per: ['tenant'] },
  },

  defaults: { auth: { any: ['bearer'] }, headers: 'secure' },

  routes: [
    { name: 'catalog', match: { path: '/catalog/**', methods: ['GET'] }, to: 'orders', auth: 'public' },
    {
      name: 'orders',
      match: { path: '/orders/{id?}', methods: ['GET'] },
      to: 'orders',
      auth: { any: ['bearer'], scopes: ['orders:read'] },
      limits: ['perTenant'],
    },
    {
      name: 'place-order',
      match: { path: '/orders', methods: ['POST'] },
      to: 'orders',
      auth: { any: ['bearer'], scopes: ['orders:write'] },
      limits: [{ use: 'perTenant', cost: 5 }],
      body: { max: '64kb', types: ['application/json'] },
    },
  ],
})
