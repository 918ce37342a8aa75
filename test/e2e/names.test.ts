import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import type { TLSSocket } from 'node:tls'
import { createTestAuthority } from '../support/authority.ts'
import { startDnsServer } from '../support/dns-server.ts'
import { RawClient } from '../support/raw-client.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = `
name: names
listeners: { web: { port: 0, host: 127.0.0.1 } }
log: { format: none }
dns: { servers: ['\${DNS}'] }
services:
  named: { url: 'https://orders.test:\${PORT}', tls: { ca: ca.pem } }
  named2: { url: 'https://orders.test:\${PORT}', http2: true, tls: { ca: ca.pem } }
  srv: { url: 'https+srv://_https._tcp.orders.test', tls: { ca: ca.pem } }
  foreign: { url: 'https://foreign.test:\${PORT}', tls: { ca: ca.pem } }
  foreign-srv: { url: 'https+srv://_https._tcp.foreign.test', tls: { ca: ca.pem } }
  told: { url: 'https://foreign.test:\${PORT}', tls: { ca: ca.pem, serverName: orders.test } }
defaults: { auth: public }
routes:
  - { name: named, match: { path: /named }, to: named }
  - { name: named2, match: { path: /named2 }, to: named2 }
  - { name: srv, match: { path: /srv }, to: srv }
  - { name: foreign, match: { path: /foreign }, to: foreign }
  - { name: foreign-srv, match: { path: /foreign-srv }, to: foreign-srv }
  - { name: told, match: { path: /told }, to: told }
`

test('a target known by name has to prove the name, at whatever address', { timeout: 60_000 }, async (t) => {
  const folder = workFolder(t)
  const authority = await createTestAuthority('ours')
  folder.write('ca.pem', authority.cert)
  const pair = await authority.issue('orders.test')
  const server = createSecureServer({ ...pair, allowHTTP1: true }, (req, res) => {
    const socket = (req.httpVersion === '2.0' ? req.stream.session?.socket : req.socket) as TLSSocket & { servername: string }
    res.end(`${req.httpVersion} ${socket.servername}`)
  })
  server.on('sessionError', () => {})
  // Not an address that the certificate is for.
  server.listen(0, '127.0.0.2')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const dns = await startDnsServer()
  t.after(() => {
    dns.close()
    server.close()
  })
  for (const name of ['orders.test', 'foreign.test', 'node-7.elsewhere.test']) dns.set(name, { a: ['127.0.0.2'] })
  for (const domain of ['orders.test', 'foreign.test']) {
    dns.set(`_https._tcp.${domain}`, { srv: [{ priority: 0, weight: 0, port, host: 'node-7.elsewhere.test' }] })
  }
  const velum = startVelum(t, ['run', '--config', folder.write('velum.yaml', config), '--workers', '1'], {
    folder: folder.path,
    env: { DNS: dns.address, PORT: String(port) },
  })
  const client = await RawClient.to(Number(new URL((await readyListeners(velum))['web']).port))
  t.after(() => client.close())
  const ask = async (path: string): Promise<string> => {
    client.send(`GET ${path} HTTP/1.1\r\nHost: api.example.com\r\n\r\n`)
    const answer = await client.answer()
    return answer?.status === 200 ? answer.content : String(answer?.status)
  }
  assert.equal(await ask('/named'), '1.1 orders.test')
  assert.equal(await ask('/named2'), '2.0 orders.test')
  // The DNS names a host; whom to trust is what the configuration asked for.
  assert.equal(await ask('/srv'), '1.1 orders.test')
  assert.equal(await ask('/foreign'), '503')
  assert.equal(await ask('/foreign-srv'), '503')
  assert.equal(await ask('/told'), '1.1 orders.test')
})
