import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Identity } from '../core/identity.ts'
import { exchangeOf } from '../../test/support/exchange.ts'
import { CountingMeter, policyEnv } from '../../test/support/policy-env.ts'
import { KnownIdentity } from '../identity/known-identity.ts'
import { csrf } from './csrf.ts'
import type { CsrfInput } from './csrf.ts'

const identityBy = (kind: Identity['kind']): Identity =>
  new KnownIdentity({
    kind,
    issuer: 'https://api.example.com',
    subject: 'ada',
    tenant: undefined,
    client: undefined,
    scopes: [],
    roles: [],
    expiresAt: Infinity,
    session: undefined,
    credentialId: undefined,
  })

interface Case {
  readonly method?: string
  readonly headers?: readonly string[]
  readonly upgrade?: string
  readonly by?: Identity['kind'] | 'nobody'
  readonly options?: CsrfInput
}

const meter = new CountingMeter()

function decide({ method = 'POST', headers = [], upgrade, by = 'session', options = {} }: Case): string {
  const env = policyEnv({
    meter,
    route: { name: 'test', index: 0, acceptsSession: true },
    trustedOrigins: ['https://gateway.example.com', 'https://app.example.com'],
  })
  const [policy] = csrf.build(csrf.options.parse(options), env)!.policies
  // TLS makes the scheme, which an Origin is compared with.
  const tls = { protocol: 'TLSv1.3', cipher: '', serverName: undefined, clientCertificate: () => undefined }
  const x = exchangeOf({ method, headers, tls, ...(upgrade === undefined ? {} : { upgrade }) })
  if (by !== 'nobody') x.identity = identityBy(by)
  const verdict = policy.decide!(x, 'charge')
  assert.ok(!(verdict instanceof Promise))
  assert.equal(verdict.refusal?.name, verdict.code === 'cross-site' && options.shadow !== true ? 'cross-site' : undefined)
  return verdict.code
}

/** The order of decisions: what is asked first, first. */
const table: readonly (readonly [title: string, wanted: string, request: Case])[] = [
  ['GET changes nothing', 'safe-method', { method: 'GET', headers: ['Sec-Fetch-Site', 'cross-site'] }],
  ['HEAD changes nothing', 'safe-method', { method: 'HEAD', headers: ['Sec-Fetch-Site', 'cross-site'] }],
  ['OPTIONS changes nothing', 'safe-method', { method: 'OPTIONS', headers: ['Sec-Fetch-Site', 'cross-site'] }],
  ['a WebSocket by GET may', 'cross-site', { method: 'GET', upgrade: 'websocket', headers: ['Origin', 'https://evil.example'] }],
  [
    'a WebSocket of the own page',
    'own-page',
    { method: 'GET', upgrade: 'websocket', headers: ['Origin', 'https://api.example.com'] },
  ],
  ['a WebSocket without Origin', 'cross-site', { method: 'GET', upgrade: 'websocket' }],
  ['a bearer token is no cookie', 'no-session', { by: 'bearer', headers: ['Sec-Fetch-Site', 'cross-site'] }],
  ['an anonymous caller', 'no-session', { by: 'nobody', headers: ['Sec-Fetch-Site', 'cross-site'] }],
  ['the own page', 'own-page', { headers: ['Sec-Fetch-Site', 'same-origin'] }],
  ['the user, by a navigation', 'own-page', { headers: ['Sec-Fetch-Site', 'none', 'Sec-Fetch-Mode', 'navigate'] }],
  ['"none" that is no navigation', 'cross-site', { headers: ['Sec-Fetch-Site', 'none', 'Sec-Fetch-Mode', 'cors'] }],
  ['another site', 'cross-site', { headers: ['Sec-Fetch-Site', 'cross-site', 'Origin', 'https://evil.example'] }],
  ['a sibling host', 'cross-site', { headers: ['Sec-Fetch-Site', 'same-site', 'Origin', 'https://blog.example.com'] }],
  ['a listed sibling', 'own-page', { headers: ['Sec-Fetch-Site', 'same-site', 'Origin', 'https://app.example.com'] }],
  [
    'the issuer’s own origin by another host',
    'own-page',
    { headers: ['Sec-Fetch-Site', 'cross-site', 'Origin', 'https://gateway.example.com'] },
  ],
  [
    'a listed origin in other case',
    'cross-site',
    { headers: ['Sec-Fetch-Site', 'cross-site', 'Origin', 'https://APP.example.com'] },
  ],
  [
    'a listed origin as a prefix',
    'cross-site',
    { headers: ['Sec-Fetch-Site', 'cross-site', 'Origin', 'https://app.example.com.evil.example'] },
  ],
  ['Sec-Fetch-Site twice', 'cross-site', { headers: ['Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Site', 'cross-site'] }],
  ['an unknown Sec-Fetch-Site', 'cross-site', { headers: ['Sec-Fetch-Site', 'friendly'] }],
  ['an old browser, own Origin', 'own-page', { headers: ['Origin', 'https://api.example.com'] }],
  ['an old browser, own host without TLS', 'cross-site', { headers: ['Origin', 'http://api.example.com'] }],
  ['an old browser, another port', 'cross-site', { headers: ['Origin', 'https://api.example.com:8443'] }],
  ['an opaque origin', 'cross-site', { headers: ['Origin', 'null'] }],
  ['two Origins', 'cross-site', { headers: ['Origin', 'https://api.example.com', 'Origin', 'https://evil.example'] }],
  ['a Referer of the own page', 'own-page', { headers: ['Referer', 'https://api.example.com/page'] }],
  ['a Referer that begins alike', 'cross-site', { headers: ['Referer', 'https://api.example.com.evil.example/'] }],
  ['a Referer that is no address', 'cross-site', { headers: ['Referer', 'nonsense'] }],
  ['nothing said at all', 'cross-site', {}],
  [
    'a route’s own origins',
    'own-page',
    {
      headers: ['Sec-Fetch-Site', 'cross-site', 'Origin', 'https://partner.example'],
      options: { origins: ['https://partner.example'] },
    },
  ],
]
for (const [title, wanted, request] of table) test(title, () => assert.equal(decide(request), wanted))

test('in shadow it reports and refuses nothing', () => {
  assert.equal(decide({ headers: ['Sec-Fetch-Site', 'cross-site'], options: { shadow: true } }), 'cross-site')
})

test('refusals are counted, by route', () => assert.ok(meter.counts.get('velum_csrf_refusals_total test false')! > 5))

test('a route that takes no session has no such policy', () => {
  assert.equal(csrf.build(csrf.options.parse({}), policyEnv()), undefined)
})

test('only origins can be listed', () => {
  for (const bad of ['*', 'https://*.example.com', 'https://app.example.com/', 'app.example.com', 'http://app.example.com', 'null'])
    assert.equal(csrf.options.safeParse({ origins: [bad] }).success, false, bad)
  for (const good of ['https://app.example.com', 'https://app.example.com:8443', 'http://localhost:3000'])
    assert.equal(csrf.options.safeParse({ origins: [good] }).success, true, good)
})
