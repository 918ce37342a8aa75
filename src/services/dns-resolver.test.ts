import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TestContext } from 'node:test'
import { startDnsServer } from '../../test/support/dns-server.ts'
import type { DnsServer } from '../../test/support/dns-server.ts'
import { createResolver } from './dns-resolver.ts'
import type { NameResolver } from './dns-resolver.ts'

async function world(t: TestContext): Promise<{ server: DnsServer; resolver: NameResolver }> {
  const server = await startDnsServer()
  const resolver = createResolver({ servers: [server.address], refreshMs: 1000, ipv6: undefined })
  t.after(() => {
    resolver.close()
    server.close()
  })
  return { server, resolver }
}

describe('a resolver with servers of its own', () => {
  it('asks them, and believes an answer for its TTL', async (t) => {
    const { server, resolver } = await world(t)
    server.set('orders.test', { a: ['127.0.0.2', '127.0.0.3'] })
    const { records, ttlMs } = await resolver.addresses('orders.test')
    assert.deepEqual([...records].sort(), ['127.0.0.2', '127.0.0.3'])
    assert.equal(ttlMs, 0)
  })

  const failures = [
    ['no-such-name', 'ENOTFOUND'],
    [{}, 'ENODATA'],
    ['fails', 'ESERVFAIL'],
  ] as const
  for (const [saying, code] of failures) {
    it(`rejects with ${code}`, async (t) => {
      const { server, resolver } = await world(t)
      server.set('orders.test', saying)
      await assert.rejects(resolver.addresses('orders.test'), { code })
      await assert.rejects(resolver.services('orders.test'), { code })
    })
  }

  it('reads SRV records, and takes a lone "." for nothing', async (t) => {
    const { server, resolver } = await world(t)
    server.set('_http._tcp.orders.test', { srv: [{ priority: 1, weight: 2, port: 8001, host: 'A.orders.test' }] })
    const { records } = await resolver.services('_http._tcp.orders.test')
    assert.deepEqual(records, [{ host: 'a.orders.test', port: 8001, priority: 1, weight: 2 }])
    server.set('_http._tcp.none.test', { srv: [{ priority: 0, weight: 0, port: 0, host: '' }] })
    await assert.rejects(resolver.services('_http._tcp.none.test'), { code: 'ENODATA' })
  })
})

describe('a resolver without servers', () => {
  it('knows what the machine knows', async (t) => {
    const resolver = createResolver({ servers: [], refreshMs: 1000, ipv6: false })
    t.after(() => resolver.close())
    assert.deepEqual(await resolver.addresses('localhost'), { records: ['127.0.0.1'], ttlMs: Infinity })
  })

  it('asks nobody for an address', async (t) => {
    const resolver = createResolver({ servers: ['127.0.0.1:9'], refreshMs: 1000, ipv6: false })
    t.after(() => resolver.close())
    assert.deepEqual(await resolver.addresses('10.1.2.3'), { records: ['10.1.2.3'], ttlMs: Infinity })
  })
})
