import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import { until } from '../support/client-wires.ts'
import { RawClient } from '../support/raw-client.ts'
import type { RawRequest } from '../support/raw-service.ts'
import { okay, startRawService } from '../support/raw-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('services.yaml', import.meta.url), 'utf8')
const head = 'HTTP/1.1 200 OK\r\n'

/** What the service does, by path. */
const doings: Record<string, (socket: Socket, request: RawRequest) => void> = {
  '/reset': (socket) => void socket.resetAndDestroy(),
  '/garbage': (socket) => void socket.write('SSH-2.0-OpenSSH\r\n'),
  '/conflict': (socket) => void socket.write(`${head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
  '/many-headers': (socket) => void socket.write(`${head}${'A: b\r\n'.repeat(1000)}Content-Length: 0\r\n\r\n`),
  '/silent': () => {},
  '/short': (socket) => void socket.end(`${head}Content-Length: 10\r\n\r\nhalf`),
  '/short-chunks': (socket) => void socket.end(`${head}Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n`),
  '/events': (socket) =>
    void socket.write(`${head}Content-Type: text/event-stream\r\nCache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n`),
  '/hints': (socket) => void socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${okay('page')}`),
  '/hop': (socket) => void socket.write(okay('x', 'Connection: X-Hop\r\nX-Hop: 1\r\nX-Stays: 1\r\nKeep-Alive: timeout=9\r\n')),
}

const get = (path: string, fields = ''): string => `GET ${path} HTTP/1.1\r\nHost: api.example.com\r\n${fields}\r\n`

test('services over real sockets', async (t) => {
  let last: Socket | undefined
  const service = await startRawService((socket, request) => {
    last = socket
    const path = request.head.split(' ')[1]
    if (/\r\nupgrade: echo\r\n/i.test(request.head)) {
      socket.write(
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nSec-WebSocket-Accept: x\r\n\r\nhello ',
      )
      socket.removeAllListeners('data')
      socket.on('data', (chunk: Buffer) => void socket.write(chunk.toString().toUpperCase()))
      socket.on('end', () => void socket.end(' bye'))
    } else {
      const does = doings[path]
      if (does === undefined) socket.write(okay(path))
      else does(socket, request)
    }
  })
  t.after(() => service.close())
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '1'], {
    folder: folder.path,
    env: { ORDERS: `http://127.0.0.1:${service.port}` },
  })
  const port = Number(new URL((await readyListeners(velum)).web).port)
  const open = async (request: string): Promise<RawClient> => {
    const client = await RawClient.to(port)
    client.send(request)
    return client
  }

  await t.test('keep their connections from call to call', async () => {
    const before = service.accepted
    const client = await open('')
    for (let i = 0; i < 5; i++) {
      client.send(get(`/item/${i}`))
      assert.equal((await client.answer())?.content, `/item/${i}`)
    }
    assert.equal(service.accepted, before + 1)
    client.close()
  })

  const failures: [string, number][] = [
    ['/reset', 502],
    ['/garbage', 502],
    ['/conflict', 502],
    ['/many-headers', 502],
    ['/silent', 504],
    ['/gone', 503],
  ]
  for (const [path, status] of failures) {
    await t.test('are asked by the query that the route makes of the client’s', async () => {
      const client = await open(get('/find/a%26b?page=2&%64ebug=1&q=evil'))
      assert.equal((await client.answer())?.content, '/search?page=2&q=a%26b')
    })

    await t.test(`answer ${status} for ${path}, say nothing of themselves, and go on`, async () => {
      const client = await open(get(path))
      const answer = await client.answer()
      assert.equal(answer?.status, status)
      assert.equal(answer.fields.get('content-type'), 'application/problem+json')
      assert.doesNotMatch(answer.head + answer.content, /127\.0\.0\.1|orders|gone|SSH|ECONN/)
      client.send(get('/next'))
      assert.equal((await client.answer())?.content, '/next')
      client.close()
    })
  }

  for (const path of ['/short', '/short-chunks']) {
    await t.test(`never present a truncated answer as complete: ${path}`, async () => {
      const client = await open(get(path))
      await client.ended()
      assert.match(client.received, /^HTTP\/1\.1 200 /)
      assert.match(client.received, /half/)
      assert.equal(await client.answer(), undefined)
      assert.doesNotMatch(client.received, /\r\n0\r\n/)
    })
  }

  await t.test('stream events without holding any back', async () => {
    const client = await open(get('/events'))
    await client.got('\r\n\r\n')
    const socket = last!
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      socket.write(`${event.length.toString(16)}\r\n${event}\r\n`)
      await client.got(event)
    }
    socket.write('0\r\n\r\n')
    assert.equal((await client.answer())?.content, 'data: 1\n\ndata: 2\n\n')
    client.close()
  })

  await t.test('hear of a client that leaves', async () => {
    const client = await open(get('/events'))
    await client.got('\r\n\r\n')
    const socket = last!
    client.close()
    await until(() => !service.open.has(socket))
  })

  await t.test('may send hints first', async () => {
    const client = await open(get('/hints'))
    const hints = await client.answer()
    assert.deepEqual([hints?.status, hints?.fields.get('link')], [103, '</a.css>'])
    assert.equal((await client.answer())?.content, 'page')
    client.close()
  })

  await t.test('keep hop-by-hop fields to themselves', async () => {
    const client = await open(get('/hop'))
    const { fields } = (await client.answer())!
    assert.deepEqual(
      [fields.get('x-stays'), fields.get('x-hop'), fields.get('keep-alive'), fields.get('connection')],
      ['1', undefined, undefined, undefined],
    )
    client.close()
  })

  await t.test('switch protocols and are left alone with the client', async () => {
    const client = await open(
      `${get('/chat', 'Connection: keep-alive, Upgrade\r\nUpgrade: echo\r\nSec-WebSocket-Key: y\r\n')}early `,
    )
    await client.got('hello EARLY ')
    assert.match(client.received, /^HTTP\/1\.1 101 /)
    assert.match(client.received, /\r\nUpgrade: echo\r\n/)
    assert.match(client.received, /\r\nSec-WebSocket-Accept: x\r\n/)
    client.send('later')
    await client.got('LATER')
    client.socket.end()
    await client.ended()
    assert.match(client.received, /hello EARLY LATER bye$/)
    assert.match(service.requests.at(-1)!.head, /\r\nSec-WebSocket-Key: y\r\n/)
  })

  await t.test('are asked at the next target when one cannot be reached', async () => {
    const client = await open('')
    for (let i = 0; i < 4; i++) {
      client.send(`POST /pair/${i} HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 2\r\n\r\nhi`)
      assert.equal((await client.answer())?.content, `/pair/${i}`)
      assert.equal(service.requests.at(-1)!.body, 'hi')
    }
    client.close()
  })
})
