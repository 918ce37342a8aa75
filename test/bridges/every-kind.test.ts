import assert from 'node:assert/strict'
import { once } from 'node:events'
import { dirname } from 'node:path'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createConnectTransport, createGrpcWebTransport as createNodeWebTransport } from '@connectrpc/connect-node'
import { createGrpcWebTransport } from '@connectrpc/connect-web'
import { compileProtos } from '../../src/bridges/descriptors/compile-protos.ts'
import { readDescriptors } from '../../src/bridges/descriptors/descriptors.ts'
import type { Ask, FlowService } from '../support/flow-service.ts'
import { flowProto, startFlow } from '../support/flow-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'
import { connectDeadline, connectRow, grpcDeadline } from './rows/connect.ts'
import { graphqlRow, graphqlSocketRow } from './rows/graphql.ts'
import { grpcRow } from './rows/grpc.ts'
import { restRow } from './rows/rest.ts'
import type { CallSpec, Ending, Fate, Kind, Row } from './rows/row.ts'
import { fates, kinds } from './rows/row.ts'
import { websocketRow } from './rows/websocket.ts'

/*
 * All four kinds of methods, over every protocol that can carry them, with every fate of a call. The service is a server of
 * `@grpc/grpc-js`, the callers are clients that others wrote. A new protocol is one more row.
 */

const config = `
listeners: { plain: { host: 127.0.0.1, port: 0 } }
log: { format: none }
services: { flow: { url: '\${FLOW}', protos: '\${FLOW_PROTO}' } }
defaults: { auth: public }
routes:
  - { name: flow, match: { path: ['/flow.v1.Flow/{method}', '/v1/**'] }, to: flow, bridge: [rest, websocket, grpc-web, connect] }
  - { name: graphql, match: { path: '/graphql' }, to: flow, bridge: graphql }
  - name: late
    match: { path: '/late/**' }
    rewrite: { path: '/**' }
    to: flow
    bridge: rest
    timeout: 250ms
    deadline: 400ms
`

async function rows(url: string): Promise<Row[]> {
  const { set } = await compileProtos([fileURLToPath(flowProto)], dirname(fileURLToPath(new URL('../../..', flowProto))))
  const [service] = readDescriptors(set!).services
  return [
    restRow({ url }, 'lines'),
    restRow({ url }, 'events'),
    restRow({ url }, 'array'),
    grpcRow({ url }),
    connectRow({
      name: 'gRPC-Web (@connectrpc/connect-web)',
      service,
      transport: createGrpcWebTransport({ baseUrl: url }),
      deadline: grpcDeadline,
      sendsNoStreams: 'fetch cannot read an answer while it sends its request',
    }),
    connectRow({
      name: 'gRPC-Web over HTTP/2 (@connectrpc/connect-node)',
      service,
      transport: createNodeWebTransport({ baseUrl: url, httpVersion: '2' }),
      deadline: grpcDeadline,
    }),
    connectRow({
      name: 'Connect, JSON over HTTP/2 (@connectrpc/connect-node)',
      service,
      transport: createConnectTransport({ baseUrl: url, httpVersion: '2', useBinaryFormat: false }),
      deadline: connectDeadline,
    }),
    connectRow({
      name: 'Connect, proto over HTTP/1.1 (@connectrpc/connect-node)',
      service,
      transport: createConnectTransport({ baseUrl: url, httpVersion: '1.1', useBinaryFormat: true }),
      deadline: connectDeadline,
    }),
    websocketRow({ url }, false),
    websocketRow({ url }, true),
    graphqlRow({ url }),
    graphqlSocketRow({ url }),
  ]
}

/** What the service is asked for a fate. */
const hows: Readonly<Record<Fate, string>> = {
  ok: 'ok',
  refuse: 'refuse',
  break: 'break',
  deadline: 'wait',
  leave: 'wait',
  slow: 'flood',
}

function specFor(kind: Kind, fate: Fate): CallSpec {
  const how = hows[fate]
  const streams = kind === 'In' || kind === 'Both'
  const texts = !streams || fate === 'refuse' || fate === 'slow' ? ['a'] : ['a', 'b']
  const asks = texts.map((text): Ask => ({ how, text }))
  return { kind, asks, isComplete: !streams || fate === 'ok', isShort: fate === 'deadline' }
}

const endings: Partial<Record<Fate, Ending>> = { ok: 0, refuse: 5, break: 10, deadline: 4 }

/** The messages that come before the end. */
function messagesOf(kind: Kind, fate: Fate): readonly string[] {
  if (fate === 'refuse') return []
  if (kind === 'One') return fate === 'ok' ? ['a'] : []
  if (kind === 'In') return fate === 'ok' ? ['all'] : []
  if (kind === 'Out') return fate === 'deadline' ? ['a'] : ['a', 'a']
  return ['a', 'b']
}

/** Waits until the service has stopped sending: twice the same number, a while apart. */
async function settled(flow: FlowService): Promise<number> {
  for (let last = -1, count = flow.flooded(); ; last = count, count = flow.flooded()) {
    if (count === last) return count
    await new Promise((resolve) => void setTimeout(resolve, 150))
  }
}

async function play(row: Row, kind: Kind, fate: Fate, flow: FlowService): Promise<void> {
  const spec = specFor(kind, fate)
  const asked = once(flow.events, 'asked')
  const before = flow.flooded()
  const opened = row.open(spec)
  const left = fate === 'ok' ? undefined : once(flow.events, 'left')
  if (fate === 'slow') {
    assert.equal(await opened.next(), 'flood')
    const held = (await settled(flow)) - before
    // The buffers of four sockets and both windows; without back-pressure it would not end.
    assert.ok(held < 16_000, `${held} KB are on their way to nobody`)
    for (let i = 0; i < held + 100; i++) assert.equal(await opened.next(), 'flood')
  } else if (fate === 'leave') {
    const first = opened.next()
    await asked
    if (kind === 'Out' || kind === 'Both') assert.equal(await first, 'a')
  } else {
    const texts: string[] = []
    for (let text = await opened.next(); text !== undefined; text = await opened.next()) texts.push(text)
    assert.deepEqual([texts, opened.ending()], [messagesOf(kind, fate), row.ending?.(kind, fate) ?? endings[fate]])
  }
  if (fate === 'leave' || fate === 'slow') opened.leave()
  // A service that nobody listens to any more hears of it.
  if (fate === 'leave' || fate === 'slow' || fate === 'deadline') assert.deepEqual(await left, [kind])
}

suite('all kinds of methods over all protocols', { timeout: 240_000 }, () => {
  test('every cell', async (t) => {
    const folder = workFolder(t)
    const flow = await startFlow(t)
    folder.write('velum.config.yaml', config)
    const env = { FLOW: flow.url, FLOW_PROTO: fileURLToPath(flowProto) }
    const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
    const { plain } = await readyListeners(velum)
    for (const row of await rows(plain)) await t.test(row.name, (inner) => playRow(inner, row, flow))
    assert.equal(velum.child.exitCode, null)
  })
})

async function playRow(t: TestContext, row: Row, flow: FlowService): Promise<void> {
  t.after(() => row.close?.())
  for (const kind of kinds) {
    for (const fate of fates) {
      const absent = row.absent(kind, fate)
      // A cell that does not exist says why, and is not counted among those that were played.
      if (absent !== undefined) t.diagnostic(`${kind}, ${fate}: n/a, ${absent}`)
      else await t.test(`${kind}, ${fate}`, { timeout: 20_000 }, () => play(row, kind, fate, flow))
    }
  }
}
