import { Agent, createServer, request } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Cleanup } from './velum-process.ts'

/** How a service answers its n-th request of one path, from 1. */
export type Handle = (asked: number, incoming: IncomingMessage, response: ServerResponse) => void

/** A service on a real socket whose answers a test writes, path by path. */
export interface ProgrammableService {
  readonly url: string
  /** A path that nobody else uses, below this one, and what is answered there. */
  at(below: string, handle: Handle): string
  /** How often a path was asked for. */
  asked(path: string): number
}

export async function startProgrammableService(t: Cleanup): Promise<ProgrammableService> {
  const handles = new Map<string, Handle>()
  const counts = new Map<string, number>()
  const server = createServer((incoming, response) => {
    const path = new URL(incoming.url!, 'http://service').pathname
    const asked = (counts.get(path) ?? 0) + 1
    counts.set(path, asked)
    const handle = handles.get(path)
    if (handle === undefined) response.writeHead(404).end()
    else handle(asked, incoming, response)
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    at(below, handle) {
      const path = `${below}/${handles.size}`
      handles.set(path, handle)
      return path
    },
    asked: (path) => counts.get(path) ?? 0,
  }
}

/** What a client was answered. */
export interface CacheAnswer {
  readonly status: number
  readonly headers: NodeJS.Dict<string | string[]>
  readonly text: string
  /** The body broke off before its end. */
  readonly isBroken: boolean
  /** Our line of `Cache-Status`. */
  readonly how: string
}

export interface Asking {
  readonly method?: string
  readonly headers?: NodeJS.Dict<string | string[]>
  readonly body?: string
}

/** Asks a gateway over connections of its own. */
export function clientOf(t: Cleanup, base: string, sockets = 8): (path: string, asking?: Asking) => Promise<CacheAnswer> {
  const agent = new Agent({ keepAlive: true, maxSockets: sockets })
  t.after(() => agent.destroy())
  return (path, { method = 'GET', headers = {}, body } = {}) =>
    new Promise((resolve, reject) => {
      const sent = request(new URL(path, base), { method, agent, headers }, (answer) => {
        let text = ''
        answer.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
        answer.on('error', () => {})
        answer.on('close', () =>
          resolve({
            status: answer.statusCode ?? 0,
            headers: answer.headers,
            text,
            isBroken: !answer.complete,
            how: String(answer.headers['cache-status'] ?? ''),
          }),
        )
      })
      sent.on('error', reject)
      sent.end(body)
    })
}
