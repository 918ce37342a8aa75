import { credentials, makeGenericClientConstructor, Metadata } from '@grpc/grpc-js'
import type { ClientDuplexStream, ClientReadableStream, ClientUnaryCall, ClientWritableStream, ServiceError } from '@grpc/grpc-js'
import type { Ask } from '../../support/flow-service.ts'
import { flowMethods, noteText } from '../../support/flow-service.ts'
import type { Row, RowEnv } from './row.ts'
import { openedBy, shortMs } from './row.ts'

type Answered = (error: ServiceError | null, note?: Buffer) => void
interface FlowClient {
  One(ask: Ask, metadata: Metadata, answered: Answered): ClientUnaryCall
  Out(ask: Ask, metadata: Metadata): ClientReadableStream<Buffer>
  In(metadata: Metadata, answered: Answered): ClientWritableStream<Ask>
  Both(metadata: Metadata): ClientDuplexStream<Ask, Buffer>
  close(): void
}

/** gRPC itself, which passes: the client of `@grpc/grpc-js`. */
export function grpcRow({ url }: RowEnv): Row {
  const Client = makeGenericClientConstructor(flowMethods, 'flow.v1.Flow')
  const client = new Client(url.replace('http://', ''), credentials.createInsecure()) as unknown as FlowClient
  return {
    name: 'gRPC (@grpc/grpc-js)',
    absent: singleAnswer,
    open({ kind, asks, isComplete, isShort }) {
      const metadata = new Metadata()
      if (isShort) metadata.set('grpc-timeout', `${shortMs}m`)
      const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
      promise.catch(() => {})
      const settle: Answered = (error, note) => (error === null ? resolve(note!) : reject(error))
      const send = (call: ClientWritableStream<Ask> | ClientDuplexStream<Ask, Buffer>): void => {
        for (const ask of asks) call.write(ask)
        if (isComplete) call.end()
      }
      if (kind === 'One') {
        const call = client.One(asks[0], metadata, settle)
        return openedBy(texts([promise]), codeOf, () => call.cancel())
      }
      if (kind === 'In') {
        const call = client.In(metadata, settle)
        send(call)
        return openedBy(texts([promise]), codeOf, () => call.cancel())
      }
      if (kind === 'Out') {
        const call = client.Out(asks[0], metadata)
        call.on('error', () => {})
        return openedBy(texts(call), codeOf, () => call.cancel())
      }
      const call = client.Both(metadata)
      call.on('error', () => {})
      send(call)
      return openedBy(texts(call), codeOf, () => call.cancel())
    },
    close: () => client.close(),
  }
}

async function* texts(notes: AsyncIterable<Buffer> | Iterable<Promise<Buffer>>): AsyncGenerator<string> {
  for await (const note of notes) yield noteText(note)
}

function codeOf(failure: unknown): number {
  return (failure as ServiceError).code
}

/** What no protocol can have: the answer of one message has no middle and no reader who lags. */
export function singleAnswer(kind: string, fate: string): string | undefined {
  if (kind === 'One' && fate === 'break') return 'a call of one message each way has no middle'
  if ((kind === 'One' || kind === 'In') && fate === 'slow') return 'one answer is bounded by maxMessage'
  return undefined
}
