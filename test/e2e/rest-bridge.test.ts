import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http2'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { startBilling } from '../../demo/billing.ts'
import { shelfProto, startShelf } from '../support/shelf-service.ts'
import { readyListeners, startVelum, workFolder } from '../support/velum-process.ts'

const config = readFileSync(new URL('rest-bridge.yaml', import.meta.url), 'utf8')

interface Scene {
  readonly url: string
  readonly events: EventEmitter
}

async function scene(t: TestContext): Promise<Scene> {
  const folder = workFolder(t)
  const billing = await startBilling(0)
  t.after(() => billing.close())
  const shelf = await startShelf(t)
  const velum = startVelum(t, ['run', '--config', folder.write('velum.yaml', config), '--workers', '1'], {
    folder: folder.path,
    env: {
      SHELF: shelf.url,
      SHELF_PROTO: fileURLToPath(shelfProto),
      BILLING: billing.url,
      BILLING_PROTO: fileURLToPath(new URL('../../demo/protos/billing.proto', import.meta.url)),
    },
  })
  return { url: (await readyListeners(velum))['plain'], events: shelf.events }
}

type Json = Record<string, unknown>

function message(title: string): string {
  return `{"title":"${title}"}`
}

async function refused(response: Promise<Response>): Promise<[number, unknown]> {
  const answer = await response
  const { detail } = (await answer.json()) as Json
  return [answer.status, detail]
}

suite('REST in front of gRPC', { timeout: 120_000 }, () => {
  test('a gateway with the bridge rest', async (t) => {
    const it = await scene(t)
    const ask = (path: string, init?: RequestInit): Promise<Response> => fetch(`${it.url}${path}`, init)
    const post = (path: string, body: string, method = 'POST', type = 'application/json'): Promise<Response> =>
      ask(path, { method, body, headers: { 'content-type': type } })
    const echoed = async (path: string, init?: RequestInit): Promise<Json> => {
      const response = await ask(path, init)
      assert.equal(response.status, 200, `${path}: ${await response.clone().text()}`)
      return (await response.json()) as Json
    }

    const late = (title: string, accept: string): Promise<string> =>
      ask(`/v1/fail-late/${title}`, { headers: { accept } }).then(async (response) => {
        let text = ''
        try {
          for await (const chunk of response.body!) text += Buffer.from(chunk).toString()
          return `${text}COMPLETE`
        } catch {
          return `${text}BROKEN`
        }
      })
    const usage = async (body: string, type = 'application/x-ndjson'): Promise<[number, unknown]> => {
      const response = await post('/billing/v1/usage', body, 'POST', type)
      return [response.status, await response.json()]
    }

    /** A connection of its own, to be cut: an orderly end would be a half-close. */
    const open = (path: string, accept: string): Socket => {
      const { hostname, port, host } = new URL(it.url)
      const client = connect(Number(port), hostname)
      client.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAccept: ${accept}\r\n\r\n`)
      return client
    }

    await t.test('path, query and content become one message', async () => {
      assert.deepEqual(await echoed('/v1/shelves/1/books/2'), { name: 'shelves/1/books/2' })
      assert.deepEqual(await echoed('/v1/shelves/a%2Fb/books/2%20x'), { name: 'shelves/a%2Fb/books/2 x' })
      assert.deepEqual(await echoed('/v1/files/a/b%2Fc/d'), { title: 'a/b%2Fc/d' })
      assert.deepEqual(await echoed('/v1/files'), {})
      assert.deepEqual(await echoed('/v1/titles/a%2Fb:c:peek'), { title: 'a/b:c' })
      assert.deepEqual(await echoed('/v1/authors/me?author.born=1970&tags=a&tags=b&kind=KIND_NOVEL&years=1'), {
        author: { name: 'me', born: 1970 },
        tags: ['a', 'b'],
        kind: 'KIND_NOVEL',
        years: [1],
      })
      assert.deepEqual(await echoed('/v1/books/x', { method: 'PURGE' }), { title: 'x' })
      const book = '{"pages":9007199254740993,"counts":{"a":-9223372036854775808},"name":"of the content"}'
      const put = await post('/v1/shelves/1/books/2', book, 'PUT')
      assert.deepEqual(await put.json(), {
        name: 'shelves/1/books/2',
        pages: '9007199254740993',
        counts: { a: '-9223372036854775808' },
      })
    })

    await t.test('every kind of query parameter', async () => {
      const query =
        'pages=9007199254740993&isLent=true&kind=1&cover=-_8&price=NaN&printed=2026-01-01T00:00:00Z&copies=0&mask=a.b,c&room=+x%2B'
      assert.deepEqual(await echoed(`/v1/files?${query}`), {
        pages: '9007199254740993',
        isLent: true,
        kind: 'KIND_NOVEL',
        cover: '+/8=',
        price: 'NaN',
        printed: '2026-01-01T00:00:00Z',
        copies: '0',
        mask: 'a.b,c',
        room: ' x+',
      })
      const wrong = [
        'pages=',
        'pages=1.5',
        'pages=9223372036854775808',
        'is_lent=1',
        'kind=NOPE',
        'kind=4294967297',
        'cover=!',
        'printed=x',
      ]
      for (const parameter of [
        ...wrong,
        'room=a&floor=1',
        'title=a',
        'pages=1&pages=2',
        'counts=1',
        'nope=1',
        'author.nope=1',
        'tags.x=1',
      ]) {
        const [status, detail] = await refused(ask(`/v1/titles/t:peek?${parameter}`))
        assert.equal(status, 400, parameter)
        assert.ok(typeof detail === 'string' && !/java|script|decode|protobuf/i.test(detail), String(detail))
      }
      assert.deepEqual(await refused(ask('/v1/files?years=1&years=x')), [
        400,
        'years: must be an integer from -2147483648 to 2147483647',
      ])
    })

    await t.test('content that does not fit is refused with the path of the fault', async () => {
      const wrong: [string, string][] = [
        ['{"tags":["a",1]}', 'tags[1]: must be a string'],
        ['{"author":{"born":3000000000}}', 'author.born: must be an integer from -2147483648 to 2147483647'],
        ['{"counts":{"a":"x"}}', 'counts["a"]: must be an integer from -9223372036854775808 to 9223372036854775807'],
        ['{"room":"a","floor":1}', 'only one of room, floor may be set'],
        ['{"extra":{"@type":"x/y.Z"}}', 'extra.@type: is not a type that is known here'],
        ['{"nope":1}', 'nope: there is no such field'],
        ['[]', 'must be an object'],
      ]
      for (const [body, detail] of wrong) assert.deepEqual(await refused(post('/v1/books', body)), [400, detail])
      for (const body of [
        '',
        '{',
        '{"title":"a","title":"b"}',
        `${'['.repeat(200)}${']'.repeat(200)}`,
        '{"title":"\\ud800"}',
        '{"pages":01}',
      ]) {
        if (body !== '') assert.equal((await post('/v1/books', body)).status, 400, body)
      }
      assert.equal((await post('/v1/books', '{}', 'POST', 'text/plain')).status, 415)
      assert.equal((await post('/v1/books', `{"title":"${'x'.repeat(1_100_000)}"}`)).status, 413)
    })

    await t.test('a mask says what a PATCH holds', async () => {
      const body =
        '{"title":"t","author":{"born":1},"tags":[],"notes":{"a":{"b":1}},"counts":{"k":1},"isLent":false,"printed":null}'
      const { updateMask, book } = (await (await post('/v1/shelves/1/books/2', body, 'PATCH')).json()) as Json
      assert.equal(updateMask, 'title,author.born,tags,notes,counts,isLent,printed')
      assert.equal((book as Json)['name'], 'shelves/1/books/2')
      const given = (await (await post('/v1/shelves/1/books/2?updateMask=title', body, 'PATCH')).json()) as Json
      assert.equal(given['updateMask'], 'title')
    })

    await t.test('one field of an answer, and options of the form', async () => {
      assert.deepEqual(await echoed('/v1/tags/x?tags=a&tags=b'), ['a', 'b'])
      assert.deepEqual(await echoed('/v1/tags/x'), [])
      const loose = await echoed('/loose/v1/titles/t:peek?nope=1&kind=KIND_NOVEL')
      assert.deepEqual([loose['title'], loose['kind'], loose['is_lent'], loose['pages']], ['t', 1, false, '0'])
    })

    await t.test('no rule, another method', async () => {
      assert.equal((await ask('/v1/nowhere/at/all')).status, 404)
      assert.equal((await ask('/v1/books/')).status, 404)
      const wrong = await ask('/v1/books', { method: 'DELETE' })
      assert.deepEqual([wrong.status, wrong.headers.get('allow')], [405, 'POST'])
      assert.equal((await ask('/v1/shelves/1/books/2', { method: 'HEAD' })).status, 200)
      assert.equal((await post('/v1/talk', '{}')).status, 501)
    })

    await t.test("errors of the service are google.rpc.Status in HTTP's codes", async () => {
      const words = await ask('/v1/fail/words')
      assert.deepEqual(
        [words.status, await words.json(), words.headers.get('x-shelf')],
        [404, { code: 5, message: 'no büch 100%' }, 'yes'],
      )
      const retry = await ask('/v1/fail/retry')
      assert.deepEqual([retry.status, retry.headers.get('retry-after')], [429, '3'])
      assert.deepEqual(await retry.json(), {
        code: 8,
        message: 'slow down',
        details: [
          { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '2.500s' },
          { '@type': 'type.example.com/nobody.Knows', value: 'aGk=' },
        ],
      })
      assert.deepEqual(await (await ask('/v1/fail/gzip')).json(), { title: 'gzip' })
    })

    await t.test('a service that breaks the protocol is a 502 without its words', async () => {
      for (const kind of ['nonsense', 'nostatus', 'half', 'reset', 'flag', 'two', 'none', 'bomb']) {
        const response = await ask(`/v1/fail/${kind}`)
        assert.deepEqual([response.status, response.headers.get('content-type')], [502, 'application/problem+json'], kind)
      }
      assert.equal((await ask('/v1/fail/http503')).status, 503)
      assert.equal((await ask('/gone/v1/files')).status, 503)
    })

    await t.test('a deadline is told to the service, kept, and ends the call there', async () => {
      const came = once(it.events, 'call')
      const left = once(it.events, 'left')
      const tooLate = await ask('/v1/fail/silent', { headers: { 'x-request-timeout': '300' } })
      const [, headers] = (await came) as [string, IncomingHttpHeaders]
      const told = /^(\d+)u$/.exec(String(headers['grpc-timeout']))
      assert.ok(told !== null && Number(told[1]) <= 300_000, String(headers['grpc-timeout']))
      assert.equal(tooLate.status, 504)
      assert.deepEqual(await left, [8])
    })

    await t.test('a client that leaves ends the call', async () => {
      const came = once(it.events, 'call')
      const left = once(it.events, 'left')
      const client = open('/v1/fail/silent', '*/*')
      await came
      client.resetAndDestroy()
      assert.deepEqual(await left, [8])
    })

    await t.test('what only the bridge may say is not taken from the caller', async () => {
      const came = once(it.events, 'call')
      await ask('/v1/files', {
        headers: { 'grpc-encoding': 'x', Grpc_Timeout: '1S', 'connect-protocol-version': '1', 'x-own': 'yes', 'x-own-bin': 'AA' },
      })
      const [path, headers] = (await came) as [string, IncomingHttpHeaders]
      assert.equal(path, '/shelf.v1.Shelf/Echo')
      assert.deepEqual(
        [headers['content-type'], headers['te'], headers['x-own'], headers['x-own-bin']],
        ['application/grpc', 'trailers', 'yes', 'AA'],
      )
      const ours = Object.keys(headers).filter((name) => /^(?:grpc|connect)/.test(name))
      assert.ok(
        ours.every((name) => name === 'grpc-accept-encoding' || name === 'grpc-timeout'),
        ours.join(),
      )
    })

    await t.test('policies apply, with their own form of refusal', async () => {
      await ask('/few/v1/files')
      const refusal = await ask('/few/v1/files')
      assert.deepEqual([refusal.status, refusal.headers.get('content-type')], [429, 'application/problem+json'])
    })

    const watch = (accept: string, limit: number): Promise<Response> =>
      ask(`/billing/v1/invoices:watch?limit=${limit}&customerId=acme`, { headers: { accept } })

    await t.test('a stream as events, as lines and as an array', async () => {
      const lines = await watch('application/x-ndjson', 2)
      assert.equal(lines.headers.get('content-type'), 'application/x-ndjson')
      const events = (await lines.text())
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as Json)
      assert.deepEqual(
        events.map(({ kind }) => kind),
        ['KIND_EXISTING', 'KIND_EXISTING'],
      )
      assert.deepEqual(await (await watch('application/json', 2)).json(), events)
      const sse = await watch('text/event-stream', 2)
      assert.deepEqual([sse.headers.get('content-type'), sse.headers.get('cache-control')], ['text/event-stream', 'no-cache'])
      assert.equal(
        await sse.text(),
        `${events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')}event: end\ndata: {}\n\n`,
      )
      assert.equal((await watch('image/png', 1)).status, 406)
    })

    await t.test('an endless stream begins at once, and ends at the service when its reader leaves', async () => {
      const client = open('/v1/fail-late/endless', 'text/event-stream')
      let text = ''
      while (!text.includes('data: ')) text += ((await once(client, 'data')) as [Buffer])[0].toString('latin1')
      assert.match(text, /data: \{"title":"endless"\}\n\n/)
      const left = once(it.events, 'left')
      client.resetAndDestroy()
      assert.deepEqual(await left, [8])
    })

    await t.test('a deadline of the caller ends a stream too', async () => {
      const left = once(it.events, 'left')
      const response = await ask('/v1/fail-late/endless', { headers: { accept: 'text/event-stream', 'x-request-timeout': '400' } })
      assert.match(await response.text(), /event: error\ndata: \{"code":4,.*\n\n$/)
      assert.deepEqual(await left, [8])
    })

    await t.test('a stream that fails says so and is never closed as if complete', async () => {
      const aborted = '{"code":10,"message":"went away"}'
      assert.equal(
        await late('aborted', 'application/x-ndjson'),
        `${message('aborted')}\n${message('aborted')}\n{"$status":${aborted}}\nCOMPLETE`,
      )
      assert.equal(
        await late('aborted', 'text/event-stream'),
        `data: ${message('aborted')}\n\ndata: ${message('aborted')}\n\nevent: error\ndata: ${aborted}\n\nCOMPLETE`,
      )
      assert.match(await late('aborted', 'application/json'), /^(?:\[.*[^\]])?BROKEN$/s)
      assert.match(await late('reset', 'application/json'), /^(?:\[.*[^\]])?BROKEN$/s)
      assert.match(await late('reset', 'application/x-ndjson'), /\n\{"\$status":\{"code":14,.*\}\}\nCOMPLETE$/)
      assert.match(await late('reset', 'text/event-stream'), /\nevent: error\ndata: \{"code":14,.*\}\n\nCOMPLETE$/)
      assert.match(await late('fine', 'application/json'), /^\[.*\]COMPLETE$/s)
    })

    await t.test('a stream of requests, as lines and as an array', async () => {
      const sum = { records: 2, unitsByMeter: { a: '9007199254740995' } }
      assert.deepEqual(await usage('{"meter":"a","units":2}\n\n{"meter":"a","units":9007199254740993}\n'), [200, sum])
      assert.deepEqual(await usage('[{"meter":"a","units":2} , {"meter":"a","units":9007199254740993}]', 'application/json'), [
        200,
        sum,
      ])
      assert.deepEqual(await usage(''), [200, {}])
      const [status, problem] = await usage('[{"meter":"a"},{"meter":1}]', 'application/json')
      assert.deepEqual([status, (problem as Json)['detail']], [400, 'message 2: meter: must be a string'])
      for (const body of ['[{"meter":"a"}', '[{"meter":"a"},]', '[,]', '{"meter":"a"}}', '{"meter":'])
        assert.equal((await usage(body))[0], 400, body)
      assert.deepEqual(await usage('{"meter":"A B"}'), [400, { code: 3, message: 'meter: a lower-case name is needed' }])
    })
  })
})
