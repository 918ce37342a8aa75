// The program behind the peers of the bridges: `node bridge-peer.ts KIND PORT GRPC_PORT SET`. Each takes JSON over
// HTTP/1.1, calls gRPC, and answers in JSON; none writes a log, which is to their advantage.
import { createClient } from '@connectrpc/connect'
import { createGrpcTransport } from '@connectrpc/connect-node'
import { create, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import type { Message } from '@bufbuild/protobuf'
import { Client, credentials } from '@grpc/grpc-js'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:http2'
import { framedMessages, itemToBytes, itemToJson, readBenchTypes } from '../support/bench-messages.ts'

const [kind, port, grpcPort, set] = process.argv.slice(2)
const types = readBenchTypes(readFileSync(set))
const { item, registry, service } = types
const upstream = `http://127.0.0.1:${grpcPort}`
const getPath = '/bench.v1.Bench/Get'

type ServeYoga = (port: number, get: (id: string) => Promise<unknown>) => void

/** Answers a POST of JSON by what `call` makes of it. */
function serveJson(call: (json: string) => Promise<string>): void {
  const answer = async (text: string, response: ServerResponse): Promise<void> => {
    try {
      const json = await call(text)
      response.setHeader('content-type', 'application/json')
      response.end(json)
    } catch (error) {
      response.statusCode = 502
      response.end(String(error))
    }
  }
  createServer((incoming: IncomingMessage, response: ServerResponse) => {
    let text = ''
    incoming.setEncoding('utf8')
    incoming.on('data', (chunk: string) => (text += chunk))
    incoming.on('end', () => void answer(text, response))
  }).listen(Number(port), '127.0.0.1')
}

function same(bytes: Buffer): Buffer {
  return bytes
}

function grpcJsUnary(): (bytes: Uint8Array) => Promise<Buffer> {
  const client = new Client(`127.0.0.1:${grpcPort}`, credentials.createInsecure())
  return (bytes) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(getPath, same, same, Buffer.from(bytes), (error, answer) => {
        if (error !== null || answer === undefined) reject(error ?? new Error('no answer'))
        else resolve(answer)
      })
    })
}

if (kind === 'http2') {
  const session = connect(upstream)
  const head = { ':method': 'POST', ':path': getPath, 'content-type': 'application/grpc', te: 'trailers' }
  serveJson(
    (json) =>
      new Promise((resolve, reject) => {
        const stream = session.request(head)
        const chunks: Buffer[] = []
        let status: unknown
        stream.on('trailers', (trailers) => (status = trailers['grpc-status']))
        stream.on('data', (chunk: Buffer) => chunks.push(chunk))
        stream.on('error', reject)
        stream.on('end', () => {
          if (status === '0') resolve(itemToJson(types, Buffer.concat(chunks).subarray(5)))
          else reject(new Error(`grpc-status ${String(status)}`))
        })
        stream.end(framedMessages([itemToBytes(types, json)]))
      }),
  )
} else if (kind === 'grpc-js') {
  const call = grpcJsUnary()
  serveJson(async (json) => itemToJson(types, await call(itemToBytes(types, json))))
} else if (kind === 'connect') {
  const client = createClient(service, createGrpcTransport({ baseUrl: upstream })) as unknown as {
    get(message: Message): Promise<Message>
  }
  serveJson(async (json) => {
    const answer = await client.get(fromJson(item, JSON.parse(json), { registry }))
    return JSON.stringify(toJson(item, answer, { registry }))
  })
} else {
  const call = grpcJsUnary()
  // In JavaScript: its types would bring those of a browser into every file.
  const { serveYoga } = (await import(new URL('yoga.js', import.meta.url).href)) as { serveYoga: ServeYoga }
  serveYoga(Number(port), async (id) => {
    const bytes = await call(toBinary(item, create(item, { id })))
    return toJson(item, fromBinary(item, bytes), { registry })
  })
}
