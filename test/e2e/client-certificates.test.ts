import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { Agent as SecureAgent, request as secureRequest } from 'node:https'
import { connect as connectHttp2 } from 'node:http2'
import { test } from 'node:test'
import { headersServiceOf } from '../support/http-service.ts'
import { createTestAuthority } from '../support/authority.ts'
import type { Pair } from '../support/authority.ts'
import { readyListeners, runCommand, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('client-certificates.yaml', import.meta.url), 'utf8')

interface Told {
  readonly status: number
  readonly seen: Record<string, string>
  readonly content: string
}

test('clients known by their certificates', async (t) => {
  const folder = workFolder(t)
  const servers = await createTestAuthority('Servers')
  const clients = await createTestAuthority('Clients')
  const partners = await createTestAuthority('Partners')
  const server = await servers.issue('gateway')
  folder.write('server.pem', server.cert)
  folder.write('server.key', server.key)
  folder.write('clients.pem', clients.cert)
  folder.write('partners.pem', partners.cert)
  folder.write('clients.crl', await clients.revocationList(['77']))
  folder.write('velum.config.yaml', config)
  const env = { UPSTREAM: await headersServiceOf(t), KEY_HASH: createHash('sha256').update('a key').digest('hex') }
  const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path, env })
  const listeners = await readyListeners(velum)

  const ask = (
    pair: Pair | undefined,
    path: string,
    more: { listener?: string; headers?: Record<string, string>; agent?: SecureAgent; method?: string } = {},
  ): Promise<Told> =>
    new Promise((resolve, reject) => {
      const { listener = 'api', headers = {}, agent, method = 'GET' } = more
      const outgoing = secureRequest(
        new URL(path, listeners[listener]),
        { ...pair, ca: servers.cert, headers, method, agent: agent ?? new SecureAgent({ maxCachedSessions: 0 }) },
        (response) => {
          let content = ''
          response.setEncoding('utf8')
          response.on('data', (chunk: string) => (content += chunk))
          response.on('end', () => {
            const seen = response.statusCode === 200 ? (JSON.parse(content) as Record<string, string>) : {}
            resolve({ status: response.statusCode!, seen, content })
          })
        },
      )
      outgoing.on('error', reject)
      outgoing.end()
    })

  const orders = await clients.issue('orders.internal', { uri: 'spiffe://example.org/orders', serial: '55' })

  await t.test('the service learns whom the configuration says that the certificate stands for', async () => {
    const { status, seen } = await ask(orders, '/orders')
    assert.equal(status, 200)
    assert.equal(seen['x-auth-subject'], 'orders-worker')
    assert.equal(seen['x-auth-tenant'], 'acme')
    assert.equal(seen['x-auth-client'], 'orders')
    assert.equal(seen['x-auth-scopes'], 'orders:read')
    assert.equal(seen['x-auth-roles'], 'worker')
  })

  await t.test('by a pattern the subject is the name that was found', async () => {
    const job = await ask(await clients.issue('x', { uri: 'spiffe://example.org/jobs/nightly' }), '/who')
    assert.equal(job.seen['x-auth-subject'], 'spiffe://example.org/jobs/nightly')
    assert.equal(job.seen['x-auth-client'], 'jobs')
    const host = await ask(await clients.issue('a.workers.internal'), '/who')
    assert.equal(host.seen['x-auth-subject'], 'a.workers.internal')
    assert.equal((await ask(await clients.issue('a.b.workers.internal'), '/who')).status, 401)
  })

  await t.test('no certificate and one that leads to nobody are 401; who holds too little is 403', async () => {
    assert.equal((await ask(undefined, '/orders')).status, 401)
    assert.equal((await ask(undefined, '/anybody')).status, 200)
    const stranger = await clients.issue('stranger')
    assert.equal((await ask(stranger, '/anybody')).status, 401)
    const { status, content } = await ask(stranger, '/orders')
    assert.equal(status, 401)
    assert.match(content, /invalid-credential/)
    assert.equal((await ask(await clients.issue('a.workers.internal'), '/orders')).status, 403)
  })

  await t.test('the certificate counts before an API key, whatever that is', async () => {
    const both = await ask(orders, '/who', { headers: { 'x-api-key': 'a key' } })
    assert.equal(both.seen['x-auth-client'], 'orders')
    const wrong = await ask(await clients.issue('stranger'), '/who', { headers: { 'x-api-key': 'a key' } })
    assert.equal(wrong.status, 401)
    assert.equal((await ask(undefined, '/who', { headers: { 'x-api-key': 'a key' } })).seen['x-auth-client'], 'keyed')
  })

  await t.test('each listener has its own authority, and names count only where they were given', async () => {
    const partner = await partners.issue('partner.example.com')
    assert.equal((await ask(partner, '/who', { listener: 'partners' })).seen['x-auth-tenant'], 'partner')
    const forger = await partners.issue('x', { uri: 'spiffe://example.org/orders' })
    assert.equal((await ask(forger, '/orders', { listener: 'partners' })).status, 401)
    await assert.rejects(ask(partner, '/who'))
    await assert.rejects(ask(undefined, '/who', { listener: 'partners' }))
    await assert.rejects(ask(orders, '/who', { listener: 'partners' }))
  })

  await t.test('expired and revoked certificates do not get in, also where certificates are optional', async () => {
    const expired = await clients.issue('a.workers.internal', { notAfter: new Date(Date.now() - 1000) })
    await assert.rejects(ask(expired, '/anybody'))
    const revoked = await clients.issue('a.workers.internal', { serial: '77' })
    await assert.rejects(ask(revoked, '/anybody'))
  })

  await t.test('over HTTP/2 it is the same', async () => {
    const session = connectHttp2(listeners['api'], { ...orders, ca: servers.cert })
    const stream = session.request({ ':path': '/orders' })
    const [head] = (await once(stream, 'response')) as [Record<string, unknown>]
    assert.equal(head[':status'], 200)
    stream.resume()
    await once(stream, 'end')
    session.close()
  })

  await t.test('a page of another site cannot act by the certificate of whoever visits it', async () => {
    const headers = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }
    assert.equal((await ask(orders, '/orders', { method: 'POST', headers })).status, 403)
    assert.equal((await ask(orders, '/orders', { method: 'POST' })).status, 200)
  })

  await t.test('an operator ends a client at once', async () => {
    const revoked = await runCommand(['token', 'revoke', '--client', 'hosts'], { folder: folder.path, env })
    assert.equal(revoked.code, 0, revoked.err)
    const holder = await clients.issue('b.workers.internal')
    for (;;) {
      const { status } = await ask(holder, '/who')
      if (status === 401) break
      assert.equal(status, 200)
    }
  })

  await t.test('a new revocation list is read without a reload and ends the connections of whom it names', async () => {
    const agent = new SecureAgent({ keepAlive: true })
    t.after(() => agent.destroy())
    assert.equal((await ask(orders, '/orders', { agent })).status, 200)
    const [socket] = Object.values(agent.freeSockets).flat()
    const closed = once(socket!, 'close')
    const other = await clients.issue('x', { uri: 'spiffe://example.org/jobs/daily', serial: '56' })
    folder.write('clients.crl', await clients.revocationList(['77', '55']))
    await closed
    await assert.rejects(ask(orders, '/orders'))
    assert.equal((await ask(other, '/who')).status, 200)
  })

  await t.test('a list that a reload names for the first time ends open connections too', async () => {
    const partner = await partners.issue('partner.example.com', { serial: '66' })
    const agent = new SecureAgent({ keepAlive: true })
    t.after(() => agent.destroy())
    assert.equal((await ask(partner, '/who', { listener: 'partners', agent })).status, 200)
    const [socket] = Object.values(agent.freeSockets).flat()
    const closed = once(socket!, 'close')
    folder.write('partners.crl', await partners.revocationList(['66']))
    folder.write('velum.config.yaml', config.replace('ca: partners.pem', 'ca: partners.pem, crl: partners.crl'))
    velum.kill('SIGHUP')
    await closed
    await assert.rejects(ask(partner, '/who', { listener: 'partners' }))
    const other = await partners.issue('partner.example.com', { serial: '67' })
    assert.equal((await ask(other, '/who', { listener: 'partners' })).status, 200)
  })

  await t.test('a list past its next update lets nobody of its authority in', async () => {
    const other = await clients.issue('x', { uri: 'spiffe://example.org/jobs/weekly' })
    folder.write('clients.crl', await clients.revocationList([], new Date(Date.now() - 1000)))
    await velum.printed(/past its next update/)
    for (;;) {
      const told = await ask(other, '/who').catch(() => undefined)
      if (told === undefined) break
      assert.equal(told.status, 200)
    }
    assert.equal((await ask(undefined, '/anybody')).status, 200)
  })
})
