import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { compileFolder } from '../../src/bridges/descriptors/compile-protos.ts'
import { builtInProtos } from '../../src/bridges/descriptors/built-in-protos.ts'
import { startReflecting } from '../support/reflecting-service.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'

const proto = (field: string): string => `syntax = "proto3";
package things.v1;
import "google/api/annotations.proto";
import "things/v1/thing.proto";
service Things { rpc Get(Thing) returns (Thing) { option (google.api.http) = { get: "/v1/{${field}}" }; } }
`
const thing = (field: string): string => `syntax = "proto3";
package things.v1;
message Thing { string ${field} = 1; }
`

async function setOf(field: string): Promise<Uint8Array> {
  const texts = new Map([...builtInProtos, ['things/v1/things.proto', proto(field)], ['things/v1/thing.proto', thing(field)]])
  const { set, faults } = await compileFolder(texts, { withImports: true })
  assert.deepEqual(faults, [])
  return set!
}

const config = (url: string, reflection: string, adminPort: number): string => `
listeners: { plain: { host: 127.0.0.1, port: 0 } }
admin: { port: ${adminPort} }
log: { format: none }
defaults: { auth: public }
services: { things: { url: '${url}', reflection: ${reflection} } }
routes: [{ name: things, match: { path: '/v1/**' }, to: things, bridge: rest }]
`

interface Started {
  readonly folder: string
  readonly ask: (path: string) => Promise<Response>
  readonly err: () => string
  readonly printed: (pattern: RegExp) => Promise<unknown>
}

async function started(t: TestContext, url: string, reflection: string, adminPort = 0): Promise<Started> {
  const folder = workFolder(t)
  const velum = startVelum(
    t,
    ['run', '--config', folder.write('velum.yaml', config(url, reflection, adminPort)), '--workers', '1'],
    {
      folder: folder.path,
    },
  )
  const origin = (await readyListeners(velum))['plain']
  return {
    folder: folder.path,
    ask: (path) => fetch(`${origin}${path}`),
    err: () => velum.err,
    printed: (pattern) => velum.printed(pattern),
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => void server.close(resolve))
  return port
}

suite('services that say by reflection what they offer', { timeout: 120_000 }, () => {
  test('v1, with metadata, without the files that are built in', async (t) => {
    const without = ['google/api/annotations.proto', 'google/api/http.proto', 'google/protobuf/descriptor.proto']
    const service = await startReflecting(t, { version: 'v1', set: await setOf('name'), without, token: 'Bearer x' })
    const { ask } = await started(t, service.url, "{ metadata: { authorization: 'Bearer x' } }")
    assert.deepEqual(await (await ask('/v1/a')).json(), { name: 'a' })
  })

  test('commands are told by the gateway what it has learnt', async (t) => {
    const service = await startReflecting(t, { version: 'v1', set: await setOf('name') })
    // Without a store to find it by, a gateway is found by its port.
    const { folder } = await started(t, service.url, 'true', await freePort())
    const told = async (...args: string[]): Promise<string> => {
      const { code, out, err } = await runCommand(['bridge', ...args, '--config', 'velum.yaml'], { folder })
      assert.equal(code, 0, err)
      return out
    }
    assert.match(await told('list'), /^things +things\.v1\.Things\/Get +unary +GET \/v1\/\{name\} +rest$/m)
    assert.deepEqual(Object.keys((JSON.parse(await told('openapi')) as { paths: object }).paths), ['/v1/{name}'])
    assert.match(await told('sdl', 'things'), /type Query \{\s+get\(input: ThingInput\): Thing/)
  })

  for (const otherStatus of [12, 14]) {
    test(`v1alpha, where v1 is answered with ${otherStatus}; a change is taken over and said`, async (t) => {
      const options = { version: 'v1alpha' as const, set: await setOf('name'), otherStatus }
      const service = await startReflecting(t, options)
      const { ask, err, printed } = await started(t, service.url, '{ every: 1s }')
      assert.deepEqual(await (await ask('/v1/a')).json(), { name: 'a' })
      const changed = printed(/the methods of a service changed/)
      options.set = await setOf('title')
      await changed
      assert.match(err(), /things\.v1\.Thing\.name is called title now/)
      // Main says it before it tells the worker.
      let answer: unknown
      do answer = await (await ask('/v1/a')).json()
      while (JSON.stringify(answer) === '{"name":"a"}')
      assert.deepEqual(answer, { title: 'a' })
    })
  }

  test('before anything is known its bridges answer 503; what is known stays while it cannot be asked', async (t) => {
    const port = await freePort()
    const { ask, printed } = await started(t, `grpc://127.0.0.1:${port}`, '{ every: 1s }')
    const unknown = await ask('/v1/a')
    assert.deepEqual([unknown.status, unknown.headers.get('retry-after')], [503, '1'])
    const options = { version: 'v1' as const, set: await setOf('name'), port }
    await startReflecting(t, options)
    let status = 503
    while (status === 503) ({ status } = await ask('/v1/a'))
    assert.equal(status, 200)
    const failing = printed(/"isKnown":true/)
    options.set = new Uint8Array()
    await failing
    assert.deepEqual(await (await ask('/v1/a')).json(), { name: 'a' })
  })
})
