import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** What a demo service does with one request: gives a JSON value to send, or answers by itself and gives nothing. */
export type JsonHandler = (request: JsonRequest, response: ServerResponse) => unknown

export interface JsonRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  /** The body as JSON. Throws a `JsonError` 400 or 413. */
  readonly json: () => Promise<unknown>
}

/** Thrown by a handler: an answer with this status and message. */
export class JsonError extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

const maxBodyBytes = 1_048_576

/** A small JSON service over HTTP/1.1 with /healthz. `closeOpen` ends its connections, upgraded ones too. */
export function createJsonServer(
  handler: JsonHandler,
  upgrade?: (request: IncomingMessage, socket: Duplex, early: Buffer) => void,
): { server: Server; closeOpen: () => void } {
  const sockets = new Set<Socket>()
  const server = createServer((incoming, response) => {
    void answer(incoming, response, handler)
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  if (upgrade !== undefined) server.on('upgrade', upgrade)
  return {
    server,
    closeOpen: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Sends a value as JSON with this status. */
export function sendJson(response: ServerResponse, status: number, value: unknown, headers: Record<string, string> = {}): void {
  const text = JSON.stringify(value)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...headers })
  response.end(text)
}

async function answer(incoming: IncomingMessage, response: ServerResponse, handler: JsonHandler): Promise<void> {
  try {
    const url = new URL(incoming.url ?? '/', 'http://demo')
    if (url.pathname === '/healthz') {
      sendJson(response, 200, { status: 'ok' })
      return
    }
    const value = await handler(
      {
        method: incoming.method ?? 'GET',
        path: url.pathname,
        query: url.searchParams,
        headers: incoming.headers,
        json: () => readJson(incoming),
      },
      response,
    )
    if (value !== undefined) sendJson(response, 200, value)
  } catch (thrown) {
    if (response.headersSent) response.destroy()
    else if (thrown instanceof JsonError) sendJson(response, thrown.status, { error: thrown.message })
    else sendJson(response, 500, { error: 'internal' })
  }
}

async function readJson(incoming: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBodyBytes) throw new JsonError(413, 'the body is too large')
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString())
  } catch {
    throw new JsonError(400, 'the body is not JSON')
  }
}
