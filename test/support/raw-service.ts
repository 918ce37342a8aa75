import { once } from 'node:events'
import type { Server, Socket } from 'node:net'
import { createServer } from 'node:net'

/** A request as a raw service read it: the head's text, the raw bytes behind it up to its end, and its number from 0. */
export interface RawRequest {
  readonly head: string
  readonly body: string
  readonly number: number
  /** Its number on its connection, and the connection's number. */
  readonly onConnection: number
  readonly connection: number
}

export interface RawService {
  readonly port: number
  readonly requests: RawRequest[]
  /** Connections ever accepted, and those that the other side has not ended. */
  readonly accepted: number
  readonly open: ReadonlySet<Socket>
  /** Resolves when `count` requests have been read in all. */
  received(count: number): Promise<void>
  /** Takes no new connections; those that are open stay. */
  stopListening(): void
  close(): Promise<void>
}

/**
 * A service that knows HTTP/1.1 only well enough to find the end of a request; what it answers, and whether that is
 * HTTP at all, is up to `answer`. Listens on a free port of the loopback interface.
 */
export async function startRawService(
  answer: (socket: Socket, request: RawRequest) => void,
  accepted: (socket: Socket, connection: number) => void = () => {},
): Promise<RawService> {
  const requests: RawRequest[] = []
  const all = new Set<Socket>()
  const open = new Set<Socket>()
  const waiting: { count: number; resolve: () => void }[] = []
  let connections = 0
  const server: Server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const connection = connections++
    let text = ''
    let onConnection = 0
    all.add(socket)
    open.add(socket)
    socket.on('end', () => void open.delete(socket))
    socket.on('close', () => void (open.delete(socket), all.delete(socket)))
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      for (;;) {
        const end = requestEnd(text)
        if (end === -1) break
        const bodyAt = text.indexOf('\r\n\r\n') + 4
        const request = {
          head: text.slice(0, bodyAt),
          body: text.slice(bodyAt, end),
          number: requests.length,
          onConnection: onConnection++,
          connection,
        }
        text = text.slice(end)
        requests.push(request)
        answer(socket, request)
        for (const wait of waiting.splice(0)) {
          if (requests.length >= wait.count) wait.resolve()
          else waiting.push(wait)
        }
      }
    })
    accepted(socket, connection)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    port,
    requests,
    get accepted() {
      return connections
    },
    open,
    received: (count) =>
      new Promise((resolve) => {
        if (requests.length >= count) resolve()
        else waiting.push({ count, resolve })
      }),
    stopListening: () => void server.close(),
    async close() {
      for (const socket of all) socket.destroy()
      if (!server.listening) return
      server.close()
      await once(server, 'close')
    },
  }
}

/** Where the request at the start of `text` ends; -1 while it is not whole. */
function requestEnd(text: string): number {
  const bodyAt = text.indexOf('\r\n\r\n')
  if (bodyAt === -1) return -1
  const head = text.slice(0, bodyAt).toLowerCase()
  const length = /\r\ncontent-length: (\d+)/.exec(head)
  if (length !== null) return text.length >= bodyAt + 4 + Number(length[1]) ? bodyAt + 4 + Number(length[1]) : -1
  if (!head.includes('\r\ntransfer-encoding: chunked')) return bodyAt + 4
  for (let at = bodyAt + 4; ;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd === -1) return -1
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    if (size === 0) {
      const end = text.indexOf('\r\n\r\n', lineEnd)
      return end === -1 ? -1 : end + 4
    }
    at = lineEnd + 2 + size + 2
  }
}

/** A well-formed answer with this text. */
export function okay(text = 'good', fields = ''): string {
  return `HTTP/1.1 200 OK\r\n${fields}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`
}
