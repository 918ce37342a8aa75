import assert from 'node:assert/strict'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { suite, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { FrameReader, framed } from '../../src/bridges/grpc/frames.ts'
import { shelfProto, startShelf } from '../support/shelf-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = `
listeners: { plain: { host: 127.0.0.1, port: 0 } }
log: { format: none }
services: { shelf: { url: '\${SHELF}', protos: '\${SHELF_PROTO}', maxMessage: 1mb } }
identity: { apiKeys: { worker: { sha256: '${'0'.repeat(64)}' } } }
defaults: { auth: public }
routes:
  - { name: shelf, match: { path: '/shelf.v1.Shelf/{method}' }, to: shelf, bridge: [rest, grpc-web] }
  - { name: below, match: { path: '/api/**' }, to: shelf, bridge: grpc-web }
  - { name: closed, match: { path: '/closed/**' }, to: shelf, bridge: grpc-web, auth: { any: [api-key] } }
`

/** A Book with only a title. */
function book(title: string): Buffer {
  return Buffer.concat([Buffer.from([0x12, title.length]), Buffer.from(title)])
}

interface End {
  readonly http: number
  readonly type: string | null
  readonly messages: readonly string[]
  readonly trailers: Readonly<Record<string, string>>
}

function read(bytes: Buffer): Pick<End, 'messages' | 'trailers'> {
  const reader = new FrameReader(1_000_000)
  reader.add(bytes)
  const messages: string[] = []
  let trailers = {}
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    if (frame.flag === 0) messages.push(frame.content.toString('latin1').slice(2))
    else {
      assert.equal(frame.flag, 0x80)
      const lines = frame.content.toString('latin1').trimEnd().split('\r\n')
      trailers = Object.fromEntries(lines.map((line) => line.split(': ', 2)))
    }
  }
  assert.ok(reader.isBetween)
  return { messages, trailers }
}

suite('gRPC-Web in front of gRPC', { timeout: 120_000 }, () => {
  test('a gateway with the bridge grpc-web', async (t) => {
    const folder = workFolder(t)
    const shelf = await startShelf(t)
    const velum = startVelum(t, ['run', '--config', folder.write('velum.yaml', config), '--workers', '1'], {
      folder: folder.path,
      env: { SHELF: shelf.url, SHELF_PROTO: fileURLToPath(shelfProto) },
    })
    const url = (await readyListeners(velum))['plain']

    const call = async (path: string, content: Buffer, headers: Record<string, string> = {}): Promise<End> => {
      const type = headers['content-type'] ?? 'application/grpc-web+proto'
      const body = type.includes('-text') ? content.toString('base64') : new Uint8Array(content)
      const response = await fetch(`${url}${path}`, { method: 'POST', body, headers: { ...headers, 'content-type': type } })
      const received = Buffer.from(await response.arrayBuffer())
      const bytes = type.includes('-text')
        ? Buffer.concat((received.toString('latin1').match(/[^=]+={0,2}/g) ?? []).map((run) => Buffer.from(run, 'base64')))
        : received
      return { http: response.status, type: response.headers.get('content-type'), ...read(bytes) }
    }
    const status = async (path: string, content: Buffer, headers?: Record<string, string>): Promise<string> =>
      (await call(path, content, headers)).trailers['grpc-status']
    const echo = '/shelf.v1.Shelf/Echo'

    await t.test('a call, binary and as text', async () => {
      const end = await call(echo, framed(book('a')))
      assert.deepEqual(end, { http: 200, type: 'application/grpc-web+proto', messages: ['a'], trailers: { 'grpc-status': '0' } })
      const text = await call(echo, framed(book('a')), { 'content-type': 'application/grpc-web-text' })
      assert.deepEqual(
        [text.type, text.messages, text.trailers],
        ['application/grpc-web-text+proto', ['a'], { 'grpc-status': '0' }],
      )
      assert.deepEqual((await call('/api/v2/shelf.v1.Shelf/Echo', framed(book('b')))).messages, ['b'])
      const zipped = await call(echo, framed(gzipSync(book('z')), 1), { 'grpc-encoding': 'gzip' })
      assert.deepEqual(zipped.messages, ['z'])
    })

    await t.test('a stream of answers, and one that fails', async () => {
      const fine = await call('/shelf.v1.Shelf/FailLate', framed(book('fine')))
      assert.deepEqual([fine.messages, fine.trailers['grpc-status']], [['fine', 'fine'], '0'])
      const aborted = await call('/shelf.v1.Shelf/FailLate', framed(book('aborted')))
      assert.deepEqual(
        [aborted.messages.length, aborted.trailers['grpc-status'], aborted.trailers['grpc-message']],
        [2, '10', 'went away'],
      )
      const reset = await call('/shelf.v1.Shelf/FailLate', framed(book('reset')))
      assert.equal(reset.trailers['grpc-status'], '14')
    })

    await t.test('whatever goes wrong, there is a frame of trailers', async () => {
      assert.equal(await status('/shelf.v1.Shelf/Fail', framed(book('words'))), '5')
      assert.equal(await status('/shelf.v1.Shelf/Fail', framed(book('retry'))), '8')
      assert.equal(await status('/shelf.v1.Shelf/Fail', framed(book('nonsense'))), '2')
      assert.equal(await status('/shelf.v1.Shelf/Fail', framed(book('http503'))), '14')
      assert.equal(await status('/shelf.v1.Shelf/Fail', framed(book('nostatus'))), '2')
      assert.equal(await status('/shelf.v1.Shelf/Fail', framed(book('half'))), '13')
      assert.equal(await status('/shelf.v1.Shelf/Fail', framed(book('bomb'))), '8')
    })

    await t.test('content that is none is refused in the same form', async () => {
      assert.equal(await status(echo, Buffer.alloc(0)), '13')
      assert.equal(await status(echo, framed(book('a')).subarray(0, 6)), '13')
      assert.equal(await status(echo, Buffer.concat([framed(book('a')), framed(book('b'))])), '13')
      assert.equal(await status(echo, framed(book('a'), 1)), '13')
      assert.equal(await status(echo, framed(Buffer.alloc(1_100_000))), '8')
      assert.equal(await status('/shelf.v1.Shelf/Nope', framed(book('a'))), '12')
      assert.equal(await status(echo, framed(book('a')), { 'grpc-encoding': 'br' }), '12')
    })

    await t.test('policies refuse in the same form, and other types are not taken', async () => {
      const closed = await call('/closed/shelf.v1.Shelf/Echo', framed(book('a')))
      assert.deepEqual([closed.http, closed.type, closed.trailers['grpc-status']], [200, 'application/grpc-web+proto', '16'])
      const json = await fetch(`${url}/api/shelf.v1.Shelf/Echo`, {
        method: 'POST',
        body: '{}',
        headers: { 'content-type': 'application/json' },
      })
      assert.deepEqual([json.status, json.headers.get('content-type')], [415, 'application/problem+json'])
      const rest = await fetch(`${url}${echo}`, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
      assert.equal(rest.status, 404)
    })

    await t.test("the caller's deadline is kept", async () => {
      const left = once(shelf.events, 'left')
      const late = await call('/shelf.v1.Shelf/Fail', framed(book('silent')), { 'grpc-timeout': '200m' })
      assert.equal(late.trailers['grpc-status'], '4')
      assert.deepEqual(await left, [8])
    })
  })
})
