import { constants } from 'node:http2'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { ConnectError, createClient } from '@connectrpc/connect'
import type { Transport } from '@connectrpc/connect'
import { createConnectTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { createClient as createGraphqlClient } from 'graphql-ws'
import { WebSocket } from 'ws'
import { GrpcClient } from '../../test/support/grpc-client.ts'
import type { GrpcEnd } from '../../test/support/grpc-client.ts'
import type { Cleanup } from '../../test/support/velum-process.ts'
import { contentOf } from './content.ts'
import type { SoakMessage } from './services.ts'
import type { Activity, World } from './world.ts'

const out = 12
const both = 10

interface SoakClient {
  one(message: object): Promise<SoakMessage>
  out(message: object): AsyncIterable<SoakMessage>
}

const counting = (to: number): number[] => Array.from({ length: to }, (_, i) => i + 1)
const messageOf = (value: unknown): SoakMessage => {
  const { filling: text = '', ...rest } = value as { filling?: string }
  return { number: 0, ...rest, filling: Buffer.from(text, 'base64') } as unknown as SoakMessage
}

/** The methods of the service by every protocol that leads to it: each message must come back once and in order. */
export function rpcActivities(cleanup: Cleanup, world: World): Activity[] {
  const { ledger, types, secure, plain, ca, callers } = world
  let caller = new GrpcClient(secure, { ca })
  cleanup.after(() => caller.close())
  /** On one session, which is replaced when the gateway lets it go. */
  const grpc = async (path: string, messages: readonly Uint8Array[], tries = 3): Promise<GrpcEnd> => {
    if (caller.session.closed || caller.session.destroyed) caller = new GrpcClient(secure, { ca })
    const { session } = caller
    const end = await caller.call(path, messages)
    if (end.rstCode !== constants.NGHTTP2_REFUSED_STREAM || tries === 1) return end
    // Behind what a GOAWAY covers: nobody has looked at it.
    if (!session.closed) session.close()
    return grpc(path, messages, tries - 1)
  }
  let n = 0
  const filling = (): Buffer => contentOf(50 + (++n % 20) * 40, n)
  const bytes = (message: object): Uint8Array => toBinary(types.ask, create(types.ask, message as never))
  const read = (from: Buffer): SoakMessage => fromBinary(types.reply, from) as unknown as SoakMessage
  /** Whether these are the answers to what was asked under this id, in order. */
  const compare = (
    name: string,
    id: string,
    replies: readonly SoakMessage[],
    numbers: readonly number[],
    filled?: Buffer,
  ): void => {
    const isRight =
      replies.length === numbers.length &&
      replies.every((reply, i) => reply.id === id && reply.number === numbers[i] && (filled?.equals(reply.filling) ?? true))
    if (isRight) ledger.tally(name).good++
    else ledger.note(`${name}: other answers than were due (${replies.length} of ${numbers.length})`)
    ledger.tally(name).messages += replies.length
    ledger.tally(name).bytes += replies.reduce((sum, reply) => sum + reply.filling.length, 0)
  }
  const activity = (name: string, perSecond: number, call: (id: string) => Promise<void>): Activity => ({
    name,
    perSecond,
    async run() {
      const id = ledger.begin(name)
      try {
        await call(id)
      } catch (thrown) {
        ledger.settle(id, 'at-most-once')
        throw thrown
      }
      ledger.settle(id, 'once')
    },
  })
  const native = (
    name: string,
    method: string,
    perSecond: number,
    messages: (id: string, filled: Buffer) => object[],
    numbers: number[],
  ): Activity =>
    activity(name, perSecond, async (id) => {
      const filled = filling()
      const end = await grpc(`/soak.v1.Soak/${method}`, messages(id, filled).map(bytes))
      if (end.status !== 0) throw new Error(`ended with ${end.status} ${end.message}, stream ${end.rstCode}`)
      compare(name, id, end.messages.map(read), numbers, filled)
    })
  const connect = (name: string, perSecond: number, transport: Transport): Activity[] => {
    const client = createClient(types.service, transport) as unknown as SoakClient
    return [
      activity(`${name}, unary`, perSecond, async (id) => {
        const filled = filling()
        const reply = await unlessRefused(() => client.one({ id, number: 7, filling: filled }))
        compare(`${name}, unary`, id, [reply], [7], filled)
      }),
      activity(`${name}, server stream`, perSecond / 3, async (id) => {
        const replies = await unlessRefused(async () => {
          const got: SoakMessage[] = []
          for await (const reply of client.out({ id, count: out })) got.push(reply)
          return got
        })
        compare(`${name}, server stream`, id, replies, counting(out))
      }),
    ]
  }
  const json = { 'content-type': 'application/json' }
  const post = async (path: string, message: unknown): Promise<unknown> => {
    const body = Buffer.from(JSON.stringify(message))
    const reply = await callers.http2.ask({ method: 'POST', path, headers: json, body })
    if (reply.status !== 200) throw new Error(`status ${reply.status} ${reply.body.toString('utf8', 0, 100)}`)
    return JSON.parse(reply.body.toString())
  }
  const subscriptions = createGraphqlClient({
    url: `${secure.replace('https', 'wss')}/graphql`,
    webSocketImpl: trusting(ca),
    lazyCloseTimeout: 5000,
  })
  cleanup.after(() => subscriptions.dispose())
  return [
    native('gRPC, unary', 'One', 12, (id, filled) => [{ id, number: 3, filling: filled }], [3]),
    native('gRPC, server stream', 'Out', 4, (id, filled) => [{ id, count: out, filling: filled }], counting(out)),
    native('gRPC, client stream', 'In', 4, (id, filled) => counting(both).map((number) => ({ id, number, filling: filled })), [
      both,
    ]),
    native(
      'gRPC, both streams',
      'Both',
      4,
      (id, filled) => counting(both).map((number) => ({ id, number, filling: filled })),
      counting(both),
    ),
    ...connect('Connect, HTTP/2', 4, createConnectTransport({ baseUrl: secure, httpVersion: '2', nodeOptions: { ca } })),
    ...connect('Connect, HTTP/1.1', 3, createConnectTransport({ baseUrl: plain, httpVersion: '1.1' })),
    ...connect('gRPC-Web', 4, createGrpcWebTransport({ baseUrl: secure, httpVersion: '2', nodeOptions: { ca } })),
    activity('REST, unary', 8, async (id) => {
      const filled = filling()
      compare(
        'REST, unary',
        id,
        [messageOf(await post('/v1/one', { id, number: 5, filling: filled.toString('base64') }))],
        [5],
        filled,
      )
    }),
    activity('REST, stream as lines', 2, async (id) => {
      const headers = { accept: 'application/x-ndjson' }
      const { body } = await callers.http1.ask({
        path: `/v1/out/${id.replaceAll(' ', '%20').replaceAll(',', '%2C')}?count=${out}`,
        headers,
      })
      const lines = body.toString().trim().split('\n')
      compare(
        'REST, stream as lines',
        id,
        lines.map((line) => messageOf(JSON.parse(line))),
        counting(out),
      )
    }),
    activity('GraphQL', 6, async (id) => {
      const filled = filling()
      const query = 'mutation($input: AskInput) { one(input: $input) { id number filling } }'
      const answer = await post('/graphql', { query, variables: { input: { id, number: 9, filling: filled.toString('base64') } } })
      compare('GraphQL', id, [messageOf((answer as { data: { one: unknown } }).data.one)], [9], filled)
    }),
    activity('GraphQL, subscription', 1, async (id) => {
      const query = 'subscription($input: AskInput) { out(input: $input) { id number filling } }'
      const replies: SoakMessage[] = []
      for await (const { data } of subscriptions.iterate<{ out: unknown }>({ query, variables: { input: { id, count: out } } }))
        replies.push(messageOf(data!.out))
      compare('GraphQL, subscription', id, replies, counting(out))
    }),
    activity('WebSocket in front of gRPC', 2, (id) => bridged(id, filling())),
  ]

  function bridged(id: string, filled: Buffer): Promise<void> {
    const name = 'WebSocket in front of gRPC'
    const socket = new WebSocket(`${secure.replace('https', 'wss')}/soak.v1.Soak/Both`, ['velum.grpc.json.v1'], { ca })
    const replies: SoakMessage[] = []
    let status: unknown
    socket.on('open', () => {
      for (const number of counting(both)) socket.send(JSON.stringify({ id, number, filling: filled.toString('base64') }))
      socket.send('{"$end":true}')
    })
    socket.on('message', (data: Buffer) => {
      const message = JSON.parse(data.toString()) as { $status?: { code: number } }
      if (message.$status === undefined) replies.push(messageOf(message))
      else status = message.$status.code
    })
    return new Promise((resolve, reject) => {
      socket.on('error', reject)
      socket.on('close', (code) => {
        if (code !== 1000 || status !== 0) return reject(new Error(`closed with ${code}, status ${String(status)}`))
        compare(name, id, replies, counting(both), filled)
        resolve()
      })
    })
  }
}

/**
 * The client of Connect destroys an idle connection that gets a GOAWAY with an error, which nobody hears when it has
 * turned to another connection in the same moment (`http2-session-manager.js`). No call is concerned.
 */
export function isOfIdleConnectClient(thrown: unknown): boolean {
  return thrown instanceof ConnectError && thrown.rawMessage === 'received GOAWAY without any open streams'
}

/** Calls again what was behind a GOAWAY, so that nobody has looked at it: the client of Connect leaves that to us. */
async function unlessRefused<T>(call: () => Promise<T>, tries = 3): Promise<T> {
  try {
    return await call()
  } catch (thrown) {
    if (tries === 1 || !(thrown instanceof ConnectError) || !thrown.message.includes('NGHTTP2_REFUSED_STREAM')) throw thrown
    return unlessRefused(call, tries - 1)
  }
}

/** A WebSocket of the browsers' shape that believes this authority. */
export function trusting(ca: string): typeof WebSocket {
  return class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols, { ca })
    }
  } as typeof WebSocket
}
