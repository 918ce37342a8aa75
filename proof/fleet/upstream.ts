import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Cleanup } from '../../test/support/velum-process.ts'

/** The service behind the fleet: counts what arrives, and keeps content that changes. */
export interface Upstream {
  readonly url: string
  /** How often each path arrived. */
  readonly arrived: ReadonlyMap<string, number>
  /** The content below `/kept/` gets a new version; gives it. */
  change(path: string): number
}

export async function startUpstream(t: Cleanup): Promise<Upstream> {
  const arrived = new Map<string, number>()
  const versions = new Map<string, number>()
  const server = createServer((incoming, response) => {
    const path = incoming.url!
    incoming.resume()
    arrived.set(path, (arrived.get(path) ?? 0) + 1)
    if (path.startsWith('/kept/')) response.setHeader('cache-control', 'max-age=3600')
    response.end(path.startsWith('/kept/') ? String(versions.get(path) ?? 0) : path)
  })
  server.keepAliveTimeout = 600_000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    arrived,
    change(path) {
      const version = (versions.get(path) ?? 0) + 1
      versions.set(path, version)
      return version
    },
  }
}
