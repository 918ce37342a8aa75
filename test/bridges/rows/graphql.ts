import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { WebSocket } from 'ws'
import { grpcCodes } from '../../../src/core/grpc-status.ts'
import type { Ask } from '../../support/flow-service.ts'
import { singleAnswer } from './grpc.ts'
import type { Fate, Kind, Row, RowEnv } from './row.ts'
import { CallEnded, brokenOr, openedBy, shortMs } from './row.ts'

const codes: ReadonlyMap<string, number> = new Map(
  Object.entries(grpcCodes).map(([name, code]) => [name.toUpperCase().replaceAll('-', '_'), code]),
)

/** A response, or the errors of a stream. */
interface Response {
  readonly data?: Readonly<Record<string, { readonly text: string } | null>> | null
  readonly errors?: readonly { readonly extensions: { readonly code: string } }[]
}

function textOf({ data, errors }: Response): string {
  if (errors !== undefined) throw new CallEnded(codes.get(errors[0].extensions.code) ?? 'broken')
  return Object.values(data!)[0]!.text
}

const roots = { One: 'query', Out: 'subscription', In: 'mutation', Both: '' } as const

function operation(kind: Kind, asks: readonly Ask[]): { readonly query: string; readonly variables: object } {
  const type = kind === 'In' ? '[AskInput!]!' : 'AskInput'
  const query = `${roots[kind]}($input: ${type}) { ${kind.toLowerCase()}(input: $input) { text filling } }`
  return { query, variables: { input: kind === 'In' ? asks : asks[0] } }
}

function absent(kind: Kind, fate: Fate): string | undefined {
  return kind === 'Both' ? 'GraphQL has no operation whose both sides stream' : singleAnswer(kind, fate)
}

function timeout(isShort: boolean): Record<string, string> {
  return isShort ? { 'grpc-timeout': `${shortMs}m` } : {}
}

/** GraphQL over HTTP/1.1, spoken by `node:http`: one response as JSON, several as events. */
export function graphqlRow({ url }: RowEnv): Row {
  return {
    name: 'GraphQL over HTTP',
    absent,
    open({ kind, asks, isShort }) {
      const accept = kind === 'Out' ? 'text/event-stream' : 'application/json'
      const headers = { 'content-type': 'application/json', accept, ...timeout(isShort) }
      const asking = request(`${url}/graphql`, { method: 'POST', headers, agent: false })
      asking.on('error', () => {})
      asking.end(JSON.stringify(operation(kind, asks)))
      const answer = new Promise<IncomingMessage>((resolve, reject) => {
        asking.on('response', resolve)
        asking.on('close', () => reject(new CallEnded('broken')))
      })
      answer.catch(() => {})
      return openedBy(kind === 'Out' ? events(answer) : single(answer), brokenOr, () => asking.destroy())
    },
  }
}

async function* single(answer: Promise<IncomingMessage>): AsyncGenerator<string> {
  let content = ''
  for await (const chunk of (await answer).setEncoding('utf8')) content += chunk as string
  yield textOf(JSON.parse(content) as Response)
}

async function* events(answer: Promise<IncomingMessage>): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of (await answer).setEncoding('utf8')) {
    rest += chunk as string
    for (let end = rest.indexOf('\n\n'); end !== -1; end = rest.indexOf('\n\n')) {
      const [event, data] = rest.slice(0, end).split('\ndata:')
      rest = rest.slice(end + 2)
      if (event === 'event: complete') return
      if (event === 'event: next') yield textOf(JSON.parse(data) as Response)
    }
  }
  throw new CallEnded('broken')
}

/** GraphQL over WebSocket, in the words of graphql-transport-ws over the client of `ws`, so that messages can be pulled. */
export function graphqlSocketRow({ url }: RowEnv): Row {
  return {
    name: 'GraphQL over WebSocket',
    absent,
    open({ kind, asks, isShort }) {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers: timeout(isShort) })
      const messages: { readonly type: string; readonly payload: unknown }[] = []
      socket.on('message', (data: Buffer) => {
        messages.push(JSON.parse(data.toString()) as (typeof messages)[number])
        socket.pause()
      })
      socket.on('error', () => {})
      const closed = once(socket, 'close')
      socket.on('open', () => {
        socket.send('{"type":"connection_init"}')
        socket.resume()
      })
      async function* texts(): AsyncGenerator<string> {
        for (;;) {
          while (messages.length === 0) {
            if (socket.readyState === socket.CLOSED) throw new CallEnded('broken')
            socket.resume()
            await Promise.race([once(socket, 'message'), closed])
          }
          const { type, payload } = messages.shift()!
          if (type === 'connection_ack') socket.send(JSON.stringify({ type: 'subscribe', id: '1', payload: operation(kind, asks) }))
          else if (type === 'next') yield textOf(payload as Response)
          else if (type === 'error') yield textOf({ errors: payload as NonNullable<Response['errors']> })
          else if (type === 'complete') return
        }
      }
      return openedBy(texts(), brokenOr, () => socket.terminate())
    },
  }
}
