import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { Answer } from '../core/answer.ts'
import { readAll, textBody } from '../core/body.ts'
import { textAnswer } from '../core/answer.ts'
import { ManualClock } from '../core/manual-clock.ts'
import { createAdminHandler } from './admin-handler.ts'
import type { AdminTokens } from './admin-tokens.ts'
import { dashboardEndpoints } from './dashboard-endpoints.ts'
import { createDashboardSessions, dashboardSessionMs } from './dashboard-sessions.ts'
import type { Endpoint } from './endpoint.ts'
import { createHostCheck } from './host-check.ts'

const authority = '127.0.0.1:9900'
const own = ['origin', `http://${authority}`, 'sec-fetch-site', 'same-origin']
const tokens: AdminTokens = {
  admin: 'the-admin-token-here',
  metrics: 'the-metrics-token-here',
  adminFile: undefined,
  roleOf: (token) => (token === 'the-admin-token-here' ? 'admin' : token === 'the-metrics-token-here' ? 'metrics' : undefined),
}

interface Surface {
  readonly clock: ManualClock
  readonly call: (method: string, target: string, headers: readonly string[], body?: string) => Promise<Answer>
  readonly signIn: (headers?: readonly string[], token?: string) => Promise<Answer>
  /** The fields of a page that is signed in. */
  readonly signedIn: () => Promise<{ readonly cookie: string; readonly proof: string }>
}

function surface(): Surface {
  const clock = new ManualClock()
  const sessions = createDashboardSessions(clock)
  const others: readonly Endpoint[] = [
    { method: 'GET', path: '/api/config', roles: ['admin'], handle: () => textAnswer(200, 'config') },
    { method: 'POST', path: '/api/reload', roles: ['admin'], handle: () => textAnswer(200, 'reloaded') },
  ]
  const endpoints = [...others, ...dashboardEndpoints(tokens, sessions)]
  const handler = createAdminHandler({ endpoints, tokens, sessions, isOwnHost: createHostCheck('127.0.0.1', []) })
  const call: Surface['call'] = async (method, target, headers, body = '') =>
    handler(exchangeOf({ method, target, headers: [...headers], authority, body: textBody(body) }))
  const signIn: Surface['signIn'] = (headers = [...own, 'content-type', 'application/json'], token = tokens.admin) =>
    call('POST', '/api/dashboard/session', headers, JSON.stringify({ token }))
  return {
    clock,
    call,
    signIn,
    async signedIn() {
      const answer = await signIn()
      assert.equal(answer.status, 200)
      const { proof } = JSON.parse(String(await readAll(answer.body, 1000))) as { proof: string }
      return { cookie: String(answer.headers.get('set-cookie')).split(';')[0], proof }
    },
  }
}

test('the token is exchanged for a cookie that scripts and other sites do not have', async () => {
  const answer = await surface().signIn()
  assert.match(
    String(answer.headers.get('set-cookie')),
    /^velum-admin=[\w-]{43}; Path=\/api; Max-Age=43200; HttpOnly; SameSite=Strict$/,
  )
  assert.equal(answer.headers.get('cache-control'), 'no-store')
})

test('sign-in is for pages of the same origin, and for the admin token alone', async () => {
  const { signIn } = surface()
  const json = ['content-type', 'application/json']
  assert.equal((await signIn(json)).status, 403, 'no Origin')
  assert.equal((await signIn([...json, 'origin', 'null'])).status, 403)
  assert.equal((await signIn([...json, 'origin', 'http://127.0.0.1:9901'])).status, 403)
  assert.equal((await signIn([...json, 'origin', `http://${authority}`, 'sec-fetch-site', 'same-site'])).status, 403)
  assert.equal((await signIn([...own, 'content-type', 'text/plain'])).status, 422)
  assert.equal((await signIn([...own, 'content-type', 'application/json\u00a0; a=b'])).status, 422)
  assert.equal((await signIn([...own, ...json], 'another-token-of-some')).status, 401)
  assert.equal((await signIn([...own, ...json], tokens.metrics)).status, 401)
})

test('a session is the cookie and its proof, from the same origin, until its end', async () => {
  const { call, clock, signedIn } = surface()
  const { cookie, proof } = await signedIn()
  const whole = ['cookie', cookie, 'x-velum-proof', proof]
  const status = async (method: string, target: string, headers: readonly string[]): Promise<number> =>
    (await call(method, target, headers)).status
  assert.equal(await status('GET', '/api/config', whole), 200)
  assert.equal(await status('GET', '/api/config', [...whole, 'sec-fetch-site', 'cross-site']), 403)
  assert.equal(await status('GET', '/api/config', ['cookie', cookie]), 401, 'the cookie alone is nothing')
  assert.equal(await status('GET', '/api/config', ['cookie', cookie, 'x-velum-proof', 'a'.repeat(43)]), 401)
  assert.equal(await status('GET', '/api/config', ['cookie', `${cookie}; ${cookie}`, 'x-velum-proof', proof]), 401)
  assert.equal(await status('POST', '/api/reload', [...whole, ...own]), 200)
  assert.equal(await status('POST', '/api/reload', whole), 403, 'no Origin')
  assert.equal(await status('POST', '/api/reload', [...whole, 'origin', 'https://evil.example']), 403)
  assert.equal(
    await status('GET', '/api/config', [...whole, 'authorization', 'Bearer wrong']),
    401,
    'a wrong token is not helped out',
  )
  clock.advance(dashboardSessionMs)
  assert.equal(await status('GET', '/api/config', whole), 401)
})

test('whoever signs in again, or out, leaves no session behind', async () => {
  const { call, signIn, signedIn } = surface()
  const first = await signedIn()
  const whole = ['cookie', first.cookie, 'x-velum-proof', first.proof]
  await signIn([...own, 'content-type', 'application/json', 'cookie', first.cookie])
  assert.equal((await call('GET', '/api/config', whole)).status, 401)
  const second = await signedIn()
  const fields = ['cookie', second.cookie, 'x-velum-proof', second.proof]
  const out = await call('DELETE', '/api/dashboard/session', [...fields, ...own])
  assert.equal(out.status, 204)
  assert.match(String(out.headers.get('set-cookie')), /^velum-admin=; .*Max-Age=0/)
  assert.equal((await call('GET', '/api/config', fields)).status, 401)
})

test('sessions are bounded: the oldest goes', async () => {
  const { call, signedIn } = surface()
  const first = await signedIn()
  for (let i = 0; i < 100; i++) await signedIn()
  assert.equal((await call('GET', '/api/config', ['cookie', first.cookie, 'x-velum-proof', first.proof])).status, 401)
})
