// What must not compile. Each expected error names the token at which the compiler has to report it;
// `test/config/types.test.ts` checks that it does.
import { defineGateway, definePlatform } from '../../../src/index.ts'

const listeners = { plain: { port: 8080 } }
const services = { orders: { url: 'http://127.0.0.1:7002' }, billing: { url: 'http://127.0.0.1:7003' } }
const match = { path: '/orders' }

export const misspelt = defineGateway({
  listeners: {
    plain: {
      port: 8080,
      // @ts-expect-error: redirct
      redirct: 'https',
    },
    api: {
      port: 8443,
      tls: {
        // @ts-expect-error: devel
        devel: true,
      },
      edge: {
        limits: [
          'perAddress',
          // @ts-expect-error: 'perAddres'
          'perAddres',
        ],
      },
      timeouts: {
        // @ts-expect-error: head
        head: 10,
        // @ts-expect-error: body
        body: '30 seconds',
      },
    },
  },
  services: {
    orders: {
      url: 'http://127.0.0.1:7002',
      // @ts-expect-error: timout
      timout: '5s',
    },
    users: {
      targets: [
        {
          url: 'http://127.0.0.1:7004',
          // @ts-expect-error: wieght
          wieght: 9,
        },
      ],
      // @ts-expect-error: balance
      balance: 'random',
    },
  },
  limits: {
    perAddress: { algorithm: 'token-bucket', capacity: 200, refill: '100/s', per: ['address'] },
    perTenant: {
      algorithm: 'token-bucket',
      capacity: 10,
      // @ts-expect-error: refill
      refill: '2',
      per: [
        // @ts-expect-error: 'tennant'
        'tennant',
      ],
    },
  },
  defaults: {
    limits: [
      // @ts-expect-error: 'perTenat'
      'perTenat',
    ],
  },
  routes: [
    {
      name: 'orders',
      match,
      // @ts-expect-error: to
      to: 'oders',
    },
    {
      name: 'shares',
      match,
      to: [
        { service: 'orders', weight: 1 },
        {
          // @ts-expect-error: service
          service: 'user',
          weight: 1,
        },
      ],
    },
    {
      name: 'limits',
      match,
      to: 'orders',
      limits: [
        'perTenant',
        {
          // @ts-expect-error: use
          use: 'perTenent',
          cost: 2,
        },
      ],
    },
    {
      name: 'only',
      match,
      to: 'orders',
      limits: {
        only: [
          'perTenant',
          // @ts-expect-error: 'perTennant'
          'perTennant',
        ],
      },
    },
    {
      name: 'auth',
      match,
      to: 'users',
      auth: {
        any: [
          'bearer',
          // @ts-expect-error: 'barer'
          'barer',
        ],
      },
    },
    {
      name: 'option',
      match,
      to: 'users',
      // @ts-expect-error: rewite
      rewite: { path: '/x' },
    },
    {
      name: 'later',
      match,
      to: 'users',
      // @ts-expect-error: validate
      validate: true,
    },
  ],
})

defineGateway({
  listeners,
  services,
  routes: [
    {
      name: 'no-limits',
      match,
      to: 'billing',
      limits: [
        // @ts-expect-error: 'perTenant'
        'perTenant',
      ],
    },
  ],
})

defineGateway({
  listeners,
  routes: [
    {
      name: 'no-services',
      match,
      // @ts-expect-error: to
      to: 'orders',
    },
  ],
})

definePlatform({
  defaults: {
    limits: [
      // @ts-expect-error: 'perAddres'
      'perAddres',
    ],
  },
  floor: {
    auth: 'required',
    limits: { perAddress: { algorithm: 'token-bucket', capacity: 200, refill: '100/s', per: ['address'] } },
    body: {
      // @ts-expect-error: max
      max: '1 megabyte',
    },
  },
})

const platform = definePlatform({
  floor: {
    auth: 'required',
    limits: { perAddress: { algorithm: 'token-bucket', capacity: 200, refill: '100/s', per: ['address'] } },
  },
})

platform.gateway({
  listeners,
  services,
  defaults: {
    // @ts-expect-error: auth
    auth: 'public',
  },
  routes: [
    {
      name: 'public',
      match,
      to: 'orders',
      // @ts-expect-error: auth
      auth: 'public',
    },
    {
      name: 'optional',
      match,
      to: 'billing',
      auth: {
        any: ['bearer'],
        // @ts-expect-error: optional
        optional: true,
      },
    },
    {
      name: 'limits',
      match,
      to: 'orders',
      limits: [
        'perAddress',
        // @ts-expect-error: 'perTenant'
        'perTenant',
      ],
    },
    {
      name: 'service',
      match,
      // @ts-expect-error: to
      to: 'users',
    },
  ],
  // @ts-expect-error: floor
  floor: {},
})
