import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { test } from 'node:test'
import type { Finding } from '../../src/config/finding.ts'
import { loadGateway, loadGateways } from '../../src/config/load.ts'
import type { LoadedFile, LoadResult } from '../../src/config/load.ts'

interface File {
  readonly folder: string
  readonly all: () => Promise<LoadedFile>
  readonly only: (name: string | undefined) => Promise<LoadResult>
}

function file(t: TestContext, name: string, text: string, env: NodeJS.ProcessEnv = {}): File {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'velum-several-')))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, name), text)
  const options = { folder, env, print: () => {} }
  return { folder, all: () => loadGateways(undefined, options), only: (only) => loadGateway(undefined, { ...options, only }) }
}

/** A gateway that answers by itself. */
function gateway(name: string, { port = 0, hosts, rest = {} }: { port?: number; hosts?: string[]; rest?: object } = {}): object {
  const match = hosts === undefined ? { path: '/**' } : { path: '/**', hosts }
  return {
    name,
    listeners: { plain: { port } },
    routes: [{ name: 'all', match, respond: { status: 200 }, auth: 'public' }],
    ...rest,
  }
}

function said(findings: readonly Finding[]): string[] {
  return findings.map(({ severity, gateway: of, path, message }) => `${severity} ${of ?? '-'} ${path}: ${message}`)
}

test('each gateway of a list is loaded for itself, with a folder of its own', async (t) => {
  const { folder, all, only } = file(t, 'velum.config.json', JSON.stringify([gateway('orders'), gateway('billing')]))
  const loaded = await all()
  assert.deepEqual(
    loaded.gateways.map(({ name, model, findings }) => [name, model?.name, model?.store, findings]),
    ['orders', 'billing'].map((name) => [name, name, { kind: 'embedded', path: join(folder, '.velum', name) }, []]),
  )
  const one = await only('billing')
  assert.equal(one.model?.hash, loaded.gateways[1].model?.hash)
  assert.deepEqual(one.findings, [])
})

test('a gateway that is at fault stops no other', async (t) => {
  const broken = gateway('billing', { rest: { listener: {}, secret: ['${BILLING_SECRET}'] } })
  const { all, only } = file(t, 'velum.config.json', JSON.stringify([gateway('orders'), broken]))
  const { gateways } = await all()
  assert.deepEqual(
    gateways.map(({ model, findings }) => [model?.name, said(findings)]),
    [
      ['orders', []],
      [undefined, ['error billing [1].secret[0]: the environment variable BILLING_SECRET is not set']],
    ],
  )
  assert.equal((await only('orders')).model?.name, 'orders')
  assert.deepEqual((await only('orders')).findings, [])
  assert.equal((await only('billing')).model, undefined)
})

test('findings and values of the environment are found at their place in the list', async (t) => {
  const text = `- name: orders
  listeners: { plain: { port: '\${PORT}' } }
  routes: [{ name: all, match: { path: /a }, respond: { status: 200 }, auth: public }]
- name: billing
  listeners: { plain: { port: '\${PORT}' } }
  routes: [{ name: all, match: { path: /b }, respond: { status: 2000 }, auth: public }]
`
  const { all } = file(t, 'velum.config.yaml', text, { PORT: '0' })
  const { gateways } = await all()
  assert.equal(gateways[0].model?.listeners[0].port, 0)
  const [finding] = gateways[1].findings
  assert.deepEqual(
    [finding.gateway, finding.path, finding.line, gateways[1].findings.length],
    ['billing', '[1].routes[0].respond.status', 6, 1],
  )
})

test('what is no data in one gateway of a module stops no other', async (t) => {
  const text = `import { definePlatform } from 'velum'
const platform = definePlatform({ floor: { auth: 'required' } })
const route = { name: 'all', match: { path: '/**' }, respond: { status: 200 } }
const listeners = { plain: { port: 0 } }
const identity = { apiKeys: { ci: { sha256: '${'ab'.repeat(32)}' } } }
export default [
  platform.gateway({ name: 'orders', listeners, identity, routes: [{ ...route, auth: { any: ['api-key'] } }] }),
  platform.gateway({ name: 'billing', listeners, routes: [{ ...route, auth: () => 'public' }] }),
  platform.gateway({ name: 'users', listeners, routes: [{ ...route, auth: 'public' }] }),
]
`
  const { all, only } = file(t, 'velum.config.ts', text)
  assert.deepEqual(
    (await all()).gateways.map(({ model, findings }) => [model?.name, said(findings)]),
    [
      ['orders', []],
      [undefined, ['error billing [1].routes[0].auth: a config is data: a function cannot stand in it']],
      [undefined, ['error users [2].routes[0].auth: everybody may call, and floor.auth asks every caller who they are']],
    ],
  )
  assert.equal((await only('orders')).model?.name, 'orders')
})

const claims: readonly [what: string, gateways: readonly object[], finding: string][] = [
  [
    'a host',
    [
      gateway('orders', { hosts: ['api.example.com'] }),
      gateway('billing', { port: 8443, hosts: ['pay.example.com', 'API.example.com'] }),
    ],
    'billing [1].routes[0].match.hosts[1]: the host API.example.com is claimed by gateway orders already',
  ],
  [
    'every host of a port',
    [gateway('orders', { port: 8443 }), gateway('billing', { port: 8443 })],
    'billing [1].listeners.plain.port: every host on port 8443 (by routes without match.hosts) is claimed by gateway orders already',
  ],
  [
    'a folder',
    [
      gateway('orders', { rest: { store: { kind: 'embedded', path: 'data' } } }),
      gateway('billing', { rest: { store: { kind: 'embedded', path: './data/' } } }),
    ],
    'billing [1].store.path: the folder ./data/ is used by gateway orders already',
  ],
]

for (const [what, gateways, finding] of claims) {
  test(`claimed twice is an error: ${what}; who stands first keeps it, and each still runs by itself`, async (t) => {
    const { all, only } = file(t, 'velum.config.json', JSON.stringify(gateways))
    const loaded = await all()
    assert.deepEqual(
      loaded.gateways.map(({ model, findings }) => [model?.name, said(findings)]),
      [
        ['orders', []],
        [undefined, [`error ${finding}`]],
      ],
    )
    for (const name of ['orders', 'billing']) {
      const one = await only(name)
      assert.equal(one.model?.name, name)
      assert.deepEqual(said(one.findings), [`warning ${finding}`])
    }
  })
}

test('gateways with hosts of their own may share the number of a port', async (t) => {
  const gateways = ['orders', 'billing'].map((name) => gateway(name, { port: 8443, hosts: [`${name}.example.com`] }))
  const { all } = file(t, 'velum.config.json', JSON.stringify(gateways))
  assert.deepEqual(
    (await all()).gateways.map(({ findings }) => findings),
    [[], []],
  )
})

const unnamed: readonly [what: string, gateways: unknown, only: string | undefined, finding: string][] = [
  ['none of several', [gateway('orders'), gateway('billing')], undefined, 'the file holds several gateways: orders, billing'],
  ['one that is not there', [gateway('orders'), gateway('billing')], 'order', 'there is no gateway named "order" in the file'],
  ['another than the only one', gateway('orders'), 'billing', 'there is no gateway named "billing" in the file'],
  ['two of one name', [gateway('orders'), gateway('orders')], 'orders', '2 gateways are named "orders"'],
  ['one of an empty list', [], 'orders', 'the file holds an empty list'],
]

for (const [what, gateways, name, message] of unnamed) {
  test(`refused: ${what}`, async (t) => {
    const { only } = file(t, 'velum.config.json', JSON.stringify(gateways))
    const { model, findings } = await only(name)
    assert.equal(model, undefined)
    assert.deepEqual(said(findings), [`error - : ${message}`])
  })
}

test('names are needed, and taken once', async (t) => {
  const { name: _, ...nameless } = gateway('x') as { name: string }
  const { all } = file(t, 'velum.config.json', JSON.stringify([gateway('orders'), gateway('orders'), nameless, null]))
  assert.deepEqual(
    (await all()).gateways.map(({ model, findings }) => [model?.name, said(findings)[0]]),
    [
      ['orders', undefined],
      [undefined, 'error orders [1].name: the name "orders" is taken by gateway orders already'],
      [undefined, 'error [2] [2].name: one of several gateways in a file needs a name'],
      [undefined, 'error [3] [3].name: one of several gateways in a file needs a name'],
    ],
  )
})

test('a list of one is that one', async (t) => {
  const { only } = file(t, 'velum.config.json', JSON.stringify([gateway('orders')]))
  assert.equal((await only(undefined)).model?.name, 'orders')
})
