import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { exchangeOf } from '../../test/support/exchange.ts'
import { dropTable, Headers } from '../core/headers.ts'
import { headerName } from '../core/header-names.ts'
import { identityHeaders } from './identity-headers.ts'
import { KnownIdentity } from './known-identity.ts'
import { identityHeaderIds, protectedHeaderIds, withoutOwnCookies } from './protected-headers.ts'
import type { ProtectedFor } from './protected-headers.ts'

const plain: ProtectedFor = { identity: 'none', hasApiKeys: true }

/** What a service sees of these lines. */
function seen(received: readonly string[], of = plain): string[] {
  const lines: string[] = []
  const headers = Headers.received(received).derive(dropTable(protectedHeaderIds(of)))
  withoutOwnCookies(headers, exchangeOf())
  headers.forEach((name, value) => void lines.push(`${name}: ${value}`))
  return lines
}

/** The same name with some letters in capitals and some "-" as "_". */
const spelling = (name: string): fc.Arbitrary<string> =>
  fc.array(fc.boolean(), { minLength: name.length, maxLength: name.length }).map((changed) =>
    name
      .split('')
      .map((char, i) => (!changed[i] ? char : char === '-' ? '_' : char.toUpperCase()))
      .join(''),
  )

const identityName = fc.constantFrom(...identityHeaderIds.map(headerName)).chain(spelling)
const credentialName = fc.constantFrom('authorization', 'x-api-key').chain(spelling)

test('no spelling of an identity header gets through, whatever the service is', () => {
  const modes = fc.record({
    identity: fc.constantFrom('jwt', 'headers', 'none', 'pass'),
    hasApiKeys: fc.boolean(),
  }) as fc.Arbitrary<ProtectedFor>
  fc.assert(
    fc.property(identityName, modes, (name, of) => {
      assert.deepEqual(seen(['accept', '*/*', name, 'admin', 'x-other', '1'], of), ['accept: */*', 'x-other: 1'], name)
    }),
    { numRuns: 2000 },
  )
})

test('no spelling of a credential gets through to a service that is not meant to see it', () => {
  fc.assert(
    fc.property(credentialName, (name) => assert.deepEqual(seen([name, 'secret']), [], name)),
    { numRuns: 500 },
  )
})

test('the contract names these, and they are protected', () => {
  const names = new Set(identityHeaderIds.map(headerName))
  for (const part of ['subject', 'tenant', 'client', 'scopes', 'roles']) assert.ok(names.has(`x-auth-${part}`))
})

test('a service with identity "pass" sees the bearer token, but no key of the gateway', () => {
  const received = ['authorization', 'Bearer a', 'x-api-key', 'b']
  assert.deepEqual(seen(received, { identity: 'pass', hasApiKeys: true }), ['authorization: Bearer a'])
  assert.deepEqual(seen(received, { identity: 'pass', hasApiKeys: false }), ['authorization: Bearer a', 'x-api-key: b'])
})

test('cookies pass, but not those of the gateway', () => {
  assert.deepEqual(seen(['cookie', 'a=1; b="x,y"']), ['cookie: a=1; b="x,y"'])
  assert.deepEqual(seen(['cookie', 'a=1; __Host-Http-velum=id.secret; b=2']), ['cookie: a=1; b=2'])
  assert.deepEqual(seen(['cookie', '__Host-Http-velum=id.secret; b=2']), ['cookie: b=2'])
  assert.deepEqual(seen(['cookie', 'a=1; __Host-Http-velum=id.secret']), ['cookie: a=1'])
  assert.deepEqual(seen(['cookie', '__Host-Http-velum=id.secret']), [])
  assert.deepEqual(seen(['cookie', '__Host-Http-velum=s; a=1; __host-http-velum-refresh=t; b=2']), ['cookie: a=1; b=2'])
  assert.deepEqual(seen(['cookie', 'a=__Host-Http-velum; __Host-Http-velum=s']), ['cookie: a=__Host-Http-velum'])
  assert.deepEqual(seen(['cookie', 'a=1;__Host-Http-velum=s;b=2']), ['cookie: a=1; b=2'])
  assert.deepEqual(seen(['cookie', '__Host-Http-velum-refresh=t;__host-http-VELUM=x']), [])
  assert.deepEqual(seen(['cookie', 'a=1', 'cookie', '__Host-Http-velum=s', 'cookie', 'b=2']), ['cookie: a=1; b=2'])
  assert.deepEqual(seen(['cookie', 'a=__Host-Http-velum']), ['cookie: a=__Host-Http-velum'])
  // Empty pairs are nobody's cookies, and must not become a line that could not be sent.
  assert.deepEqual(seen(['cookie', 'a=1;__Host-Http-velum=s;']), ['cookie: a=1'])
  assert.deepEqual(seen(['cookie', 'a=1', 'cookie', '']), ['cookie: a=1'])
  assert.deepEqual(seen(['cookie', ';;__Host-Http-velum=s;;']), [])
})

function told(facts: Partial<ConstructorParameters<typeof KnownIdentity>[0]>): Record<string, string> {
  const x = exchangeOf()
  x.identity = new KnownIdentity({
    kind: 'bearer',
    issuer: 'https://issuer.example.com',
    subject: 'user-1',
    tenant: undefined,
    client: undefined,
    scopes: [],
    roles: [],
    expiresAt: Infinity,
    session: undefined,
    credentialId: undefined,
    ...facts,
  })
  const headers = new Headers()
  identityHeaders(headers, x)
  const lines: Record<string, string> = {}
  headers.forEach((name, value) => void (lines[name] = value))
  return lines
}

test('white space that is not of HTTP hides no cookie of the gateway, and stays where it is part of another', () => {
  assert.deepEqual(seen(['cookie', 'a=b\u00a0; \u00a0__Host-Http-velum=x;c=d']), ['cookie: a=b\u00a0; c=d'])
})

test('a service that is told by headers learns who is calling', () => {
  assert.deepEqual(told({ tenant: 'acme', client: 'app', scopes: ['orders:read', 'orders:write'], roles: ['staff', 'auditor'] }), {
    'x-auth-subject': 'user-1',
    'x-auth-tenant': 'acme',
    'x-auth-client': 'app',
    'x-auth-scopes': 'orders:read orders:write',
    'x-auth-roles': 'staff,auditor',
  })
  assert.deepEqual(told({}), { 'x-auth-subject': 'user-1' })
})

test('whatever an issuer puts into a subject, it stays one value of one line', () => {
  assert.equal(told({ subject: 'a\r\nx-auth-roles: admin' })['x-auth-subject'], 'a%0D%0Ax-auth-roles:%20admin')
  assert.equal(told({ subject: 'Jürgen €' })['x-auth-subject'], 'J%C3%BCrgen%20%E2%82%AC')
  assert.equal(told({ subject: '100%' })['x-auth-subject'], '100%25')
  assert.equal(told({ roles: ['a,b', 'c d'] })['x-auth-roles'], 'a%2Cb,c%20d')
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), (subject) => {
      if (!subject.isWellFormed()) return
      assert.equal(decodeURIComponent(told({ subject })['x-auth-subject']), subject)
    }),
  )
})

test('what a service is told of one identity is made once', () => {
  const x = exchangeOf()
  const identity = new KnownIdentity({ ...emptyFacts })
  x.identity = identity
  assert.equal(identity.headers, identity.headers)
  const headers = new Headers()
  identityHeaders(headers, x)
  assert.equal(headers.get('x-auth-subject'), 'somebody')
})

test('nobody is told of where nobody is known', () => {
  const headers = new Headers()
  identityHeaders(headers, exchangeOf())
  assert.equal(headers.toLines(), '')
})

const emptyFacts = {
  kind: 'api-key',
  issuer: 'api-keys',
  subject: 'somebody',
  tenant: undefined,
  client: undefined,
  scopes: [],
  roles: [],
  expiresAt: Infinity,
  session: undefined,
  credentialId: undefined,
} as const
