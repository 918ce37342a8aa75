import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { shelfProto, startShelf } from '../support/shelf-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const known = 'query Known($t: String) { peek(input: { title: $t }) { title } }'
const id = `sha256:${createHash('sha256').update(known).digest('hex')}`

const config = `
listeners: { plain: { host: 127.0.0.1, port: 0 } }
log: { format: none }
services: { shelf: { url: '\${SHELF}', protos: '\${SHELF_PROTO}' } }
limits: { costs: { algorithm: fixed-window, limit: 80, window: 1h } }
defaults: { auth: public }
routes:
  - { name: graphql, match: { path: '/graphql' }, to: shelf, bridge: graphql }
  - { name: open, match: { path: '/open' }, to: shelf, bridge: { use: graphql, introspection: true } }
  - { name: few, match: { path: '/few' }, to: shelf, bridge: { use: graphql, limits: { bytes: 1kb, depth: 2, rootFields: 2 } } }
  - { name: cheap, match: { path: '/cheap' }, to: shelf, bridge: { use: graphql, limits: { cost: 40, listSize: 9 } } }
  - { name: only, match: { path: '/only' }, to: shelf, bridge: { use: graphql, persisted: { file: known.json, only: true } } }
  - { name: also, match: { path: '/also' }, to: shelf, bridge: { use: graphql, persisted: { file: known.json } } }
  - name: charged
    match: { path: '/charged' }
    to: shelf
    bridge: graphql
    limits: [{ use: costs, cost: { reserve: 1, settle: 'response-header:x-graphql-cost' } }]
`

interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly data: unknown
  readonly code: unknown
  readonly limit: unknown
  readonly message: string
}

const nested = (depth: number): string => `{ peek ${'{ author '.repeat(depth)} { name } ${'}'.repeat(depth)} }`

suite('hostile GraphQL is refused before anything is executed', { timeout: 120_000 }, () => {
  test('against a gateway', async (t) => {
    const folder = workFolder(t)
    const shelf = await startShelf(t)
    let calls = 0
    shelf.events.on('call', () => calls++)
    folder.write('velum.config.yaml', config)
    folder.write('known.json', JSON.stringify({ [id]: known, plain: '{ peek { title } }' }))
    const env = { SHELF: shelf.url, SHELF_PROTO: fileURLToPath(shelfProto) }
    const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
    const base = (await readyListeners(velum))['plain'].replace(/\/$/, '')

    async function post(content: unknown, path = '/graphql'): Promise<Reply> {
      const response = await fetch(`${base}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: typeof content === 'string' ? content : JSON.stringify(content),
      })
      const { data, errors } = (await response.json()) as {
        data?: unknown
        errors?: { message: string; extensions: Record<string, unknown> }[]
      }
      const [error] = errors ?? []
      return {
        status: response.status,
        headers: response.headers,
        data,
        code: error?.extensions['code'],
        limit: error?.extensions['limit'],
        message: error?.message ?? '',
      }
    }
    async function refused(query: string, limit: string | undefined, path?: string): Promise<void> {
      const before = calls
      const reply = await post({ query }, path)
      assert.equal(reply.data, undefined)
      if (limit === undefined) assert.equal(reply.code, 'GRAPHQL_VALIDATION_FAILED', reply.message)
      else assert.deepEqual([reply.code, reply.limit], ['OPERATION_LIMIT_EXCEEDED', limit], reply.message)
      assert.equal(calls, before)
    }

    await t.test('a request of ten megabytes', async () => {
      const big = await post({ query: '{ peek { title } }', variables: { x: 'y'.repeat(10_000_000) } }).catch(
        (error: unknown) => error,
      )
      // The gateway may hang up on who goes on sending.
      if (!(big instanceof Error)) assert.equal((big as Reply).status, 413)
      const plain = await post({ query: '{ peek { title } }', variables: { x: 'y'.repeat(200_000) } })
      assert.equal(plain.status, 413)
      assert.equal(plain.code, 'RESOURCE_EXHAUSTED')
      assert.equal((await post({ query: '{ peek { title } }', variables: { x: 'y'.repeat(2000) } }, '/few')).status, 413)
    })

    await t.test('more tokens, deeper, wider, under more names, with more directives than allowed', async () => {
      await refused(`{ peek { ${'title '.repeat(3000)} } }`, 'tokens')
      await refused(nested(500), 'depth')
      assert.equal((await post({ query: '{ a '.repeat(900) })).code, 'GRAPHQL_PARSE_FAILED')
      await refused(`{ peek { ${Array.from({ length: 31 }, (_, i) => `a${i}: title`).join(' ')} } }`, 'aliases')
      await refused(`{ peek { ${'title '.repeat(40)} } }`, 'aliases')
      await refused(`{ ${Array.from({ length: 21 }, (_, i) => `a${i}: peek { title }`).join(' ')} }`, 'rootFields')
      await refused(`{ peek { title ${'@include(if: true) '.repeat(31)} } }`, 'directives')
      await refused('{ peek { author { name } } }', 'depth', '/few')
      await refused('{ a: peek { title } b: peek { title } c: peek { title } }', 'rootFields', '/few')
    })

    await t.test('fragments inside of fragments, in a circle or growing like powers', async () => {
      await refused('{ peek { ...a } } fragment a on Book { ...b } fragment b on Book { ...a }', undefined)
      await refused('{ peek { ...a } } fragment a on Book { author { ...a } }', undefined)
      const bomb = Array.from({ length: 60 }, (_, i) => `fragment f${i} on Query { ...f${i + 1} ...f${i + 1} }`).join(' ')
      await refused(`{ ...f0 } ${bomb} fragment f60 on Query { peek { title } }`, 'rootFields')
      const inner = Array.from({ length: 40 }, (_, i) => `fragment f${i} on Book { x${i}: title ...f${i + 1} ...f${i + 1} }`).join(
        ' ',
      )
      await refused(`{ peek { ...f0 } } ${inner} fragment f40 on Book { title }`, 'aliases')
    })

    await t.test('costs that only multiply', async () => {
      await refused('{ a: peek { counts { key } author { name } } b: peek { counts { key } } }', 'cost', '/cheap')
      const cheaper = await post({ query: '{ a: peek { counts { key } } b: peek { counts { key } } }' }, '/cheap')
      assert.equal(cheaper.headers.get('x-graphql-cost'), '40')
      assert.equal(cheaper.code, undefined)
    })

    await t.test('names of JavaScript are names', async () => {
      const polluted = await post(
        '{"query":"query($b: BookInput) { echo(input: $b) { title } }","variables":{"b":{"__proto__":{"title":"x"}}}}',
      )
      assert.equal(polluted.data, undefined)
      assert.match(polluted.message, /__proto__/)
      const top = await post('{"query":"{ peek { title } }","variables":{"__proto__":{"title":"x"},"constructor":1}}')
      assert.deepEqual(top.data, { peek: { title: '' } })
      const named = await post(
        '{"query":"query($__proto__: String) { peek(input: { title: $__proto__ }) { title } }","variables":{"__proto__":"y"}}',
      )
      assert.deepEqual(named.data, { peek: { title: 'y' } })
      assert.equal((await post('{"query":"{ constructor { title } }"}')).code, 'GRAPHQL_VALIDATION_FAILED')
      assert.equal((await post({ query: '{ peek { title } }', documentId: '__proto__' })).code, 'PERSISTED_QUERY_NOT_FOUND')
      assert.equal((await post('{"query":"{ peek { title } }","query":"{ echo { title } }"}')).status, 400)
    })

    await t.test('a batch, and content nested without end', async () => {
      assert.equal((await post([{ query: '{ peek { title } }' }])).status, 400)
      assert.equal((await post(`{"query":"{ peek { title } }","variables":${'['.repeat(50_000)}`)).status, 400)
    })

    await t.test('the schema bit by bit', async () => {
      await refused('{ __schema { types { name } } }', undefined)
      await refused('{ __type(name: "Book") { name } }', undefined)
      const help = await post({ query: '{ peekk { title } }' })
      assert.doesNotMatch(help.message, /Did you mean/)
      assert.match((await post({ query: '{ peekk { title } }' }, '/open')).message, /Did you mean/)
      assert.deepEqual((await post({ query: '{ __typename }' })).data, { __typename: 'Query' })
    })

    await t.test('with only known documents, every other one', async () => {
      assert.deepEqual((await post({ documentId: id, variables: { t: 'x' } }, '/only')).data, { peek: { title: 'x' } })
      assert.deepEqual((await post({ documentId: 'plain' }, '/only')).data, { peek: { title: '' } })
      const extensions = { persistedQuery: { version: 1, sha256Hash: id.slice(7) } }
      assert.deepEqual((await post({ extensions, variables: { t: 'y' } }, '/only')).data, { peek: { title: 'y' } })
      assert.deepEqual((await post({ query: known, documentId: id }, '/only')).data, { peek: { title: '' } })
      assert.equal((await post({ query: '{ peek { pages } }', documentId: id }, '/only')).code, 'BAD_REQUEST')
      assert.equal((await post({ query: '{ peek { title } }' }, '/only')).code, 'PERSISTED_QUERY_ONLY')
      assert.equal((await post({ documentId: 'other' }, '/only')).code, 'PERSISTED_QUERY_NOT_FOUND')
      assert.deepEqual((await post({ query: '{ peek { title } }' }, '/also')).data, { peek: { title: '' } })
      const got = await fetch(`${base}/only?documentId=${id}&variables=${encodeURIComponent('{"t":"z"}')}`)
      assert.deepEqual(await got.json(), { data: { peek: { title: 'z' } } })
    })

    await t.test('what an operation costs is what a limit takes', async () => {
      const first = await post({ query: '{ a: peek { title } b: peek { counts { key } author { name } } }' }, '/charged')
      // Two calls, their two objects, ten entries, an author.
      assert.equal(first.headers.get('x-graphql-cost'), '33')
      assert.match(first.headers.get('ratelimit') ?? '', /r=/)
      assert.equal(
        (await post({ query: '{ a: peek { counts { key } } b: peek { title counts { key } } c: peek { title } }' }, '/charged'))
          .status,
        200,
      )
      const more = await post(
        { query: '{ a: peek { counts { key } } b: peek { title counts { key } } c: peek { title } }' },
        '/charged',
      )
      assert.equal(more.status, 429)
    })
  })
})
