import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import type { DescMessage, DescMethod, DescService, MessageShape } from '@bufbuild/protobuf'
import { createServer } from 'node:http2'
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'

/** gRPC status codes that the demo answers with. */
export const grpcCode = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  resourceExhausted: 8,
  failedPrecondition: 9,
  unimplemented: 12,
  internal: 13,
} as const

/** Thrown by a method: ends the call with this status. */
export class GrpcError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** What a method may know of its call. */
export interface GrpcCall {
  readonly metadata: IncomingHttpHeaders
  /** Fires when the client is gone or its deadline has passed. */
  readonly signal: AbortSignal
}

type Kind = DescMethod['methodKind']
/** A method's function, in the form of its kind. */
export type GrpcMethod<K extends Kind, I extends DescMessage, O extends DescMessage> = K extends 'unary'
  ? (request: MessageShape<I>, call: GrpcCall) => MessageShape<O> | Promise<MessageShape<O>>
  : K extends 'server_streaming'
    ? (request: MessageShape<I>, call: GrpcCall) => AsyncIterable<MessageShape<O>>
    : K extends 'client_streaming'
      ? (requests: AsyncIterable<MessageShape<I>>, call: GrpcCall) => Promise<MessageShape<O>>
      : (requests: AsyncIterable<MessageShape<I>>, call: GrpcCall) => AsyncIterable<MessageShape<O>>

/** One function for every method of a service. */
export type GrpcMethods<S extends DescService> = {
  [M in keyof S['method']]: GrpcMethod<S['method'][M]['methodKind'], S['method'][M]['input'], S['method'][M]['output']>
}

type Streaming = (input: AsyncIterable<MessageShape<DescMessage>>, call: GrpcCall) => AsyncIterable<MessageShape<DescMessage>>

const maxMessageBytes = 4_194_304

/**
 * A gRPC service over plain HTTP/2, with /healthz beside it. Messages above 4 MiB, compressed ones and unknown methods
 * are refused with the status that gRPC has for them; deadlines of `grpc-timeout` are kept.
 */
export function createGrpcServer<S extends DescService>(
  service: S,
  methods: GrpcMethods<S>,
): { server: Http2Server; closeOpen: () => void } {
  const byPath = new Map<string, { method: DescMethod; run: Streaming }>()
  for (const method of service.methods) {
    const run = (methods as Record<string, unknown>)[method.localName]
    byPath.set(`/${service.typeName}/${method.name}`, { method, run: asStreaming(method, run as (...args: unknown[]) => unknown) })
  }
  const sessions = new Set<ServerHttp2Session>()
  const server = createServer()
  server.on('session', (session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
  })
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => stream.destroy())
    const path = headers[':path'] ?? ''
    if (path === '/healthz') {
      stream.respond({ ':status': 200, 'content-type': 'application/json' })
      stream.end('{"status":"ok"}')
    } else if (headers[':method'] !== 'POST' || !/^application\/grpc(\+proto)?($|;)/.test(headers['content-type'] ?? '')) {
      stream.respond({ ':status': 415 }, { endStream: true })
    } else {
      void answer(stream, headers, byPath.get(path))
    }
  })
  return {
    server,
    closeOpen: () => {
      for (const session of sessions) session.destroy()
    },
  }
}

/** Every kind of method as the most general one. */
function asStreaming(method: DescMethod, run: (...args: unknown[]) => unknown): Streaming {
  const takesMany = method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming'
  const givesMany = method.methodKind === 'server_streaming' || method.methodKind === 'bidi_streaming'
  return async function* (input, call) {
    const request = takesMany ? input : await onlyOne(input)
    const result = run(request, call)
    if (givesMany) yield* result as AsyncIterable<MessageShape<DescMessage>>
    else yield (await result) as MessageShape<DescMessage>
  }
}

async function onlyOne<T>(input: AsyncIterable<T>): Promise<T> {
  let found: T | undefined
  for await (const message of input) {
    if (found !== undefined) throw new GrpcError(grpcCode.unimplemented, 'this method takes one message')
    found = message
  }
  if (found === undefined) throw new GrpcError(grpcCode.unimplemented, 'this method takes one message')
  return found
}

async function answer(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  found: { method: DescMethod; run: Streaming } | undefined,
): Promise<void> {
  const leaving = new AbortController()
  stream.on('close', () => leaving.abort())
  const timeoutMs = parseTimeout(headers['grpc-timeout'])
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => leaving.abort(new GrpcError(grpcCode.deadlineExceeded, 'the deadline has passed')), timeoutMs)
  let trailers: Record<string, string> = { 'grpc-status': '0' }
  let iterator: AsyncIterator<MessageShape<DescMessage>> | undefined
  stream.on('wantTrailers', () => stream.sendTrailers(trailers))
  try {
    if (found === undefined) throw new GrpcError(grpcCode.unimplemented, 'no such method')
    const { method, run } = found
    const output = run(readMessages(stream, method.input), { metadata: headers, signal: leaving.signal })
    iterator = output[Symbol.asyncIterator]()
    for (;;) {
      const next = await orAborted(iterator.next(), leaving.signal)
      if (!stream.headersSent) stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      if (next.done === true) break
      await write(stream, frame(toBinary(method.output, next.value)), leaving.signal)
    }
  } catch (thrown) {
    const { code, message } = thrown instanceof GrpcError ? thrown : new GrpcError(grpcCode.internal, 'internal error')
    trailers = { 'grpc-status': String(code), 'grpc-message': encodeURIComponent(message) }
    if (stream.destroyed) return
    stream.resume()
    // Nothing was sent: the status may stand in the head itself ("trailers only").
    if (!stream.headersSent) {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', ...trailers }, { endStream: true })
      return
    }
  } finally {
    clearTimeout(timer)
    // Lets a method that is given up clean up after itself; what it throws then interests nobody.
    iterator?.return?.().catch(() => undefined)
  }
  if (!stream.destroyed) stream.end()
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) abort()
    signal.addEventListener('abort', abort)
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

/** The messages of a call, unframed: a flag byte, the length in four bytes, the message. */
async function* readMessages(stream: ServerHttp2Stream, type: DescMessage): AsyncIterable<MessageShape<DescMessage>> {
  let held: Buffer = Buffer.alloc(0)
  // The stream must outlive this loop: its answer is still to be sent.
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    while (held.length >= 5) {
      if (held[0] !== 0) throw new GrpcError(grpcCode.unimplemented, 'compressed messages are not understood')
      const size = held.readUInt32BE(1)
      if (size > maxMessageBytes) throw new GrpcError(grpcCode.resourceExhausted, 'the message is too large')
      if (held.length < 5 + size) break
      yield parse(type, held.subarray(5, 5 + size))
      held = held.subarray(5 + size)
    }
  }
  if (held.length > 0) throw new GrpcError(grpcCode.internal, 'the last message is cut off')
}

function parse(type: DescMessage, bytes: Uint8Array): MessageShape<DescMessage> {
  try {
    return fromBinary(type, bytes)
  } catch {
    throw new GrpcError(grpcCode.internal, `not a message of type ${create(type).$typeName}`)
  }
}

function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(5 + message.length)
  framed[0] = 0
  framed.writeUInt32BE(message.length, 1)
  framed.set(message, 5)
  return framed
}

async function write(stream: ServerHttp2Stream, bytes: Buffer, signal: AbortSignal): Promise<void> {
  if (stream.write(bytes)) return
  await orAborted(new Promise<void>((resolve) => stream.once('drain', resolve)), signal)
}

const unitMs: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 }

function parseTimeout(value: string | string[] | undefined): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(String(value ?? ''))
  return match === null ? undefined : Math.min(2 ** 31 - 1, Math.ceil(Number(match[1]) * unitMs[match[2]]))
}
