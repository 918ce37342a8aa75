import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { suite, test } from 'node:test'
import { buildSchema, graphql } from 'graphql'
import { WebSocket as Peer } from 'ws'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = `
listeners: { plain: { host: 127.0.0.1, port: 0 } }
log: { format: none }
services: { shop: { url: '\${SHOP}' } }
limits: { costs: { algorithm: fixed-window, limit: 100, window: 1h } }
defaults: { auth: public }
routes:
  - { name: shop, match: { path: '/graphql' }, to: shop, graphql: true }
  - { name: open, match: { path: '/open' }, to: shop, rewrite: { path: /graphql }, graphql: { introspection: true, statusCodes: '2026', limits: { cost: 60, bytes: 2kb } } }
  - name: charged
    match: { path: '/charged' }
    to: shop
    rewrite: { path: /graphql }
    graphql: true
    limits: [{ use: costs, cost: { reserve: 1, settle: 'response-header:x-graphql-cost' } }]
`

const schema = buildSchema(`
  type Query { items(first: Int): [Item!]! hello(name: String): String }
  type Mutation { add(name: String): Item }
  type Item { name: String related(first: Int): [Item!]! }
`)
const item = { name: 'x', related: () => [] }
const rootValue = { items: () => [item], hello: ({ name }: { name: string }) => `hello ${name}`, add: () => item }

suite('limits before a service that speaks GraphQL itself', { timeout: 120_000 }, () => {
  test('a gateway in front of a server of graphql-js', async (t) => {
    let asked = 0
    const bodies: string[] = []
    const answer = async (request: IncomingMessage): Promise<object> => {
      const content = await text(request)
      bodies.push(content)
      const { searchParams } = new URL(request.url!, 'http://service')
      const isGet = request.method === 'GET'
      const { query: source, variables } = isGet ? { query: searchParams.get('query')!, variables: {} } : JSON.parse(content)
      return graphql({ schema, rootValue, source, variableValues: variables })
    }
    const server = createServer((request, response) => {
      asked++
      response.setHeader('content-type', 'application/json')
      void answer(request).then((result) => response.end(JSON.stringify(result)))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    const folder = workFolder(t)
    folder.write('velum.config.yaml', config)
    const env = { SHOP: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
    const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
    const base = (await readyListeners(velum))['plain'].replace(/\/$/, '')

    interface Reply {
      readonly status: number
      readonly cost: string | null
      readonly data: unknown
      readonly code: unknown
      readonly limit: unknown
    }
    const send = async (path: string, init: RequestInit = {}): Promise<Reply> => {
      const response = await fetch(`${base}${path}`, init)
      const body = (await response.json()) as { data?: unknown; errors?: { extensions?: { code?: string; limit?: string } }[] }
      const { code, limit } = body.errors?.[0].extensions ?? {}
      return { status: response.status, cost: response.headers.get('x-graphql-cost'), data: body.data, code, limit }
    }
    const post = (content: unknown, path = '/graphql', headers: Record<string, string> = {}): Promise<Reply> =>
      send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof content === 'string' ? content : JSON.stringify(content),
      })

    await t.test('what is allowed goes on byte for byte, with its cost told', async () => {
      const content =
        '{ "query": "query($n: Int) { items(first: $n) { name related(first: 2) { name } } }", "variables": {"n": 3} }'
      const { status, data, cost } = await post(content)
      assert.deepEqual([status, data, cost], [200, { items: [{ name: 'x', related: [] }] }, '19'])
      assert.equal(bodies.at(-1), content)
      const got = await send(`/graphql?query=${encodeURIComponent('{ hello(name: "ü") }')}`)
      assert.deepEqual([got.data, got.cost], [{ hello: 'hello ü' }, '10'])
      assert.deepEqual((await post({ query: 'mutation { add { name } }' })).data, { add: { name: 'x' } })
    })

    await t.test('what is not never gets there', async () => {
      const before = asked
      const deep = await post({ query: `{ items ${'{ related '.repeat(20)} { name } ${'}'.repeat(20)} }` })
      assert.deepEqual([deep.code, deep.limit], ['OPERATION_LIMIT_EXCEEDED', 'depth'])
      assert.equal(
        (await post({ query: '{ items { ...a } } fragment a on Item { related { ...a } }' })).code,
        'GRAPHQL_VALIDATION_FAILED',
      )
      assert.equal((await post({ query: '{ __schema { types { name } } }' })).code, 'GRAPHQL_VALIDATION_FAILED')
      assert.equal((await post({ query: '{' })).code, 'GRAPHQL_PARSE_FAILED')
      const wide = await post({ query: '{ items(first: 1000000) { related(first: 1000000) { name } } }' })
      assert.deepEqual([wide.code, wide.limit], ['OPERATION_LIMIT_EXCEEDED', 'cost'])
      const hidden = await post({ query: '{ items(first: 1, last: 1000000) { name } }' })
      assert.equal(hidden.limit, 'cost')
      const dear = await post({ query: 'query($n: Int = 51) { items(first: $n) { name } }' }, '/open')
      assert.deepEqual([dear.status, dear.limit], [200, 'cost'])
      assert.equal((await post({ query: '{' }, '/open', { accept: 'application/graphql-response+json' })).status, 422)
      assert.equal((await post([{ query: '{ hello }' }])).status, 400)
      assert.equal((await post('{"query":"{ hello }","query":"{ items { name } }"}')).status, 400)
      assert.equal((await post({ query: '{ hello }', x: 'y'.repeat(3000) }, '/open')).status, 413)
      assert.equal((await post('{ hello }', '/graphql', { 'content-type': 'application/graphql' })).status, 415)
      assert.equal((await post('{}', '/graphql', { 'content-type': 'application/grpc' })).status, 415)
      assert.equal((await send(`/graphql?query=${encodeURIComponent('mutation { add { name } }')}`)).status, 405)
      const socket = new Peer(`${base.replace('http', 'ws')}/graphql`, ['graphql-transport-ws'])
      socket.on('error', () => {})
      const [, response] = (await once(socket, 'unexpected-response')) as [unknown, { statusCode: number }]
      assert.equal(response.statusCode, 501)
      assert.equal(asked, before)
      assert.notEqual((await post({ query: '{ __schema { queryType { name } } }' }, '/open')).data, undefined)
    })

    await t.test('the cost is what a limit takes', async () => {
      const query = '{ items(first: 60) { name } }'
      assert.equal((await post({ query }, '/charged')).cost, '70')
      assert.equal((await post({ query }, '/charged')).status, 200)
      const over = await post({ query }, '/charged')
      assert.deepEqual([over.status, over.code], [429, 'RESOURCE_EXHAUSTED'])
    })
  })
})
