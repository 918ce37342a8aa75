import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createHttp2Server } from '../../src/wire/http2/http2-server.ts'
import { FrameSocket, errorCode, flag, frame, frameType, headersFrame, requestFields } from '../support/http2-frames.ts'
import { until } from '../support/client-wires.ts'
import { serverScene } from '../support/server-wires.ts'
import type { CreateServerWire } from '../support/server-wires.ts'

const create: CreateServerWire = (options) => createHttp2Server(options, () => 0.5)

type Field = readonly [string, string]

/** Requests that are answered with 400: nghttp2 lets them pass, our rules do not. */
const refused: readonly (readonly [what: string, fields: readonly Field[], words: RegExp])[] = [
  ['a Host that differs from :authority', [...requestFields(), ['host', 'b.example']], /another authority/],
  ['an authority with a port too many', requestFields('/', 'GET', 'a.example:80:80'), /Host is not a valid authority/],
  ['a path with a fragment', requestFields('/a#b'), /target is not valid/],
  ['a path with a quote', requestFields('/a"b'), /target is not valid/],
  ['two lengths in one', [...requestFields(), ['content_length', '5']], /framing header is spelt/],
  ['a transfer coding in disguise', [...requestFields(), ['transfer_encoding', 'chunked']], /HTTP\/1 connections|framing header/],
  [
    'a scheme of another kind',
    [
      [':method', 'GET'],
      [':scheme', 'ftp'],
      [':authority', 'a.example'],
      [':path', '/'],
    ],
    /scheme/,
  ],
]

/** Requests whose stream is reset: nghttp2 knows them as malformed (RFC 9113 §8). */
const reset: readonly (readonly [what: string, fields: readonly Field[]])[] = [
  ['a connection field', [...requestFields(), ['connection', 'close']]],
  ['a transfer coding', [...requestFields(), ['transfer-encoding', 'chunked']]],
  ['an upgrade', [...requestFields(), ['upgrade', 'h2c']]],
  ['TE with more than trailers', [...requestFields(), ['te', 'gzip']]],
  ['a name in upper case', [...requestFields(), ['X-Upper', '1']]],
  ['a pseudo-header behind a field', [requestFields()[0], requestFields()[1], requestFields()[2], ['x', '1'], [':path', '/']]],
  ['a repeated :path', [...requestFields(), [':path', '/b']]],
  ['a repeated :authority', [...requestFields(), [':authority', 'b.example']]],
  ['an unknown pseudo-header', [...requestFields(), [':proxy', 'x']]],
  ['a pseudo-header of answers', [...requestFields(), [':status', '200']]],
  ['an authority with userinfo', requestFields('/', 'GET', 'me@a.example')],
  ['neither :authority nor Host', requestFields().filter(([name]) => name !== ':authority')],
  ['no :path', requestFields().filter(([name]) => name !== ':path')],
  ['no :method', requestFields().filter(([name]) => name !== ':method')],
  ['no :scheme', requestFields().filter(([name]) => name !== ':scheme')],
  ['an empty :path', requestFields('')],
  ['a path that does not begin with a slash', requestFields('a')],
  ['a path with a space', requestFields('/a b HTTP/1.1')],
  ['a method with a space', requestFields('/', 'GET /x')],
  ['two content lengths', [...requestFields('/', 'POST'), ['content-length', '1'], ['content-length', '2']]],
  ['a length that is none', [...requestFields('/', 'POST'), ['content-length', '1x']]],
  ['a length without content', [...requestFields('/', 'POST'), ['content-length', '5']]],
  ['a protocol to connect to', [[':method', 'CONNECT'], [':protocol', 'websocket'], ...requestFields().slice(1)]],
]

/** Fields that nghttp2 passes over in silence, whatever we would like: nobody must ever see them. */
const dropped: readonly (readonly [what: string, field: Field])[] = [
  ['a name with a space', ['x y', '1']],
  ['a name with a colon in it', ['x:y', '1']],
  ['a value with a line feed', ['x', 'a\r\nhost: b']],
  ['a value with NUL', ['x', 'a\0b']],
  ['an authorisation with a line feed', ['authorization', 'a\nb']],
]

suite('HTTP/2 requests that could be read in two ways', () => {
  for (const [what, fields, words] of refused) {
    test(`400 for ${what}`, () =>
      serverScene(create, async ({ port, served }) => {
        const client = await FrameSocket.to(port)
        client.send(headersFrame(1, fields))
        assert.equal(await client.status(1), 400)
        assert.equal(served.seen.length, 0)
        assert.match(served.faults[0].message, words)
        // The stream's fault, not the connection's.
        client.send(headersFrame(3, requestFields('/after')))
        assert.equal(await client.status(3), 200)
        client.close()
      }))
  }

  for (const [what, fields] of reset) {
    test(`no exchange comes of ${what}`, () =>
      serverScene(create, async ({ port, served }) => {
        const client = await FrameSocket.to(port)
        client.send(headersFrame(1, fields))
        assert.equal(await client.resetCode(1), errorCode.protocol)
        assert.equal(served.seen.length, 0)
        client.send(headersFrame(3, requestFields('/after')))
        assert.equal(await client.status(3), 200)
        client.close()
      }))
  }

  for (const [what, field] of dropped) {
    test(`a field is never seen: ${what}`, () =>
      serverScene(create, async ({ port, served }) => {
        const client = await FrameSocket.to(port)
        client.send(headersFrame(1, [...requestFields(), field, ['y', 'z']]))
        assert.equal(await client.status(1), 200)
        assert.equal(served.seen[0].x.headers.toLines(), 'host: a.example\r\ny: z\r\n')
        client.close()
      }))
  }

  test('CONNECT is not served', () =>
    serverScene(create, async ({ port, served }) => {
      const client = await FrameSocket.to(port)
      client.send(
        headersFrame(1, [
          [':method', 'CONNECT'],
          [':authority', 'b.example:443'],
        ]),
      )
      await client.frame(({ type, stream }) => type === frameType.headers && stream === 1)
      assert.deepEqual(
        served.faults.map(({ code }) => code),
        ['method-not-supported'],
      )
      client.close()
    }))

  test('content shorter than its length is malformed, and its reader learns so', () =>
    serverScene(create, async ({ port, served }) => {
      const client = await FrameSocket.to(port)
      client.send(headersFrame(1, [...requestFields('/', 'POST'), ['content-length', '5']], flag.endHeaders))
      await until(() => served.seen.length === 1)
      client.send(frame(frameType.data, flag.endStream, 1, Buffer.from('hell')))
      assert.equal(await client.resetCode(1), errorCode.protocol)
      await until(() => served.seen[0].outcome !== undefined)
      const { outcome, content } = served.seen[0]
      assert.deepEqual([outcome?.end, outcome?.fault?.code, content], ['client-left', 'malformed', undefined])
      client.close()
    }))

  test('content longer than its length ends the connection, and is never whole', () =>
    serverScene(create, async ({ port, served }) => {
      const client = await FrameSocket.to(port)
      client.send(headersFrame(1, [...requestFields('/', 'POST'), ['content-length', '5']], flag.endHeaders))
      await until(() => served.seen.length === 1)
      client.send(frame(frameType.data, flag.endStream, 1, Buffer.from('hello!')))
      await client.ended()
      await until(() => served.seen[0].outcome !== undefined)
      assert.deepEqual([served.seen[0].outcome?.end, served.seen[0].content], ['client-left', undefined])
    }))

  test('one Host is seen whether it came as :authority, as Host, or as both', async () => {
    const host: Field = ['host', 'A.example']
    const without = requestFields().filter(([name]) => name !== ':authority')
    for (const fields of [requestFields(), [...without, host], [...requestFields(), host]]) {
      await serverScene(create, async ({ port, served }) => {
        const client = await FrameSocket.to(port)
        client.send(headersFrame(1, fields))
        assert.equal(await client.status(1), 200)
        const [{ x }] = served.seen
        assert.equal(x.authority, 'a.example')
        assert.equal(x.headers.all('host').length, 1)
        client.close()
      })
    }
  })

  test('heads above the limits are answered with 431 and 414', () =>
    serverScene(create, async ({ port, served }) => {
      const client = await FrameSocket.to(port)
      const many = Array.from({ length: 25 }, (_, i): Field => [`x-${i}`, '1'])
      client.send(headersFrame(1, [...requestFields(), ...many]))
      client.send(headersFrame(3, [...requestFields(), ['x', 'y'.repeat(4096)]]))
      client.send(headersFrame(5, requestFields(`/${'p'.repeat(1024)}`)))
      await client.frame(({ type, stream }) => type === frameType.headers && stream === 5)
      assert.deepEqual(
        served.faults.map(({ code }) => code),
        ['head-too-large', 'head-too-large', 'target-too-long'],
      )
      client.close()
    }))
})
