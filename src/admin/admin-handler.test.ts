import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { exchangeOf } from '../../test/support/exchange.ts'
import type { Answer } from '../core/answer.ts'
import { textAnswer } from '../core/answer.ts'
import { silentLog } from '../core/log.ts'
import { createAdminHandler } from './admin-handler.ts'
import type { AdminTokens } from './admin-tokens.ts'
import { loadAdminTokens } from './admin-tokens.ts'
import type { Endpoint } from './endpoint.ts'
import { createHostCheck } from './host-check.ts'
import { createProbes } from './probes.ts'

const endpoints: readonly Endpoint[] = [
  { method: 'GET', path: '/healthz', roles: 'anyone', handle: () => textAnswer(200, 'ok') },
  { method: 'GET', path: '/metrics', roles: ['admin', 'metrics'], handle: () => textAnswer(200, 'metrics') },
  { method: 'GET', path: '/api/config', roles: ['admin'], handle: () => textAnswer(200, 'config') },
  { method: 'POST', path: '/api/reload', roles: ['admin'], handle: () => textAnswer(200, 'reloaded') },
]

function folder(): { path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(tmpdir(), 'velum-admin-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) }
}

function withTokens(
  run: (
    tokens: AdminTokens,
    call: (method: string, target: string, headers?: string[], authority?: string) => Promise<Answer>,
  ) => Promise<void>,
): () => Promise<void> {
  return async () => {
    using dir = folder()
    const tokens = loadAdminTokens(dir.path, {}, silentLog)
    const handler = createAdminHandler({ endpoints, tokens, isOwnHost: createHostCheck('127.0.0.1', ['ops.example.com']) })
    await run(tokens, async (method, target, headers = [], authority = '127.0.0.1:9900') =>
      handler(exchangeOf({ method, target, headers, authority })),
    )
  }
}

const bearer = (token: string): string[] => ['authorization', `Bearer ${token}`]

test(
  'without a token, or with a wrong one, nothing but the probes answers, and nobody learns which addresses there are',
  withTokens(async (tokens, call) => {
    assert.equal((await call('GET', '/healthz')).status, 200)
    for (const target of ['/api/config', '/metrics', '/nothing']) {
      const answer = await call('GET', target)
      assert.equal(answer.status, 401, target)
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer realm="velum admin"')
      assert.equal((await call('GET', target, bearer('x'.repeat(43)))).status, 401)
      assert.equal((await call('GET', target, bearer(tokens.admin.slice(0, -1)))).status, 401)
      assert.equal((await call('GET', target, bearer(`${tokens.admin}x`))).status, 401)
      assert.equal((await call('GET', target, ['authorization', `Basic ${tokens.admin}`])).status, 401)
      assert.equal((await call('GET', target, [...bearer(tokens.admin), ...bearer(tokens.admin)])).status, 401)
    }
    assert.equal((await call('POST', '/healthz')).status, 401)
  }),
)

test(
  'the admin token opens everything; what does not exist is 404, another method 405 with Allow',
  withTokens(async (tokens, call) => {
    assert.equal((await call('GET', '/api/config', bearer(tokens.admin))).status, 200)
    assert.equal((await call('HEAD', '/api/config', bearer(tokens.admin))).status, 200)
    assert.equal((await call('GET', '/api/config?x=1', bearer(tokens.admin))).status, 200)
    assert.equal((await call('POST', '/api/reload', bearer(tokens.admin))).status, 200)
    assert.equal((await call('GET', '/nothing', bearer(tokens.admin))).status, 404)
    const answer = await call('GET', '/api/reload', bearer(tokens.admin))
    assert.deepEqual([answer.status, answer.headers.get('allow')], [405, 'POST'])
    assert.equal((await call('POST', '/api/config', bearer(tokens.admin))).headers.get('allow'), 'GET, HEAD')
  }),
)

test(
  'the metrics token reads metrics and nothing else',
  withTokens(async (tokens, call) => {
    assert.equal((await call('GET', '/metrics', bearer(tokens.metrics))).status, 200)
    assert.equal((await call('GET', '/api/config', bearer(tokens.metrics))).status, 403)
    assert.equal((await call('POST', '/api/reload', bearer(tokens.metrics))).status, 403)
    assert.equal((await call('GET', '/nothing', bearer(tokens.metrics))).status, 403)
  }),
)

test(
  'a Host that is not ours is refused even with the token, since a page may have rebound its name to this address',
  withTokens(async (tokens, call) => {
    for (const authority of ['evil.example', 'evil.example:9900', '127.0.0.1.evil.example', '', '[::2]:9900', 'localhost.evil']) {
      assert.equal((await call('GET', '/api/config', bearer(tokens.admin), authority)).status, 421, authority)
      assert.equal((await call('GET', '/healthz', [], authority)).status, 421, authority)
    }
    for (const authority of ['localhost', 'localhost:9900', '127.0.0.1:1', '[::1]', '[::1]:9900', 'ops.example.com:443']) {
      assert.equal((await call('GET', '/api/config', bearer(tokens.admin), authority)).status, 200, authority)
    }
  }),
)

test(
  'no answer of the admin surface may be kept by a cache',
  withTokens(async (tokens, call) => {
    for (const headers of [[], bearer(tokens.admin)]) {
      assert.equal((await call('GET', '/api/config', headers)).headers.get('cache-control'), 'no-store')
    }
  }),
)

test('tokens are made once, for their owner alone, and found again', () => {
  using dir = folder()
  const first = loadAdminTokens(dir.path, {}, silentLog)
  assert.match(first.admin, /^[\w-]{43}$/)
  assert.notEqual(first.admin, first.metrics)
  assert.equal(statSync(join(dir.path, 'admin.token')).mode & 0o777, 0o600)
  const second = loadAdminTokens(dir.path, {}, silentLog)
  assert.deepEqual([second.admin, second.metrics, second.adminFile], [first.admin, first.metrics, join(dir.path, 'admin.token')])
})

test('a token from the environment is used and not written down; a short one is refused', () => {
  using dir = folder()
  const tokens = loadAdminTokens(dir.path, { VELUM_ADMIN_TOKEN: 'from-the-environment' }, silentLog)
  assert.equal(tokens.roleOf('from-the-environment'), 'admin')
  assert.equal(tokens.adminFile, undefined)
  assert.throws(() => readFileSync(join(dir.path, 'admin.token')), { code: 'ENOENT' })
  assert.throws(() => loadAdminTokens(dir.path, { VELUM_ADMIN_TOKEN: 'short' }, silentLog), /VELUM_ADMIN_TOKEN is shorter/)
})

test('a token file that others could read is closed to them and said; an empty one is an error', () => {
  using dir = folder()
  const file = join(dir.path, 'admin.token')
  loadAdminTokens(dir.path, {}, silentLog)
  chmodSync(file, 0o644)
  const warnings: string[] = []
  loadAdminTokens(dir.path, {}, { ...silentLog, warn: (message) => void warnings.push(message) })
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.equal(warnings.length, 1)
  writeFileSync(file, '\n')
  assert.throws(() => loadAdminTokens(dir.path, {}, silentLog), /holds no token/)
  assert.throws(() => loadAdminTokens(join(dir.path, 'nowhere'), {}, silentLog), { name: 'EnvironmentFault' })
})

test('the probes answer for readiness whatever Host an orchestrator sends, and nothing else', async () => {
  const readiness = { isReady: true }
  const probes = createProbes(readiness)
  const call = async (target: string, method = 'GET'): Promise<number> =>
    (await probes(exchangeOf({ target, method, authority: '10.0.0.7:9901' }))).status
  assert.equal(await call('/healthz'), 200)
  assert.equal(await call('/readyz'), 200)
  readiness.isReady = false
  assert.equal(await call('/readyz'), 503)
  assert.equal(await call('/healthz'), 200)
  assert.equal(await call('/metrics'), 404)
  assert.equal(await call('/readyz', 'POST'), 405)
})
