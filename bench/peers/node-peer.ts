// The program behind the peers from npm: `node node-peer.ts KIND PORT TLS_PORT UPSTREAM_PORT CERT KEY`. Neither writes
// an access log, which is to their advantage.
import httpProxy from '@fastify/http-proxy'
import fastify from 'fastify'
import { createProxyServer } from 'http-proxy-3'
import { readFileSync } from 'node:fs'
import { Agent, createServer } from 'node:http'
import { createServer as createTlsServer } from 'node:https'

const [kind, port, tlsPort, upstreamPort, certPath, keyPath] = process.argv.slice(2)
const pair = { cert: readFileSync(certPath), key: readFileSync(keyPath) }
const upstream = `http://127.0.0.1:${upstreamPort}`

if (kind === 'fastify') {
  for (const [on, https] of [
    [port, null],
    [tlsPort, pair],
  ] as const) {
    const app = fastify({ https, bodyLimit: 1e9 })
    await app.register(httpProxy, { upstream })
    await app.listen({ port: Number(on), host: '127.0.0.1' })
  }
} else {
  const proxy = createProxyServer({ target: upstream, agent: new Agent({ keepAlive: true, maxSockets: 256 }), xfwd: true })
  proxy.on('error', (_error, _request, response) => response.destroy())
  const handle = proxy.web.bind(proxy)
  createServer((request, response) => handle(request, response)).listen(Number(port), '127.0.0.1')
  createTlsServer(pair, (request, response) => handle(request, response)).listen(Number(tlsPort), '127.0.0.1')
}
