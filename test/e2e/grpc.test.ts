import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { startBilling } from '../../demo/billing.ts'
import { Billing } from '../../demo/gen/billing_pb.js'
import { GrpcClient } from '../support/grpc-client.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('grpc.yaml', import.meta.url), 'utf8')
const key = 'vk_0123456789abcdefghij0123456789abcdefghij'

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void server.close())
  return (server.address() as AddressInfo).port
}

interface Scene {
  readonly plain: string
  /** Tells of each call to the service that answers nothing: 'came' with its headers, 'left' with the stream's code. */
  readonly silent: EventEmitter
}

async function scene(t: TestContext): Promise<Scene> {
  const folder = workFolder(t)
  const billing = await startBilling(0)
  t.after(() => billing.close())
  const silent = new EventEmitter()
  const silentServer = createHttp2Server()
  silentServer.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {})
    stream.on('close', () => silent.emit('left', stream.rstCode))
    silent.emit('came', headers)
  })
  const web = createServer((req, res) => {
    let text = ''
    req.on('data', (chunk: Buffer) => (text += chunk.toString()))
    req.on('end', () => res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, text })))
  })
  const web2 = createHttp2Server((req, res) => {
    let text = ''
    req.on('data', (chunk: Buffer) => (text += chunk.toString()))
    req.on('end', () => {
      res.setHeader('x-version', req.httpVersion)
      res.end(JSON.stringify({ method: req.method, url: req.url, headers: req.headers, text }))
    })
  })
  const velum = startVelum(t, ['run', '--config', folder.write('velum.yaml', config), '--workers', '1'], {
    folder: folder.path,
    env: {
      BILLING: billing.url,
      SILENT: `grpc://127.0.0.1:${await listening(t, silentServer)}`,
      WEB: `http://127.0.0.1:${await listening(t, web)}`,
      WEB2: `http://127.0.0.1:${await listening(t, web2)}`,
      KEY_HASH: createHash('sha256').update(key).digest('hex'),
    },
  })
  return { plain: (await readyListeners(velum))['plain'], silent }
}

type Methods = (typeof Billing)['method']

function encoded<M extends keyof Methods>(name: M, messages: MessageInitShape<Methods[M]['input']>[]): Uint8Array[] {
  const method: { input: DescMessage } = Billing.method[name]
  return messages.map((message) => toBinary(method.input, create(method.input, message)))
}

suite('gRPC through the gateway', { timeout: 120_000 }, () => {
  let it: Scene
  let client: GrpcClient

  test('a gateway in front of billing', async (t) => {
    it = await scene(t)
    client = new GrpcClient(it.plain)
    t.after(() => client.close())

    await t.test('a unary call', async () => {
      const end = await client.call('/billing.v1.Billing/GetInvoice', encoded('getInvoice', [{ invoiceId: 'inv-2001' }]))
      assert.deepEqual([end.status, end.httpStatus, end.rstCode], [0, 200, 0])
      assert.equal(fromBinary(Billing.method.getInvoice.output, end.messages[0]).customerId, 'acme')
      assert.match(String(end.fields['x-request-id']), /^.{8,}$/)
    })

    await t.test('a status of the service, with its words', async () => {
      const end = await client.call('/billing.v1.Billing/GetInvoice', encoded('getInvoice', [{ invoiceId: 'none' }]))
      assert.deepEqual([end.status, end.message, end.messages.length], [5, 'no such invoice', 0])
    })

    await t.test('a stream of answers', async () => {
      const call = client.open('/billing.v1.Billing/WatchInvoices')
      call.send(encoded('watchInvoices', [{ customerId: 'acme', limit: 1 }])[0])
      call.stream.end()
      await call.message(0)
      assert.equal((await call.ended).status, 0)
    })

    await t.test('a stream of requests', async () => {
      const records = Array.from({ length: 500 }, () => ({ meter: 'api_calls', units: 2n }))
      const end = await client.call('/billing.v1.Billing/RecordUsage', encoded('recordUsage', records))
      const summary = fromBinary(Billing.method.recordUsage.output, end.messages[0])
      assert.deepEqual([end.status, summary.records, summary.unitsByMeter['api_calls']], [0, 500, 1000n])
    })

    await t.test('a conversation, each message as it comes', async () => {
      const amount = { currencyCode: 'EUR', minorUnits: 1n }
      const call = client.open('/billing.v1.Billing/Reconcile')
      for (let i = 0; i < 5; i++) {
        call.send(encoded('reconcile', [{ paymentId: `p${i}`, customerId: 'initech', amount }])[0])
        assert.equal(fromBinary(Billing.method.reconcile.output, await call.message(i)).paymentId, `p${i}`)
      }
      call.stream.end()
      assert.equal((await call.ended).status, 0)
    })

    await t.test("the caller's deadline reaches the service, less what was spent", async () => {
      const came = once(it.silent, 'came')
      const call = client.open('/silent/a', { 'grpc-timeout': '5S' })
      const [headers] = (await came) as [IncomingHttpHeaders]
      const left = /^(\d+)u$/.exec(String(headers['grpc-timeout']))
      assert.ok(left !== null && Number(left[1]) <= 5_000_000 && Number(left[1]) > 1_000_000, String(headers['grpc-timeout']))
      assert.deepEqual([headers['te'], headers['content-type']], ['trailers', 'application/grpc'])
      call.stream.close(8)
      await call.ended
    })

    await t.test('a caller that leaves ends the call at the service', async () => {
      const came = once(it.silent, 'came')
      const call = client.open('/silent/b')
      await came
      const left = once(it.silent, 'left')
      call.stream.close(8)
      assert.deepEqual(await left, [8])
    })

    await t.test('a deadline that passes is DEADLINE_EXCEEDED, and the service is told at once', async () => {
      const left = once(it.silent, 'left')
      const end = await client.call('/silent/c', [], { 'grpc-timeout': '100m' })
      assert.deepEqual([end.status, end.httpStatus], [4, 200])
      await left
      assert.equal((await client.call('/slow/c', [])).status, 4)
      assert.equal((await client.call('/silent/c', [], { 'grpc-timeout': '0m' })).status, 4)
    })

    await t.test('refusals are statuses', async () => {
      const status = async (path: string, headers?: Record<string, string>): Promise<number> =>
        (await client.call(path, [], headers)).status
      assert.equal(await status('/nowhere/x'), 12)
      assert.equal(await status('/callers/x'), 16)
      assert.equal(await status('/gone/x'), 14)
      await status('/limited/x')
      const limited = await client.call('/limited/x', [])
      assert.equal(limited.status, 8)
      assert.match(String(limited.fields['retry-after']), /^\d+$/)
      assert.match(limited.message, /budget/)
      // Whoever does not speak gRPC is answered as ever.
      const plain = await client.call('/nowhere/x', [], { 'content-type': 'application/json' })
      assert.deepEqual([plain.httpStatus, plain.fields['content-type']], [404, 'application/problem+json'])
      const web = await client.call('/nowhere/x', [], { 'content-type': 'application/grpc-web+proto' })
      assert.equal(web.httpStatus, 404)
    })

    await t.test('HTTP/2 to a service of HTTP/1.1', async () => {
      const stream = client.session.request({ ':method': 'POST', ':path': '/web/a?b=c', cookie: ['a=b', 'c=d'], te: 'trailers' })
      stream.end('hello')
      let text = ''
      for await (const chunk of stream as AsyncIterable<Buffer>) text += chunk.toString()
      const seen = JSON.parse(text) as { url: string; text: string; headers: Record<string, string> }
      assert.deepEqual([seen.url, seen.text], ['/web/a?b=c', 'hello'])
      assert.deepEqual([seen.headers['cookie'], seen.headers['via'], seen.headers['te']], ['a=b; c=d', '2.0 velum', undefined])
      assert.equal(seen.headers['host'], new URL(it.plain).host)
    })

    await t.test('HTTP/1.1 to a service of HTTP/2, with the time that a trusted proxy gives', async () => {
      const { hostname, port, host } = new URL(it.plain)
      const sent = request({
        hostname,
        port,
        path: '/web2/a',
        method: 'POST',
        headers: { 'x-request-timeout': '4000', connection: 'close' },
      })
      sent.write('hel')
      sent.end('lo')
      const [response] = (await once(sent, 'response')) as [IncomingMessage]
      let text = ''
      for await (const chunk of response as AsyncIterable<Buffer>) text += chunk.toString()
      const seen = JSON.parse(text) as { url: string; text: string; headers: Record<string, string> }
      assert.deepEqual([response.statusCode, response.headers['x-version'], seen.text], [200, '2.0', 'hello'])
      assert.equal(seen.headers[':authority'], host)
      const left = Number(seen.headers['x-request-timeout'])
      assert.ok(left > 500 && left <= 4000, String(left))
    })
  })
})
