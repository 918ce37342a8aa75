import assert from 'node:assert/strict'
import { once } from 'node:events'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { WebSocket as Peer } from 'ws'
import type { ClientOptions } from 'ws'
import { ask, flowProto, note, startFlow } from '../support/flow-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = `
listeners: { plain: { host: 127.0.0.1, port: 0 }, node: { host: 127.0.0.1, port: 0, wire: node } }
log: { format: none }
services: { flow: { url: '\${FLOW}', protos: '\${FLOW_PROTO}', maxMessage: 100kb } }
identity: { apiKeys: { worker: { sha256: '${'0'.repeat(64)}' } } }
defaults: { auth: public }
routes:
  - { name: flow, match: { path: ['/flow.v1.Flow/{method}', '/v1/**'] }, to: flow, bridge: [rest, websocket] }
  - { name: late, match: { path: '/late/**' }, to: flow, bridge: websocket, deadline: 300ms }
  - { name: loose, match: { path: '/loose/**' }, to: flow, bridge: { use: websocket, unknownFields: ignore, emitDefaults: true } }
  - { name: closed, match: { path: '/closed/**' }, to: flow, bridge: websocket, auth: { any: [api-key] } }
`

const json = 'velum.grpc.json.v1'
const proto = 'velum.grpc.proto.v1'

interface End {
  readonly frames: (string | Buffer)[]
  readonly status: { code: number; message: string; details?: unknown }
  readonly trailers: Record<string, string>
  readonly closeCode: number
}

/** A client that keeps what it hears. */
class Client {
  readonly socket: Peer
  readonly frames: (string | Buffer)[] = []
  readonly ended: Promise<End>

  constructor(socket: Peer) {
    this.socket = socket
    socket.on('message', (data: Buffer, isBinary) => void this.frames.push(isBinary ? data : data.toString()))
    this.ended = new Promise((resolve) => {
      socket.on('close', (closeCode) => {
        const frames = [...this.frames]
        const text = frames.pop()
        const last = JSON.parse(typeof text === 'string' ? text : '{}') as { $status: End['status']; $trailers: End['trailers'] }
        resolve({ frames, status: last.$status, trailers: last.$trailers, closeCode })
      })
    })
  }

  async frame(index: number): Promise<string | Buffer> {
    while (this.frames.length <= index) await once(this.socket, 'message')
    return this.frames[index]
  }

  send(...messages: (object | Buffer)[]): this {
    for (const message of messages) this.socket.send(message instanceof Buffer ? message : JSON.stringify(message))
    return this
  }
}

const end = { $end: true }

suite('WebSocket in front of gRPC', { timeout: 120_000 }, () => {
  test('a gateway with the bridge websocket', async (t) => {
    const folder = workFolder(t)
    const flow = await startFlow(t)
    folder.write('velum.config.yaml', config)
    const velum = startVelum(t, ['run', '--workers', '1'], {
      folder: folder.path,
      env: { FLOW: flow.url, FLOW_PROTO: fileURLToPath(flowProto) },
    })
    const { plain: url, node } = await readyListeners(velum)
    const address = (path: string): string => `${url.replace('http', 'ws')}${path}`

    const open = async (path: string, protocols: string[] = [json], options: ClientOptions = {}): Promise<Client> => {
      const socket = new Peer(address(path), protocols, options)
      const client = new Client(socket)
      t.after(() => socket.terminate())
      await once(socket, 'open')
      return client
    }
    /** The status and body of an answer that is no 101. */
    const refused = async (path: string, protocols: string[] = [], options: ClientOptions = {}): Promise<[number, string]> => {
      const socket = new Peer(address(path), protocols, options)
      socket.on('error', () => {})
      const [, response] = (await once(socket, 'unexpected-response')) as [unknown, NodeJS.ReadableStream & { statusCode: number }]
      const chunks: Buffer[] = []
      for await (const chunk of response) chunks.push(chunk as Buffer)
      return [response.statusCode, (JSON.parse(Buffer.concat(chunks).toString()) as { detail?: string }).detail ?? '']
    }

    let overNode: Client | undefined

    await t.test('one message each way', async () => {
      const one = await open('/flow.v1.Flow/One')
      assert.equal(one.socket.protocol, json)
      const { frames, status, trailers, closeCode } = await one.send({ how: 'ok', text: 'ü' }, end).ended
      assert.deepEqual(frames, ['{"text":"ü","number":"1"}'])
      assert.deepEqual([status, trailers, closeCode], [{ code: 0, message: '' }, { 'x-flow-end': 'reached' }, 1000])
    })

    await t.test('the wire of node:http too, which is told of a drain likewise', async () => {
      const socket = new Peer(`${node.replace('http', 'ws')}/flow.v1.Flow/Both`, [json])
      const client = new Client(socket)
      await once(socket, 'open')
      assert.equal(await client.send({ how: 'ok', text: 'n' }).frame(0), '{"text":"n","number":"1"}')
      overNode = client
    })

    await t.test('bytes in binary frames, control in text', async () => {
      const both = await open('/flow.v1.Flow/Both', ['other', proto, json])
      assert.equal(both.socket.protocol, proto)
      both.send(ask('ok', 'a'))
      assert.ok(note('a', 1).equals((await both.frame(0)) as Buffer))
      const { frames, status, closeCode } = await both.send(ask('ok', 'b'), end).ended
      assert.deepEqual([frames.length, status.code, closeCode], [2, 0, 1000])
      assert.ok(note('b', 2).equals(frames[1] as Buffer))
    })

    await t.test('streams either way, and no subprotocol for JSON', async () => {
      const out = await open('/flow.v1.Flow/Out', [])
      assert.equal(out.socket.protocol, '')
      assert.deepEqual((await out.send({ how: 'ok', text: 'x' }).ended).frames, [
        '{"text":"x","number":"1"}',
        '{"text":"x","number":"2"}',
      ])
      const all = await open('/flow.v1.Flow/In')
      const { frames, closeCode } = await all.send({ how: 'ok' }, { text: 'b' }, { text: 'c' }, end).ended
      assert.deepEqual([frames, closeCode], [['{"text":"all","number":"3"}'], 1000])
    })

    await t.test('the client of the runtime, by turns', async () => {
      const socket = new WebSocket(address('/flow.v1.Flow/Both'), json)
      await once(socket, 'open')
      const heard = async (): Promise<unknown> => ((await once(socket, 'message')) as [MessageEvent])[0].data
      for (let i = 1; i < 4; i++) {
        socket.send(JSON.stringify({ how: 'ok', text: `m${i}` }))
        assert.equal(await heard(), `{"text":"m${i}","number":"${i}"}`)
      }
      socket.send('{"$end":true}')
      assert.match(String(await heard()), /^\{"\$status":\{"code":0,/)
      const [closed] = (await once(socket, 'close')) as [CloseEvent]
      assert.deepEqual([closed.code, closed.wasClean], [1000, true])
    })

    await t.test('the path of a rule, with what path and query say', async () => {
      const out = await open('/v1/out/ok?text=from%20query')
      const asked = once(flow.events, 'asked')
      const { frames } = await out.send({ how: 'refuse' }).ended
      assert.deepEqual((await asked)[0], { how: 'ok', text: 'from query' })
      assert.equal(frames.length, 2)
      const posted = await open('/v1/both')
      assert.equal((await posted.send({ how: 'ok' }, end).ended).frames.length, 1)
      const loose = await open('/loose/flow.v1.Flow/One?what=1')
      const [message, ...more] = (await loose.send({ how: 'ok', what: 1 }).ended).frames
      assert.deepEqual([JSON.parse(String(message)), more], [{ text: '', number: '1', filling: '' }, []])
    })

    await t.test('errors of the service, before and between messages', async () => {
      for (const [path, messages, before, code] of [
        ['/flow.v1.Flow/One', [{ how: 'refuse' }], 0, 5],
        ['/flow.v1.Flow/Out', [{ how: 'refuse' }], 0, 5],
        ['/flow.v1.Flow/Out', [{ how: 'break' }], 2, 10],
        ['/flow.v1.Flow/In', [{ how: 'refuse' }], 0, 5],
        ['/flow.v1.Flow/In', [{ how: 'break' }, {}], 0, 10],
        ['/flow.v1.Flow/Both', [{ how: 'refuse' }], 0, 5],
        ['/flow.v1.Flow/Both', [{ how: 'break' }, {}], 2, 10],
      ] as const) {
        const client = await open(path)
        const { frames, status, closeCode } = await client.send(...messages).ended
        const message = code === 5 ? 'no bücher' : 'went away'
        assert.deepEqual([path, frames.length, status, closeCode], [path, before, { code, message }, 4000 + code])
      }
    })

    await t.test('frames that are no messages', async () => {
      const broken = async (path: string, protocol: string, ...frames: (string | Buffer)[]): Promise<[number, string, number]> => {
        const client = await open(path, [protocol])
        for (const frame of frames) client.socket.send(frame)
        const { status, closeCode } = await client.ended
        return [status.code, status.message, closeCode]
      }
      const one = '/flow.v1.Flow/One'
      const [code, message, closeCode] = await broken(one, json, '{')
      assert.deepEqual([code, closeCode], [3, 4003])
      assert.match(message, /^a frame is not JSON/)
      assert.deepEqual(await broken(one, json, '{"what":1}'), [3, 'what: there is no such field', 4003])
      assert.deepEqual(await broken(one, json, Buffer.from('{}')), [3, 'a message must be text', 4003])
      assert.deepEqual(await broken(one, proto, '{}'), [3, 'a message must be binary', 4003])
      assert.deepEqual(await broken(one, json, '{"$end":true}'), [3, 'the method takes one message, and none came', 4003])
      assert.deepEqual(await broken(one, json, '{"how":"wait"}', '{}'), [3, 'the method takes one message only', 4003])
      assert.deepEqual(await broken('/flow.v1.Flow/Both', json, '{"how":"wait"}', '{"$end":true}', '{}'), [
        3,
        'a message came behind the last',
        4003,
      ])
      const large = await open(one)
      large.socket.send(' '.repeat(102_401))
      assert.equal(((await once(large.socket, 'close')) as [number])[0], 1009)
    })

    await t.test('what can be refused is refused before the 101', async () => {
      assert.deepEqual(await refused('/flow.v1.Flow/Nope'), [404, 'There is no such method.'])
      assert.deepEqual((await refused('/flow.v1.Flow/One', ['graphql-ws']))[0], 400)
      assert.deepEqual((await refused('/closed/flow.v1.Flow/One'))[0], 401)
      assert.deepEqual((await refused('/v1/out/ok?what=1'))[0], 400)
      assert.deepEqual((await refused('/flow.v1.Flow/One?how=ok'))[0], 400)
      assert.deepEqual((await refused('/flow.v1.Flow/One', [], { protocolVersion: 8 }))[0], 426)
      const headers = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' }
      const { request } = await import('node:http')
      const [response] = (await once(request(`${url}/flow.v1.Flow/One`, { headers }).end(), 'response')) as [
        NodeJS.ReadableStream & { statusCode: number },
      ]
      response.resume()
      assert.equal(response.statusCode, 400)
    })

    await t.test('REST stays beside it', async () => {
      const response = await fetch(`${url}/v1/one/ok?text=rest`)
      assert.deepEqual(await response.json(), { text: 'rest', number: '1' })
    })

    await t.test('a client that leaves ends the call at once', async () => {
      for (const name of ['One', 'Out', 'In', 'Both']) {
        for (const leave of [(socket: Peer) => socket.close(), (socket: Peer) => socket.terminate()]) {
          const client = await open(`/flow.v1.Flow/${name}`)
          const asked = once(flow.events, 'asked')
          const left = once(flow.events, 'left')
          client.send({ how: 'wait' })
          await asked
          leave(client.socket)
          assert.deepEqual(await left, [name])
        }
      }
    })

    await t.test('the deadline of the caller, and that of the route', async () => {
      for (const name of ['One', 'Out', 'In', 'Both']) {
        const patient = await open(`/flow.v1.Flow/${name}`, [json], { headers: { 'grpc-timeout': '300m' } })
        const left = once(flow.events, 'left')
        const theirs = await patient.send({ how: 'wait' }).ended
        assert.deepEqual([name, theirs.status.code, theirs.closeCode], [name, 4, 4004])
        assert.deepEqual(await left, [name])
        const late = await (await open(`/late/flow.v1.Flow/${name}`)).send({ how: 'wait' }).ended
        assert.deepEqual([name, late.status.code, late.closeCode], [name, 4, 4004])
      }
    })

    await t.test('a slow reader of an endless stream holds the service up', async () => {
      const before = flow.flooded()
      const slow = await open('/flow.v1.Flow/Out', [proto])
      slow.send(ask('flood'))
      await slow.frame(0)
      slow.socket.pause()
      const settled = async (): Promise<number> => {
        for (let last = -1, count = flow.flooded(); ; last = count) {
          await new Promise((resolve) => void setTimeout(resolve, 200))
          count = flow.flooded()
          if (count === last) return count - before
        }
      }
      const held = await settled()
      slow.socket.resume()
      await slow.frame(held + 100)
      assert.ok(flow.flooded() - before > held)
      const left = once(flow.events, 'left')
      slow.socket.terminate()
      await left
      // What the kernel's and the client's buffers took is not the gateway's; all of it is bounded.
      assert.ok(held < 12_000, `${held} KB`)
    })

    await t.test('a service that does not read holds the caller up', async () => {
      const client = await open('/flow.v1.Flow/In', [proto])
      const filling = 'x'.repeat(50_000)
      for (let i = 0; i < 600; i++) client.send(ask('slow', filling))
      const settled = async (): Promise<number> => {
        for (let last = -1, count = client.socket.bufferedAmount; ; last = count) {
          await new Promise((resolve) => void setTimeout(resolve, 200))
          count = client.socket.bufferedAmount
          if (count === last) return count
        }
      }
      assert.ok((await settled()) > 10_000_000)
      client.socket.terminate()
    })

    await t.test('a call goes on when the configuration is replaced', async () => {
      folder.write('velum.config.yaml', `${config}  - { name: new, match: { path: /new }, respond: { status: 204 } }\n`)
      velum.kill('SIGHUP')
      await velum.printed(/"msg":"the configuration was replaced"/)
      assert.equal((await fetch(`${url}/new`)).status, 204)
      assert.equal(await overNode!.send({ text: 'still' }).frame(1), '{"text":"still","number":"2"}')
    })

    await t.test('a drain ends streams with 1001, and waits for single answers', async () => {
      const stream = await open('/flow.v1.Flow/Both')
      await stream.send({ how: 'ok' }).frame(0)
      const idle = await open('/flow.v1.Flow/One')
      velum.kill('SIGTERM')
      const ended = await stream.ended
      assert.deepEqual([ended.status.code, ended.closeCode], [14, 1001])
      assert.equal((await idle.ended).closeCode, 1001)
      assert.equal((await overNode!.ended).closeCode, 1001)
      assert.equal((await velum.ended).code, 0)
    })
  })
})
