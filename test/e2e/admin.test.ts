import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { suiteCleanup } from '../support/suite-cleanup.ts'
import { startVelum, workFolder } from '../support/velum-process.ts'
import type { Cleanup, VelumProcess, WorkFolder } from '../support/velum-process.ts'

const yaml = readFileSync(new URL('admin.yaml', import.meta.url), 'utf8')

interface Watched {
  readonly folder: WorkFolder
  readonly velum: VelumProcess
  readonly web: string
  readonly admin: string
  readonly probes: string
  readonly token: string
  readonly metricsToken: string
}

async function watched(t: Cleanup, env: NodeJS.ProcessEnv = {}): Promise<Watched> {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', yaml)
  const velum = startVelum(t, ['run', '--workers', '1', '--shutdown-delay', '1h'], { folder: folder.path, env })
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const ready = JSON.parse(line) as { listeners: { web: string }; admin: string; probes: string }
  const token = (name: string): string => readFileSync(join(folder.path, '.velum', name), 'utf8').trim()
  return {
    folder,
    velum,
    web: ready.listeners.web,
    admin: ready.admin,
    probes: ready.probes,
    token: env['VELUM_ADMIN_TOKEN'] ?? token('admin.token'),
    metricsToken: token('metrics.token'),
  }
}

interface Got {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly text: string
}

function call(base: string, path: string, options: { method?: string; token?: string; host?: string } = {}): Promise<Got> {
  const headers: Record<string, string> = {}
  if (options.token !== undefined) headers['authorization'] = `Bearer ${options.token}`
  if (options.host !== undefined) headers['host'] = options.host
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, base), { method: options.method ?? 'GET', headers, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

// Those that change nothing, or are the last to use it, share one gateway.
const cleanup = suiteCleanup()
let shared: Watched
before(async () => {
  shared = await watched(cleanup)
})

test('the admin surface answers its owner and nobody else', async () => {
  const { admin, token, metricsToken } = shared
  for (const path of ['/metrics', '/api/config', '/api/routes', '/api/services', '/nothing']) {
    const refused = await call(admin, path)
    assert.equal(refused.status, 401, path)
    assert.equal(refused.headers['content-type'], 'application/problem+json')
    assert.ok(refused.headers['x-request-id'])
  }
  assert.equal((await call(admin, '/api/config', { token, host: 'rebound.example' })).status, 421)
  assert.equal((await call(admin, '/api/config', { token: metricsToken })).status, 403)
  assert.equal((await call(admin, '/metrics', { token: metricsToken })).status, 200)
  assert.equal((await call(admin, '/healthz')).status, 200)
  assert.equal((await call(admin, '/api/reload', { token })).status, 405)
})

test('a token from the environment is the one that counts', async (t) => {
  const { admin } = await watched(t, { VELUM_ADMIN_TOKEN: 'a-token-of-the-operator' })
  assert.equal((await call(admin, '/api/config', { token: 'a-token-of-the-operator' })).status, 200)
  assert.equal((await call(admin, '/api/config', { token: 'a-token-of-somebody' })).status, 401)
})

test('metrics tell what the workers counted', async () => {
  const { web, admin, token } = shared
  for (let i = 0; i < 3; i++) assert.equal((await call(web, '/')).status, 200)
  assert.equal((await call(web, '/nothing')).status, 404)
  const { text, headers } = await call(admin, '/metrics', { token })
  assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  assert.match(text, /^velum_requests_total\{route="hello",status="2xx"\} 3$/m)
  assert.match(text, /^velum_requests_total\{route="",status="4xx"\} 1$/m)
  assert.match(text, /^velum_request_duration_seconds_count\{route="hello"\} 3$/m)
  assert.match(text, /^velum_workers 1$/m)
})

test('config, routes and services say what is being served', async () => {
  const { web, admin, token } = shared
  const config = JSON.parse((await call(admin, '/api/config', { token })).text) as {
    name: string
    generation: { number: number; hash: string }
    load: { committed: boolean; findings: unknown[] }
  }
  assert.deepEqual([config.name, config.generation.number, config.load.committed, config.load.findings], ['watched', 1, true, []])
  assert.match(config.generation.hash, /^[0-9a-f]{16,}$/)
  const { routes } = JSON.parse((await call(admin, '/api/routes', { token })).text) as { routes: { name: string; to: string }[] }
  assert.deepEqual(
    routes.map(({ name, to }) => [name, to]),
    [
      ['hello', 'respond 200'],
      ['orders', 'orders'],
    ],
  )
  assert.equal((await call(web, '/orders/1')).status, 503)
  const { services } = JSON.parse((await call(admin, '/api/services', { token })).text) as {
    services: { name: string; targets: unknown; requests: Record<string, number> }[]
  }
  assert.deepEqual(services[0].targets, [
    { url: 'http://127.0.0.1:1', address: '127.0.0.1:1', weight: 2, state: 'in' },
    { url: 'http://127.0.0.1:2', address: '127.0.0.1:2', weight: 1, state: 'in' },
  ])
  assert.ok(services[0].requests['refused'] >= 1)
})

test('reload commits a good configuration; a bad one changes nothing and its findings are kept', async () => {
  const { folder, web, admin, token } = shared
  folder.write('velum.config.yaml', yaml.replace("body: 'hello'", "body: 'changed'"))
  const good = await call(admin, '/api/reload', { method: 'POST', token })
  assert.deepEqual([good.status, (JSON.parse(good.text) as { generation: { number: number } }).generation.number], [200, 2])
  assert.equal((await call(web, '/')).text, 'changed')
  folder.write('velum.config.yaml', yaml.replace('to: orders', 'to: nowhere'))
  const bad = await call(admin, '/api/reload', { method: 'POST', token })
  assert.equal(bad.status, 422)
  const kept = JSON.parse((await call(admin, '/api/config', { token })).text) as {
    generation: { number: number }
    load: { committed: boolean; findings: { path: string; message: string; remedy: string }[] }
  }
  assert.deepEqual([kept.generation.number, kept.load.committed], [2, false])
  assert.equal(kept.load.findings[0].path, 'routes[1].to')
  assert.equal((await call(web, '/')).text, 'changed')
})

test('readiness goes first at SIGTERM, while requests are still answered', async () => {
  const { velum, web, admin, probes } = shared
  assert.equal((await call(probes, '/readyz')).status, 200)
  velum.kill('SIGTERM')
  await velum.printed(/"msg":"the gateway stops"/)
  assert.equal((await call(probes, '/readyz')).status, 503)
  assert.equal((await call(admin, '/readyz')).status, 503)
  assert.equal((await call(probes, '/healthz', { host: '10.0.0.7:9901' })).status, 200)
  assert.equal((await call(probes, '/api/config')).status, 404)
  assert.equal((await call(web, '/')).status, 200)
})

test('each request has one line in the access log, without its secrets', async (t) => {
  const { folder, web, velum } = await watched(t)
  await call(web, '/?access_token=S3cr3t&x=1', { token: 'S3cr3t' })
  await call(web, '/orders/1')
  velum.kill('SIGINT')
  assert.equal((await velum.ended).code, 0)
  const text = readFileSync(join(folder.path, 'access.log'), 'utf8')
  assert.ok(!text.includes('S3cr3t'))
  const lines = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  assert.deepEqual(
    lines.map(({ route, status, end, query }) => [route, status, end, query]),
    [
      ['hello', 200, 'complete', 'access_token=[redacted]&x=1'],
      ['orders', 503, 'complete', undefined],
    ],
  )
  assert.equal(lines[1]['fault'], 'service-refused')
})
