import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import type { RequestDocument } from '../../src/admin/request-endpoints.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'

const configuration = (port: number): string => `
name: watched
listeners: { web: { port: 0 } }
admin: { port: 0 }
store: { kind: embedded, path: store }
services: { orders: { url: 'http://127.0.0.1:${port}' } }
limits: { few: { algorithm: token-bucket, capacity: 2, refill: 1/h, per: ['header:x-app'] } }
penalties: { banned: { for: 1h, per: [address] } }
log: { format: none }
routes:
  - { name: orders, match: { path: '/orders/**' }, auth: public, to: orders, limits: [few], addresses: { deny: [10.0.0.0/8], shadow: true } }
`

test('the latest requests with what was decided about them', async (t) => {
  const seen: IncomingHttpHeaders[] = []
  const service = createServer((request, response) => {
    seen.push(request.headers)
    response.end('ok')
  })
  await new Promise<void>((resolve) => void service.listen(0, '127.0.0.1', resolve))
  t.after(() => service.close())
  const folder = workFolder(t)
  folder.write('velum.config.yaml', configuration((service.address() as AddressInfo).port))
  const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path })
  const { web } = await readyListeners(velum)
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const { admin } = JSON.parse(line) as { admin: string }
  const token = readFileSync(join(folder.path, 'store', 'admin.token'), 'utf8').trim()
  const call = (
    path: string,
    init: { method?: string; body?: string; accept?: string; signal?: AbortSignal } = {},
  ): Promise<Response> => {
    const { accept, ...rest } = init
    const headers = { authorization: `Bearer ${token}`, ...(accept === undefined ? {} : { accept }) }
    return fetch(new URL(path, admin), { ...rest, headers })
  }
  const list = async (query = ''): Promise<readonly RequestDocument[]> => {
    const response = await call(`/api/requests${query}`)
    assert.equal(response.status, 200)
    return ((await response.json()) as { requests: RequestDocument[] }).requests
  }
  const ask = (path: string, headers: Record<string, string> = {}): Promise<Response> => fetch(new URL(path, web), { headers })

  await t.test('a refused one is kept with its verdicts, by the id that its client was given', async () => {
    for (let i = 0; i < 2; i++) assert.equal((await ask('/orders/1', { 'x-app': 'a' })).status, 200)
    const refused = await ask('/orders/1?token=geheim&page=2', { 'x-app': 'a', authorization: 'Bearer geheim' })
    assert.equal(refused.status, 429)
    const response = await call(`/api/requests/${refused.headers.get('x-request-id')!}`)
    const text = await response.text()
    assert.ok(!text.includes('geheim'), 'no secret stands in it')
    const row = JSON.parse(text) as RequestDocument
    assert.equal(row.query, 'token=[redacted]&page=2')
    assert.deepEqual(row.refused, { policy: 'limits', code: 'over-limit', source: 'routes[0].limits[0]', label: 'limited:few' })
    assert.deepEqual(
      row.verdicts.map(({ policy, decision }) => [policy, decision]),
      [
        ['penalties', 'passes'],
        ['addresses', 'passes'],
        ['limits', 'refuses'],
      ],
    )
    const told = await runCommand(['explain', '--request', row.id], { folder: folder.path })
    assert.match(told.out, /It was answered with 429 by limits \(over-limit\) at routes\[0\]\.limits\[0\], label limited:few/)
  })

  await t.test('others are kept now and then, and all can be chosen', async () => {
    assert.equal((await ask('/none')).status, 404)
    const all = await list()
    assert.ok(all.some(({ keptFor, status }) => keptFor === 'sample' && status === 200))
    assert.deepEqual(
      (await list('?status=404')).map(({ path, keptFor }) => [path, keptFor]),
      [['/none', 'refused']],
    )
    assert.equal((await list('?status=4xx&limit=1')).length, 1)
    assert.ok((await list('?route=orders&policy=limits')).every(({ status }) => status === 429))
    assert.equal((await call('/api/requests?colour=red')).status, 400)
    assert.equal((await call('/api/requests?limit=0')).status, 400)
    assert.equal((await call('/api/requests/none-such')).status, 404)
    assert.equal((await fetch(new URL('/api/requests', admin))).status, 401)
  })

  await t.test('a stream tells of those to come, by the same filters', async () => {
    const abort = new AbortController()
    const response = await call('/api/requests?status=4xx', { accept: 'text/event-stream', signal: abort.signal })
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    const read = async (until: RegExp): Promise<void> => {
      while (!until.test(text)) {
        const { value, done } = await reader.read()
        assert.ok(!done)
        text += value
      }
    }
    await read(/^: /)
    await ask('/orders/2', { 'x-app': 'b' })
    await ask('/missing')
    await read(/data: .*"path":"\/missing"/)
    assert.ok(!text.includes('/orders/2'))
    abort.abort()
    await reader.closed.catch(() => undefined)
  })

  await t.test('a pass keeps a request whole and tells its verdicts; no service sees it', async () => {
    const { out } = await runCommand(['explain', '--pass'], { folder: folder.path })
    const [, pass] = /^x-velum-explain: (\S+)\n$/.exec(out)!
    seen.length = 0
    const traced = await ask('/orders/3', { 'x-app': 'c', 'x-velum-explain': pass })
    assert.equal(traced.status, 200)
    assert.equal(
      traced.headers.get('x-velum-explain'),
      'route=orders; penalties=free; addresses=allowed; limits=within; body=fitting',
    )
    const row = (await (await call(`/api/requests/${traced.headers.get('x-request-id')!}`)).json()) as RequestDocument
    assert.equal(row.keptFor, 'traced')
    const forged = await ask('/orders/3', {
      'x-app': 'd',
      'x-velum-explain': `${pass.slice(0, -1)}${pass.endsWith('A') ? 'B' : 'A'}`,
    })
    assert.equal(forged.headers.get('x-velum-explain'), null)
    assert.equal(seen.length, 2)
    assert.ok(seen.every((headers) => headers['x-velum-explain'] === undefined))
    assert.equal((await call('/api/explain/passes', { method: 'POST', body: '{"for":"2h"}' })).status, 422)
  })
})
