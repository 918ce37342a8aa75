import type { Server } from 'node:net'

/** One of the demo's services, listening on loopback. */
export interface DemoService {
  readonly url: string
  /** Ends open connections too; resolves when the port is free. */
  close(): Promise<void>
}

/** Starts `server` on this loopback port (0: any). Rejects when the port is taken. */
export async function listenOnLoopback(server: Server, port: number, scheme: string, closeOpen: () => void): Promise<DemoService> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address() as { port: number }
  return {
    url: `${scheme}://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        closeOpen()
      }),
  }
}
