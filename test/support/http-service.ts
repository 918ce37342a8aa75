import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Cleanup } from './velum-process.ts'

/** A service of HTTP/1.1 on a free port of loopback that answers by `listener`, until the test is over. Gives its URL. */
export async function serviceOf(t: Cleanup, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** One that answers with the headers it got, as JSON. */
export function headersServiceOf(t: Cleanup): Promise<string> {
  return serviceOf(t, (incoming, response) => {
    incoming.resume().on('end', () => response.end(JSON.stringify(incoming.headers)))
  })
}
