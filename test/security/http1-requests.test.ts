import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createHttp1Server } from '../../src/wire/http1/http1-server.ts'
import { createNodeServer } from '../../src/wire/node/node-server.ts'
import { RawClient } from '../support/raw-client.ts'
import type { Seen, ServerScene } from '../support/server-wires.ts'
import { openServerScene } from '../support/server-wires.ts'
import type { ExpectedExchange, Http1Case } from './http1-cases.ts'
import { acceptedCases, chunkCases, framingCases, headerLineCases, requestLineCases, smugglingCases } from './http1-cases.ts'

const groups: readonly (readonly [title: string, cases: readonly Http1Case[]])[] = [
  ['request lines', requestLineCases],
  ['header lines', headerLineCases],
  ['framing', framingCases],
  ['chunks', chunkCases],
  ['accepted messages', acceptedCases],
  ['smuggling', smugglingCases],
]

/** Cuts tried at once. */
const atOnce = 40

for (const [wireName, create, maxCuts] of [
  // Every byte, up to this length; longer messages at evenly spread places. The oracle's parser is not ours to prove.
  ['our own wire', createHttp1Server, 300],
  ['the wire over node:http', createNodeServer, 20],
] as const) {
  describe(wireName, () => {
    let scene: Awaited<ReturnType<typeof openServerScene>>
    before(async () => {
      scene = await openServerScene(create)
    })
    after(() => scene.close())
    for (const [title, cases] of groups) {
      describe(title, () => {
        for (const http1Case of cases) {
          const expected = create === createNodeServer ? { ...http1Case, ...http1Case.node } : http1Case
          const because = create === createNodeServer && http1Case.node !== undefined ? ` (${http1Case.node.because})` : ''
          const what = expected.refusal === undefined ? 'accepts' : `answers ${expected.refusal} to`
          test(`${what}, however it is split: ${http1Case.name}${because}`, () => everySplit(scene, expected, maxCuts))
        }
      })
    }
  })
}

type Expected = Pick<Http1Case, 'bytes' | 'exchanges'> & { readonly refusal?: number | 'closed' | undefined }

async function everySplit(scene: ServerScene, expected: Expected, maxCuts: number): Promise<void> {
  const { bytes } = expected
  const step = Math.max(1, Math.ceil(bytes.length / maxCuts))
  const cuts = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) => i * step)
  for (let i = 0; i < cuts.length; i += atOnce) {
    await Promise.all(cuts.slice(i, i + atOnce).map((cut) => oneSplit(scene, expected, cut)))
    scene.served.seen.length = 0
  }
}

async function oneSplit({ port, served }: ServerScene, expected: Expected, cut: number): Promise<void> {
  const where = `cut at ${cut}`
  const client = await RawClient.to(port)
  const localPort = client.socket.localPort!
  const own = (): Seen[] => served.seen.filter(({ x }) => x.connection.remotePort === localPort)
  await client.sendSplit(expected.bytes, cut)
  for (const _ of expected.exchanges) assert.equal((await client.answer())?.status, 200, where)
  if (expected.refusal === undefined) {
    // What follows is read from the right place.
    client.send('GET /after HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.equal((await client.answer())?.status, 200, where)
    assert.equal(served.seen.splice(served.seen.indexOf(own().at(-1)!), 1)[0].x.target, '/after', where)
  } else {
    const last = await client.answer()
    assert.equal(last?.status ?? 'closed', expected.refusal, `${where}: ${last?.content}`)
    await client.ended()
    assert.equal(await client.answer(), undefined, `${where}: nothing follows`)
  }
  client.close()
  // An exchange whose body broke off is none that was read whole.
  const whole = own().filter((seen) => seen.content !== undefined)
  const read: ExpectedExchange[] = whole.map(({ x, content }) => {
    return { method: x.method, target: x.target, authority: x.authority, content: content! }
  })
  assert.deepEqual(read, expected.exchanges, where)
  assert.ok(own().length <= Math.max(1, expected.exchanges.length), `${where}: one request, one exchange`)
  for (const { x } of own()) assert.notEqual(x.target, '/smuggled', where)
}
