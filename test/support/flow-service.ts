import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js'
import type { ServerDuplexStream, ServerReadableStream, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js'
import { EventEmitter } from 'node:events'
import type { TestContext } from 'node:test'

/** Where the `.proto` of this service lies. */
export const flowProto = new URL('../bridges/protos/flow/v1/flow.proto', import.meta.url)

/** A message to a method: how it shall end, and a text that comes back. */
export interface Ask {
  readonly how: string
  readonly text: string
}

/**
 * The service of `flow.proto`, on `@grpc/grpc-js`: one method of each kind. `how` of the first message says how the call
 * ends: `ok`; `refuse` (an error and no message), `break` (an error behind two messages, or behind two of the caller's),
 * `wait` (never), `flood` (messages of 1 KB without end, as fast as they are taken).
 */
export interface FlowService {
  readonly url: string
  /** 'call' with the method's name and metadata, 'left' with its name when a caller cancelled, 'asked' with each message. */
  readonly events: EventEmitter
  /** How many messages of floods were taken. */
  readonly flooded: () => number
}

/** A Note with these texts, as bytes. */
export function note(text: string, number = 0, filling = 0): Buffer {
  const bytes = [field(1, Buffer.from(text))]
  if (number > 0) bytes.push(Buffer.from([0x10]), varint(number))
  if (filling > 0) bytes.push(field(3, Buffer.alloc(filling, 'x')))
  return Buffer.concat(bytes)
}

/** An Ask as bytes. */
export function ask(how: string, text = ''): Buffer {
  return Buffer.concat([field(1, Buffer.from(how)), field(2, Buffer.from(text))])
}

function field(number: number, bytes: Buffer): Buffer {
  return bytes.length === 0 ? bytes : Buffer.concat([Buffer.from([(number << 3) | 2]), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}

function readAsk(bytes: Buffer): Ask {
  const texts = ['', '', '']
  for (let at = 0; at < bytes.length;) {
    const number = bytes[at] >> 3
    const isText = (bytes[at] & 7) === 2
    let length = 0
    let shift = 0
    for (at++; ; at++, shift += 7) {
      length |= (bytes[at] & 127) << shift
      if (bytes[at] < 128) break
    }
    at++
    if (!isText) continue
    texts[number] = bytes.toString('utf8', at, at + length)
    at += length
  }
  return { how: texts[1], text: texts[2] }
}

const refusal = { code: status.NOT_FOUND, details: 'no bücher' }
const breakage = { code: status.ABORTED, details: 'went away' }

function method(name: string, requestStream: boolean, responseStream: boolean) {
  return {
    path: `/flow.v1.Flow/${name}`,
    requestStream,
    responseStream,
    requestDeserialize: readAsk,
    requestSerialize: (value: Ask) => ask(value.how, value.text),
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  }
}

/** The methods, for clients of `@grpc/grpc-js` too. */
export const flowMethods = {
  One: method('One', false, false),
  Out: method('Out', false, true),
  In: method('In', true, false),
  Both: method('Both', true, true),
}

function trailers(): Metadata {
  const metadata = new Metadata()
  metadata.add('x-flow-end', 'reached')
  return metadata
}

/** Starts the service; it ends with the test. */
export async function startFlow(t: TestContext): Promise<FlowService> {
  const events = new EventEmitter()
  let flooded = 0

  const flood = (call: ServerWritableStream<Ask, Buffer> | ServerDuplexStream<Ask, Buffer>): void => {
    while (!call.cancelled) {
      flooded++
      if (!call.write(note('flood', flooded, 1000))) {
        call.once('drain', () => flood(call))
        return
      }
    }
  }
  const began = (name: string, call: { metadata: Metadata; sendMetadata(metadata: Metadata): void } & EventEmitter): void => {
    events.emit('call', name, call.metadata)
    call.on('cancelled', () => events.emit('left', name))
    call.on('error', () => {})
    const metadata = new Metadata()
    metadata.add('x-flow', name)
    call.sendMetadata(metadata)
  }
  const out = (call: ServerWritableStream<Ask, Buffer> | ServerDuplexStream<Ask, Buffer>, how: string, text: string): void => {
    if (how === 'refuse') call.emit('error', refusal)
    else if (how === 'flood') flood(call)
    else if (how === 'wait') call.write(note(text, 1))
    else if (how !== 'hush') {
      call.write(note(text, 1))
      call.write(note(text, 2))
      if (how === 'break') call.emit('error', breakage)
      else call.end(trailers())
    }
  }

  const server = new Server()
  server.addService(flowMethods, {
    One: (call: ServerUnaryCall<Ask, Buffer>, answer: sendUnaryData<Buffer>) => {
      began('One', call)
      const { how, text } = call.request
      events.emit('asked', call.request)
      if (how === 'refuse') answer(refusal)
      else if (how !== 'wait') answer(null, note(text, 1), trailers())
    },
    Out: (call: ServerWritableStream<Ask, Buffer>) => {
      began('Out', call)
      events.emit('asked', call.request)
      out(call, call.request.how, call.request.text)
    },
    In: (call: ServerReadableStream<Ask, Buffer>, answer: sendUnaryData<Buffer>) => {
      began('In', call)
      let number = 0
      let how = ''
      call.on('data', (message: Ask) => {
        events.emit('asked', message)
        if (++number === 1) how = message.how
        if (how === 'refuse' && number === 1) answer(refusal)
        if (how === 'break' && number === 2) answer(breakage)
        if (how === 'slow') call.pause()
      })
      call.on('end', () => {
        if (how === 'ok') answer(null, note('all', number), trailers())
      })
    },
    Both: (call: ServerDuplexStream<Ask, Buffer>) => {
      began('Both', call)
      let number = 0
      let how = ''
      call.on('data', (message: Ask) => {
        events.emit('asked', message)
        if (++number === 1) how = message.how
        if (how === 'refuse') call.emit('error', refusal)
        else if (how === 'flood') {
          if (number === 1) flood(call)
        } else call.write(note(message.text, number))
        if (how === 'break' && number === 2) call.emit('error', breakage)
      })
      call.on('end', () => {
        if (how === 'ok') call.end(trailers())
      })
    },
  })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound)
      else reject(error)
    })
  })
  t.after(() => server.forceShutdown())
  return { url: `grpc://127.0.0.1:${port}`, events, flooded: () => flooded }
}

/** The text of a Note that `note` made. */
export function noteText(bytes: Buffer): string {
  return readAsk(bytes).how
}
