import { randomUUID } from 'node:crypto'
import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import type { DemoService } from './demo-service.ts'
import { listenOnLoopback } from './demo-service.ts'
import { JsonError, createJsonServer } from './json-server.ts'
import { people } from './people.ts'

/** Whom the demo's tokens are for. */
export const demoAudience = 'velum-demo'

/** The issuer of the demo's tokens, until Velum has its own login. */
export interface DemoIssuer extends DemoService {
  /** A signed access token (RFC 9068) for one of the demo's people. Throws a `JsonError` 404 for a stranger. */
  mint(subject: string, scopes: readonly string[], lifetimeSeconds: number): Promise<string>
}

/**
 * The auth service: GET /jwks.json, its public key; POST /token `{ "user": "ada", "scope": "orders:read" }`, a token
 * for the asking, which only a demo on loopback may do. Its key lives as long as the process.
 */
export async function startAuth(port: number): Promise<DemoIssuer> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const kid = randomUUID()
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }] }
  let issuer = ''

  const mint: DemoIssuer['mint'] = (subject, scopes, lifetimeSeconds) => {
    const person = people.find(({ id }) => id === subject)
    if (person === undefined) throw new JsonError(404, 'no such user')
    const now = Math.floor(Date.now() / 1000)
    return new SignJWT({ scope: scopes.join(' '), tenant: person.tenant, roles: person.roles, client_id: 'velum-demo-cli' })
      .setProtectedHeader({ alg: 'ES256', kid, typ: 'at+jwt' })
      .setIssuer(issuer)
      .setSubject(subject)
      .setAudience(demoAudience)
      .setIssuedAt(now)
      .setExpirationTime(now + lifetimeSeconds)
      .setJti(randomUUID())
      .sign(privateKey)
  }
  const { server, closeOpen } = createJsonServer(async ({ method, path, json }) => {
    if (path === '/jwks.json' && method === 'GET') return jwks
    if (path === '/token' && method === 'POST') {
      const { user, scope } = ((await json()) ?? {}) as { user?: unknown; scope?: unknown }
      const scopes = typeof scope === 'string' ? scope.split(' ').filter((name) => name !== '') : demoScopes
      return { access_token: await mint(String(user), scopes, 3600), token_type: 'Bearer', expires_in: 3600 }
    }
    throw new JsonError(404, 'no such thing')
  })
  const service = await listenOnLoopback(server, port, 'http', closeOpen)
  issuer = service.url
  return { ...service, mint }
}

/** What the printed token may do. */
export const demoScopes: readonly string[] = ['orders:read', 'orders:write', 'users:read', 'billing:read']
