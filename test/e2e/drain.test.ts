import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'
import type { VelumProcess } from '../support/velum-process.ts'

const token = 'a-token-of-the-operator'

/** Answers at once with its name, but for /events, whose answer goes on for as long as the test likes. */
interface Target {
  readonly url: string
  readonly address: string
  events(): Promise<ServerResponse>
}

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function startTarget(t: TestContext, name: string): Promise<Target> {
  const came = new EventEmitter()
  const streams: ServerResponse[] = []
  const server = createHttpServer((req, res) => {
    if (req.url !== '/events') {
      res.end(name)
      return
    }
    res.write(`${name} begins\n`)
    streams.push(res)
    came.emit('events')
  })
  const port = await portOf(server)
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return {
    url: `http://127.0.0.1:${port}`,
    address: `127.0.0.1:${port}`,
    async events() {
      if (streams.length === 0) await once(came, 'events')
      return streams.shift()!
    },
  }
}

const configOf = (targets: readonly Target[]): string =>
  JSON.stringify({
    listeners: { web: { port: 0, host: '127.0.0.1' } },
    admin: { port: 0 },
    log: { format: 'none' },
    services: { orders: { targets: targets.map(({ url }) => ({ url })) } },
    routes: [{ name: 'orders', match: { path: '/**' }, to: 'orders', auth: 'public' }],
  })

interface TargetDocument {
  readonly address: string
  readonly state: string
  readonly out?: { readonly reason: string }
  readonly calls?: number
}

interface Scene {
  readonly velum: VelumProcess
  readonly web: string
  /** Asks the admin surface. */
  readonly ask: (method: string, path: string) => Promise<Response>
  readonly reload: (next: string) => Promise<void>
  /** Who answers so many requests. */
  readonly answeredBy: (count: number) => Promise<string[]>
  readonly targets: () => Promise<TargetDocument[]>
}

async function gateway(t: TestContext, config: string, workers = 1): Promise<Scene> {
  const folder = workFolder(t)
  folder.write('velum.config.json', config)
  const velum = startVelum(t, ['run', '--workers', String(workers)], { folder: folder.path, env: { VELUM_ADMIN_TOKEN: token } })
  const { web } = await readyListeners(velum)
  const [, admin] = await velum.printed(/"admin":"([^"]+)"/)
  const ask = (method: string, path: string): Promise<Response> =>
    fetch(new URL(path, admin), { method, headers: { authorization: `Bearer ${token}` } })
  return {
    velum,
    web,
    ask,
    reload: async (next) => {
      folder.write('velum.config.json', next)
      assert.equal((await ask('POST', '/api/reload')).status, 200)
    },
    answeredBy: async (count) => {
      const names = new Set<string>()
      for (let i = 0; i < count; i++) names.add(await (await fetch(web)).text())
      return [...names].toSorted()
    },
    targets: async () => {
      const { services } = (await (await ask('GET', '/api/services')).json()) as { services: { targets: TargetDocument[] }[] }
      return services[0].targets
    },
  }
}

/** Reads on until the text is there. */
async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, wanted: string): Promise<void> {
  let text = ''
  while (!text.includes(wanted)) {
    const { value, done } = await reader.read()
    assert.ok(!done, `the stream ended after ${JSON.stringify(text)}`)
    text += Buffer.from(value).toString()
  }
}

async function eventually(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve))
}

test('a drained target gets nothing new, through reloads too, and finishes a long answer', async (t) => {
  const [a, b] = [await startTarget(t, 'a'), await startTarget(t, 'b')]
  const { web, ask, answeredBy, targets, reload } = await gateway(t, configOf([a, b]))
  assert.deepEqual(await answeredBy(8), ['a', 'b'])
  const [one, two] = await Promise.all([fetch(`${web}/events`), fetch(`${web}/events`)])
  const [atA, atB] = await Promise.all([a.events(), b.events()])
  const readers = [one, two].map((answer) => answer.body!.getReader())
  await Promise.all(readers.map((reader) => readUntil(reader, 'begins')))
  const drain = `/api/services/orders/targets/${a.address}/drain`
  assert.equal((await ask('PUT', drain)).status, 200)
  assert.deepEqual(await answeredBy(8), ['b'])
  await eventually(async () => (await targets())[0].calls === 1)
  // A change that makes a new Generation, and connections of its own, changes nothing about the drain.
  await reload(configOf([a, b]).replace('"targets"', '"idle":"10s","targets"'))
  assert.deepEqual(await answeredBy(8), ['b'])
  assert.deepEqual(
    (await targets()).map(({ state }) => state),
    ['draining', 'in'],
  )
  for (const [stream, name] of [
    [atA, 'a'],
    [atB, 'b'],
  ] as const)
    stream.end(`${name} ends\n`)
  await Promise.all(readers.map((reader) => readUntil(reader, 'ends')))
  await eventually(async () => (await targets())[0].calls === 0)
  assert.equal((await ask('PUT', `/api/services/orders/targets/${b.address}/drain`)).status, 200)
  const refused = await fetch(web)
  assert.deepEqual(
    [refused.status, refused.headers.get('retry-after'), refused.headers.get('content-type')],
    [503, '1', 'application/problem+json'],
  )
  assert.equal((await ask('DELETE', drain)).status, 200)
  assert.deepEqual(await answeredBy(4), ['a'])
})

test('a target that a reload removes finishes a long answer', async (t) => {
  const [a, b] = [await startTarget(t, 'a'), await startTarget(t, 'b')]
  const { web, answeredBy, reload } = await gateway(t, configOf([a]), 2)
  const answer = await fetch(`${web}/events`)
  const stream = await a.events()
  const reader = answer.body!.getReader()
  await readUntil(reader, 'begins')
  await reload(configOf([b]))
  assert.deepEqual(await answeredBy(8), ['b'])
  stream.write('a goes on\n')
  await readUntil(reader, 'goes on')
  stream.end('a ends\n')
  await readUntil(reader, 'ends')
  assert.equal((await reader.read()).done, true)
})

test('a target is asked by gRPC whether it serves', async (t) => {
  let serving = 2
  const server = createHttp2Server()
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, serving]))
  })
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => void sessions.add(session))
  const port = await portOf(server)
  t.after(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  const config = configOf([{ url: `grpc://127.0.0.1:${port}` } as Target]).replace(
    '"targets"',
    '"health":{"grpc":"orders","every":"100ms","rise":1,"fall":1},"targets"',
  )
  const { velum, targets } = await gateway(t, config)
  await velum.printed(/a target is not well and is left out/)
  const [target] = await targets()
  assert.deepEqual([target.state, target.out?.reason], ['down', 'not-serving'])
  serving = 1
  await velum.printed(/a target is well again/)
  assert.equal((await targets())[0].state, 'in')
})
