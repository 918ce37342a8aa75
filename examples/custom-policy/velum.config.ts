import { defineGateway } from 'velum'

// A policy of one's own: where its module is, and on which routes it stands.
export default defineGateway({
  name: 'versions',

  listeners: { api: { port: 8080 } },

  services: { catalog: { url: 'http://127.0.0.1:7001' } },

  policies: { sunset: './policies/sunset.ts' },

  defaults: { auth: 'public' },

  routes: [
    {
      name: 'catalog',
      match: { path: '/catalog/**' },
      to: 'catalog',
      policies: [{ use: 'sunset', options: { '1': '2026-06-30', '2': '2027-06-30' } }],
    },
  ],
})
