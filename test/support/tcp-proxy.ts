import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

/** Stands between a program and a server, and can make the way slow or lead elsewhere. */
export interface TcpProxy {
  readonly port: number
  /** What is on its way from here on arrives this much later, each way, in order. */
  delayMs: number
  /** While it is set, what comes is swallowed, and nobody is told: a way that leads nowhere. */
  isCut: boolean
  /** Breaks all connections; new ones lead to this port. */
  leadTo(port: number): void
  close(): void
}

/** A proxy, by default on a free port of loopback. When the server ends a connection, so does the proxy. */
export async function startTcpProxy(target: number, { host = '127.0.0.1', port: ownPort = 0 } = {}): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  const timers = new Set<NodeJS.Timeout>()
  let port = target
  const proxy = {
    port: 0,
    delayMs: 0,
    isCut: false,
    leadTo(other: number): void {
      port = other
      for (const socket of sockets) socket.destroy()
    },
    close(): void {
      for (const timer of timers) clearTimeout(timer)
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
  const carry = (from: Socket, to: Socket): void => {
    let dueAt = 0
    from.on('data', (bytes) => {
      if (proxy.isCut) return
      dueAt = Math.max(dueAt, performance.now() + proxy.delayMs)
      const waitMs = dueAt - performance.now()
      if (waitMs <= 0) {
        to.write(bytes)
        return
      }
      const timer = setTimeout(() => {
        timers.delete(timer)
        to.write(bytes)
      }, waitMs)
      timers.add(timer)
    })
    from.on('error', () => {})
    from.once('close', () => {
      sockets.delete(from)
      to.destroy()
    })
  }
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    sockets.add(client).add(upstream)
    carry(client, upstream)
    carry(upstream, client)
  }).listen(ownPort, host)
  await once(server, 'listening')
  proxy.port = (server.address() as AddressInfo).port
  return proxy
}
