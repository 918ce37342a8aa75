import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:http2'
import { createServer as createTcpServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = `
name: mirror
listeners: { web: { port: 0, host: 127.0.0.1 } }
admin: { port: 0 }
log: { format: none }
services:
  orders: { url: '\${ORDERS}' }
  shadow: { url: '\${SHADOW}' }
  deaf: { url: '\${DEAF}', timeout: 1d, idle: 30d }
  gone: { url: 'http://127.0.0.1:9' }
defaults: { auth: public, body: { max: 100mb } }
routes:
  - { name: whole, match: { path: /whole }, to: orders, mirror: shadow }
  - { name: deaf, match: { path: /deaf }, to: orders, mirror: deaf }
  - { name: gone, match: { path: /gone }, to: orders, mirror: gone }
`
const token = 'a-token-for-the-admin-surface-of-this-test'
const content = randomBytes(20_000_000)
const sum = createHash('sha256').update(content).digest('hex')

async function listening(t: TestContext, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A service that answers with the sum of what it was sent, and tells of it. */
function summing(told: (path: string, summed: string, mark: string | undefined) => void = () => {}): Server {
  return createServer((req, res) => {
    const hash = createHash('sha256')
    req.on('data', (chunk: Buffer) => void hash.update(chunk))
    req.on('error', () => {})
    req.on('end', () => {
      const summed = hash.digest('hex')
      told(req.url!, summed, req.headers['x-velum-mirror'] as string | undefined)
      res.end(summed)
    })
  })
}

function totalOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((all, one) => all + one, 0)
}

async function text(stream: AsyncIterable<unknown>): Promise<string> {
  let all = ''
  for await (const chunk of stream) all += String(chunk)
  return all
}

async function postHttp1(web: string, path: string): Promise<string> {
  const sent = request(`${web}${path}`, { method: 'POST', agent: false })
  sent.end(content)
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return text(response)
}

async function postHttp2(web: string, path: string): Promise<string> {
  const session = connect(web)
  const stream = session.request({ ':method': 'POST', ':path': path })
  stream.end(content)
  const answered = await text(stream.setEncoding('utf8'))
  session.close()
  return answered
}

test('a mirror gets large bodies as well as it can, and its route never notices', { timeout: 20_000 }, async (t) => {
  const copies: (readonly [path: string, summed: string, mark: string | undefined])[] = []
  const deaf = createTcpServer((socket: Socket) => {
    socket.on('error', () => {})
    socket.pause()
    t.after(() => void socket.destroy())
  })
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const velum = startVelum(t, ['run', '--workers', '1'], {
    folder: folder.path,
    env: {
      VELUM_ADMIN_TOKEN: token,
      ORDERS: await listening(t, summing()),
      SHADOW: await listening(
        t,
        summing((...copy) => void copies.push(copy)),
      ),
      DEAF: await listening(t, deaf),
    },
  })
  const { web } = await readyListeners(velum)
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const { admin } = JSON.parse(line) as { admin: string }
  const counted = async (route: string): Promise<Record<string, number>> => {
    const response = await fetch(new URL('/metrics', admin), { headers: { authorization: `Bearer ${token}` } })
    const counts: Record<string, number> = {}
    for (const [, labels, value] of (await response.text()).matchAll(/^velum_mirror_requests_total\{(.*)\} (\d+)$/gm)) {
      if (labels.includes(`route="${route}"`) && value !== '0') counts[/outcome="(\w+)"/.exec(labels)![1]] = Number(value)
    }
    return counts
  }
  const settled = async (route: string, count: number): Promise<Record<string, number>> => {
    for (;;) {
      const counts = await counted(route)
      if (totalOf(counts) >= count) return counts
    }
  }

  for (const post of [postHttp1, postHttp2]) {
    await t.test(`${post.name}: to a shadow that reads nothing`, async () => {
      const before = (await counted('deaf'))['dropped'] ?? 0
      assert.equal(await post(web, '/deaf'), sum)
      assert.deepEqual(await settled('deaf', before + 1), { dropped: before + 1 })
    })

    await t.test(`${post.name}: to a shadow that is not there`, async () => {
      const before = totalOf(await counted('gone'))
      assert.equal(await post(web, '/gone'), sum)
      // Refused, or too far behind before that was known.
      assert.equal(totalOf(await settled('gone', before + 1)), before + 1)
    })

    await t.test(`${post.name}: to a shadow that reads, which gets all or nothing`, async () => {
      const before = totalOf(await counted('whole'))
      assert.equal(await post(web, '/whole'), sum)
      await settled('whole', before + 1)
      for (const copy of copies) assert.deepEqual(copy, ['/whole', sum, 'whole'])
    })
  }

  await t.test('a shadow that refuses is counted', async () => {
    const [before, total] = [(await counted('gone'))['failed'] ?? 0, totalOf(await counted('gone'))]
    await fetch(`${web}/gone`, { method: 'POST', body: 'small' })
    assert.equal((await settled('gone', total + 1))['failed'], before + 1)
  })

  await t.test('a small body comes whole', async () => {
    const before = copies.length
    const small = await fetch(`${web}/whole`, { method: 'POST', body: 'small' })
    assert.equal(small.status, 200)
    const smallSum = createHash('sha256').update('small').digest('hex')
    while (copies.length === before) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(copies.at(-1), ['/whole', smallSum, 'whole'])
  })
})
