import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'
import type { VelumProcess } from '../support/velum-process.ts'

const token = 'a-token-of-the-operator'

async function startTarget(t: TestContext, answer: RequestListener): Promise<string> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

interface Scene {
  readonly velum: VelumProcess
  readonly web: string
  readonly admin: (path: string) => Promise<Response>
}

async function gateway(t: TestContext, orders: object): Promise<Scene> {
  const folder = workFolder(t)
  const config = {
    listeners: { web: { port: 0, host: '127.0.0.1' } },
    admin: { port: 0 },
    log: { format: 'none' },
    services: { orders },
    routes: [{ name: 'orders', match: { path: '/**' }, to: 'orders', auth: 'public' }],
  }
  folder.write('velum.config.json', JSON.stringify(config))
  const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path, env: { VELUM_ADMIN_TOKEN: token } })
  const { web } = await readyListeners(velum)
  const [, admin] = await velum.printed(/"admin":"([^"]+)"/)
  return { velum, web, admin: (path) => fetch(new URL(path, admin), { headers: { authorization: `Bearer ${token}` } }) }
}

/** One request on a connection of its own, so that both workers get some. */
async function ask(web: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(web, { headers: { ...headers, connection: 'close' } })
}

test('a service that fails is refused at once on all workers while its breaker is open', async (t) => {
  let asked = 0
  const url = await startTarget(t, (_, res) => {
    asked++
    res.statusCode = 504
    res.end('service')
  })
  const { velum, web, admin } = await gateway(t, { url, eject: false, breaker: { minimumCalls: 5, for: '10m' } })
  const opened = velum.printed(/a circuit breaker opened/)
  const statuses: number[] = []
  while (
    (await (await admin('/metrics')).text()).match(/^velum_service_breakers_open\{of="service",service="orders"\} 1$/m) === null
  ) {
    statuses.push((await ask(web)).status)
  }
  await opened
  assert.ok(
    statuses.slice(0, 5).every((status) => status === 504),
    statuses.join(),
  )
  const before = asked
  for (let i = 0; i < 10; i++) {
    const refused = await ask(web)
    const { type } = (await refused.json()) as { type: string }
    assert.deepEqual([refused.status, type], [503, 'urn:velum:problem:unavailable'])
    assert.match(refused.headers.get('retry-after') ?? '', /^(?:600|5\d\d)$/)
  }
  const { services } = (await (await admin('/api/services')).json()) as {
    services: { breaker: { state: string; reason: string }; requests: Record<string, number> }[]
  }
  assert.deepEqual([services[0].breaker.state, services[0].breaker.reason], ['open', 'failures'])
  assert.ok(services[0].requests['breaker-open'] >= 10)
  assert.equal(asked, before)
})

test('a service that is well again is let in again by probes', async (t) => {
  let isIll = true
  const url = await startTarget(t, (_, res) => {
    res.statusCode = isIll ? 504 : 200
    res.end('service')
  })
  const { velum, web } = await gateway(t, { url, eject: false, breaker: { minimumCalls: 5, for: '100ms', probes: 2 } })
  const opened = velum.printed(/a circuit breaker opened/)
  for (let i = 0; i < 20; i++) await ask(web)
  await opened
  isIll = false
  const closed = velum.printed(/a circuit breaker closed/)
  while ((await ask(web)).status !== 200) await new Promise((resolve) => setImmediate(resolve))
  while ((await ask(web)).status !== 200) await new Promise((resolve) => setImmediate(resolve))
  await closed
  for (let inRow = 0; inRow < 10;) inRow = (await ask(web)).status === 200 ? inRow + 1 : 0
})

test('the same key leads to the same target on every worker, and every target has some', async (t) => {
  const names = ['a', 'b', 'c']
  const targets = await Promise.all(names.map(async (name) => ({ url: await startTarget(t, (_, res) => void res.end(name)) })))
  const { web } = await gateway(t, { targets, balance: { hash: 'header:x-cart' } })
  const places = new Map<string, Set<string>>()
  const seen = new Set<string>()
  for (let i = 0; i < 90; i++) {
    const cart = String(i % 30)
    const place = await (await ask(web, { 'x-cart': cart })).text()
    seen.add(place)
    places.set(cart, (places.get(cart) ?? new Set()).add(place))
  }
  assert.ok([...places.values()].every((each) => each.size === 1))
  assert.deepEqual(seen, new Set(names))
})
