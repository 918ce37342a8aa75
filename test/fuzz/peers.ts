import type { ChildProcess } from 'node:child_process'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRawService } from '../support/raw-service.ts'
import { listen } from '../support/server-wires.ts'

/** A request as another implementation read it. */
export interface PeerRequest {
  readonly method: string
  /** Origin form; an absolute target is reduced to it. */
  readonly target: string
  readonly host: string
  readonly content: string
  /** Name and value of every line, where the peer tells. */
  readonly fields: readonly (readonly [string, string])[] | undefined
}

/** What a peer made of a stream of bytes. */
export interface PeerReading {
  readonly requests: readonly PeerRequest[]
  /** A last request whose body it still waits for. */
  readonly open: PeerRequest | undefined
  /** The peer ended the connection by itself, or answered with an error. */
  readonly hasRefused: boolean
}

/** Another HTTP/1.1 implementation. */
export interface Peer {
  readonly name: string
  /**
   * Gives it the bytes on a connection of their own. With `quietMs` our side stays open until nothing has come for so
   * long, so that a peer that refuses can be told from one that waits for more.
   */
  read(bytes: Buffer, quietMs: number): Promise<PeerReading>
  close(): Promise<void>
}

/** node:http as it comes. */
export async function createNodePeer(): Promise<Peer> {
  interface Opened {
    readonly requests: (PeerRequest & { isComplete: boolean; content: string })[]
    hasRefused: boolean
  }
  const byPort = new Map<number, Opened>()
  const server = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 }, (req, res) => {
    const request = {
      method: req.method!,
      target: reduced(req.url!),
      host: req.headers.host ?? '',
      content: '',
      fields: pairs(req.rawHeaders),
      isComplete: false,
    }
    byPort.get(req.socket.remotePort!)?.requests.push(request)
    req.setEncoding('latin1')
    req.on('data', (text: string) => {
      request.content += text
    })
    req.on('error', () => {})
    req.on('end', () => {
      request.isComplete = req.complete
      res.end('ok')
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const opened = byPort.get((socket as Socket).remotePort!)
    // The end of our own side is no refusal.
    if (opened !== undefined && error.code !== 'HPE_INVALID_EOF_STATE' && error.code !== 'ECONNRESET') opened.hasRefused = true
    socket.destroy()
  })
  const port = await listen(server)
  return {
    name: 'node:http',
    async read(bytes, quietMs) {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      await once(socket, 'connect')
      const opened: Opened = { requests: [], hasRefused: false }
      const { localPort } = socket
      byPort.set(localPort!, opened)
      const sent = await converse(socket, bytes, quietMs)
      byPort.delete(localPort!)
      const complete = opened.requests.filter((request) => request.isComplete)
      return {
        requests: complete,
        open: opened.requests.find((request) => !request.isComplete),
        hasRefused: opened.hasRefused || sent.hasRefused,
      }
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Whether Debian's nginx is on this machine. */
export function hasNginx(): boolean {
  return spawnSync('nginx', ['-v']).status === 0
}

/** nginx in front of a service that records what it is sent. */
export async function createNginxPeer(): Promise<Peer> {
  const service = await startRawService((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  const folder = mkdtempSync(join(tmpdir(), 'velum-fuzz-'))
  const port = await freePort()
  writeFileSync(join(folder, 'nginx.conf'), nginxConfig(folder, port, service.port))
  const nginx = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf'), '-e', join(folder, 'error.log')], {
    stdio: 'ignore',
  })
  await reachable(port, nginx)
  return {
    name: 'nginx',
    async read(bytes, quietMs) {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      await once(socket, 'connect')
      const mark = `X-Client: ${socket.localPort}\r\n`
      const before = service.requests.length
      const { hasRefused } = await converse(socket, bytes, quietMs)
      const requests = service.requests
        .slice(before)
        .filter(({ head }) => head.includes(mark))
        .map(({ head, body }): PeerRequest => {
          const [method, ...rest] = head.slice(0, head.indexOf('\r\n')).split(' ')
          const target = rest.slice(0, -1).join(' ')
          return {
            method,
            target: reduced(target),
            host: /^Host: (.*)$/im.exec(head)?.[1].trim() ?? '',
            content: body,
            fields: undefined,
          }
        })
      // It hands on nothing that is not complete.
      return { requests, open: undefined, hasRefused }
    },
    async close() {
      nginx.kill()
      await once(nginx, 'exit')
      await service.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Sends, and reads answers until the peer closes or (when patient) has been quiet for a while. */
function converse(socket: Socket, bytes: Buffer, quietMs: number): Promise<{ hasRefused: boolean }> {
  const isPatient = quietMs > 0
  let received = ''
  let hasEnded = false
  socket.on('error', () => {})
  if (isPatient) socket.write(bytes)
  else socket.end(bytes)
  return new Promise((resolve) => {
    const over = (): void => {
      clearTimeout(quiet)
      socket.resetAndDestroy()
      resolve({ hasRefused: (isPatient && hasEnded) || /^HTTP\/1\.1 [45]/m.test(received) })
    }
    const quiet = setTimeout(over, isPatient ? quietMs : 5000)
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      if (isPatient) quiet.refresh()
    })
    socket.on('end', () => {
      hasEnded = true
      over()
    })
    socket.on('close', () => {
      hasEnded = true
      over()
    })
  })
}

function reduced(target: string): string {
  const rest = target.replace(/^https?:\/\/[^/?]*/i, '')
  return rest === target || rest.startsWith('/') ? rest : `/${rest}`
}

function pairs(raw: readonly string[]): [string, string][] {
  return Array.from({ length: raw.length / 2 }, (_, i) => [raw[i * 2], raw[i * 2 + 1]])
}

async function freePort(): Promise<number> {
  const server = createServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return port
}

async function reachable(port: number, nginx: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200 && nginx.exitCode === null; tries++) {
    const socket = connect({ port, host: '127.0.0.1' })
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true))
      socket.on('error', () => resolve(false))
    })
    socket.destroy()
    if (isOpen) return
    await new Promise((resolve) => void setTimeout(resolve, 25))
  }
  throw new Error('nginx does not start')
}

function nginxConfig(folder: string, port: number, servicePort: number): string {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${join(folder, kind)};`)
  return `daemon off;
master_process off;
pid ${join(folder, 'nginx.pid')};
error_log /dev/null crit;
events { worker_connections 1024; }
http {
  access_log off;
  ${folders.join('\n  ')}
  client_max_body_size 0;
  large_client_header_buffers 4 32k;
  client_header_timeout 5s;
  client_body_timeout 5s;
  keepalive_timeout 5s;
  server {
    listen 127.0.0.1:${port};
    server_name _;
    location / {
      proxy_ignore_client_abort on;
      proxy_set_header Host $http_host;
      proxy_set_header X-Client $remote_port;
      proxy_pass http://127.0.0.1:${servicePort};
    }
  }
}
`
}
