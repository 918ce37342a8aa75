import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { upstreamOf } from '../support/identity-fleet.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'

const issuer = new URL('https://api.example.com')
// Characters that must be form-encoded before they are joined for Basic.
const secret = 'hush: 100% & +more/ä'
const password = 'correct horse battery staple'

const isInvalidGrant = (thrown: unknown): boolean => thrown instanceof oauth.ResponseBodyError && thrown.error === 'invalid_grant'

test('strict clients of OAuth get along with the endpoints', async (t) => {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', readFileSync(new URL('oauth-clients.yaml', import.meta.url), 'utf8'))
  const env = { UPSTREAM: await upstreamOf(t), SECRET_HASH: createHash('sha256').update(secret).digest('hex') }
  const options = { folder: folder.path, env }
  const added = await runCommand(['user', 'add', 'alice', '--password-stdin', '--roles', 'staff'], { ...options, input: password })
  assert.equal(added.code, 0, added.err)
  const { web } = await readyListeners(startVelum(t, ['run', '--workers', '1'], options))
  /** What stands at the public address, as a proxy would have it. */
  const there = (url: string): URL => {
    const { origin, pathname, search } = new URL(url)
    assert.equal(origin, issuer.origin, 'a client was led elsewhere')
    return new URL(`${pathname}${search}`, web)
  }
  const proxied = { [oauth.customFetch]: (url: string, init: unknown) => fetch(there(url), init as RequestInit) }
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...proxied })
  const as = await oauth.processDiscoveryResponse(issuer, found)
  const worker: oauth.Client = { client_id: 'worker.1' }
  const app: oauth.Client = { client_id: 'app' }
  const inspector: oauth.Client = { client_id: 'inspector' }
  const clientToken = async (): Promise<string> => {
    const response = await oauth.clientCredentialsGrantRequest(as, worker, oauth.ClientSecretBasic(secret), {}, proxied)
    return (await oauth.processClientCredentialsResponse(as, worker, response)).access_token
  }
  /** What a call with a token is answered. */
  const statusWith = async (token: string): Promise<number> =>
    (await fetch(new URL('/orders', web), { headers: { authorization: `Bearer ${token}` } })).status
  const introspected = async (by: oauth.Client, token: string): Promise<oauth.IntrospectionResponse> => {
    const response = await oauth.introspectionRequest(as, by, oauth.ClientSecretPost(secret), token, proxied)
    return oauth.processIntrospectionResponse(as, by, response)
  }

  await t.test('the metadata of RFC 8414 leads to every endpoint', () => {
    assert.equal(as.issuer, issuer.origin)
    assert.deepEqual(as.grant_types_supported, ['refresh_token', 'client_credentials'])
    for (const key of ['token_endpoint', 'revocation_endpoint', 'introspection_endpoint', 'jwks_uri'] as const) {
      assert.equal(new URL(as[key]!).origin, issuer.origin, key)
    }
  })

  await t.test('client credentials give a token as RFC 9068 has it, by both ways to say a secret', async () => {
    const token = await clientToken()
    const asked = new Request('https://api.example.com/orders', { headers: { authorization: `Bearer ${token}` } })
    const claims = await oauth.validateJwtAccessToken(as, asked, issuer.origin, proxied)
    assert.equal(claims.client_id, 'worker.1')
    assert.equal(claims.sub, 'worker.1')
    assert.equal(await statusWith(token), 200)
    const response = await oauth.clientCredentialsGrantRequest(
      as,
      worker,
      oauth.ClientSecretPost(secret),
      { scope: 'orders:read' },
      proxied,
    )
    assert.equal((await oauth.processClientCredentialsResponse(as, worker, response)).scope, 'orders:read')
  })

  await t.test('errors are those that the standard names', async () => {
    const asked = (auth: oauth.ClientAuth, scope = 'orders:read'): Promise<Response> =>
      oauth.clientCredentialsGrantRequest(as, worker, auth, { scope }, proxied)
    const wrong = await asked(oauth.ClientSecretBasic('wrong'))
    await assert.rejects(oauth.processClientCredentialsResponse(as, worker, wrong), (thrown: Error) => {
      assert.ok(thrown instanceof oauth.WWWAuthenticateChallengeError || thrown instanceof oauth.ResponseBodyError, String(thrown))
      assert.equal(thrown.status, 401)
      return true
    })
    const beyond = await asked(oauth.ClientSecretBasic(secret), 'admin')
    await assert.rejects(
      oauth.processClientCredentialsResponse(as, worker, beyond),
      (thrown) => thrown instanceof oauth.ResponseBodyError && thrown.error === 'invalid_scope' && thrown.status === 400,
    )
  })

  await t.test('introspection tells a client of its own tokens, and who may of all', async () => {
    const token = await clientToken()
    const own = await introspected(worker, token)
    assert.deepEqual([own.active, own.client_id, own.scope, own.iss], [true, 'worker.1', 'orders:read', issuer.origin])
    assert.equal((await introspected(app, token)).active, false)
    assert.equal((await introspected(inspector, token)).active, true)
    assert.equal((await introspected(inspector, 'nonsense')).active, false)
  })

  await t.test('revocation ends a token, and is silent about what is none', async () => {
    const token = await clientToken()
    for (const text of [token, token, 'nonsense']) {
      const response = await oauth.revocationRequest(as, worker, oauth.ClientSecretBasic(secret), text, proxied)
      assert.equal(await oauth.processRevocationResponse(response), undefined)
    }
    assert.equal(await statusWith(token), 401)
    const foreign = await oauth.revocationRequest(as, app, oauth.ClientSecretBasic(secret), await clientToken(), proxied)
    await assert.rejects(
      oauth.processRevocationResponse(foreign),
      (thrown) => thrown instanceof oauth.ResponseBodyError && thrown.error === 'unauthorized_client',
    )
  })

  /** Logs a person in by a program that proves itself. */
  const login = async (): Promise<string> => {
    const body = new URLSearchParams({ username: 'alice', password, deliver: 'token', client_id: 'app', client_secret: secret })
    const headers = { accept: 'application/json', 'sec-fetch-site': 'same-origin' }
    const response = await fetch(new URL('/auth/login', web), { method: 'POST', body, headers })
    assert.equal(response.status, 200)
    return ((await response.json()) as { refresh_token: string }).refresh_token
  }

  await t.test('a refresh rotates, narrows, and is refused to who has another client’s token', async () => {
    const first = await login()
    const asked = (by: oauth.Client, token: string, scope?: string): Promise<Response> => {
      const parameters = scope === undefined ? {} : { additionalParameters: { scope } }
      return oauth.refreshTokenGrantRequest(as, by, oauth.ClientSecretBasic(secret), token, { ...proxied, ...parameters })
    }
    await assert.rejects(oauth.processRefreshTokenResponse(as, worker, await asked(worker, first)), isInvalidGrant)
    const second = await oauth.processRefreshTokenResponse(as, app, await asked(app, first, 'orders:read'))
    assert.equal(second.scope, 'orders:read')
    assert.notEqual(second.refresh_token, first)
    assert.equal(await statusWith(second.access_token), 200)
    const ended = await oauth.revocationRequest(as, app, oauth.ClientSecretBasic(secret), second.refresh_token!, proxied)
    await oauth.processRevocationResponse(ended)
    await assert.rejects(oauth.processRefreshTokenResponse(as, app, await asked(app, second.refresh_token!)), isInvalidGrant)
    assert.equal(await statusWith(second.access_token), 401)
  })

  await t.test('openid-client, which stands on the same, needs no more than the address', async () => {
    const config = await openid.discovery(issuer, 'worker.1', undefined, openid.ClientSecretBasic(secret), {
      algorithm: 'oauth2',
      [openid.customFetch]: (url, init) => fetch(there(url), init as RequestInit),
    })
    const { access_token: token } = await openid.clientCredentialsGrant(config, { scope: 'orders:read' })
    assert.equal((await openid.tokenIntrospection(config, token)).active, true)
    await openid.tokenRevocation(config, token)
    assert.equal((await openid.tokenIntrospection(config, token)).active, false)
  })
})
