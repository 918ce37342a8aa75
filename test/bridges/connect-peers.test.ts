import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import type { CallOptions, Transport } from '@connectrpc/connect'
import { compressionGzip, createConnectTransport, createGrpcWebTransport as createNodeWebTransport } from '@connectrpc/connect-node'
import { createConnectTransport as createFetchTransport, createGrpcWebTransport } from '@connectrpc/connect-web'
import type { DescService } from '@bufbuild/protobuf'
import { compileProtos } from '../../src/bridges/descriptors/compile-protos.ts'
import { readDescriptors } from '../../src/bridges/descriptors/descriptors.ts'
import { shelfProto, startShelf } from '../support/shelf-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

/*
 * What the clients of `@connectrpc/connect` make of metadata, details, compression and the ways in which a service breaks:
 * the same over Connect and gRPC-Web.
 */

const config = `
listeners: { plain: { host: 127.0.0.1, port: 0 } }
log: { format: none }
services: { shelf: { url: '\${SHELF}', protos: '\${SHELF_PROTO}', maxMessage: 1mb } }
limits: { few: { algorithm: fixed-window, limit: 1, window: 1h, per: [address] } }
defaults: { auth: public }
routes:
  - { name: shelf, match: { path: '/shelf.v1.Shelf/{method}' }, to: shelf, bridge: [connect, grpc-web] }
  - { name: few, match: { path: '/few/shelf.v1.Shelf/{method}' }, to: shelf, bridge: [connect, grpc-web], limits: [few] }
`

interface Book {
  readonly title: string
  readonly pages: bigint
}
interface Shelf {
  echo(book: Partial<Book>, options?: CallOptions): Promise<Book>
  peek(book: Partial<Book>, options?: CallOptions): Promise<Book>
  fail(book: Partial<Book>, options?: CallOptions): Promise<Book>
  failLate(book: Partial<Book>, options?: CallOptions): AsyncIterable<Book>
}

function transports(url: string): readonly (readonly [name: string, transport: Transport])[] {
  const zipped = { sendCompression: compressionGzip, acceptCompression: [compressionGzip], compressMinBytes: 10 }
  return [
    ['Connect by fetch, JSON, GET', createFetchTransport({ baseUrl: url, useHttpGet: true })],
    ['Connect over HTTP/1.1, proto', createConnectTransport({ baseUrl: url, httpVersion: '1.1' })],
    [
      'Connect over HTTP/2, JSON, gzip',
      createConnectTransport({ baseUrl: url, httpVersion: '2', useBinaryFormat: false, ...zipped }),
    ],
    ['Connect over HTTP/2, proto, gzip', createConnectTransport({ baseUrl: url, httpVersion: '2', ...zipped })],
    ['gRPC-Web by fetch', createGrpcWebTransport({ baseUrl: url })],
    ['gRPC-Web over HTTP/2, gzip', createNodeWebTransport({ baseUrl: url, httpVersion: '2', ...zipped })],
  ]
}

const clientOf = (service: DescService, transport: Transport): Shelf => createClient(service, transport) as unknown as Shelf

async function failureOf(call: Promise<unknown>): Promise<ConnectError> {
  try {
    await call
  } catch (failure) {
    return failure as ConnectError
  }
  throw new Error('the call went well')
}

suite('clients of Connect', { timeout: 120_000 }, () => {
  test('over every protocol', async (t) => {
    const folder = workFolder(t)
    const shelf = await startShelf(t)
    folder.write('velum.config.yaml', config)
    const env = { SHELF: shelf.url, SHELF_PROTO: fileURLToPath(shelfProto) }
    const { plain: url } = await readyListeners(startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env }))
    const { set } = await compileProtos([fileURLToPath(shelfProto)], dirname(fileURLToPath(new URL('../..', shelfProto))))
    const [service] = readDescriptors(set!).services

    for (const [name, transport] of transports(url)) {
      await t.test(name, async () => {
        const client = clientOf(service, transport)
        let began = ''
        const title = 'ü'.repeat(50)
        const heard = once(shelf.events, 'call')
        const book = await client.echo(
          { title, pages: 9_007_199_254_740_993n },
          { headers: { 'x-caller': 'me', 'x-raw-bin': 'AAE' }, onHeader: (headers) => void (began = headers.get('x-shelf') ?? '') },
        )
        assert.deepEqual([book.title, book.pages, began], [title, 9_007_199_254_740_993n, 'yes'])
        const [, headers] = (await heard) as [string, Record<string, string>]
        assert.deepEqual(
          [headers['x-caller'], headers['x-raw-bin'], headers['content-type']?.startsWith('application/grpc')],
          ['me', 'AAE', true],
        )
        assert.equal((await client.peek({ title: 'seen' })).title, 'seen')

        const lost = await failureOf(client.fail({ title: 'words' }))
        assert.deepEqual([lost.code, lost.rawMessage], [Code.NotFound, 'no büch 100%'])
        const slow = await failureOf(client.fail({ title: 'retry' }))
        assert.deepEqual([slow.code, slow.rawMessage], [Code.ResourceExhausted, 'slow down'])
        assert.deepEqual(
          slow.details.map((detail) => ('type' in detail ? detail.type : detail.desc.typeName)),
          ['google.rpc.RetryInfo', 'nobody.Knows'],
        )
        const silent = await failureOf(client.fail({ title: 'silent' }, { timeoutMs: 200 }))
        assert.equal(silent.code, Code.DeadlineExceeded)

        for (const [how, code] of [
          ['nonsense', Code.Unknown],
          ['http503', Code.Unavailable],
          ['nostatus', Code.Unknown],
          ['half', Code.Internal],
          ['reset', Code.Unavailable],
          ['flag', Code.Unavailable],
          ['bomb', Code.ResourceExhausted],
        ] as const) {
          const failure = await failureOf(client.fail({ title: how }))
          assert.ok(failure instanceof ConnectError, how)
          assert.deepEqual([how, Code[failure.code]], [how, Code[code]])
        }
        const large = await failureOf(client.echo({ title: randomBytes(1_000_000).toString('hex') }))
        assert.equal(Code[large.code], Code[Code.ResourceExhausted])

        const titles: string[] = []
        for await (const { title: text } of client.failLate({ title: 'fine' })) titles.push(text)
        assert.deepEqual(titles, ['fine', 'fine'])
        const broken: string[] = []
        const aborted = await failureOf(
          (async () => {
            for await (const { title: text } of client.failLate({ title: 'aborted' })) broken.push(text)
          })(),
        )
        assert.deepEqual([broken, aborted.code, aborted.rawMessage], [['aborted', 'aborted'], Code.Aborted, 'went away'])
      })
    }

    await t.test('a refusal is an error of the protocol, with when to come back', async () => {
      const limited = transports(`${url}/few`)
      await clientOf(service, limited[1][1]).echo({ title: 'one' })
      for (const [name, transport] of limited) {
        const refused = await failureOf(clientOf(service, transport).echo({ title: 'more' }))
        assert.deepEqual([name, Code[refused.code]], [name, Code[Code.ResourceExhausted]])
        assert.match(refused.metadata.get('retry-after') ?? '', /^\d+$/)
        assert.equal(refused.details.length, 1)
      }
    })
  })
})
