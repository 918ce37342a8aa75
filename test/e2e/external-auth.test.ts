import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import { test } from 'node:test'
import { serviceOf } from '../support/http-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('external-auth.yaml', import.meta.url), 'utf8')

async function textOf(incoming: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of incoming.setEncoding('utf8')) text += chunk as string
  return text
}

/** What the service got. */
function seen(content: string): { headers: Record<string, string>; body: string } {
  return JSON.parse(content) as { headers: Record<string, string>; body: string }
}

const permits = (response: ServerResponse): void => void response.end()

interface Asked {
  readonly url: string
  readonly method: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

test('a service that decides, over real sockets', async (t) => {
  const upstream = await serviceOf(t, (incoming, response) => {
    void textOf(incoming).then((body) => response.end(JSON.stringify({ headers: incoming.headers, body })))
  })
  const asked: Asked[] = []
  let says: (response: ServerResponse, about: Asked) => void = permits
  const authoriser = await serviceOf(t, (incoming, response) => {
    const { url, method, headers } = incoming
    const tell = async (): Promise<void> => {
      const about = { url: url!, method: method!, headers, body: await textOf(incoming) }
      asked.push(about)
      says(response, about)
    }
    void tell()
  })
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const env = { UPSTREAM: upstream, AUTHORISER: authoriser, KEY_HASH: createHash('sha256').update('a key').digest('hex') }
  const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
  const { web } = await readyListeners(velum)
  const ask = async (path: string, request: RequestInit = {}): Promise<{ status: number; headers: Headers; content: string }> => {
    const response = await fetch(new URL(path, web), { redirect: 'manual', ...request })
    return { status: response.status, headers: response.headers, content: await response.text() }
  }

  await t.test('what it permits passes, with what it says of the caller', async () => {
    says = (response) =>
      response.writeHead(200, { 'Remote-User': 'alice', Authorization: 'Bearer inner', 'Remote-Role': 'x' }).end('fine')
    const headers = { authorization: 'Bearer outer', 'remote-user': 'root', cookie: 'a=1' }
    const { status, content } = await ask('/forward/%6fne/../two?q=1', { headers })
    assert.equal(status, 200, content)
    const { headers: got } = seen(content)
    assert.equal(got['remote-user'], 'alice')
    assert.equal(got['authorization'], 'Bearer inner')
    assert.equal(got['remote-role'], undefined)
    const { url, method, headers: told } = asked.at(-1)!
    assert.equal(`${method} ${url}`, 'GET /check')
    assert.equal(told['x-forwarded-uri'], '/forward/two?q=1')
    assert.equal(told['x-forwarded-method'], 'GET')
    assert.equal(told['x-forwarded-host'], new URL(web).host)
    assert.equal(told['x-forwarded-for'], '127.0.0.1')
    assert.equal(told['authorization'], 'Bearer outer')
    assert.equal(told['cookie'], 'a=1')
    assert.equal(told['remote-user'], undefined)
    assert.equal(told['x-request-id'], got['x-request-id'])
  })

  await t.test('what it refuses is refused, and a redirect leads where it says', async () => {
    says = (response) => response.writeHead(401, { 'WWW-Authenticate': 'Custom' }).end('its own words')
    const refused = await ask('/forward/a', { method: 'POST', body: 'x' })
    assert.equal(refused.status, 401)
    assert.equal(refused.headers.get('www-authenticate'), 'Custom')
    assert.match(refused.content, /"policy":"auth"/)
    assert.equal(refused.content.includes('its own words'), false)
    says = (response) => response.writeHead(302, { Location: 'https://login.example.com/', 'Set-Cookie': 'state=1' }).end()
    const led = await ask('/forward/a')
    assert.equal(led.status, 302)
    assert.equal(led.headers.get('location'), 'https://login.example.com/')
    assert.equal(led.headers.get('set-cookie'), 'state=1')
  })

  await t.test('besides a credential it is asked last, and told who is calling', async () => {
    says = permits
    const before = asked.length
    assert.equal((await ask('/both')).status, 401)
    assert.equal(asked.length, before, 'nobody is asked about who is nobody')
    const { status } = await ask('/both', {
      headers: { 'x-api-key': 'a key', authorization: 'Bearer x', 'x-auth-subject': 'root' },
    })
    assert.equal(status, 200)
    const { headers } = asked.at(-1)!
    assert.equal(headers['x-auth-subject'], 'worker')
    assert.equal(headers['x-auth-tenant'], 'acme')
    assert.equal(headers['x-api-key'], undefined)
    assert.equal(headers['authorization'], undefined)
    says = (response) => response.writeHead(403).end()
    assert.equal((await ask('/both', { headers: { 'x-api-key': 'a key' } })).status, 403)
  })

  await t.test('decisions are kept where that was said', async () => {
    says = permits
    const before = asked.length
    for (let i = 0; i < 5; i++) assert.equal((await ask('/cached')).status, 200)
    assert.equal(asked.length, before + 1)
  })

  await t.test('it sees bodies only where that was said, and the service gets them whole', async () => {
    says = (response, { body }) => response.writeHead(body === 'good' ? 200 : 403).end()
    const good = await ask('/body', { method: 'POST', body: 'good' })
    assert.equal(good.status, 200)
    assert.equal(seen(good.content).body, 'good')
    assert.equal((await ask('/body', { method: 'POST', body: 'bad' })).status, 403)
    assert.equal((await ask('/body', { method: 'POST', body: 'x'.repeat(1025) })).status, 413)
    says = permits
    assert.equal((await ask('/forward/a', { method: 'POST', body: 'secret' })).status, 200)
    assert.equal(asked.at(-1)!.body, '')
  })

  await t.test('slow is 504, down and nonsense are 503, and none is ever 500 or a pass', async () => {
    says = () => {}
    const slow = await ask('/both', { headers: { 'x-api-key': 'a key' } })
    assert.equal(slow.status, 504)
    assert.match(slow.content, /cannot be decided/)
    says = (response) => response.writeHead(500).end()
    assert.equal((await ask('/forward/a')).status, 503)
    says = (response) => void response.socket!.destroy()
    const broken = await ask('/forward/a')
    assert.equal(broken.status, 503)
    assert.equal(broken.headers.get('retry-after'), '1')
    assert.equal((await ask('/gone')).status, 503)
    says = permits
    assert.equal((await ask('/forward/a')).status, 200)
  })
})

test('an authoriser that speaks no HTTP lets nobody in', async (t) => {
  const sockets = new Set<Socket>()
  const liar = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n'))
  }).listen(0, '127.0.0.1')
  await once(liar, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    liar.close()
  })
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const at = `http://127.0.0.1:${(liar.address() as AddressInfo).port}`
  const velum = startVelum(t, ['run', '--workers', '1'], {
    folder: folder.path,
    env: { UPSTREAM: at, AUTHORISER: at, KEY_HASH: '0'.repeat(64) },
  })
  const { web } = await readyListeners(velum)
  assert.equal((await fetch(new URL('/forward/a', web))).status, 503)
})
