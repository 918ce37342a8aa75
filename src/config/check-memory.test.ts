import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { checkGateway } from './check.ts'
import { CheckMemory } from './check-memory.ts'
import type { ConfigSource } from './finding.ts'
import { loadGateway } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'velum-memory-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** Ways to write the route at `i`, faulty ones among them. */
const writings: readonly ((i: number) => unknown)[] = [
  (i) => ({ name: `r${i}`, match: { path: `/r/${i}` }, respond: { status: 200 } }),
  (i) => ({ name: `r${i}`, match: { path: `/r/${i}` }, respond: { status: 204 } }),
  (i) => ({ name: `r${i}`, match: { path: `/r/${i}/{id}` }, to: 'orders' }),
  (i) => ({ name: `r${i}`, match: { path: `/r/${i}` }, to: 'order', limits: ['tight'] }),
  (i) => ({ name: `r${i}`, match: { path: '/r/{x}' }, to: 'orders', limits: ['tight'] }),
  (i) => ({ name: 'r0', match: { path: `/r/${i}`, methods: ['GET'] }, respond: { status: 200, body: 'x' } }),
  (i) => ({ name: `r${i}`, match: { path: `/r/${i}` }, to: [{ service: 'orders', weight: 0 }], auth: { any: ['api-key'] } }),
  (i) => ({
    name: `r${i}`,
    match: { path: `/r/${i}` },
    to: 'orders',
    body: { schema: { type: i % 2 === 0 ? 'object' : 'nonsense' } },
  }),
  (i) => ({ name: `r${i}`, match: { path: `/r/${i}` }, to: 'orders', split: 'subject', nonsense: 1 }),
  () => 'no route',
]
const defaults = [
  { auth: 'public' },
  { auth: 'public', timeout: '3s' },
  { auth: 'public', limits: ['tight'] },
  { auth: 'nonsense' },
]
const bucket = { algorithm: 'token-bucket', per: ['address'], refill: '1/s' }
const limits = [{ tight: { ...bucket, capacity: 10 } }, { tight: { ...bucket, capacity: 20 } }, {}]

const configurations = fc
  .record({
    routes: fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(writings.length - 1)), {
      minLength: 3,
      maxLength: 5,
    }),
    defaults: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(defaults.length - 1)),
    limits: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(limits.length - 1)),
  })
  .map((chosen) => ({
    listeners: { plain: { port: 8080 } },
    services: { orders: { url: 'http://127.0.0.1:1' } },
    limits: limits[chosen.limits],
    defaults: defaults[chosen.defaults],
    routes: chosen.routes.map((way, i) => writings[way](i)),
  }))

test('one configuration after the other comes to what it would come to alone, findings and their order included', () => {
  let reused = 0
  fc.assert(
    fc.property(fc.array(configurations, { minLength: 2, maxLength: 5 }), (inputs) => {
      const memory = new CheckMemory()
      const source: ConfigSource = { file: '/etc/velum/velum.config.json' }
      for (const input of inputs) {
        const before = new Set(memory.routes.flatMap((known) => (known === undefined ? [] : [known.model])))
        const alone = checkGateway(structuredClone(input), source)
        const again = checkGateway(structuredClone(input), source, { memory })
        assert.deepEqual(again, alone)
        reused += again.model?.routes.filter((route) => before.has(route)).length ?? 0
      }
    }),
    { numRuns: 60 },
  )
  assert.ok(reused > 20, `only ${reused} routes were known`)
})

test('what files and the environment say is looked at each time', async () => {
  const file = join(folder, 'velum.json')
  const list = join(folder, 'list.txt')
  const route = { name: 'a', match: { path: '/a' }, respond: { status: 200 }, auth: 'public' }
  const routes = [
    { ...route, addresses: { denyFiles: ['list.txt'] } },
    { ...route, name: 'b', match: { path: '/b' }, timeout: '${FOR}' },
  ]
  writeFileSync(file, JSON.stringify({ listeners: { plain: { port: 8080 } }, routes }))
  const memory = new CheckMemory()
  const load = (FOR: string) => loadGateway(file, { env: { FOR }, memory })
  writeFileSync(list, '192.0.2.1\n')
  const first = await load('1s')
  const second = await load('2s')
  assert.deepEqual(
    [first, second].map(({ model }) => model?.routes[1].timeoutMs),
    [1000, 2000],
  )
  writeFileSync(list, 'nonsense\n')
  assert.match((await load('2s')).findings[0].message, /line 1/)
  assert.deepEqual(
    (await load('2x')).findings.map(({ path }) => path),
    ['routes[0].addresses.denyFiles[0]', 'routes[1].timeout'],
  )
})
