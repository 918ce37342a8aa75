import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Asking, CacheAnswer } from '../support/cache-service.ts'
import { clientOf, startProgrammableService } from '../support/cache-service.ts'
import { noRedis, startRedis } from '../support/redis-server.ts'
import { startVelum, workFolder } from '../support/velum-process.ts'

const token = 'a-token-of-the-operator-of-the-fleet'
// Nothing but the cache needs the store here.
const config = `
name: kept
listeners: { web: { port: 0, host: 127.0.0.1 } }
admin: { port: 0 }
store: { kind: redis, url: '\${REDIS}' }
secret: ['a-secret-of-the-tests-that-is-long-enough']
log: { format: none }
services: { service: { url: '\${UPSTREAM}' } }
routes:
  - { name: kept, match: { path: /kept/** }, to: service, auth: public, cache: true }
`

interface Node {
  readonly ask: (path: string, asking?: Asking) => Promise<CacheAnswer>
  readonly purge: (what: object) => Promise<number>
}

async function startNode(t: TestContext, redis: string, upstream: string): Promise<Node> {
  const folder = workFolder(t)
  folder.write('velum.config.yaml', config)
  const env = { REDIS: redis, UPSTREAM: upstream, VELUM_ADMIN_TOKEN: token }
  const velum = startVelum(t, ['run', '--workers', '2'], { folder: folder.path, env })
  const [line] = await velum.printed(/^\{.*"msg":"the gateway is ready".*\}$/m)
  const ready = JSON.parse(line) as { listeners: { web: string }; admin: string }
  const admin = clientOf(t, ready.admin)
  return {
    ask: clientOf(t, ready.listeners.web),
    purge: async (what) => {
      const headers = { authorization: `Bearer ${token}` }
      return (await admin('/api/cache/purge', { method: 'POST', headers, body: JSON.stringify(what) })).status
    },
  }
}

/** Asks until `Cache-Status` tells this of the answer; gives how many milliseconds that took. */
async function untilTold(node: Node, path: string, told: RegExp): Promise<number> {
  const from = performance.now()
  for (let tries = 0; !told.test((await node.ask(path)).how); tries++) {
    assert.ok(tries < 2000, `${path} was never answered with ${String(told)}`)
    await sleep(2)
  }
  return performance.now() - from
}

test('a fleet whose configuration has nothing but cached routes purges everywhere', { skip: noRedis }, async (t) => {
  const redis = await startRedis()
  t.after(() => redis.stop())
  const service = await startProgrammableService(t)
  const [a, b] = await Promise.all([startNode(t, redis.url, service.url), startNode(t, redis.url, service.url)])
  const kept = (tag: string): string =>
    service.at('/kept', (asked, _incoming, response) =>
      response.writeHead(200, { 'cache-control': 'max-age=3600', 'cache-tag': tag }).end(String(asked)),
    )

  await t.test('what is purged by tag on one node is missed on the other within 100 ms', async () => {
    const took: number[] = []
    for (let round = 0; round < 5; round++) {
      const [path, other] = [kept(`round-${round}`), kept('other')]
      for (const node of [a, b]) {
        for (const one of [path, other]) await node.ask(one)
        assert.match((await node.ask(path)).how, /hit/)
      }
      assert.equal(await a.purge({ tag: `round-${round}` }), 204)
      took.push(await untilTold(b, path, /fwd=/))
      // A worker has heard, and so has everyone on the node that was told.
      assert.doesNotMatch((await a.ask(path)).how, /hit/)
      for (const node of [a, b]) assert.match((await node.ask(other)).how, /hit/)
    }
    // The best of some: this machine may be busy with anything.
    assert.ok(Math.min(...took) <= 100, `${took.map(Math.round).join(', ')} ms`)
  })

  await t.test('by URL, and softly: the other node asks whether its answer still holds', async () => {
    const path = service.at('/kept', (_asked, incoming, response) => {
      const isAsked = incoming.headers['if-none-match'] === '"v"'
      response.writeHead(isAsked ? 304 : 200, { 'cache-control': 'max-age=3600', etag: '"v"' }).end(isAsked ? undefined : 'body')
    })
    for (const node of [a, b]) await node.ask(path)
    assert.equal(await b.purge({ url: path, soft: true }), 204)
    await untilTold(a, path, /detail=revalidated/)
    assert.equal((await a.ask(path)).text, 'body')
  })
})
