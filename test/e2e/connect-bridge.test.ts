import assert from 'node:assert/strict'
import { once } from 'node:events'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { FrameReader, framed } from '../../src/bridges/grpc/frames.ts'
import { shelfProto, startShelf } from '../support/shelf-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = `
listeners: { plain: { host: 127.0.0.1, port: 0 } }
log: { format: none }
services: { shelf: { url: '\${SHELF}', protos: '\${SHELF_PROTO}', maxMessage: 1mb } }
identity: { apiKeys: { worker: { sha256: '${'0'.repeat(64)}' } } }
limits: { few: { algorithm: fixed-window, limit: 1, window: 1h, per: [address] } }
defaults: { auth: public }
routes:
  - { name: shelf, match: { path: ['/shelf.v1.Shelf/{method}', '/v1/**'] }, to: shelf, bridge: [rest, connect] }
  - { name: cached, match: { path: '/cached/**' }, to: shelf, bridge: connect, cache: { ttl: 1h } }
  - { name: loose, match: { path: '/loose/**' }, to: shelf, bridge: { use: connect, unknownFields: ignore, emitDefaults: true } }
  - { name: closed, match: { path: '/closed/**' }, to: shelf, bridge: connect, auth: { any: [api-key] } }
  - { name: few, match: { path: '/few/**' }, to: shelf, bridge: connect, limits: [few] }
`

/** A Book with only a title. */
function book(title: string): Buffer {
  return Buffer.concat([Buffer.from([0x12, title.length]), Buffer.from(title)])
}

interface Reply {
  readonly status: number
  readonly type: string | null
  readonly headers: Headers
  readonly bytes: Buffer
  readonly json: { code?: string; message?: string; title?: string; details?: { type: string; value: string; debug: unknown }[] }
}

/** The messages of a stream, and what its last frame says. */
function read(bytes: Buffer): { messages: string[]; end: { error?: { code: string; message?: string }; metadata?: unknown } } {
  const reader = new FrameReader(1_000_000)
  reader.add(bytes)
  const messages: string[] = []
  let end
  for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
    assert.equal(end, undefined)
    if (frame.flag === 2) end = JSON.parse(frame.content.toString())
    else messages.push(frame.content.toString())
  }
  assert.ok(reader.isBetween)
  assert.notEqual(end, undefined)
  return { messages, end }
}

suite('Connect in front of gRPC', { timeout: 120_000 }, () => {
  test('a gateway with the bridge connect', async (t) => {
    const folder = workFolder(t)
    const shelf = await startShelf(t)
    folder.write('velum.config.yaml', config)
    const env = { SHELF: shelf.url, SHELF_PROTO: fileURLToPath(shelfProto) }
    const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
    const { plain: url } = await readyListeners(velum)

    const ask = async (path: string, init: RequestInit = {}): Promise<Reply> => {
      const response = await fetch(`${url}${path}`, init)
      const bytes = Buffer.from(await response.arrayBuffer())
      const type = response.headers.get('content-type')
      return {
        status: response.status,
        type,
        headers: response.headers,
        bytes,
        json: type !== null && /^application\/(?:problem\+)?json/.test(type) ? JSON.parse(bytes.toString()) : {},
      }
    }
    const post = (path: string, content: string | Uint8Array, headers: Record<string, string> = {}): Promise<Reply> =>
      ask(path, { method: 'POST', body: content as string, headers: { 'content-type': 'application/json', ...headers } })
    const stream = async (
      path: string,
      frames: Buffer,
      headers: Record<string, string> = {},
    ): Promise<ReturnType<typeof read> & Reply> => {
      const reply = await post(path, new Uint8Array(frames), { 'content-type': 'application/connect+json', ...headers })
      return { ...reply, ...read(reply.bytes) }
    }
    const echo = '/shelf.v1.Shelf/Echo'
    const fail = async (title: string, headers?: Record<string, string>): Promise<Reply> =>
      post('/shelf.v1.Shelf/Fail', JSON.stringify({ title }), headers)

    const refused = async (content: string | Uint8Array, headers?: Record<string, string>, path = echo): Promise<unknown[]> => {
      const { status, json } = await post(path, content, headers)
      return [status, json.code]
    }

    const get = (query: string, path = '/shelf.v1.Shelf/Peek'): Promise<Reply> => ask(`${path}?${query}`)

    const watch = (title: string): Promise<ReturnType<typeof read> & Reply> =>
      stream('/shelf.v1.Shelf/FailLate', framed(Buffer.from(JSON.stringify({ title }))))

    await t.test('a call of one message, as JSON and as it is', async () => {
      const json = await post(echo, '{"title":"a","pages":9007199254740993}')
      assert.deepEqual([json.status, json.type, json.json], [200, 'application/json', { title: 'a', pages: '9007199254740993' }])
      assert.equal(json.headers.get('x-shelf'), 'yes')
      const proto = await post(echo, book('b'), { 'content-type': 'application/proto', 'connect-protocol-version': '1' })
      assert.deepEqual([proto.status, proto.type, proto.bytes], [200, 'application/proto', book('b')])
      const empty = await post(echo, new Uint8Array(), { 'content-type': 'application/proto' })
      assert.deepEqual([empty.status, empty.bytes.length], [200, 0])
      const zipped = await post(echo, gzipSync('{"title":"z"}'), { 'content-encoding': 'gzip' })
      assert.deepEqual(zipped.json, { title: 'z' })
      assert.equal((await post(echo, '{}', { 'content-type': 'application/json; charset=utf-8' })).status, 200)
      assert.deepEqual((await post('/loose/shelf.v1.Shelf/Echo', '{"what":1}')).status, 200)
    })

    await t.test('REST stays beside it', async () => {
      const rest = await ask('/v1/titles/x:peek')
      assert.deepEqual(rest.json, { title: 'x' })
      assert.equal((await post('/v1/books', '{"title":"y"}')).status, 200)
      const nowhere = await post('/shelf.v1.Shelf/Nope', '{}')
      assert.deepEqual([nowhere.status, nowhere.type], [404, 'application/problem+json'])
    })

    await t.test('errors of the service in the form of Connect', async () => {
      const lost = await fail('words')
      assert.deepEqual([lost.status, lost.json], [404, { code: 'not_found', message: 'no büch 100%' }])
      const slow = await fail('retry')
      assert.deepEqual([slow.status, slow.json.code, slow.headers.get('retry-after')], [429, 'resource_exhausted', '3'])
      assert.deepEqual(slow.json.details?.[0], {
        type: 'google.rpc.RetryInfo',
        value: 'CggIAhCAyrXuAQ',
        debug: { retryDelay: '2.500s' },
      })
      assert.deepEqual(slow.json.details?.[1], { type: 'nobody.Knows', value: 'aGk' })
      for (const [title, status, code] of [
        ['nonsense', 500, 'unknown'],
        ['http503', 503, 'unavailable'],
        ['nostatus', 500, 'unknown'],
        ['none', 500, 'internal'],
        ['half', 500, 'internal'],
        ['reset', 503, 'unavailable'],
        ['flag', 503, 'unavailable'],
        ['two', 503, 'unavailable'],
        ['bomb', 429, 'resource_exhausted'],
      ] as const) {
        const reply = await fail(title)
        assert.deepEqual([title, reply.status, reply.json.code], [title, status, code])
      }
    })

    await t.test('what does not fit is refused', async () => {
      assert.deepEqual(await refused('{'), [400, 'invalid_argument'])
      assert.deepEqual(await refused(''), [400, 'invalid_argument'])
      assert.deepEqual(await refused('{"title":1}'), [400, 'invalid_argument'])
      assert.deepEqual(await refused('{"what":1}'), [400, 'invalid_argument'])
      assert.deepEqual(await refused('{}', { 'connect-protocol-version': '2' }), [400, 'invalid_argument'])
      assert.deepEqual(await refused('{}', { 'connect-timeout-ms': '1s' }), [400, 'invalid_argument'])
      assert.deepEqual(await refused('{}', { 'content-encoding': 'br' }), [501, 'unimplemented'])
      assert.deepEqual(await refused('{}', { 'content-encoding': 'gzip' }), [400, 'invalid_argument'])
      assert.deepEqual(await refused(gzipSync(Buffer.alloc(2_000_000)), { 'content-encoding': 'gzip' }), [
        429,
        'resource_exhausted',
      ])
      assert.deepEqual(await refused(`{"title":"${'x'.repeat(1_100_000)}"}`), [429, 'resource_exhausted'])
      assert.deepEqual(await refused('{}', undefined, '/shelf.v1.Shelf/FailLate'), [415, 'unimplemented'])
      assert.deepEqual(await refused('{}', { 'connect-protocol-version': '1' }, '/shelf.v1.Shelf/Nope'), [501, 'unimplemented'])
    })

    await t.test('GET where there are no side effects', async () => {
      const json = encodeURIComponent('{"title":"ü"}')
      assert.deepEqual((await get(`connect=v1&encoding=json&message=${json}`)).json, { title: 'ü' })
      const base64 = Buffer.from('{"title":"b"}').toString('base64url')
      assert.deepEqual((await get(`encoding=json&base64=1&message=${base64}`)).json, { title: 'b' })
      const zipped = gzipSync(book('p')).toString('base64url')
      const proto = await get(`encoding=proto&base64=1&compression=gzip&message=${zipped}`)
      assert.deepEqual([proto.type, proto.bytes], ['application/proto', book('p')])
      assert.equal((await get('encoding=proto&message=', '/shelf.v1.Shelf/Peek')).status, 200)
      for (const query of [
        'encoding=json',
        'encoding=xml&message=',
        'connect=v1&message={}',
        'encoding=json&message=%2',
        'encoding=json&base64=1&message=!',
        'encoding=json&message=a&message=b',
      ]) {
        const reply = await get(query)
        assert.deepEqual([query, reply.status, reply.json.code], [query, 400, 'invalid_argument'])
      }
      const changes = await get(`connect=v1&encoding=json&message=${json}`, echo)
      assert.deepEqual([changes.status, changes.headers.get('allow')], [405, 'POST'])
    })

    await t.test('the cache answers a GET', async () => {
      const calls: string[] = []
      shelf.events.on('call', (path: string) => void calls.push(path))
      const path = `/cached/shelf.v1.Shelf/Peek?connect=v1&encoding=json&message=${encodeURIComponent('{"title":"kept"}')}`
      for (let i = 0; i < 3; i++) assert.deepEqual((await ask(path)).json, { title: 'kept' })
      assert.equal(calls.length, 1)
    })

    await t.test('streams of answers, and those that fail', async () => {
      const fine = await watch('fine')
      assert.deepEqual([fine.status, fine.type], [200, 'application/connect+json'])
      assert.deepEqual(fine.messages, ['{"title":"fine"}', '{"title":"fine"}'])
      assert.deepEqual(fine.end, {})
      const aborted = await watch('aborted')
      assert.deepEqual([aborted.messages.length, aborted.end], [2, { error: { code: 'aborted', message: 'went away' } }])
      const reset = await watch('reset')
      assert.equal(reset.end.error?.code, 'unavailable')
      const proto = await post('/shelf.v1.Shelf/FailLate', new Uint8Array(framed(gzipSync(book('p')), 1)), {
        'content-type': 'application/connect+proto',
        'connect-content-encoding': 'gzip',
      })
      assert.deepEqual(read(proto.bytes).messages, [book('p').toString(), book('p').toString()])
    })

    await t.test('frames that are none are refused in a last frame', async () => {
      const code = async (frames: Buffer, headers?: Record<string, string>): Promise<string | undefined> =>
        (await stream('/shelf.v1.Shelf/FailLate', frames, headers)).end.error?.code
      assert.equal(await code(Buffer.alloc(0)), 'invalid_argument')
      assert.equal(await code(framed(Buffer.from('{'))), 'invalid_argument')
      assert.equal(await code(framed(Buffer.from('{}'), 1)), 'invalid_argument')
      assert.equal(await code(framed(Buffer.from('{}'), 2)), 'invalid_argument')
      assert.equal(await code(framed(Buffer.from('{}')).subarray(0, 6)), 'invalid_argument')
      assert.equal(await code(Buffer.concat([framed(Buffer.from('{}')), framed(Buffer.from('{}'))])), 'invalid_argument')
      assert.equal(await code(framed(Buffer.alloc(1_100_000))), 'resource_exhausted')
      assert.equal(await code(framed(Buffer.from('{}')), { 'connect-content-encoding': 'br' }), 'unimplemented')
      assert.equal((await stream('/shelf.v1.Shelf/Nope', framed(Buffer.from('{}')))).end.error?.code, 'unimplemented')
    })

    await t.test('policies refuse in the same form', async () => {
      const closed = await post('/closed/shelf.v1.Shelf/Echo', '{}')
      assert.deepEqual([closed.status, closed.json.code], [401, 'unauthenticated'])
      assert.notEqual(closed.headers.get('www-authenticate'), null)
      const last = await stream('/closed/shelf.v1.Shelf/FailLate', framed(Buffer.from('{}')))
      assert.deepEqual([last.status, last.end.error?.code], [200, 'unauthenticated'])
      assert.equal((await post('/few/shelf.v1.Shelf/Echo', '{}')).status, 200)
      const limited = await post('/few/shelf.v1.Shelf/Echo', '{}')
      assert.deepEqual(
        [limited.status, limited.json.code, limited.json.details?.[0].type],
        [429, 'resource_exhausted', 'google.rpc.RetryInfo'],
      )
      assert.notEqual(limited.headers.get('retry-after'), null)
    })

    await t.test("the caller's deadline is kept", async () => {
      const left = once(shelf.events, 'left')
      const late = await fail('silent', { 'connect-timeout-ms': '200' })
      assert.deepEqual([late.status, late.json.code], [504, 'deadline_exceeded'])
      assert.deepEqual(await left, [8])
      const gone = once(shelf.events, 'left')
      const endless = await stream('/shelf.v1.Shelf/FailLate', framed(Buffer.from('{"title":"endless"}')), {
        'connect-timeout-ms': '200',
      })
      assert.deepEqual([endless.messages.length, endless.end.error?.code], [2, 'deadline_exceeded'])
      assert.deepEqual(await gone, [8])
    })
  })
})
