import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../../src/core/clock.ts'
import type { SigningKey } from './token-issuer.ts'
import { signed, signingKey } from './token-issuer.ts'

type Fetch = typeof globalThis.fetch
type Json = Readonly<Record<string, unknown>>

interface Grant {
  readonly redirectUri: string
  readonly challenge: string
  readonly nonce: string
}

const logoutEvent = 'http://schemas.openid.net/event/backchannel-logout'

/** An OpenID provider in this thread, reached by its `fetch`, that can be told to lie in every way that matters. */
export class FakeProvider {
  readonly issuer: string
  readonly clientId = 'velum'
  readonly clientSecret = 'a secret: of/velum'
  readonly #clock: Clock
  readonly #codes = new Map<string, Grant>()
  key: SigningKey = signingKey('ES256', 'k1')
  /** What is published; by default `key` alone. */
  published: SigningKey[] = [this.key]
  subject = 'alice'
  session: string | undefined = 'sid-1'
  /** What its metadata says else. */
  metadata: Json = {}
  /** What ID tokens say else; undefined removes. */
  claims: Json = {}
  /** What their headers say else. */
  header: Json = {}
  /** Put in the place of an ID token. */
  idToken: ((honest: string) => string) | undefined
  /** How answers at a path come to nothing: a status, `down` (no connection), `silent` (never an answer), or content that is no JSON. */
  readonly faults = new Map<string, number | 'down' | 'silent' | 'nonsense' | 'huge'>()
  /** Whether refresh tokens are given, and the ones that are good. */
  givesRefreshTokens = false
  readonly refreshTokens = new Set<string>()
  /** How long refresh tokens are. */
  refreshTokenLength = 16
  /** Whether the ID token of a refresh leaves out all but what it must say. */
  isTerse = false
  /** How often each path was asked. */
  readonly asked = new Map<string, number>()
  /** Forms that the token endpoint got. */
  readonly forms: URLSearchParams[] = []

  constructor(issuer: string, clock: Clock) {
    this.issuer = issuer
    this.#clock = clock
  }

  /** What a browser is sent back with (path and query) once somebody has logged in at an authorization address. */
  authorize(address: string): string {
    const { searchParams } = new URL(address)
    const code = randomBytes(8).toString('hex')
    const redirectUri = searchParams.get('redirect_uri')!
    this.#codes.set(code, { redirectUri, challenge: searchParams.get('code_challenge')!, nonce: searchParams.get('nonce')! })
    const back = new URL(redirectUri)
    back.search = new URLSearchParams({ code, state: searchParams.get('state')!, iss: this.issuer }).toString()
    return `${back.pathname}${back.search}`
  }

  /** A logout token; members that are undefined are left out. */
  logoutToken(claims: Json = {}, header: Json = {}, key: SigningKey = this.key): string {
    const now = Math.floor(this.#clock.now() / 1000)
    const said = {
      iss: this.issuer,
      aud: this.clientId,
      iat: now,
      exp: now + 120,
      jti: randomBytes(8).toString('hex'),
      sub: this.subject,
      sid: this.session,
      events: { [logoutEvent]: {} },
      ...claims,
    }
    return signed({ typ: 'logout+jwt', alg: key.algorithm, kid: key.kid, ...header }, said, key)
  }

  count(path: string): number {
    return this.asked.get(path) ?? 0
  }

  readonly fetch: Fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    const { pathname } = url
    this.asked.set(pathname, this.count(pathname) + 1)
    // As much as a real exchange takes at least: others get their turn.
    await new Promise((resolve) => setImmediate(resolve))
    const fault = this.faults.get(pathname) ?? this.faults.get('*')
    if (fault === 'down') throw new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') })
    if (fault === 'silent')
      return new Promise((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal!.reason as Error))
      })
    if (fault === 'nonsense') return new Response('<html>', { status: 200, headers: { 'content-type': 'text/html' } })
    if (fault === 'huge') return json({ issuer: this.issuer, padding: 'x'.repeat(300_000) })
    if (typeof fault === 'number') return json({ error: 'server_error' }, fault)
    if (pathname === '/.well-known/openid-configuration') return json(this.#metadata())
    if (pathname === '/jwks') return json({ keys: this.published.map(({ jwk }) => jwk) })
    if (pathname === '/token') return this.#token(init)
    return json({}, 404)
  }

  #metadata(): Json {
    return {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/authorize`,
      token_endpoint: `${this.issuer}/token`,
      jwks_uri: `${this.issuer}/jwks`,
      end_session_endpoint: `${this.issuer}/logout?from=metadata`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256', 'RS256'],
      authorization_response_iss_parameter_supported: true,
      ...this.metadata,
    }
  }

  #token(init: RequestInit | undefined): Response {
    const form = new URLSearchParams(init?.body as URLSearchParams)
    this.forms.push(form)
    const basic = Buffer.from(`${encoded(this.clientId)}:${encoded(this.clientSecret)}`).toString('base64')
    if (new Headers(init?.headers).get('authorization') !== `Basic ${basic}`) return json({ error: 'invalid_client' }, 401)
    const isRefresh = form.get('grant_type') === 'refresh_token'
    let nonce: string | undefined
    if (isRefresh) {
      if (!this.refreshTokens.delete(form.get('refresh_token')!)) return json({ error: 'invalid_grant' }, 400)
    } else {
      const code = form.get('code')!
      const grant = this.#codes.get(code)
      this.#codes.delete(code)
      const challenge = createHash('sha256').update(form.get('code_verifier')!).digest('base64url')
      if (grant?.redirectUri !== form.get('redirect_uri') || grant.challenge !== challenge)
        return json({ error: 'invalid_grant', error_description: 'secrets of the provider: <b>x</b>' }, 400)
      nonce = grant.nonce
    }
    const honest = this.#idToken(nonce)
    const id_token = this.idToken === undefined ? honest : this.idToken(honest)
    const refresh_token =
      this.givesRefreshTokens || isRefresh ? randomBytes(8).toString('hex').padEnd(this.refreshTokenLength, 'x') : undefined
    if (refresh_token !== undefined) this.refreshTokens.add(refresh_token)
    return json({ access_token: 'an access token', token_type: 'Bearer', expires_in: 60, id_token, refresh_token })
  }

  #idToken(nonce: string | undefined): string {
    const now = Math.floor(this.#clock.now() / 1000)
    const least = { iss: this.issuer, aud: this.clientId, sub: this.subject, iat: now, exp: now + 300 }
    const said = this.isTerse ? least : { ...least, nonce, sid: this.session, ...this.claims }
    return signed({ alg: this.key.algorithm, kid: this.key.kid, ...this.header }, said, this.key)
  }
}

/** RFC 6749 §2.3.1: the two halves are form-encoded first. */
function encoded(text: string): string {
  return new URLSearchParams([[text, '']]).toString().slice(0, -1)
}

function json(value: unknown, status = 200): Response {
  return new Response(JSON.stringify(value), { status, headers: { 'content-type': 'application/json' } })
}
