// A table: every kind of credential × what may be wrong with one, through a whole compiled configuration. A cell is a
// request with its answer, or says why there is no such thing.
import assert from 'node:assert/strict'
import { createHash, createPrivateKey, sign } from 'node:crypto'
import type { PeerCertificate } from 'node:tls'
import { test } from 'node:test'
import { credentialKinds } from '../../src/core/identity.ts'
import { revoke } from '../../src/identity/revoked.ts'
import { credentialWorld, partnerKey } from '../support/credential-world.ts'
import type { CredentialWorld, Presented } from '../support/credential-world.ts'
import { textBody } from '../../src/core/body.ts'
import { signingTopic } from '../../src/identity/signer.ts'
import type { SignerState } from '../../src/identity/signer.ts'
import { accessToken } from '../support/token-issuer.ts'

const issuer = 'https://api.example.com'
const partner = 'https://partner.example.com'
const opaqueIssuer = 'https://opaque.example.com'
const hourMs = 3_600_000
const password = 'correct horse battery staple'
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

const config = (folder: string): unknown => ({
  name: 'credentials',
  listeners: {
    api: { port: 8443, tls: { dev: true } },
    others: { port: 8444, tls: { dev: true } },
  },
  services: { told: { url: 'http://127.0.0.1:1', identity: 'headers' } },
  identity: {
    issuer,
    roles: { staff: ['orders:read'] },
    passwords: { threads: 1 },
    clients: { worker: { secretHash: sha256('hush'), scopes: ['orders:read'], tenant: 'acme' } },
    apiKeys: { fixed: { sha256: sha256('a fixed key'), tenant: 'acme', scopes: ['orders:read'], expires: '2023-11-15' } },
    certificates: {
      holder: { dns: 'holder.internal', tenant: 'acme', scopes: ['orders:read'], listeners: ['api'] },
      elsewhere: { dns: 'elsewhere.internal', listeners: ['others'] },
    },
    trustedIssuers: {
      partner: { issuer: partner, jwks: `${folder}/partner.json`, audience: issuer, tenants: ['acme'], clockTolerance: '0s' },
      opaque: {
        issuer: opaqueIssuer,
        audience: issuer,
        tenants: ['acme'],
        clockTolerance: '0s',
        introspection: {
          endpoint: `${opaqueIssuer}/introspect`,
          clientId: 'velum',
          clientSecret: 'shh',
          prefix: 'opq_',
          cache: '1h',
        },
      },
    },
  },
  routes: [
    {
      name: 'any',
      match: { path: '/any' },
      to: 'told',
      auth: { any: ['client-certificate', 'bearer', 'basic', 'api-key', 'session'], scopes: ['orders:read'] },
    },
  ],
})

/** How a request was answered: the subject that the service was told, or the status and the reason of the refusal. */
type Cell = { readonly na: string } | { readonly run: (w: CredentialWorld) => Promise<Presented>; readonly is: string }
const columns = ['valid', 'expired', 'revoked', 'malformed', 'wrong audience', 'wrong tenant', 'twice'] as const
type Row = Readonly<Record<(typeof columns)[number], Cell>> & {
  /** Below it in the order; presented besides, it counts for nothing. Undefined where that is an API key itself. */
  readonly lesser: Presented | undefined
  readonly subject: string
}

const cell = (is: string, run: (w: CredentialWorld) => Promise<Presented> | Presented): Cell => ({ is, run: async (w) => run(w) })
const na = (why: string): Cell => ({ na: why })
const seconds = (w: CredentialWorld): number => Math.floor(w.clock.now() / 1000)

const authorization = (value: string): Presented => ({ headers: ['Authorization', value] })
const both = (...presented: Presented[]): Presented => ({
  headers: presented.flatMap(({ headers = [] }) => headers),
  ...Object.assign({}, ...presented.map(({ certificate }) => (certificate === undefined ? {} : { certificate }))),
})

const certificate = (name: string, validTo = new Date(Date.UTC(2030, 0, 1)).toUTCString()): Presented => ({
  certificate: {
    subject: { CN: name },
    subjectaltname: `DNS:${name}`,
    fingerprint256: sha256(name + validTo).toUpperCase(),
    valid_to: validTo,
  } as unknown as PeerCertificate,
})

const fixedKey: Presented = { headers: ['X-Api-Key', 'a fixed key'] }

/** A token of Velum's own for the client `worker`. */
async function ownToken(w: CredentialWorld): Promise<string> {
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: 'worker', client_secret: 'hush' })
  const headers = ['Content-Type', 'application/x-www-form-urlencoded']
  const { answer } = await w.ask({ headers }, 'POST', '/auth/token', textBody(form.toString()))
  return (JSON.parse(answer.body.bytes!.toString()) as { access_token: string }).access_token
}

/** The same with other claims, well signed by Velum's own key. */
async function resigned(w: CredentialWorld, token: string, claims: Record<string, unknown>): Promise<string> {
  const { signers } = (await w.link.ask(signingTopic, issuer)) as SignerState
  const key = createPrivateKey({ key: Buffer.from(signers[0].privateKey!), type: 'pkcs8', format: 'der' })
  const [header, payload] = token.split('.')
  const said = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object
  const front = `${header}.${Buffer.from(JSON.stringify({ ...said, ...claims })).toString('base64url')}`
  return `${front}.${sign('sha256', Buffer.from(front), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

const bearer = (token: string): Presented => authorization(`Bearer ${token}`)
const partnerToken = (w: CredentialWorld, claims: object = {}): Presented =>
  bearer(accessToken(partnerKey, w.clock.now(), { iss: partner, scope: 'orders:read', tenant: 'acme', ...claims }))

function opaqueToken(w: CredentialWorld, claims: object = {}): Presented {
  w.opaque.set('opq_1', {
    active: true,
    sub: 'user-2',
    aud: issuer,
    scope: 'orders:read',
    tenant: 'acme',
    jti: 'opaque-id',
    exp: seconds(w) + 600,
    ...claims,
  })
  return bearer('opq_1')
}

async function basic(w: CredentialWorld, typed = password): Promise<Presented> {
  const users = w.logins.users!
  if ((await users.list()).length === 0) await users.add({ name: 'alice', password, roles: ['staff'], tenant: 'acme' } as never)
  return authorization(`Basic ${Buffer.from(`alice:${typed}`).toString('base64')}`)
}

async function madeKey(w: CredentialWorld, over: object = {}): Promise<{ id: string; presented: Presented; text: string }> {
  const { key, row } = await w.keys.apiKeys!.create({ client: 'maker', scopes: ['orders:read'], tenant: 'acme', ...over })
  return { id: row.id, text: key, presented: { headers: ['X-Api-Key', key] } }
}

async function session(w: CredentialWorld): Promise<Presented> {
  await basic(w)
  const headers = ['Content-Type', 'application/json', 'Sec-Fetch-Site', 'same-origin']
  const { answer } = await w.ask({ headers }, 'POST', '/auth/login', textBody(JSON.stringify({ username: 'alice', password })))
  assert.equal(answer.status, 200)
  const line = answer.headers.all('set-cookie').find((cookie) => cookie.startsWith('__Host-Http-velum='))!
  return { headers: ['Cookie', line.slice(0, line.indexOf(';'))] }
}

/** Does something to what was good, and presents it again. */
const afterUse =
  (present: (w: CredentialWorld) => Promise<Presented> | Presented, then: (w: CredentialWorld) => Promise<unknown> | void) =>
  async (w: CredentialWorld): Promise<Presented> => {
    const presented = await present(w)
    assert.equal((await w.ask(presented)).answer.status, 200, 'it was good before')
    await then(w)
    return presented
  }

const later =
  (ms: number) =>
  (w: CredentialWorld): void =>
    w.clock.advance(ms)
const revoked =
  (client: string) =>
  (w: CredentialWorld): unknown =>
    revoke(w.stores, { kind: 'client', client, keepUntil: w.clock.now() + hourMs })
const revokedToken =
  (by: string, id: string) =>
  (w: CredentialWorld): unknown =>
    revoke(w.stores, { kind: 'token', issuer: by, id, keepUntil: w.clock.now() + hourMs })

const table: Readonly<Record<string, Row>> = {
  'client certificate': {
    subject: 'holder.internal',
    lesser: fixedKey,
    valid: cell('holder.internal', () => certificate('holder.internal')),
    expired: cell('401 certificate-expired', () => certificate('holder.internal', 'Nov 14 00:00:00 2023 GMT')),
    revoked: cell(
      '401 revoked',
      afterUse(() => certificate('holder.internal'), revoked('holder') as never),
    ),
    malformed: cell('401 unknown-certificate', () => certificate('holder.internal\u0000')),
    'wrong audience': cell('401 unknown-certificate', () => certificate('elsewhere.internal')),
    'wrong tenant': na('the tenant of a certificate is what the configuration says'),
    twice: na('a connection has one certificate'),
  },
  'bearer, of its own': {
    subject: 'worker',
    lesser: fixedKey,
    valid: cell('worker', async (w) => bearer(await ownToken(w))),
    expired: cell(
      '401 expired',
      afterUse(async (w) => bearer(await ownToken(w)), later(610_000)),
    ),
    revoked: cell(
      '401 revoked',
      afterUse(async (w) => bearer(await ownToken(w)), revoked('worker') as never),
    ),
    malformed: cell('401 not-a-jwt', async (w) => bearer((await ownToken(w)).replace('.', '..'))),
    'wrong audience': cell('401 other-audience', async (w) =>
      bearer(await resigned(w, await ownToken(w), { aud: 'https://other.example.com' })),
    ),
    'wrong tenant': na('its own tokens say their tenant, whichever that is'),
    twice: cell('400 duplicate-credential', async (w) => both(bearer(await ownToken(w)), bearer(await ownToken(w)))),
  },
  'bearer, of a trusted issuer': {
    subject: 'user-1',
    lesser: fixedKey,
    valid: cell('user-1', (w) => partnerToken(w)),
    expired: cell(
      '401 expired',
      afterUse((w) => partnerToken(w), later(601_000)),
    ),
    revoked: cell(
      '401 revoked',
      afterUse((w) => partnerToken(w), revokedToken(partner, 'token-1') as never),
    ),
    malformed: cell('401 not-a-jwt', () => bearer('e30.e30.!')),
    'wrong audience': cell('401 other-audience', (w) => partnerToken(w, { aud: 'https://other.example.com' })),
    'wrong tenant': cell('401 other-tenant', (w) => partnerToken(w, { tenant: 'other' })),
    twice: cell('400 duplicate-credential', (w) => both(partnerToken(w), partnerToken(w))),
  },
  'bearer, opaque': {
    subject: 'user-2',
    lesser: fixedKey,
    valid: cell('user-2', (w) => opaqueToken(w)),
    expired: cell(
      '401 expired',
      afterUse((w) => opaqueToken(w), later(600_000)),
    ),
    revoked: cell(
      '401 revoked',
      afterUse((w) => opaqueToken(w), revokedToken(opaqueIssuer, 'opaque-id') as never),
    ),
    malformed: cell('401 inactive', () => bearer('opq_never-issued')),
    'wrong audience': cell('401 other-audience', (w) => opaqueToken(w, { aud: 'https://other.example.com' })),
    'wrong tenant': cell('401 other-tenant', (w) => opaqueToken(w, { tenant: 'other' })),
    twice: cell('400 duplicate-credential', (w) => both(opaqueToken(w), opaqueToken(w))),
  },
  basic: {
    subject: 'alice',
    lesser: fixedKey,
    valid: cell('alice', (w) => basic(w)),
    expired: na('a password has no end'),
    revoked: cell(
      '401 revoked',
      afterUse(
        (w) => basic(w),
        (w) => w.logins.users!.disable('alice'),
      ),
    ),
    malformed: cell('401 not-a-pair', () => authorization('Basic !!!')),
    'wrong audience': na('a password names no audience'),
    'wrong tenant': na('the tenant is that of the user'),
    twice: cell('400 duplicate-credential', async (w) => both(await basic(w), await basic(w))),
  },
  'API key, made': {
    subject: 'maker',
    lesser: undefined,
    valid: cell('maker', async (w) => (await madeKey(w)).presented),
    expired: cell('401 api-key-expired', async (w) =>
      afterUse(async () => (await madeKey(w, { expiresAt: w.clock.now() + 1000 })).presented, later(1000))(w),
    ),
    revoked: cell('401 revoked', async (w) => {
      const { id, presented } = await madeKey(w)
      return afterUse(
        () => presented,
        (v) => v.keys.apiKeys!.revoke(id),
      )(w)
    }),
    malformed: cell('401 api-key-checksum', async (w) => {
      const { text } = await madeKey(w)
      return { headers: ['X-Api-Key', text.slice(0, -1) + (text.endsWith('a') ? 'b' : 'a')] }
    }),
    'wrong audience': na('a key names no audience'),
    'wrong tenant': na('the tenant of a key was said when it was made'),
    twice: cell('400 duplicate-credential', async (w) => {
      const { presented } = await madeKey(w)
      return both(presented, presented)
    }),
  },
  'API key, of the configuration': {
    subject: 'fixed',
    lesser: undefined,
    valid: cell('fixed', () => fixedKey),
    expired: cell(
      '401 api-key-expired',
      afterUse(() => fixedKey, later(2 * hourMs)),
    ),
    revoked: cell(
      '401 revoked',
      afterUse(() => fixedKey, revoked('fixed') as never),
    ),
    malformed: cell('401 unknown-api-key', () => ({ headers: ['X-Api-Key', 'a fixed key '] })),
    'wrong audience': na('a key names no audience'),
    'wrong tenant': na('the tenant of a key is what the configuration says'),
    twice: cell('400 duplicate-credential', () => both(fixedKey, fixedKey)),
  },
  session: {
    subject: 'alice',
    lesser: undefined,
    valid: cell('alice', session),
    expired: cell('401 unknown-session', afterUse(session, later(31 * 60_000))),
    revoked: cell(
      '401 revoked',
      afterUse(session, (w) => w.logins.users!.disable('alice')),
    ),
    malformed: cell('401 not-a-session', () => ({ headers: ['Cookie', '__Host-Http-velum=x'] })),
    'wrong audience': na('a session is a cookie of this host alone'),
    'wrong tenant': na('the tenant of a session is that of its user'),
    twice: cell('400 duplicate-credential', async (w) => both(await session(w), await session(w))),
  },
}

async function told(w: CredentialWorld, presented: Presented): Promise<string> {
  const { answer, x, told: by } = await w.ask(presented)
  if (by === undefined) return `${answer.status} ${x.refusal?.code}`
  assert.equal(answer.status, 200)
  return by['subject']
}

for (const [kind, row] of Object.entries(table)) {
  for (const column of columns) {
    const wanted = row[column]
    if ('na' in wanted) continue
    test(`${kind}: ${column}`, async (t) => {
      const w = await credentialWorld(config)
      t.after(() => w.close())
      assert.equal(await told(w, await wanted.run(w)), wanted.is)
    })
  }

  const { lesser, valid, malformed, subject } = row
  if (lesser === undefined || 'na' in valid || 'na' in malformed) continue
  test(`${kind}: two kinds at once`, async (t) => {
    const w = await credentialWorld(config)
    t.after(() => w.close())
    const wrongKey: Presented = { headers: ['X-Api-Key', 'no key at all'] }
    assert.equal(await told(w, both(await valid.run(w), wrongKey)), subject, 'the first counts, whatever the other is')
    assert.equal(await told(w, both(await malformed.run(w), lesser)), malformed.is, 'nothing falls through to the other')
    assert.equal(await told(w, lesser), 'fixed', 'which would have been good')
  })
}

test('an API key counts before a session, and a bad one is not made good by it', async (t) => {
  const w = await credentialWorld(config)
  t.after(() => w.close())
  const person = await session(w)
  assert.equal(await told(w, both(person, fixedKey)), 'fixed')
  assert.equal(await told(w, both(person, { headers: ['X-Api-Key', 'no key at all'] })), '401 unknown-api-key')
})

test('every kind of credential is in the table, and what is not in it has its reason', () => {
  const kinds = new Set(Object.keys(table).map((row) => row.split(',')[0].toLowerCase().replace(' ', '-')))
  assert.deepEqual([...kinds].sort(), [...credentialKinds].sort())
  for (const row of Object.values(table))
    for (const column of columns) if ('na' in row[column]) assert.ok(row[column].na.length > 10)
})
