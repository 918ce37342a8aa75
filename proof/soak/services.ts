import { create } from '@bufbuild/protobuf'
import type { DescMessage, DescService, MessageShape } from '@bufbuild/protobuf'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocketServer } from 'ws'
import type { Server } from 'node:net'
import type { GrpcMethods } from '../../demo/grpc-server.ts'
import { createGrpcServer } from '../../demo/grpc-server.ts'
import { compileProtos } from '../../src/bridges/descriptors/compile-protos.ts'
import { readDescriptors } from '../../src/bridges/descriptors/descriptors.ts'
import type { Cleanup } from '../../test/support/velum-process.ts'
import { contentOf, isWhole, seal } from './content.ts'
import type { Ledger } from './ledger.ts'
import { numberOf } from './ledger.ts'

const protosFolder = `${import.meta.dirname}/protos`
export const soakProto = `${protosFolder}/soak/v1/soak.proto`

/** The types of `soak.proto`. */
export interface SoakTypes {
  readonly service: DescService
  readonly ask: DescMessage
  readonly reply: DescMessage
}

/** A message of either type. */
export interface SoakMessage {
  readonly id: string
  readonly number: number
  readonly count: number
  readonly filling: Uint8Array
}

export async function readSoakTypes(): Promise<SoakTypes> {
  const { set, faults } = await compileProtos([soakProto], protosFolder)
  if (set === undefined) throw new Error(JSON.stringify(faults))
  const { registry } = readDescriptors(set)
  return {
    service: registry.getService('soak.v1.Soak')!,
    ask: registry.getMessage('soak.v1.Ask')!,
    reply: registry.getMessage('soak.v1.Reply')!,
  }
}

/** What a target of the plain service got though it was drained. */
export interface DrainWatch {
  /** 0 or 1. */
  readonly index: number
  /** Ids with higher numbers were begun later. */
  readonly since: number
  count: number
}

/** Where the services listen, and what of their state the operator changes or looks at. */
export interface Services {
  /** `http://127.0.0.1:PORT` of the two targets of the plain service, and of the one that fails at first. */
  readonly targets: readonly [string, string]
  /** The same once more, as a service of its own. */
  readonly other: string
  readonly flaky: string
  /** Gets copies. */
  readonly shadow: string
  readonly rpc: string
  /** From now on counts what a target gets and should not; until it is told of another watch, or of none. */
  watch(drain: DrainWatch | undefined): void
  /** What answers of a cached key carry from now on. */
  readonly versions: Map<string, number>
  /** Copies that the mirror's service got. */
  readonly mirrored: () => number
}

/** Starts all services in this process. */
export async function startServices(cleanup: Cleanup, ledger: Ledger, types: SoakTypes): Promise<Services> {
  let watched: DrainWatch | undefined
  const versions = new Map<string, number>()
  let mirrored = 0
  const targets: string[] = []
  for (const index of [0, 1, 2] as const) {
    const server = createServer({ keepAliveTimeout: 30_000 }, (request, response) => {
      const id = String(request.headers['x-soak-id'] ?? '')
      if (watched?.index === index && numberOf(id) > watched.since) watched.count++
      void answer(request, response, ledger, versions)
    })
    attachEcho(server, ledger)
    targets.push(await listen(cleanup, server))
  }
  const flaky = createServer({ keepAliveTimeout: 30_000 }, (request, response) => answerFlaky(request, response, ledger))
  const shadow = createServer((request, response) => {
    mirrored++
    response.on('error', () => {})
    request.resume().on('end', () => response.end('seen'))
  })
  const { server, closeOpen } = createGrpcServer(types.service, soakMethods(types, ledger))
  cleanup.after(closeOpen)
  return {
    targets: [targets[0], targets[1]],
    other: targets[2],
    flaky: await listen(cleanup, flaky),
    shadow: await listen(cleanup, shadow),
    rpc: (await listen(cleanup, server)).replace('http', 'grpc'),
    watch: (drain) => void (watched = drain),
    versions,
    mirrored: () => mirrored,
  }
}

async function listen(cleanup: Cleanup, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanup.after(() => {
    if ('closeAllConnections' in server) (server as Server & { closeAllConnections(): void }).closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** The id of a request, reported to the ledger. */
function arrivedAs(request: IncomingMessage, ledger: Ledger): { id: string; times: number } {
  const id = String(request.headers['x-soak-id'] ?? '')
  return { id, times: id === '' ? 0 : ledger.arrived(id) }
}

async function answer(request: IncomingMessage, response: ServerResponse, ledger: Ledger, versions: Map<string, number>) {
  arrivedAs(request, ledger)
  response.on('error', () => {})
  const url = new URL(request.url ?? '/', 'http://service')
  const size = Number(url.searchParams.get('size') ?? 100)
  const seed = Number(url.searchParams.get('seed') ?? 0)
  if (url.pathname.startsWith('/cached/')) {
    const version = versions.get(url.pathname) ?? 0
    const bytes = Buffer.concat([Buffer.from(`${url.pathname} ${version}\n`), contentOf(size, version)])
    response.writeHead(200, { ...seal(bytes), 'cache-control': 'max-age=30', 'x-soak-version': String(version) }).end(bytes)
    return
  }
  switch (url.pathname) {
    case '/upload': {
      const chunks: Buffer[] = []
      try {
        for await (const chunk of request) chunks.push(chunk as Buffer)
      } catch {
        return // the client left, and so did the gateway
      }
      const bytes = Buffer.concat(chunks)
      if (!isWhole(bytes, request.headers)) ledger.note('upload: the service got other bytes than were sent')
      response.writeHead(201, { ...seal(Buffer.from('stored')), 'content-type': 'text/plain' }).end('stored')
      return
    }
    case '/slow': {
      const bytes = contentOf(size, seed)
      response.writeHead(200, { ...seal(bytes), 'content-length': bytes.length })
      for (let at = 0; at < bytes.length && !response.destroyed; at += 4096) {
        response.write(bytes.subarray(at, at + 4096))
        await sleep(20)
      }
      response.end()
      return
    }
    case '/large': {
      const bytes = contentOf(1_048_576, seed)
      response.writeHead(200, seal(bytes))
      const pieces = Array.from({ length: bytes.length / 65_536 }, (_, i) => bytes.subarray(i * 65_536, (i + 1) * 65_536))
      await pipeline(pieces, response).catch(() => {}) // the client left, and so did the gateway
      return
    }
    case '/text': {
      const bytes = Buffer.from(contentOf(size, seed).toString('hex'))
      response.writeHead(200, { ...seal(bytes), 'content-type': 'text/plain' }).end(bytes)
      return
    }
    case '/events': {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const count = Number(url.searchParams.get('count') ?? 10)
      for (let n = 1; n <= count && !response.destroyed; n++) {
        response.write(`id: ${n}\ndata: event ${n} of ${count}\n\n`)
        await sleep(50)
      }
      response.end()
      return
    }
    default: {
      const bytes = contentOf(size, seed)
      response.writeHead(200, { ...seal(bytes), 'content-length': bytes.length }).end(bytes)
    }
  }
}

/** The first try of every third request fails: by a reset, or by 503. */
function answerFlaky(request: IncomingMessage, response: ServerResponse, ledger: Ledger): void {
  const { id, times } = arrivedAs(request, ledger)
  response.on('error', () => {})
  const number = numberOf(id)
  request.resume().on('end', () => {
    if (times === 1 && number % 6 === 0) request.socket.resetAndDestroy()
    else if (times === 1 && number % 6 === 3) response.writeHead(503).end('not now')
    else {
      const bytes = contentOf(500, number)
      response.writeHead(200, { ...seal(bytes), 'content-length': bytes.length }).end(bytes)
    }
  })
}

/** Says back every message, at /echo. */
function attachEcho(server: Server, ledger: Ledger): void {
  const sockets = new WebSocketServer({ server: server as never, perMessageDeflate: false, maxPayload: 1_048_576 })
  sockets.on('connection', (socket, request) => {
    arrivedAs(request, ledger)
    socket.on('message', (data, isBinary) => socket.send(data as Buffer, { binary: isBinary }))
    socket.on('error', () => {})
  })
}

function soakMethods({ reply, ask }: SoakTypes, ledger: Ledger): GrpcMethods<DescService> {
  const say = (from: SoakMessage, number: number): MessageShape<DescMessage> =>
    create(reply, { id: from.id, number, filling: from.filling })
  const methods = {
    one(message: SoakMessage) {
      ledger.arrived(message.id)
      return say(message, message.number)
    },
    async *out(message: SoakMessage) {
      ledger.arrived(message.id)
      for (let n = 1; n <= message.count; n++) {
        yield say(message, n)
        if (n % 5 === 0) await sleep(10)
      }
    },
    async in(messages: AsyncIterable<SoakMessage>) {
      let first: SoakMessage | undefined
      let count = 0
      for await (const message of messages) {
        if (++count !== message.number) ledger.note('client stream: a message is missing or out of order')
        first ??= message
        if (count === 1) ledger.arrived(message.id)
      }
      return say(first ?? (create(ask) as unknown as SoakMessage), count)
    },
    async *both(messages: AsyncIterable<SoakMessage>) {
      let count = 0
      for await (const message of messages) {
        if (++count === 1) ledger.arrived(message.id)
        yield say(message, message.number)
      }
    },
  }
  return methods as unknown as GrpcMethods<DescService>
}
