import assert from 'node:assert/strict'
import { once } from 'node:events'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createClient } from 'graphql-ws'
import { WebSocket as Peer } from 'ws'
import type { ClientOptions } from 'ws'
import { shelfProto, startShelf } from '../support/shelf-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = `
listeners: { plain: { host: 127.0.0.1, port: 0 } }
log: { format: none }
services: { shelf: { url: '\${SHELF}', protos: '\${SHELF_PROTO}' } }
identity: { apiKeys: { worker: { sha256: '${'0'.repeat(64)}' } } }
limits:
  few: { algorithm: fixed-window, limit: 3, window: 1h, per: [address] }
  costs: { algorithm: fixed-window, limit: 30, window: 1h }
  places: { algorithm: concurrency, limit: 3 }
defaults: { auth: public }
routes:
  - { name: graphql, match: { path: '/graphql' }, to: shelf, bridge: graphql }
  - { name: both, match: { path: '/both/**' }, to: shelf, bridge: [websocket, graphql] }
  - { name: closed, match: { path: '/closed' }, to: shelf, bridge: graphql, auth: { any: [api-key] } }
  - { name: few, match: { path: '/few' }, to: shelf, bridge: graphql, limits: [few] }
  - { name: held, match: { path: '/held' }, to: shelf, bridge: graphql, limits: [places] }
  - name: charged
    match: { path: '/charged' }
    to: shelf
    bridge: graphql
    limits: [{ use: costs, cost: { reserve: 1, settle: 'response-header:x-graphql-cost' } }]
  - { name: late, match: { path: '/late' }, to: shelf, bridge: graphql, deadline: 300ms }
`

const protocol = 'graphql-transport-ws'

interface Message {
  readonly type: string
  readonly id?: string
  readonly payload?: unknown
}

/** A client by hand, which may say anything. */
class Client {
  readonly socket: Peer
  readonly messages: Message[] = []

  constructor(socket: Peer) {
    this.socket = socket
    socket.on('message', (data: Buffer) => void this.messages.push(JSON.parse(data.toString()) as Message))
  }

  async next(type: string, id?: string): Promise<Message> {
    for (;;) {
      const at = this.messages.findIndex((message) => message.type === type && message.id === id)
      if (at !== -1) return this.messages.splice(at, 1)[0]
      await once(this.socket, 'message')
    }
  }

  send(...messages: object[]): this {
    for (const message of messages) this.socket.send(JSON.stringify(message))
    return this
  }
}

const closeCode = async (client: Client): Promise<number> => ((await once(client.socket, 'close')) as [number])[0]
const stream = (title: string): string => `subscription { failLate(input: { title: "${title}" }) { title } }`

const ask = (id: string): object => ({ type: 'subscribe', id, payload: { query: '{ peek(input: { title: "x" }) { title } }' } })

suite('GraphQL over WebSocket in front of gRPC', { timeout: 120_000 }, () => {
  test('a gateway with the bridge graphql', async (t) => {
    const folder = workFolder(t)
    const shelf = await startShelf(t)
    folder.write('velum.config.yaml', config)
    const env = { SHELF: shelf.url, SHELF_PROTO: fileURLToPath(shelfProto) }
    const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
    const base = (await readyListeners(velum))['plain'].replace(/\/$/, '').replace('http', 'ws')

    const open = async (path = '/graphql', options: ClientOptions = {}): Promise<Client> => {
      const socket = new Peer(`${base}${path}`, [protocol], options)
      t.after(() => socket.terminate())
      await once(socket, 'open')
      assert.equal(socket.protocol, protocol)
      return new Client(socket)
    }
    const ready = async (path?: string): Promise<Client> => {
      const client = (await open(path)).send({ type: 'connection_init' })
      await client.next('connection_ack')
      return client
    }
    const refused = async (path: string, protocols: string[] = [protocol]): Promise<number | undefined> => {
      const socket = new Peer(`${base}${path}`, protocols)
      socket.on('error', () => {})
      const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
      return response.statusCode
    }

    await t.test('the client of graphql-ws subscribes, queries and is told of errors', async () => {
      const client = createClient({ url: `${base}/graphql`, webSocketImpl: Peer, retryAttempts: 0 })
      t.after(() => client.dispose())
      const all = async (query: string, variables?: Record<string, unknown>): Promise<unknown[]> => {
        const results: unknown[] = []
        for await (const result of client.iterate({ query, variables })) results.push(result)
        return results
      }
      const book = { data: { failLate: { title: 'fine' } } }
      assert.deepEqual(await all(stream('fine')), [book, book])
      assert.deepEqual(await all('{ peek(input: { title: "x" }) { title } }'), [{ data: { peek: { title: 'x' } } }])
      assert.deepEqual(
        await all('mutation($t: String) { update(input: { book: { title: $t } }) { book { title } } }', { t: 'y' }),
        [{ data: { update: { book: { title: 'y' } } } }],
      )
      const [partial] = (await all('{ fail(input: { title: "words" }) { title } }')) as [
        { data: unknown; errors: { extensions: object }[] },
      ]
      assert.deepEqual([partial.data, partial.errors[0].extensions], [{ fail: null }, { code: 'NOT_FOUND' }])
      await assert.rejects(all(stream('aborted')), (errors: { message: string; extensions: object }[]) => {
        assert.deepEqual(errors, [{ message: 'went away', extensions: { code: 'ABORTED' } }])
        return true
      })
      await assert.rejects(all('{ nothing }'), (errors: { extensions: { code: string } }[]) => {
        assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED')
        return true
      })
    })

    await t.test('operations run beside each other, and one that is completed ends its call', async () => {
      const client = await ready()
      const left = once(shelf.events, 'left')
      client.send({ type: 'subscribe', id: 'a', payload: { query: stream('endless') } })
      await client.next('next', 'a')
      client.send({ type: 'subscribe', id: 'b', payload: { query: '{ peek(input: { pages: 9007199254740993 }) { pages } }' } })
      assert.deepEqual((await client.next('next', 'b')).payload, { data: { peek: { pages: '9007199254740993' } } })
      await client.next('complete', 'b')
      client.send({ type: 'complete', id: 'a' })
      await left
      const raw =
        '{"type":"subscribe","id":"c","payload":{"query":"query($p: Int64) { peek(input: { pages: $p }) { pages } }","variables":{"p":9007199254740993}}}'
      client.socket.send(raw)
      assert.deepEqual((await client.next('next', 'c')).payload, { data: { peek: { pages: '9007199254740993' } } })
      client.send({ type: 'ping' })
      await client.next('pong')
    })

    await t.test('a client that goes ends its calls, those of queries too', async () => {
      for (const query of [stream('endless'), '{ fail(input: { title: "silent" }) { title } }']) {
        const client = await ready()
        const called = once(shelf.events, 'call')
        const left = once(shelf.events, 'left')
        client.send({ type: 'subscribe', id: 'a', payload: { query } })
        await called
        client.socket.terminate()
        await left
      }
    })

    await t.test('who may not call is refused before the 101, and who speaks otherwise', async () => {
      assert.equal(await refused('/closed'), 401)
      assert.equal(await refused('/graphql', ['graphql-ws']), 415)
      assert.equal(await refused('/graphql', []), 415)
    })

    await t.test('beside the bridge websocket each has its own subprotocol', async () => {
      const client = await ready('/both/graphql')
      client.send({ type: 'subscribe', id: 'a', payload: { query: '{ peek { title } }' } })
      assert.deepEqual((await client.next('next', 'a')).payload, { data: { peek: { title: '' } } })
      const plain = new Peer(`${base}/both/shelf.v1.Shelf/Peek`, ['velum.grpc.json.v1'])
      t.after(() => plain.terminate())
      await once(plain, 'open')
      plain.send('{"title":"x"}')
      const [message] = (await once(plain, 'message')) as [Buffer]
      assert.deepEqual(JSON.parse(message.toString()), { title: 'x' })
    })

    await t.test('what breaks the protocol closes the connection with a code that says so', async () => {
      const cases: [number, (client: Client) => void][] = [
        [4400, (client) => client.socket.send('{')],
        [4400, (client) => client.socket.send(Buffer.from('{"type":"ping"}'), { binary: true })],
        [4400, (client) => client.send({ type: 'what' })],
        [4400, (client) => client.socket.send('['.repeat(100_000))],
        [4401, (client) => client.send({ type: 'subscribe', id: 'a', payload: { query: '{ peek { title } }' } })],
        [4429, (client) => client.send({ type: 'connection_init' }, { type: 'connection_init' })],
        [1009, (client) => client.send({ type: 'ping', payload: { x: 'y'.repeat(200_000) } })],
      ]
      for (const [code, say] of cases) {
        const client = await open()
        say(client)
        assert.equal(await closeCode(client), code)
      }
      const client = await ready()
      const again = { type: 'subscribe', id: 'ü'.repeat(200), payload: { query: stream('endless') } }
      client.send(again, again)
      assert.equal(await closeCode(client), 4409)
    })

    await t.test('limits hold for each operation, and there are so many at a time', async () => {
      const client = await ready()
      const aliases = Array.from({ length: 31 }, (_, i) => `a${i}: title`).join(' ')
      client.send({ type: 'subscribe', id: 'a', payload: { query: `{ peek { ${aliases} } }` } })
      assert.match(JSON.stringify(await client.next('error', 'a')), /OPERATION_LIMIT_EXCEEDED/)
      client.send({ type: 'subscribe', id: 'b', payload: { query: '{ peek { title } }', variables: 5 } })
      assert.match(
        JSON.stringify(await Promise.race([client.next('error', 'b'), once(client.socket, 'close')])),
        /BAD_REQUEST|4400/,
      )
      const many = await ready()
      for (let i = 0; i < 101; i++)
        many.send({ type: 'subscribe', id: `s${i}`, payload: { query: '{ fail(input: { title: "silent" }) { title } }' } })
      assert.match(JSON.stringify(await many.next('error', 's100')), /RESOURCE_EXHAUSTED/)
    })

    await t.test('each operation is charged as a request of its own', async () => {
      const few = (await ready('/few')).send(ask('a'), ask('b'), ask('c'))
      assert.equal((await few.next('complete', 'a')).type, 'complete')
      await few.next('complete', 'b')
      const refusal = (await few.next('error', 'c')).payload as { message: string; extensions: Record<string, unknown> }[]
      assert.equal(refusal[0].extensions['code'], 'RESOURCE_EXHAUSTED')
      assert.equal(refusal[0].extensions['policy'], 'few')
      assert.ok(Number(refusal[0].extensions['retryAfter']) > 0)

      // The handshake holds a place, two streams the others; one that is completed gives its place back.
      const held = await ready('/held')
      held.send({ type: 'subscribe', id: 'a', payload: { query: stream('endless') } })
      held.send({ type: 'subscribe', id: 'b', payload: { query: stream('endless') } })
      await held.next('next', 'a')
      await held.next('next', 'b')
      held.send(ask('c'))
      await held.next('error', 'c')
      const left = once(shelf.events, 'left')
      held.send({ type: 'complete', id: 'a' })
      await left
      held.send(ask('d'))
      await held.next('complete', 'd')

      // A handshake, an operation that costs 11, and room for one more.
      const charged = (await ready('/charged')).send(ask('a'))
      await charged.next('complete', 'a')
      charged.send(ask('b'))
      await charged.next('complete', 'b')
      charged.send({ type: 'subscribe', id: 'c', payload: { query: '{ a: peek { title } b: echo { title } }' } })
      await charged.next('complete', 'c')
      charged.send(ask('d'))
      await charged.next('error', 'd')
    })

    await t.test('who asks and does not read is not read from either', async () => {
      const client = await ready()
      client.socket.pause()
      const ping = JSON.stringify({ type: 'ping', payload: { x: 'y'.repeat(100_000) } })
      for (let i = 0; i < 400; i++) client.socket.send(ping)
      for (let last = -1; last !== client.socket.bufferedAmount;) {
        last = client.socket.bufferedAmount
        await new Promise((resolve) => void setTimeout(resolve, 200))
      }
      assert.ok(client.socket.bufferedAmount > 20_000_000, `${client.socket.bufferedAmount} of 40 MB wait at the client`)
      client.socket.resume()
      for (let i = 0; i < 400; i++) await client.next('pong')
    })

    await t.test('the time of a route closes it, after which a client may come again', async () => {
      const client = await open('/late')
      assert.equal(await closeCode(client), 4004)
    })
  })
})
