import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'
import type { Cleanup } from './velum-process.ts'

/** What its one client is to it. */
export interface ProviderClient {
  readonly redirectUri: string
  readonly postLogoutRedirectUri: string
  /** Where the gateway hears of logouts; it is reached on this port of loopback, whatever its name. */
  readonly backchannelLogoutUri: string
  readonly port: number
}

/** A certified OpenID provider on loopback: anybody logs in with any name and password. */
export interface OpenidProvider {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  /** What its ID tokens say of everybody. */
  readonly claims: Readonly<Record<string, unknown>>
  /** Its client, before the first login. */
  register(client: ProviderClient): void
  /** Logs somebody in without a browser, from an authorization address to the address that they are sent back to. */
  authorize(address: string, name: string): Promise<URL>
  /** How often a refresh token was used up, and how often all of a login was taken back because one was used again. */
  readonly grants: { refreshed: number; revoked: number }
  /** Who was logged out at the gateway too, and `performance.now()` of when it said so. */
  readonly loggedOut: { readonly account: string; readonly at: number }[]
  readonly faults: Error[]
  stop(): Promise<void>
}

/** Starts one on a free port of `host`; two of them need two names, since a browser's cookies know no ports. */
export async function startOpenidProvider(
  t: Cleanup,
  host: 'localhost' | '127.0.0.1',
  claims: Readonly<Record<string, unknown>>,
): Promise<OpenidProvider> {
  let handler: RequestListener | undefined
  const server = createServer((incoming, response) => {
    if (handler === undefined) response.writeHead(503).end()
    else handler(incoming, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://${host}:${(server.address() as AddressInfo).port}`
  t.after(() => stopped(server))
  const clientId = 'velum'
  const clientSecret = randomBytes(24).toString('base64url')
  const loggedOut: OpenidProvider['loggedOut'] = []
  const faults: Error[] = []
  const grants = { refreshed: 0, revoked: 0 }
  return {
    issuer,
    clientId,
    clientSecret,
    claims,
    register(client) {
      const about = { client_id: clientId, client_secret: clientSecret, ...clientMetadata(client) }
      const provider = new Provider(issuer, configurationOf(about, claims, client.port))
      provider.on('backchannel.success', (_ctx, _client, account) => loggedOut.push({ account, at: performance.now() }))
      provider.on('refresh_token.consumed', () => void grants.refreshed++)
      provider.on('grant.revoked', () => void grants.revoked++)
      provider.on('backchannel.error', (_ctx, error) => faults.push(error))
      handler = provider.callback()
    },
    authorize: (address, name) => authorized(new URL(address), name, issuer),
    grants,
    loggedOut,
    faults,
    stop: () => stopped(server),
  }
}

function clientMetadata(client: ProviderClient): Readonly<Record<string, unknown>> {
  return {
    redirect_uris: [client.redirectUri],
    post_logout_redirect_uris: [client.postLogoutRedirectUri],
    backchannel_logout_uri: client.backchannelLogoutUri,
    backchannel_logout_session_required: true,
    grant_types: ['authorization_code', 'refresh_token'],
    id_token_signed_response_alg: 'ES256',
  }
}

function configurationOf(
  client: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
  port: number,
): Readonly<Record<string, unknown>> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return {
    clients: [client],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'provider-1', use: 'sig', alg: 'ES256' }] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    rotateRefreshToken: true,
    claims: { openid: ['sub', ...Object.keys(claims)] },
    features: { backchannelLogout: { enabled: true } },
    enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
    findAccount: (_ctx: unknown, accountId: string) => ({ accountId, claims: () => ({ sub: accountId, ...claims }) }),
    fetch: (url: string | URL, options: RequestInit) => postedTo(new URL(url), port, options),
  }
}

async function authorized(address: URL, name: string, issuer: string): Promise<URL> {
  const cookies = new Map<string, string>()
  const ask = async (url: URL, form?: Readonly<Record<string, string>>): Promise<URL> => {
    const cookie = [...cookies].map(([key, value]) => `${key}=${value}`).join('; ')
    const sent = form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }
    const response = await fetch(url, { redirect: 'manual', headers: { cookie }, ...sent })
    for (const line of response.headers.getSetCookie()) {
      const [key, value] = line.slice(0, line.indexOf(';')).split('=', 2)
      cookies.set(key, value)
    }
    await response.arrayBuffer()
    const location = response.headers.get('location')
    return location === null ? url : new URL(location, issuer)
  }
  let at = await ask(address)
  for (const form of [{ prompt: 'login', login: name, password: 'whatever' }, { prompt: 'consent' }]) {
    // A page asks, its form is sent, and what was asked for goes on.
    at = await ask(await ask(at, form))
  }
  return at
}

/** By TLS to a gateway of ours, whose certificate is one for development. */
function postedTo({ hostname, pathname }: URL, port: number, { headers, body }: RequestInit): Promise<Response> {
  return new Promise((resolve, reject) => {
    const content = String(body as URLSearchParams)
    const about = { ...Object.fromEntries(new Headers(headers)), host: hostname, 'content-length': Buffer.byteLength(content) }
    const options = { host: '127.0.0.1', port, servername: hostname, path: pathname, method: 'POST', headers: about, agent: false }
    const sent = request({ ...options, rejectUnauthorized: false }, (response) => {
      response.resume().on('end', () => resolve(new Response(null, { status: response.statusCode! })))
    })
    sent.on('error', reject).end(content)
  })
}

async function stopped(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = new Promise((resolve) => server.close(resolve))
  server.closeAllConnections()
  await closed
}
