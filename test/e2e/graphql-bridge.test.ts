import assert from 'node:assert/strict'
import { once } from 'node:events'
import { suite, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { shelfProto, startShelf } from '../support/shelf-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = `
listeners: { plain: { host: 127.0.0.1, port: 0 } }
log: { format: none }
services:
  shelf: { url: '\${SHELF}', protos: '\${SHELF_PROTO}', maxMessage: 1mb }
  tried: { targets: [{ url: '\${SHELF}' }, { url: '\${OTHER}' }], protos: '\${SHELF_PROTO}', retries: { attempts: 3, budget: 1 } }
identity: { apiKeys: { worker: { sha256: '${'0'.repeat(64)}' } } }
limits: { few: { algorithm: fixed-window, limit: 1, window: 1h, per: [address] } }
defaults: { auth: public }
routes:
  - { name: graphql, match: { path: '/graphql' }, to: shelf, bridge: graphql }
  - name: new
    match: { path: '/new' }
    to: shelf
    bridge:
      use: graphql
      introspection: true
      statusCodes: '2026'
      methods: { shelf.v1.Shelf.Update: { as: query, name: change }, shelf.v1.Shelf.Download: { as: none } }
  - { name: both, match: { path: ['/both/graphql', '/v1/**'] }, to: shelf, bridge: [rest, graphql, connect] }
  - { name: tried, match: { path: '/tried' }, to: tried, bridge: { use: graphql, methods: { shelf.v1.Shelf.Fail: { as: mutation } } } }
  - { name: asked, match: { path: '/asked' }, to: tried, bridge: graphql }
  - { name: closed, match: { path: '/closed' }, to: shelf, bridge: graphql, auth: { any: [api-key] } }
  - { name: few, match: { path: '/few' }, to: shelf, bridge: graphql, limits: [few] }
`

interface Reply {
  readonly status: number
  readonly headers: Headers
  readonly data: Record<string, unknown> | null | undefined
  readonly errors: { message: string; path?: string[]; extensions: Record<string, unknown> }[] | undefined
  readonly text: string
}

const accept = (type: string): Record<string, string> => ({ accept: type })

suite('GraphQL in front of gRPC', { timeout: 120_000 }, () => {
  test('a gateway with the bridge graphql', async (t) => {
    const folder = workFolder(t)
    const shelf = await startShelf(t)
    folder.write('velum.config.yaml', config)
    const other = await startShelf(t)
    const env = { SHELF: shelf.url, OTHER: other.url, SHELF_PROTO: fileURLToPath(shelfProto) }
    const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path, env })
    const base = (await readyListeners(velum))['plain'].replace(/\/$/, '')

    async function send(path: string, init: RequestInit): Promise<Reply> {
      const response = await fetch(`${base}${path}`, init)
      const text = await response.text()
      const body = text === '' ? {} : JSON.parse(text)
      return { status: response.status, headers: response.headers, data: body.data, errors: body.errors, text }
    }
    const post = (content: unknown, path = '/graphql', headers: Record<string, string> = {}): Promise<Reply> =>
      send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof content === 'string' ? content : JSON.stringify(content),
      })
    const newType = accept('application/graphql-response+json')

    await t.test('a message comes back with every kind of field', async () => {
      const query = `
        query Whole($book: BookInput) {
          echo(input: $book) {
            name title pages isLent kind tags years cover price printed copies notes extra room floor mask
            author { name born }
            counts { key value }
          }
        }`
      const book = {
        name: 'shelves/1/books/2',
        title: 'Ünter',
        pages: '9223372036854775807',
        kind: 'KIND_NOVEL',
        tags: ['a', 'b'],
        years: [1999, -1],
        author: { name: 'X', born: 1900 },
        cover: 'AAEC',
        price: 1.5,
        printed: '2026-11-24T10:00:00.123456789Z',
        copies: '0',
        notes: { deep: [1, null, { x: 'y' }] },
        extra: { '@type': 'type.googleapis.com/shelf.v1.Author', name: 'any' },
        counts: [
          { key: 'x', value: '9007199254740993' },
          { key: '__proto__', value: 1 },
        ],
        place: { floor: 4294967295 },
        mask: 'title,author.name',
      }
      const { status, data, errors } = await post({ query, variables: { book } })
      assert.equal(status, 200)
      assert.equal(errors, undefined)
      assert.deepEqual(data!['echo'], {
        ...Object.fromEntries(Object.entries(book).filter(([name]) => name !== 'place')),
        isLent: false,
        counts: [
          { key: 'x', value: '9007199254740993' },
          { key: '__proto__', value: '1' },
        ],
        room: null,
        floor: 4294967295,
      })
    })

    await t.test('what is not set is empty, its default or null', async () => {
      const { data } = await post({
        query: '{ peek { title pages tags counts { key } author { name } copies room printed notes kind } }',
      })
      assert.deepEqual(data!['peek'], {
        title: '',
        pages: '0',
        tags: [],
        counts: [],
        author: null,
        copies: null,
        room: null,
        printed: null,
        notes: null,
        kind: 'KIND_UNSPECIFIED',
      })
    })

    await t.test('no digit of an integer is lost, whether in a variable, a literal or quoted', async () => {
      const query =
        'query($pages: Int64) { a: echo(input: { pages: $pages }) { pages } b: echo(input: { pages: 9007199254740993 }) { pages } }'
      const { data } = await post(`{"query":${JSON.stringify(query)},"variables":{"pages":9007199254740993}}`)
      assert.deepEqual(data, { a: { pages: '9007199254740993' }, b: { pages: '9007199254740993' } })
      const beyond = await post({ query, variables: { pages: '9223372036854775808' } })
      assert.equal(beyond.data, undefined)
      assert.match(beyond.errors![0].message, /must be an integer from -9223372036854775808 to 9223372036854775807/)
    })

    await t.test('identical queries of an operation are one call; others are not', async () => {
      const seen: string[] = []
      const listen = (path: string): void => void seen.push(path)
      shelf.events.on('call', listen)
      const query =
        '{ a: peek(input: { title: "x" }) { title } b: peek(input: { title: "x" }) { pages title } c: peek(input: { title: "y" }) { title } }'
      const { data } = await post({ query })
      shelf.events.off('call', listen)
      assert.deepEqual(data, { a: { title: 'x' }, b: { pages: '0', title: 'x' }, c: { title: 'y' } })
      assert.equal(seen.length, 2)
    })

    /** How many calls reach the services while something is done. */
    async function callsOf(work: () => Promise<unknown>): Promise<number> {
      let count = 0
      const listen = (): void => void count++
      for (const service of [shelf, other]) service.events.on('call', listen)
      await work()
      for (const service of [shelf, other]) service.events.off('call', listen)
      return count
    }

    await t.test('mutations are carried out one after the other, each of them', async () => {
      const query =
        'mutation { a: update(input: { book: { title: "x" } }) { book { title } } b: update(input: { book: { title: "x" } }) { book { title } } }'
      const count = await callsOf(async () => {
        assert.deepEqual((await post({ query })).data, { a: { book: { title: 'x' } }, b: { book: { title: 'x' } } })
      })
      assert.equal(count, 2)
    })

    await t.test('a query that a service cannot answer is tried at another target; a mutation is never sent twice', async () => {
      const field = 'fail(input: { title: "unavailable" }) { title }'
      const asked = await callsOf(() => post({ query: `{ ${field} }` }, '/asked'))
      const changed = await callsOf(() => post({ query: `mutation { ${field} }` }, '/tried'))
      assert.deepEqual([asked > 1, changed], [true, 1])
    })

    await t.test("the service's errors are errors of their field, with their code and details, and others stand", async () => {
      const query =
        '{ good: peek(input: { title: "x" }) { title } bad: fail(input: { title: "words" }) { title } slow: fail(input: { title: "retry" }) { title } }'
      const { status, data, errors } = await post({ query })
      assert.equal(status, 200)
      assert.deepEqual(data, { good: { title: 'x' }, bad: null, slow: null })
      const bad = errors!.find(({ path }) => path![0] === 'bad')!
      assert.equal(bad.message, 'no büch 100%')
      assert.equal(bad.extensions['code'], 'NOT_FOUND')
      const slow = errors!.find(({ path }) => path![0] === 'slow')!
      assert.equal(slow.extensions['code'], 'RESOURCE_EXHAUSTED')
      assert.equal(slow.extensions['retryAfter'], 3)
      assert.equal((slow.extensions['details'] as unknown[]).length, 2)
    })

    await t.test('whatever breaks at the service has the code of the table, and tells nothing of the inside', async () => {
      const cases: Record<string, string> = {
        nonsense: 'UNKNOWN',
        http503: 'UNAVAILABLE',
        nostatus: 'UNKNOWN',
        none: 'INTERNAL',
        reset: 'UNAVAILABLE',
        flag: 'UNAVAILABLE',
        two: 'UNAVAILABLE',
        bomb: 'RESOURCE_EXHAUSTED',
      }
      for (const [title, code] of Object.entries(cases)) {
        const { status, data, errors } = await post({ query: `{ fail(input: { title: "${title}" }) { title } }` })
        assert.equal(status, 200, title)
        assert.deepEqual(data, { fail: null }, title)
        assert.equal(errors![0].extensions['code'], code, title)
        assert.ok(!JSON.stringify(errors).includes('127.0.0.1'), title)
      }
    })

    await t.test('an input that does not fit says where', async () => {
      const { data, errors } = await post({ query: '{ echo(input: { printed: "yesterday" }) { title } }' })
      assert.deepEqual(data, { echo: null })
      assert.equal(errors![0].extensions['code'], 'INVALID_ARGUMENT')
      assert.match(errors![0].message, /^printed: must be a time/)
      const two = await post({ query: '{ echo(input: { place: { room: "a", floor: 1 } }) { title } }' })
      assert.equal(two.data, undefined)
      assert.equal(two.errors![0].extensions['code'], 'GRAPHQL_VALIDATION_FAILED')
    })

    await t.test('a key of a map that stands there twice is refused', async () => {
      const { errors } = await post({
        query: '{ echo(input: { counts: [{ key: "x", value: 1 }, { key: "x", value: 2 }] }) { title } }',
      })
      assert.deepEqual(
        [errors![0].extensions['code'], errors![0].message],
        ['INVALID_ARGUMENT', 'counts: the key "x" stands there twice'],
      )
    })

    await t.test('queries come by GET too; nothing else does', async () => {
      const got = await send(
        `/graphql?query=${encodeURIComponent('query($t: String) { peek(input: { title: $t }) { title } }')}&variables=${encodeURIComponent('{"t":"ü"}')}`,
        {},
      )
      assert.deepEqual(got.data, { peek: { title: 'ü' } })
      const mutation = await send(`/graphql?query=${encodeURIComponent('mutation { update { book { title } } }')}`, {})
      assert.equal(mutation.status, 405)
      assert.equal(mutation.headers.get('allow'), 'POST')
      assert.equal(mutation.errors!.length, 1)
      assert.equal((await send('/graphql', { method: 'PUT', body: '{}' })).status, 405)
      assert.equal((await send('/graphql?query=%7Bpeek%7Btitle%7D%7D&query=%7Bpeek%7Btitle%7D%7D', {})).status, 400)
    })

    await t.test('statuses of 2025 and of 2026, by what is accepted', async () => {
      const partial = { query: '{ a: peek { title } b: fail(input: { title: "words" }) { title } }' }
      const invalid = { query: '{ nothing }' }
      assert.equal((await post(invalid)).status, 200)
      assert.equal((await post(invalid, '/graphql', newType)).status, 400)
      assert.equal((await post({ query: '{' }, '/graphql', newType)).status, 400)
      assert.equal((await post(partial, '/graphql', newType)).status, 200)
      assert.equal((await post(invalid, '/new')).status, 422)
      assert.equal((await post({ query: '{' }, '/new')).status, 422)
      assert.equal((await post({ query: 'query($a: Int!) { __typename }' }, '/new')).status, 422)
      const both = await post(partial, '/new')
      assert.equal(both.status, 294)
      assert.match(both.headers.get('content-type')!, /^application\/graphql-response\+json/)
      assert.equal(both.headers.get('cache-control'), 'no-store')
      assert.equal((await post(partial, '/new', accept('application/json'))).status, 200)
      assert.equal((await post(partial, '/graphql', accept('text/html'))).status, 406)
      assert.equal((await post('{', '/graphql')).status, 400)
      assert.equal((await post('[{"query":"{__typename}"}]', '/graphql')).status, 400)
      assert.equal((await post({ query: '{ __typename }' }, '/graphql', { 'content-type': 'text/plain' })).status, 415)
    })

    await t.test('the schema is told only where that is switched on', async () => {
      const query = '{ __schema { queryType { fields { name } } mutationType { name } } }'
      const closed = await post({ query })
      assert.equal(closed.data, undefined)
      assert.equal(closed.errors![0].extensions['code'], 'GRAPHQL_VALIDATION_FAILED')
      assert.ok(!(await post({ query: '{ pee { title } }' })).text.includes('peek'))
      const open = await post({ query }, '/new')
      const fields = (open.data!['__schema'] as { queryType: { fields: { name: string }[] } }).queryType.fields.map(
        ({ name }) => name,
      )
      assert.deepEqual(fields, ['echo', 'change', 'fail', 'peek'])
    })

    await t.test('beside REST it takes what ends with /graphql', async () => {
      assert.deepEqual((await post({ query: '{ peek { title } }' }, '/both/graphql')).data, { peek: { title: '' } })
      const rest = await fetch(`${base}/v1/titles/x:peek`)
      assert.deepEqual(await rest.json(), { title: 'x' })
    })

    await t.test('refusals of the gateway are errors of GraphQL with the status of HTTP', async () => {
      const closed = await post({ query: '{ peek { title } }' }, '/closed')
      assert.equal(closed.status, 401)
      assert.ok(closed.headers.has('www-authenticate'))
      assert.equal(closed.errors![0].extensions['code'], 'UNAUTHENTICATED')
      assert.equal((await post({ query: '{ peek { title } }' }, '/few')).status, 200)
      const few = await post({ query: '{ peek { title } }' }, '/few', newType)
      assert.equal(few.status, 429)
      assert.match(few.headers.get('content-type')!, /^application\/graphql-response\+json/)
      assert.equal(few.errors![0].extensions['code'], 'RESOURCE_EXHAUSTED')
      assert.equal(few.errors![0].extensions['policy'], 'few')
      assert.ok(Number(few.errors![0].extensions['retryAfter']) > 0)
    })

    /** The events of a stream until it ends: name and data. */
    async function events(query: string, init: RequestInit = {}): Promise<[string, unknown][]> {
      const response = await fetch(`${base}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify({ query }),
        ...init,
      })
      assert.equal(response.status, 200)
      assert.match(response.headers.get('content-type')!, /^text\/event-stream/)
      const parts = (await response.text()).split('\n\n').slice(0, -1)
      return parts.map((part) => {
        const [, event, data] = /^event: (\w+)\ndata:(.*)$/.exec(part)!
        return [event, data === '' ? undefined : JSON.parse(data)]
      })
    }

    await t.test('a method that streams is a subscription, which comes as events', async () => {
      const query = 'subscription { failLate(input: { title: "fine" }) { title } }'
      const book = { data: { failLate: { title: 'fine' } } }
      const all = [
        ['next', book],
        ['next', book],
        ['complete', undefined],
      ]
      assert.deepEqual(await events(query), all)
      const got = await fetch(`${base}/graphql?query=${encodeURIComponent(query)}`, { headers: { accept: 'text/event-stream' } })
      assert.equal((await got.text()).split('event: next').length, 3)
      const query2 = '{ peek(input: { title: "x" }) { title } }'
      assert.deepEqual(await events(query2), [
        ['next', { data: { peek: { title: 'x' } } }],
        ['complete', undefined],
      ])
      assert.equal((await post({ query })).status, 406)
      const both = await post({ query: query2 }, '/graphql', accept('application/json, text/event-stream'))
      assert.deepEqual(both.data, { peek: { title: 'x' } })
    })

    await t.test('a stream that breaks says so before its end, whoever broke it', async () => {
      const aborted = await events('subscription { failLate(input: { title: "aborted" }) { title } }')
      assert.equal(aborted.length, 4)
      assert.deepEqual(aborted[2], ['next', { errors: [{ message: 'went away', extensions: { code: 'ABORTED' } }] }])
      const reset = await events('subscription { failLate(input: { title: "reset" }) { title } }')
      assert.deepEqual(
        reset.map(([event]) => event),
        ['next', 'next', 'next', 'complete'],
      )
      assert.match(JSON.stringify(reset[2]), /"code":"UNAVAILABLE"/)
      const invalid = await events('subscription { nothing }')
      assert.match(JSON.stringify(invalid), /GRAPHQL_VALIDATION_FAILED/)
      const twice = await events('subscription { a: failLate { title } b: failLate { title } }')
      assert.match(JSON.stringify(twice), /GRAPHQL_VALIDATION_FAILED/)
    })

    await t.test('a subscriber who leaves ends the call', async () => {
      const left = once(shelf.events, 'left')
      const gone = new AbortController()
      const response = await fetch(`${base}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
        body: JSON.stringify({ query: 'subscription { failLate(input: { title: "endless" }) { title } }' }),
        signal: gone.signal,
      })
      const reader = response.body!.getReader()
      assert.match(Buffer.from((await reader.read()).value ?? []).toString(), /^event: next/)
      gone.abort()
      await left
    })

    await t.test('a caller who leaves ends the calls', async () => {
      const left = once(shelf.events, 'left')
      const called = once(shelf.events, 'call')
      const gone = new AbortController()
      const waiting = fetch(`${base}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ fail(input: { title: "silent" }) { title } }' }),
        signal: gone.signal,
      })
      await called
      gone.abort()
      await assert.rejects(waiting)
      await left
    })
  })
})
