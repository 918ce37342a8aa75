import { Code, ConnectError } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { dirname } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { compileProtos } from '../../src/bridges/descriptors/compile-protos.ts'
import { readDescriptors } from '../../src/bridges/descriptors/descriptors.ts'
import { shelfProto } from '../support/shelf-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const proto = fileURLToPath(shelfProto)

test('a gRPC service built with @connectrpc/connect answers through the bridges', async (t) => {
  const { set } = await compileProtos([proto], dirname(dirname(dirname(proto))))
  const service = readDescriptors(set!).services.find(({ typeName }) => typeName === 'shelf.v1.Shelf')!
  const adapter = connectNodeAdapter({
    routes: (router) => {
      router.service(service, {
        echo: (message: unknown) => message,
        fail: () => {
          throw new ConnectError('no such book', Code.NotFound)
        },
        async *failLate(message: unknown) {
          yield message
          yield message
        },
      } as never)
    },
  })
  const server = createServer(adapter).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  const folder = workFolder(t)
  const config = {
    listeners: { web: { port: 0, host: '127.0.0.1' } },
    log: { format: 'none' },
    services: { shelf: { url: `grpc://127.0.0.1:${(server.address() as AddressInfo).port}`, protos: [proto] } },
    routes: [
      {
        name: 'shelf',
        match: { path: ['/v1/**', '/shelf.v1.Shelf/{method}'] },
        to: 'shelf',
        bridge: ['rest', 'connect'],
        auth: 'public',
      },
    ],
  }
  const velum = startVelum(t, ['run', '--config', folder.write('velum.json', JSON.stringify(config)), '--workers', '1'], {
    folder: folder.path,
  })
  const { web } = await readyListeners(velum)
  const post = (path: string, body: object): Promise<Response> =>
    fetch(web + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

  const echoed = await post('/v1/books', { title: 'Emma', pages: '9007199254740993' })
  assert.deepEqual([echoed.status, await echoed.json()], [200, { title: 'Emma', pages: '9007199254740993' }])
  const connected = await post('/shelf.v1.Shelf/Echo', { title: 'Emma' })
  assert.deepEqual([connected.status, await connected.json()], [200, { title: 'Emma' }])
  const failed = await fetch(`${web}/v1/fail/x`)
  assert.deepEqual([failed.status, await failed.json()], [404, { code: 5, message: 'no such book' }])
  const refused = await post('/shelf.v1.Shelf/Fail', { title: 'x' })
  assert.deepEqual([refused.status, ((await refused.json()) as { code: string }).code], [404, 'not_found'])
  const stream = await fetch(`${web}/v1/fail-late/x`, { headers: { accept: 'application/x-ndjson' } })
  assert.equal(await stream.text(), '{"title":"x"}\n{"title":"x"}\n')
})
