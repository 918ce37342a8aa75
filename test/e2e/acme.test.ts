// A fleet of two on one store, and a real authority whose questions reach only the node that did not order.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect as connectTcp, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { noPebble, startPebble } from '../support/pebble.ts'
import { noRedis, startRedis } from '../support/redis-server.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'
import type { VelumProcess } from '../support/velum-process.ts'

const config = readFileSync(new URL('acme.yaml', import.meta.url), 'utf8')
const ordered = 'a certificate is ordered'

interface FleetNode {
  readonly velum: VelumProcess
  readonly listeners: Record<string, string>
  /** An answer of the admin API, as text. */
  admin(path: string): Promise<string>
}

test(
  'a fleet orders a certificate once, whichever node the authority asks, and every node serves it',
  { timeout: 60_000, skip: noPebble || noRedis },
  async (t) => {
    const redis = await startRedis()
    t.after(() => redis.stop())
    const folder = workFolder(t)
    const nodes: FleetNode[] = []
    // What port 80 is on a real machine: it leads to the node that did not order.
    // Whoever starts first orders at once: the authority waits until there is another node to ask.
    const complete = Promise.withResolvers<void>()
    const lead = async (client: Socket): Promise<void> => {
      client.on('error', () => client.destroy())
      await complete.promise
      const other = nodes.find(({ velum }) => !velum.log().some(({ msg }) => msg === ordered)) ?? nodes[0]
      const upstream = connectTcp(Number(new URL(other.listeners['plain']).port), '127.0.0.1')
      upstream.on('error', () => client.destroy())
      client.pipe(upstream).pipe(client)
    }
    const front = createServer((client) => void lead(client))
    front.listen(0, '127.0.0.1')
    await once(front, 'listening')
    t.after(() => front.close())
    const pebble = await startPebble(t, folder, (front.address() as AddressInfo).port)
    pebble.name('api.test')

    const start = async (nodeArgs: readonly string[] = []): Promise<FleetNode> => {
      const own = workFolder(t)
      own.write('velum.config.yaml', config)
      const token = 'an-admin-token-of-a-test-0123456789'
      const velum = startVelum(t, ['run', '--workers', '2'], {
        folder: own.path,
        nodeArgs,
        env: {
          DIRECTORY: pebble.directory,
          CA: pebble.caPath,
          REDIS: redis.url,
          SECRET: 'a secret that all nodes of this fleet share',
          VELUM_ADMIN_TOKEN: token,
        },
      })
      const listeners = await readyListeners(velum)
      const [, url] = await velum.printed(/"admin":"(http[^"]+)"/)
      return {
        velum,
        listeners,
        admin: async (path) => {
          const response = await fetch(new URL(path, url), { headers: { authorization: `Bearer ${token}` } })
          return response.text()
        },
      }
    }
    nodes.push(...(await Promise.all([start(), start()])))
    complete.resolve()

    // Challenges that nobody set go on to the redirect.
    const stranger = await fetch(new URL('/.well-known/acme-challenge/unknown', nodes[0].listeners['plain']), {
      redirect: 'manual',
    })
    assert.equal(stranger.status, 308)

    const root = await (async (): Promise<string> => {
      await Promise.any(nodes.map(({ velum }) => velum.printed(/a certificate was issued/)))
      return pebble.root()
    })()
    const handshake = async ({ listeners }: FleetNode): Promise<TLSSocket> => {
      const socket = connect({ host: '127.0.0.1', port: Number(new URL(listeners['api']).port), servername: 'api.test', ca: root })
      await once(socket, 'secureConnect')
      return socket
    }
    const fingerprints = new Set<string>()
    for (const node of nodes) {
      // The bus tells the other node; its first handshakes may come before.
      let socket: TLSSocket | undefined
      while (socket === undefined) socket = await handshake(node).catch(() => sleep(50, undefined))
      fingerprints.add(socket.getPeerCertificate().fingerprint256)
      socket.destroy()
    }
    assert.equal(fingerprints.size, 1)
    assert.equal(pebble.issued, 1)
    assert.equal(nodes.flatMap(({ velum }) => velum.log()).filter(({ msg }) => msg === ordered).length, 1)

    // What the store holds of it is sealed.
    const keys = redis
      .cli('--scan', '--pattern', '*acme-*')
      .split('\n')
      .filter((key) => key !== '')
    const kept = keys.map((key) => redis.cli('--raw', redis.cli('type', key).trim() === 'hash' ? 'hgetall' : 'get', key)).join('')
    assert.match(kept, /"sealed"/)
    assert.doesNotMatch(kept, /BEGIN|PRIVATE/)

    for (const node of nodes) {
      const { certificates } = JSON.parse(await node.admin('/api/certificates')) as {
        certificates: { source: string; notAfter: string; acme: { state: string; failures: number; nextOrder: string } }[]
      }
      assert.deepEqual(
        certificates.map(({ source, acme }) => [source, acme.state, acme.failures]),
        [['acme', 'issued', 0]],
      )
      const [{ notAfter, acme }] = certificates
      assert.ok(acme.nextOrder < notAfter)
      assert.match(
        await node.admin('/metrics'),
        /^velum_certificate_expiry_timestamp_seconds\{place="listeners.api",source="acme",name="api.test"\} \d+$/m,
      )
    }

    // A node whose clock is years ahead finds the certificate near its end and renews it. The others serve the new one, and
    // whoever is connected stays so.
    const lasting = await handshake(nodes[0])
    const ahead = new URL(`../support/skewed-clock.mjs?ms=${4 * 365 * 86_400_000}`, import.meta.url)
    nodes.push(await start(['--import', ahead.href]))
    let renewed: string
    do {
      const socket = await handshake(nodes[1])
      renewed = socket.getPeerCertificate().fingerprint256
      socket.destroy()
    } while (fingerprints.has(renewed))
    assert.equal(pebble.issued, 2)
    lasting.write('GET /hello HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n')
    assert.match(String(await once(lasting, 'data')), /^HTTP\/1\.1 200/)

    // The authority is gone: whoever starts now serves what the fleet has.
    await pebble.kill()
    const late = await start()
    const socket = await handshake(late)
    assert.equal(socket.getPeerCertificate().fingerprint256, renewed)
    socket.destroy()
    assert.ok(!late.velum.log().some(({ msg }) => msg === ordered), late.velum.err)
  },
)
