import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { startDnsServer } from '../support/dns-server.ts'
import type { DnsServer, Saying } from '../support/dns-server.ts'
import { RawClient } from '../support/raw-client.ts'
import type { RawService } from '../support/raw-service.ts'
import { okay, startRawService } from '../support/raw-service.ts'
import { startVelum, workFolder } from '../support/velum-process.ts'

/*
 * A gateway in front of services that fail, each in its own way: what the clients saw, and how many requests the services
 * saw for it. Everything is bounded by counts; where an answer is due at once, the configuration's patience is endless.
 */

const config = readFileSync(new URL('faults.yaml', import.meta.url), 'utf8')
const token = 'a-token-for-the-admin-surface-of-this-test'

/** What a failing service does with its request number `nth` (from 0) of a row. */
type Doing = (socket: Socket, nth: number) => void

const answer =
  (status: string): Doing =>
  (socket) =>
    void socket.write(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`)
const good: Doing = (socket) => void socket.write(okay())
const reset: Doing = (socket) => void socket.resetAndDestroy()
const refuse = answer('503 Service Unavailable')
/** Ill and well in turns: by the requests that it gets, so that no clock is in it. */
const flaps: Doing = (socket, nth) => (nth % 10 < 3 ? reset : good)(socket, nth)
/** Three of ten, spread out. */
const isThirdOfTen = (nth: number): boolean => [2, 5, 8].includes(nth % 10)

interface Row {
  readonly fault: string
  readonly path: string
  readonly offered: number
  readonly method?: 'GET' | 'POST'
  readonly doing: Doing
  /** Clients by what they saw: a status, or 0 for an answer that broke off. */
  readonly saw: Readonly<Record<number, number>>
  /** How many requests the services saw, at least and at most. */
  readonly attempts: readonly [least: number, most: number]
  /** Of them, how many at most the failing one saw. */
  readonly failing?: number
}

const rows: readonly Row[] = [
  { fault: 'all targets are down', path: '/down', offered: 30, doing: good, saw: { 503: 30 }, attempts: [0, 0] },
  {
    fault: 'one of two accepts and never answers',
    path: '/silent',
    offered: 20,
    doing: () => {},
    saw: { 200: 20 },
    attempts: [23, 23],
    failing: 3,
  },
  {
    fault: 'the only one accepts and never answers',
    path: '/silent-alone',
    offered: 5,
    doing: () => {},
    saw: { 504: 5 },
    attempts: [5, 5],
  },
  {
    fault: 'one of two answers and then stalls',
    path: '/stalls',
    offered: 10,
    doing: (socket) => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'),
    saw: { 0: 5, 200: 5 },
    attempts: [10, 10],
    failing: 5,
  },
  {
    fault: 'it resets every tenth',
    path: '/resets',
    offered: 100,
    doing: (socket, nth) => (nth % 10 === 4 ? reset : good)(socket, nth),
    saw: { 200: 100 },
    attempts: [111, 111],
  },
  {
    fault: 'it resets every tenth, and sending again is not safe',
    path: '/resets-posts',
    offered: 100,
    method: 'POST',
    doing: (socket, nth) => (nth % 10 === 4 ? reset : good)(socket, nth),
    saw: { 200: 90, 502: 10 },
    attempts: [100, 100],
  },
  {
    fault: 'one of two answers 500 at 30 %, which may be about the call',
    path: '/errors',
    offered: 100,
    doing: (socket, nth) => (isThirdOfTen(nth) ? answer('500 Internal Server Error') : good)(socket, nth),
    saw: { 200: 85, 500: 15 },
    attempts: [100, 100],
    failing: 50,
  },
  {
    fault: 'one of two answers 503 at 30 %',
    path: '/refuses',
    offered: 100,
    doing: (socket, nth) => (isThirdOfTen(nth) ? refuse : good)(socket, nth),
    saw: { 200: 100 },
    attempts: [115, 115],
    failing: 50,
  },
  {
    fault: 'a storm: all answer 503 and every call would be tried ten times',
    path: '/storm',
    offered: 200,
    doing: refuse,
    saw: { 503: 200 },
    attempts: [201, 240],
  },
]

interface Scene {
  readonly port: number
  readonly admin: string
  readonly dns: DnsServer
  readonly bad: RawService
  readonly good: RawService
  readonly shadow: RawService
}

async function ask(
  port: number,
  path: string,
  method = 'GET',
): Promise<{ status: number; retryAfter: string | undefined; text: string }> {
  const client = await RawClient.to(port)
  const length = method === 'POST' ? 'Content-Length: 1\r\n\r\n1' : '\r\n'
  client.send(`${method} ${path} HTTP/1.1\r\nHost: api.example.com\r\n${length}`)
  const told = await client.answer()
  client.close()
  return { status: told?.status ?? 0, retryAfter: told?.fields.get('retry-after'), text: told?.content ?? '' }
}

function about(service: RawService, path: string): number {
  return service.requests.filter(({ head }) => head.split(' ')[1] === path).length
}

function urlOf(service: RawService): string {
  return `http://127.0.0.1:${service.port}`
}

/** Resolves when the answers of one path are these, each of them, and no others. */
async function followed(port: number, ...texts: string[]): Promise<void> {
  for (;;) {
    const seen = new Set<string>()
    for (let i = 0; i < 6; i++) seen.add((await ask(port, '/named')).text)
    if ([...seen].sort().join(' ') === texts.join(' ')) return
  }
}

async function namesOf(admin: string, service: string): Promise<{ name: string; addresses: number; failure?: string }[]> {
  const response = await fetch(new URL('/api/services', admin), { headers: { authorization: `Bearer ${token}` } })
  const { services } = (await response.json()) as {
    services: { name: string; names: { name: string; addresses: number; failure?: string }[] }[]
  }
  return services.find(({ name }) => name === service)!.names
}

test('faults of services', { timeout: 120_000 }, async (t) => {
  const doings = new Map([...rows, { path: '/flaps', doing: flaps }].map(({ path, doing }) => [path, { doing, nth: 0 }]))
  const services = {
    bad: await startRawService((socket, { head }) => {
      const row = doings.get(head.split(' ')[1])
      if (row !== undefined) row.doing(socket, row.nth++)
    }),
    good: await startRawService((socket) => void socket.write(okay('one'))),
    shadow: await startRawService(() => {}),
  }
  // The same port at another address, for a name that moves.
  const moved = createServer((_, response) => void response.end('two')).listen(services.good.port, '127.0.0.2')
  await once(moved, 'listening')
  const dns = await startDnsServer()
  t.after(async () => {
    dns.close()
    moved.close()
    moved.closeAllConnections()
    await Promise.all(Object.values(services).map((service) => service.close()))
  })
  dns.set('orders.test', { a: ['127.0.0.1'] })
  dns.set('_http._tcp.orders.test', { srv: [{ priority: 5, weight: 1, port: services.good.port, host: 'orders.test' }] })
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '1'], {
    folder: folder.path,
    env: {
      VELUM_ADMIN_TOKEN: token,
      DNS: dns.address,
      BAD: urlOf(services.bad),
      GOOD: urlOf(services.good),
      SHADOW: urlOf(services.shadow),
      PORT: String(services.good.port),
    },
  })
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const ready = JSON.parse(line) as { listeners: { web: string }; admin: string }
  const scene: Scene = { port: Number(new URL(ready.listeners.web).port), admin: ready.admin, dns, ...services }
  const { port, bad } = scene

  const table: string[][] = [['fault', 'offered', 'clients saw', 'services saw', 'the failing one']]
  for (const { fault, path, offered, method, saw, attempts, failing } of rows) {
    await t.test(fault, async () => {
      const seen: Record<number, number> = {}
      for (let i = 0; i < offered; i++) {
        const { status, retryAfter } = await ask(port, path, method)
        seen[status] = (seen[status] ?? 0) + 1
        if (path === '/down') assert.equal(retryAfter, '1')
      }
      const [ofBad, ofGood] = [about(bad, path), about(scene.good, path)]
      table.push([fault, String(offered), JSON.stringify(seen).replaceAll('"', ''), String(ofBad + ofGood), String(ofBad)])
      assert.deepEqual(seen, saw)
      const [least, most] = attempts
      assert.ok(ofBad + ofGood >= least && ofBad + ofGood <= most, `${ofBad + ofGood} attempts, not ${least} to ${most}`)
      if (failing !== undefined) assert.ok(ofBad <= failing, `${ofBad} at the failing one, not ${failing} at most`)
    })
  }
  await t.test('one of two flaps', async () => {
    const path = '/flaps'
    let offered = 0
    // Until it has fallen ill three times, each time having been left out, found well again and sent to.
    for (; about(bad, path) < 30; offered++) assert.equal((await ask(port, path)).status, 200)
    const attempts = about(bad, path) + about(scene.good, path)
    table.push(['one of two flaps', String(offered), `{200:${offered}}`, String(attempts), String(about(bad, path))])
    assert.equal(attempts, offered + 9)
  })
  const widths = table[0].map((_, column) => Math.max(...table.map((cells) => cells[column].length)))
  for (const cells of table) t.diagnostic(cells.map((cell, column) => cell.padEnd(widths[column])).join('  '))

  await namesTests(t, scene)

  await t.test('a shadow that never answers costs its route nothing, and gets no more than it may', async () => {
    for (let i = 0; i < 100; i++) assert.equal((await ask(port, '/mirrored')).text, 'one')
    await scene.shadow.received(64)
    assert.equal(about(scene.shadow, '/mirrored'), 64)
    assert.match(scene.shadow.requests[0].head, /\r\nX-Velum-Mirror: mirrored\r\n/)
    const metrics = await fetch(new URL('/metrics', scene.admin), { headers: { authorization: `Bearer ${token}` } })
    assert.match(await metrics.text(), /velum_mirror_requests_total\{[^}]*outcome="dropped"[^}]*\} 36\n/)
  })
})

async function namesTests(t: TestContext, scene: Scene): Promise<void> {
  const { port, dns, admin } = scene
  const failures: readonly [what: string, saying: Saying, told: RegExp][] = [
    ['fails', 'fails', /ESERVFAIL/],
    ['says that there is no such name', 'no-such-name', /ENOTFOUND/],
    ['says that there is nothing', {}, /ENODATA/],
  ]
  for (const [what, saying, told] of failures) {
    await t.test(`the last good answer stands while the DNS ${what}`, async () => {
      assert.equal((await ask(port, '/named')).text, 'one')
      dns.set('orders.test', saying)
      while (!told.test((await namesOf(admin, 'named'))[0].failure ?? '')) await dns.asked('orders.test')
      for (let i = 0; i < 5; i++) assert.equal((await ask(port, '/named')).text, 'one')
      assert.equal((await namesOf(admin, 'named'))[0].addresses, 1)
    })
  }

  await t.test('a name that leads elsewhere is followed, and one that leads to two addresses leads to both', async () => {
    dns.set('orders.test', { a: ['127.0.0.2'] })
    await followed(port, 'two')
    dns.set('orders.test', { a: ['127.0.0.1', '127.0.0.2'] })
    await followed(port, 'one', 'two')
    dns.set('orders.test', { a: ['127.0.0.1'] })
    await followed(port, 'one')
  })

  await t.test('a name that was never resolved is 503 at once, is told of, and is found later', async () => {
    for (let i = 0; i < 5; i++) {
      const { status, retryAfter } = await ask(port, '/unnamed')
      assert.deepEqual([status, retryAfter], [503, '1'])
    }
    assert.deepEqual(await namesOf(admin, 'unnamed'), [
      { name: 'late.test', addresses: 0, failure: 'there is no such name (ENOTFOUND)' },
    ])
    dns.set('late.test', { a: ['127.0.0.1'] })
    while ((await ask(port, '/unnamed')).status !== 200);
    assert.equal((await ask(port, '/unnamed')).text, 'one')
  })

  await t.test('SRV records tell the port', async () => {
    assert.equal((await ask(port, '/srv')).text, 'one')
    assert.deepEqual(
      (await namesOf(admin, 'srv')).map(({ name, addresses }) => [name, addresses]),
      [['_http._tcp.orders.test', 1]],
    )
  })
}
