import assert from 'node:assert/strict'
import { createHash, createPrivateKey, sign } from 'node:crypto'
import { test } from 'node:test'
import { claimsOf, contentOf, identityWorld, issuer, ownIssuer, pairOf, worldSecret } from '../../test/support/identity-world.ts'
import type { IdentityWorld, WorkerWorld } from '../../test/support/identity-world.ts'
import { newDeviceCookie } from './login/known-device.ts'
import { deriveKeys } from './sealing.ts'
import { signingTopic } from './signer.ts'
import type { SignerState } from './signer.ts'
import type { AccessToken } from './token-issuer.ts'

function minted(worker: WorkerWorld, over: { session?: string; scopes?: string[]; roles?: string[] } = {}): AccessToken {
  const { session, scopes = [], roles = [] } = over
  return worker.parts.tokens.accessToken({
    subject: 'user-1',
    tenant: 'acme',
    client: undefined,
    scopes,
    roles,
    session,
    generation: 0,
  })
}

const worker1 = {
  id: 'worker-1',
  secretSha256: createHash('sha256').update('hush').digest('hex'),
  scopes: ['a', 'b'],
  roles: [],
  tenant: 'acme',
}
/** The same, who may see and end the tokens of others too. */
const inspector1 = { ...worker1, scopes: [...worker1.scopes, 'tokens:introspect', 'tokens:revoke'] }

for (const algorithm of ['ES256', 'EdDSA', 'RS256'] as const) {
  test(`an access token by ${algorithm} is believed on every node, with 10 seconds of skew, and published keys verify it`, async (t) => {
    const world = await identityWorld({ tokens: { ...ownIssuer().tokens, algorithm } })
    t.after(() => world.close())
    const [one, other] = [await world.worker(), await world.worker()]
    const { text } = minted(one)
    assert.equal((await other.ask({ bearer: text })).status, 200)
    const header = JSON.parse(Buffer.from(text.split('.')[0], 'base64url').toString()) as { kid: string; typ: string; alg: string }
    assert.deepEqual([header.typ, header.alg], ['at+jwt', algorithm])
    const answer = await other.ask({ path: '/.well-known/jwks.json' })
    const { keys } = contentOf(answer) as { keys: { kid: string; d?: string }[] }
    assert.deepEqual(
      keys.map(({ kid, d }) => [kid, d]),
      [[header.kid, undefined]],
    )
    assert.match(answer.headers.get('cache-control')!, /max-age=300/)
    world.clock.advance(609_000)
    assert.equal((await other.ask({ bearer: text })).status, 200)
    world.clock.advance(1001)
    assert.equal((await other.ask({ bearer: text })).status, 401)
  })
}

test('each kind of credential fails in every slot of another', async (t) => {
  const world = await identityWorld({ clients: [inspector1] })
  t.after(() => world.close())
  const worker = await world.worker()
  const login = await world.login()
  const session = pairOf((await worker.parts.sessions.start(login, worker.exchange())).setCookie)
  const family = await worker.parts.families.start(login, 'body', worker.exchange())
  const page = await worker.parts.families.start(login, 'cookie', worker.exchange())
  const service = (contentOf(await worker.ask({ cookie: session }))['told'] as string).replace('Bearer ', '')
  const known = newDeviceCookie('user-1', world.clock.now(), deriveKeys([worldSecret]))
  const access = family.accessToken
  assert.equal((await worker.ask({ bearer: await retyped(world, access, 'at+jwt') })).status, 200, 'the key is the right one')
  const credentials = {
    'ID token': await retyped(world, access, 'JWT'),
    'logout token': await retyped(world, access, 'logout+jwt'),
    'DPoP proof': await retyped(world, access, 'dpop+jwt'),
    'token for a service': await retyped(world, access, 'gw+jwt'),
    'token without a type': await retyped(world, access, undefined),
    device: known,
    session: session.slice(session.indexOf('=') + 1),
    access: family.accessToken,
    service,
    body: family.refreshToken,
    page: page.refreshToken,
  }
  const slots: Record<string, (text: string) => Promise<number>> = {
    session: async (text) => (await worker.ask({ cookie: `__Host-Http-velum=${text}` })).status,
    access: async (text) => (await worker.ask({ bearer: text })).status,
    body: async (text) =>
      (await worker.ask({ path: '/auth/token', form: { grant_type: 'refresh_token', refresh_token: text } })).status,
    page: async (text) =>
      (await worker.ask({ method: 'POST', path: '/auth/refresh', cookie: `__Host-Http-velum-refresh=${text}` })).status,
    // It says 200 to everybody, and that a token is active only of an access token.
    introspection: async (text) => {
      const form = { token: text, client_id: 'worker-1', client_secret: 'hush' }
      return contentOf(await worker.ask({ path: '/auth/introspect', form }))['active'] === true ? 200 : 400
    },
  }
  for (const [slot, put] of Object.entries(slots)) {
    for (const [kind, text] of Object.entries(credentials)) {
      const status = await put(text)
      if (kind === slot || (kind === 'access' && slot === 'introspection')) assert.equal(status, 200, `${kind} in its own slot`)
      else assert.ok(status === 401 || status === 400, `${kind} as ${slot}: ${status}`)
    }
  }
})

/** The same claims as a token of another kind, well signed by Velum's own key. */
async function retyped(world: IdentityWorld, token: string, typ: string | undefined): Promise<string> {
  const { signers } = (await world.hub.link().ask(signingTopic, issuer)) as SignerState
  const key = createPrivateKey({ key: Buffer.from(signers[0].privateKey!), type: 'pkcs8', format: 'der' })
  const [header, payload] = token.split('.')
  const read = JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>
  const front = `${Buffer.from(JSON.stringify({ ...read, typ })).toString('base64url')}.${payload}`
  return `${front}.${sign('sha256', Buffer.from(front), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`
}

test('a revoked token is refused in all its spellings, and another one is not', async (t) => {
  const world = await identityWorld({ clients: [inspector1] })
  t.after(() => world.close())
  const [one, other] = [await world.worker(), await world.worker()]
  const { text } = minted(one)
  const innocent = minted(one).text
  assert.equal((await other.ask({ bearer: text })).status, 200)
  const answer = await one.ask({ path: '/auth/revoke', form: { token: text, client_id: 'worker-1', client_secret: 'hush' } })
  assert.equal(answer.status, 200)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(text.at(-1)!)
  const spellings = [
    ...Array.from({ length: 16 }, (_, i) => text.slice(0, -1) + alphabet[(last & 48) | i]),
    `${text}=`,
    `${text}==`,
    ` ${text}`,
    twin(text),
  ]
  for (const node of [one, other]) {
    for (const spelling of spellings) assert.equal((await node.ask({ bearer: spelling })).status, 401, spelling.slice(-4))
    assert.equal((await node.ask({ bearer: innocent })).status, 200)
  }
})

/** The same ES256 signature with n − s for s, which verifies as well. */
function twin(token: string): string {
  const n = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n
  const end = token.lastIndexOf('.') + 1
  const signature = Buffer.from(token.slice(end), 'base64url')
  const s = n - BigInt(`0x${signature.toString('hex', 32)}`)
  return (
    token.slice(0, end) +
    Buffer.concat([signature.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]).toString('base64url')
  )
}

test('a token that would be larger than 4 KiB is not made', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  assert.ok(minted(worker).text.length < 700)
  assert.throws(() => minted(worker, { roles: Array.from({ length: 200 }, (_, i) => `group-${i}-with-a-long-name`) }), {
    code: 'head-too-large',
  })
})

test('a service learns which issuer vouches for a subject that is not ours', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const { tokens } = (await world.worker()).parts
  const foreign = {
    kind: 'bearer',
    issuer: 'https://partner.example.com',
    subject: 'user-1',
    tenant: 'partner',
    client: 'c',
    scopes: ['x'],
    roles: [],
    claims: {},
    expiresAt: Infinity,
    session: 's',
    credentialId: 'j',
  } as const
  const claims = claimsOf(tokens.serviceToken(foreign, 'orders').pairs[0][1])
  assert.deepEqual(
    [claims['iss'], claims['sub'], claims['sub_iss'], claims['sid'], claims['gen']],
    [issuer, 'user-1', 'https://partner.example.com', undefined, undefined],
  )
})

const kidOf = (token: string): string =>
  (JSON.parse(Buffer.from(token.split('.')[0], 'base64url').toString()) as { kid: string }).kid

test('keys rotate with overlap: published before use, kept until what they signed has expired', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const published = async (): Promise<string[]> =>
    (contentOf(await worker.ask({ path: '/.well-known/jwks.json' })) as { keys: { kid: string }[] }).keys
      .map(({ kid }) => kid)
      .sort()
  const before = kidOf(minted(worker).text)
  const next = await world.keys.rotateKeys()
  await world.settle()
  assert.deepEqual(await published(), [before, next].sort())
  assert.equal(kidOf(minted(worker).text), before)
  world.clock.advance(600_000)
  const last = minted(worker).text
  world.clock.advance(1001)
  assert.equal(kidOf(minted(worker).text), next)
  assert.equal((await worker.ask({ bearer: last })).status, 200)
  for (let i = 0; i < 20; i++) {
    world.clock.advance(60_000)
    await world.settle()
  }
  assert.deepEqual(await published(), [next])
  const { entries } = await world.stores.audit.list('', 100)
  assert.deepEqual(
    entries.map(({ event }) => event),
    ['key-removed', 'key-made', 'key-made'],
  )
})

const basic = (secret: string): string[] => ['Authorization', `Basic ${Buffer.from(`worker-1:${secret}`).toString('base64')}`]

test('a program gets tokens for itself by its secret, within its scopes', async (t) => {
  const world = await identityWorld({ clients: [inspector1] })
  t.after(() => world.close())
  const worker = await world.worker()
  const form = { grant_type: 'client_credentials' }
  const answer = await worker.ask({ path: '/auth/token', form: { ...form, scope: 'a' }, headers: basic('hush') })
  assert.equal(answer.status, 200)
  const claims = claimsOf(contentOf(answer)['access_token'] as string)
  assert.deepEqual(
    [claims['sub'], claims['client_id'], claims['scope'], claims['tenant'], claims['sid']],
    ['worker-1', 'worker-1', 'a', 'acme', undefined],
  )
  assert.equal(answer.headers.get('cache-control'), 'no-store')
  const refused = await worker.ask({ path: '/auth/token', form, headers: basic('hus') })
  assert.equal(refused.status, 401)
  assert.match(refused.headers.get('www-authenticate')!, /^Basic/)
  assert.equal((await worker.ask({ path: '/auth/token', form: { ...form, scope: 'a admin' }, headers: basic('hush') })).status, 400)
  assert.equal((await worker.ask({ path: '/auth/token', form })).status, 401)
  assert.equal((await worker.ask({ path: '/auth/introspect', form: { token: minted(worker).text } })).status, 401)
  const known = await worker.ask({ path: '/auth/introspect', form: { token: minted(worker).text }, headers: basic('hush') })
  assert.deepEqual([contentOf(known)['active'], contentOf(known)['sub']], [true, 'user-1'])
  const unknown = await worker.ask({ path: '/auth/introspect', form: { token: 'x' }, headers: basic('hush') })
  assert.deepEqual(contentOf(unknown), { active: false })
})

test('endpoints: unknown paths, other methods, HEAD, and what lies beside them', async (t) => {
  const world = await identityWorld()
  t.after(() => world.close())
  const worker = await world.worker()
  const cookie = pairOf((await worker.parts.sessions.start(await world.login(), worker.exchange())).setCookie)
  assert.equal((await worker.ask({ path: '/auth/nothing', cookie })).status, 404)
  assert.equal((await worker.ask({ path: '/auth', cookie })).status, 404)
  assert.equal((await worker.ask({ path: '/authority', cookie })).status, 200, 'a route')
  assert.equal((await worker.ask({ path: '/.well-known/security.txt', cookie })).status, 200, 'a route')
  const wrong = await worker.ask({ method: 'PUT', path: '/auth/sessions', cookie })
  assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'GET, HEAD, DELETE'])
  assert.equal((await worker.ask({ path: '/auth/session' })).status, 401)
  const me = await worker.ask({ path: '/auth/session', cookie })
  assert.deepEqual([contentOf(me)['subject'], contentOf(me)['roles']], ['user-1', ['staff']])
  assert.equal(me.headers.get('cache-control'), 'no-store')
  const metadata = contentOf(await worker.ask({ path: '/.well-known/oauth-authorization-server' }))
  assert.equal(metadata['token_endpoint'], `${issuer}/auth/token`)
})
