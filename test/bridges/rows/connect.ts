import { ConnectError, createClient } from '@connectrpc/connect'
import type { CallOptions, Transport } from '@connectrpc/connect'
import type { DescService } from '@bufbuild/protobuf'
import type { Ask } from '../../support/flow-service.ts'
import { singleAnswer } from './grpc.ts'
import type { Ending, Row } from './row.ts'
import { openedBy, shortMs } from './row.ts'

interface Note {
  readonly text: string
}
interface FlowClient {
  one(ask: Ask, options: CallOptions): Promise<Note>
  out(ask: Ask, options: CallOptions): AsyncIterable<Note>
  in(asks: AsyncIterable<Ask>, options: CallOptions): Promise<Note>
  both(asks: AsyncIterable<Ask>, options: CallOptions): AsyncIterable<Note>
}

export interface ConnectRowSpec {
  readonly name: string
  readonly service: DescService
  readonly transport: Transport
  /** How the deadline is said. The client is not told, or it would keep it itself. */
  readonly deadline: readonly [name: string, value: string]
  /** Whether the client can stream to the gateway; undefined: it can. */
  readonly sendsNoStreams?: string
}

/** Connect or gRPC-Web, spoken by a client of `@connectrpc/connect`. */
export function connectRow({ name, service, transport, deadline, sendsNoStreams }: ConnectRowSpec): Row {
  const client = createClient(service, transport) as unknown as FlowClient
  return {
    name,
    absent(kind, fate) {
      if (sendsNoStreams !== undefined && (kind === 'In' || kind === 'Both')) return sendsNoStreams
      return singleAnswer(kind, fate)
    },
    open({ kind, asks, isComplete, isShort }) {
      const leaving = new AbortController()
      const options: CallOptions = { signal: leaving.signal, headers: isShort ? [[deadline[0], deadline[1]]] : [] }
      const left = new Promise<void>((resolve) => leaving.signal.addEventListener('abort', () => resolve()))
      async function* sent(): AsyncGenerator<Ask> {
        yield* asks
        if (!isComplete) await left
      }
      async function* texts(): AsyncGenerator<string> {
        if (kind === 'One') yield (await client.one(asks[0], options)).text
        else if (kind === 'In') yield (await client.in(sent(), options)).text
        else {
          const notes = kind === 'Out' ? client.out(asks[0], options) : client.both(sent(), options)
          for await (const { text } of notes) yield text
        }
      }
      return openedBy(texts(), codeOf, () => leaving.abort())
    },
  }
}

function codeOf(failure: unknown): Ending {
  return failure instanceof ConnectError ? failure.code : 'broken'
}

/** The deadline of a caller of Connect. */
export const connectDeadline = ['connect-timeout-ms', String(shortMs)] as const
/** And of one of gRPC-Web. */
export const grpcDeadline = ['grpc-timeout', `${shortMs}m`] as const
