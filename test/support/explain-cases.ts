import assert from 'node:assert/strict'
import type { ServiceStandings } from '../../src/gateway/explain-services.ts'
import type { ExplainedStep, ExplainQuestion } from '../../src/gateway/explanation.ts'
import { exchangeOf } from './exchange.ts'
import type { ExplainWorld } from './explain-world.ts'
import { bearer, json, key, session, standing } from './explain-world.ts'
import { signingKey } from './token-issuer.ts'

/** One way to be refused, or answered by the gateway itself; and what is said of it. */
export interface RefusalCase {
  readonly title: string
  readonly ask: (w: ExplainWorld) => Partial<ExplainQuestion> | Promise<Partial<ExplainQuestion>>
  readonly standings?: ServiceStandings
  readonly expected: Partial<ExplainedStep>
  readonly words: RegExp
}

/** Every kind of refusal that `velum explain` and the dashboard tell apart. */
export const refusalCases: readonly RefusalCase[] = [
  {
    title: 'a path that cannot be read',
    ask: () => ({ url: '/a/%zz' }),
    expected: { policy: 'path', code: 'unreadable', source: '', status: 400 },
    words: /percent sign/,
  },
  {
    title: 'no route',
    ask: () => ({ url: '/nothing' }),
    expected: { policy: 'routes', code: 'no-route', source: 'routes', status: 404 },
    words: /No route/,
  },
  {
    title: 'another method',
    ask: () => ({ method: 'PUT', url: '/upload' }),
    expected: { policy: 'routes', code: 'method-not-allowed', source: 'routes[1].match.methods', status: 405 },
    words: /POST/,
  },
  {
    title: 'an encoded slash',
    ask: () => ({ url: '/staff%2fx' }),
    expected: { policy: 'routes', code: 'encoded-slash', source: 'routes', status: 400 },
    words: /encoded slash/,
  },
  {
    title: 'a listener that leads to https',
    ask: () => ({ url: 'http://localhost:8080/orders' }),
    expected: { policy: 'redirect', code: 'redirected', source: 'listeners.plain.redirect', status: 308, decision: 'answers' },
    words: /8443/,
  },
  {
    title: 'an address outside of the list',
    ask: () => ({ url: '/inside', address: '192.0.2.7' }),
    expected: { policy: 'addresses', code: 'unlisted', source: 'routes[3].addresses.allow', status: 403 },
    words: /no block of `allow`/,
  },
  {
    title: 'an address that is denied',
    ask: () => ({ url: '/inside', address: '10.6.6.6' }),
    expected: { policy: 'addresses', code: 'denied', source: 'routes[3].addresses.deny', status: 403 },
    words: /`deny`/,
  },
  {
    title: 'a preflight of a stranger',
    ask: () => ({
      method: 'OPTIONS',
      url: '/upload',
      headers: [
        ['origin', 'https://evil.example'],
        ['access-control-request-method', 'POST'],
      ],
    }),
    expected: { policy: 'cors', code: 'other-origin', source: 'routes[1].cors.origins', status: 403 },
    words: /preflight/,
  },
  {
    title: 'a preflight that is answered',
    ask: () => ({
      method: 'OPTIONS',
      url: '/upload',
      headers: [
        ['origin', 'https://app.example.com'],
        ['access-control-request-method', 'POST'],
      ],
    }),
    expected: { policy: 'cors', code: 'preflight', source: 'routes[1].cors', status: 204, decision: 'answers' },
    words: /answered here/,
  },
  {
    title: 'no credential',
    ask: () => ({ url: '/orders/1' }),
    expected: { policy: 'auth', code: 'no-credential', source: 'routes[0].auth', status: 401 },
    words: /None of bearer/,
  },
  {
    title: 'a token of somebody else',
    ask: ({ clock }) => ({ url: '/orders/1', headers: [bearer(clock, { iss: 'https://other.example' })] }),
    expected: { policy: 'auth', code: 'unknown-issuer', source: 'routes[0].auth', status: 401 },
    words: /issuer/,
  },
  {
    title: 'a forged token',
    ask: ({ clock }) => ({ url: '/orders/1', headers: [bearer(clock, {}, { ...signingKey(), kid: key.kid })] }),
    expected: { policy: 'auth', code: 'bad-signature', source: 'routes[0].auth', status: 401 },
    words: /signature/,
  },
  {
    title: 'a token that has expired',
    ask: ({ clock }) => ({ url: '/orders/1', headers: [bearer(clock, { iat: 1_600_000_000, exp: 1_600_000_300 })] }),
    expected: { policy: 'auth', code: 'expired', source: 'routes[0].auth', status: 401 },
    words: /expired/,
  },
  {
    title: 'a scope that is missing',
    ask: ({ clock }) => ({ url: '/orders/1', headers: [bearer(clock, { scope: 'other' })] }),
    expected: { policy: 'auth', code: 'missing-scope', source: 'routes[0].auth.scopes', status: 403 },
    words: /orders:read/,
  },
  {
    title: 'a role that is missing',
    ask: ({ clock }) => ({ url: '/staff', headers: [bearer(clock)] }),
    expected: { policy: 'auth', code: 'missing-role', source: 'routes[2].auth.roles', status: 403 },
    words: /staff/,
  },
  {
    title: 'a claim that is another',
    ask: () => ({ url: '/staff', caller: { subject: 'ada', roles: ['staff'], claims: { level: 2 } } }),
    expected: { policy: 'auth', code: 'other-claim', source: 'routes[2].auth.claims', status: 403 },
    words: /level \(3\)/,
  },
  {
    title: 'a page of another site',
    ask: () => ({
      method: 'POST',
      url: '/page',
      headers: [['sec-fetch-site', 'cross-site']],
      caller: { subject: 'ada', kind: 'session' },
    }),
    expected: { policy: 'csrf', code: 'cross-site', source: 'routes[8].csrf', status: 403 },
    words: /another site/,
  },
  {
    title: 'a session that was revoked',
    ask: async (w) => {
      const { id, cookie } = await session(w)
      const question = { url: '/page', headers: [cookie] }
      assert.equal((await w.explain(question)).outcome, undefined, 'it is good before')
      await w.gateway.identity.admin!.end(id)
      return question
    },
    expected: { policy: 'auth', code: 'revoked', source: 'routes[8].auth', status: 401 },
    words: /revoked/,
  },
  {
    title: 'an address below that of the logins which there is not',
    ask: () => ({ url: '/auth/nothing' }),
    expected: { policy: 'identity', code: 'no-route', source: 'identity.path', status: 404 },
    words: /none of them/,
  },
  {
    title: 'a limit that is used up',
    ask: async ({ gateway, clock }) => {
      const served = gateway.generation.served('web')!
      const headers = bearer(clock)
      for (let i = 0; i < 2; i++) {
        await served.handle(exchangeOf({ target: '/orders/1', headers: [...headers], startedAt: clock.now() }))
      }
      return { url: '/orders/1', headers: [headers] }
    },
    expected: {
      policy: 'limits',
      code: 'over-limit',
      source: 'routes[0].limits[0]',
      status: 429,
      retryAfter: 60,
      label: 'limited:perTenant',
    },
    words: /over perTenant \(bucket of 2, refilled at 1 per 1m\) for tenant "partner"; it would pass in 60 s/,
  },
  {
    title: 'the penalty box',
    ask: async ({ gateway }) => {
      await gateway.penalties.add({ penalty: 'banned', who: { address: '192.0.2.9' }, forMs: undefined, reason: 'scraping' })
      await new Promise((resolve) => void setImmediate(resolve))
      return { url: '/orders/1', address: '192.0.2.9' }
    },
    expected: {
      policy: 'penalties',
      code: 'boxed',
      source: 'penalties.banned',
      status: 429,
      retryAfter: 3600,
      label: 'penalty:banned',
    },
    words: /192\.0\.2\.9.*scraping/,
  },
  {
    title: 'a body that is too large',
    ask: () => ({ method: 'POST', url: '/upload', headers: [json, ['content-length', '2000']] }),
    expected: { policy: 'body', code: 'too-large', source: 'routes[1].body.max', status: 413 },
    words: /1kb/,
  },
  {
    title: 'a body of another type',
    ask: () => ({ method: 'POST', url: '/upload', headers: [['content-type', 'text/plain']], body: 'x' }),
    expected: { policy: 'body', code: 'other-type', source: 'routes[1].body.types', status: 415 },
    words: /application\/json/,
  },
  {
    title: 'a fixed answer, as for maintenance',
    ask: () => ({ url: '/down' }),
    expected: { policy: 'respond', code: 'responded', source: 'routes[4].respond', status: 503, decision: 'answers' },
    words: /fixed answer/,
  },
  {
    title: 'a redirect',
    ask: () => ({ url: '/moved/x' }),
    expected: { policy: 'redirect', code: 'redirected', source: 'routes[5].redirect', status: 308, decision: 'answers' },
    words: /\/orders/,
  },
  {
    title: 'a circuit breaker that is open',
    ask: () => ({ url: '/orders/1/x' }),
    standings: standing('in', undefined, { state: 'open', reason: 'failures', forMs: 4200 }),
    expected: { policy: 'service', code: 'breaker-open', source: 'services.orders.breaker', status: 503, retryAfter: 5 },
    words: /open for another 5s: failures/,
  },
  {
    title: 'no target in good health',
    ask: () => ({ url: '/orders/1/x' }),
    standings: standing('down', 'service-refused'),
    expected: { policy: 'service', code: 'no-target', source: 'services.orders.health', status: 503, retryAfter: 1 },
    words: /127\.0\.0\.1:7002 is down \(service-refused/,
  },
  {
    title: 'targets that are drained by hand',
    ask: () => ({ url: '/orders/1/x' }),
    standings: standing('draining'),
    expected: { policy: 'service', code: 'no-target', source: 'services.orders', status: 503 },
    words: /draining/,
  },
]
