// Descriptions of public APIs, imported and served: what fits reaches the service byte for byte, what does not never does.
import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { RawClient } from '../support/raw-client.ts'
import type { RawRequest } from '../support/raw-service.ts'
import { okay, startRawService } from '../support/raw-service.ts'
import { readyListeners, runCommand, runVelum, startVelum, workFolder } from '../support/velum-process.ts'

const data = join(import.meta.dirname, '../data/openapi')

interface Try {
  readonly asks: string
  readonly type?: string
  readonly body?: string
  readonly fields?: string
  /** 200 comes from the service. */
  readonly status: number
  /** Pointers of a 422, with the place of each. */
  readonly errors?: readonly string[]
}

const json = 'application/json'
const form = 'application/x-www-form-urlencoded'

const tries: Readonly<Record<string, readonly Try[]>> = {
  petstore: [
    { asks: 'POST /v2/pet', type: json, body: '{"name":"Rex","photoUrls":[],"category":{"id":1}}', status: 200 },
    {
      asks: 'POST /v2/pet',
      type: json,
      body: '{"id":"x","photoUrls":[1]}',
      status: 422,
      errors: ['body #/name', 'body #/id', 'body #/photoUrls/0'],
    },
    { asks: 'POST /v2/pet', type: json, body: '{"name":"Rex","name":"Max","photoUrls":[]}', status: 400 },
    { asks: 'POST /v2/pet', type: 'application/xml', body: '<pet/>', status: 200 },
    { asks: 'POST /v2/pet', type: 'text/plain', body: 'Rex', status: 415 },
    { asks: 'POST /v2/pet', type: json, body: '{}', fields: 'Content-Encoding: gzip\r\n', status: 415 },
    { asks: 'POST /v2/pet', status: 422, errors: ['body #'] },
    { asks: 'GET /v2/pet/findByStatus?status=sold&status=pending', status: 200 },
    { asks: 'GET /v2/pet/findByStatus?status=gone', status: 422, errors: ['query status #/0'] },
    { asks: 'GET /v2/pet/findByStatus', status: 422, errors: ['query status #'] },
    { asks: 'GET /v2/pet/12', status: 200 },
    { asks: 'GET /v2/pet/twelve', status: 422, errors: ['path petId #'] },
    { asks: 'GET /v2/store/order/11', status: 422, errors: ['path orderId #'] },
    { asks: 'POST /v2/pet/12', type: form, body: 'name=Rex+II&status=sold', status: 200 },
    { asks: 'POST /v2/pet/12', type: form, body: 'name=%zz', status: 400 },
    { asks: 'PUT /v2/store/order', type: json, body: '{}', status: 405 },
    { asks: 'GET /v2/pets', status: 404 },
  ],
  github: [
    {
      asks: 'POST /repos/a/b/issues',
      type: json,
      body: '{"title":"It broke","labels":["bug",{"name":"x","color":null}],"milestone":null}',
      status: 200,
    },
    { asks: 'POST /repos/a/b/issues', type: json, body: '{"body":5,"labels":[["bug"]]}', status: 422 },
    { asks: 'PATCH /repos/a/b/issues/one', type: json, body: '{"state":"open"}', status: 422, errors: ['path issue_number #'] },
    { asks: 'PATCH /repos/a/b/issues/1', type: json, body: '{"state":"ajar"}', status: 422, errors: ['body #/state'] },
    { asks: 'GET /repos/a/b/issues?state=all&since=2026-11-24T12:00:00Z&per_page=5', status: 200 },
    {
      asks: 'GET /repos/a/b/issues?state=ajar&since=today&per_page=many',
      status: 422,
      errors: ['query state #', 'query since #', 'query per_page #'],
    },
    { asks: 'GET /repos/a/b/compare/main...topic', status: 200 },
    { asks: 'GET /search/issues', status: 422, errors: ['query q #'] },
    { asks: 'POST /gists', type: json, body: '{"files":{"a.txt":{"content":"x"}},"public":"true"}', status: 200 },
    { asks: 'POST /gists', type: json, body: '{"files":{"a.txt":{}}}', status: 422, errors: ['body #/files/a.txt/content'] },
    { asks: 'POST /markdown/raw', type: 'text/plain', body: '*x*', status: 200 },
    { asks: 'POST /markdown/raw', type: json, body: '{}', status: 415 },
    { asks: 'DELETE /gists', status: 405 },
  ],
  readme: [
    {
      asks: 'POST /v2/changelogs',
      type: json,
      body: '{"title":"New","metadata":{"title":null},"created_at":"2026-11-24T12:00:00Z"}',
      status: 200,
    },
    {
      asks: 'POST /v2/changelogs',
      type: json,
      body: '{"title":"New","tytle":"","privacy":{"view":"nobody"}}',
      status: 422,
      errors: ['body #/tytle', 'body #/privacy/view'],
    },
    { asks: 'GET /v2/changelogs?page=2&visibility=all', status: 200 },
    { asks: 'GET /v2/changelogs?page=0&per_page=101', status: 422, errors: ['query page #', 'query per_page #'] },
    { asks: 'GET /v2/changelogs?page=1&page=2', status: 422, errors: ['query page #'] },
    { asks: 'GET /v2/search?query=x&projects=a&projects=b', status: 200 },
    { asks: 'GET /v2/search?section=guides', status: 422, errors: ['query query #'] },
    { asks: 'POST /v2/branches/v1.2/categories', type: json, body: '{"title":"A"}', status: 200 },
    { asks: 'POST /v2/branches/main/categories', type: json, body: '{"title":"A"}', status: 422, errors: ['path branch #'] },
  ],
}

function requestOf({ asks, type, body, fields = '' }: Try, isChunked: boolean): string {
  const head = `${asks} HTTP/1.1\r\nHost: api.example.com\r\n${type === undefined ? '' : `Content-Type: ${type}\r\n`}${fields}`
  if (body === undefined) return `${head}\r\n`
  if (!isChunked) return `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  const half = Math.ceil(body.length / 2)
  const chunks = [body.slice(0, half), body.slice(half)].filter((chunk) => chunk !== '')
  return `${head}Transfer-Encoding: chunked\r\n\r\n${chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('')}0\r\n\r\n`
}

/** What stands in a request, whose framing is the gateway's. */
function contentOf({ head, body }: RawRequest): string {
  if (!/\r\ntransfer-encoding: chunked/i.test(head)) return body
  return [...body.matchAll(/[0-9a-f]+\r\n([^\r]*)\r\n/gi)].map(([, chunk]) => chunk).join('')
}

for (const [name, list] of Object.entries(tries)) {
  test(`${name}, imported, tells good requests from bad ones`, async (t) => {
    const service = await startRawService((socket) => void socket.write(okay('{}', 'Content-Type: application/json\r\n')))
    t.after(() => service.close())
    const folder = workFolder(t)
    copyFileSync(join(data, `${name}.json`), join(folder.path, 'api.json'))
    const imports = ['import', 'openapi', 'api.json', '--out', 'velum.config.yaml', '--service', `http://127.0.0.1:${service.port}`]
    assert.equal((await runVelum(t, imports, { folder: folder.path })).code, 0)
    const checked = await runCommand(['check', '--strict'], { folder: folder.path })
    assert.equal(checked.code, 0, checked.err)
    const file = join(folder.path, 'velum.config.yaml')
    writeFileSync(file, readFileSync(file, 'utf8').replace('port: 8080', 'port: 0\nlog: { format: none }'))
    const velum = startVelum(t, ['run', '--workers', '1'], { folder: folder.path })
    const port = Number(new URL((await readyListeners(velum)).web).port)
    for (const one of list) {
      for (const isChunked of one.body === undefined ? [false] : [false, true]) {
        const before = service.requests.length
        const client = await RawClient.to(port)
        client.send(requestOf(one, isChunked))
        const answer = await client.answer()
        const what = `${one.asks} ${one.body ?? ''}`
        assert.equal(answer?.status, one.status, `${what}: ${answer?.content}`)
        client.socket.destroy()
        assert.equal(service.requests.length, before + (one.status === 200 ? 1 : 0), what)
        if (one.status === 200) {
          const [method, target] = service.requests.at(-1)!.head.split(' ')
          assert.equal(`${method} ${target}`, one.asks)
          assert.equal(contentOf(service.requests.at(-1)!), one.body ?? '', what)
          continue
        }
        const document = JSON.parse(answer.content) as { errors?: { in: string; name?: string; pointer: string }[] }
        if (one.errors === undefined) continue
        const errors = document.errors!.map((error) =>
          [error.in, error.name, error.pointer].filter((part) => part !== undefined).join(' '),
        )
        assert.deepEqual(errors, one.errors, what)
      }
    }
  })
}

test('an import that cannot be says why, and writes over nothing', async (t) => {
  const folder = workFolder(t)
  copyFileSync(join(data, 'petstore.json'), join(folder.path, 'api.json'))
  folder.write('old.json', '{ "swagger": "2.0" }')
  folder.write('there.yaml', 'name: mine\n')
  for (const [args, code, words] of [
    [['import'], 2, 'only "velum import openapi FILE" exists'],
    [['import', 'wsdl', 'api.json'], 2, 'only "velum import openapi FILE" exists'],
    [['import', 'openapi'], 2, 'name the OpenAPI description'],
    [['import', 'openapi', 'api.json', '--service', 'http://127.0.0.1:7000/v1'], 2, 'is not scheme, host and port'],
    [['import', 'openapi', 'gone.json'], 1, 'the file does not exist'],
    [['import', 'openapi', 'old.json'], 1, 'this is no OpenAPI description'],
    [['import', 'openapi', 'api.json', '--out', 'there.yaml'], 1, 'there.yaml is there already'],
  ] as const) {
    const ended = await runCommand(args, { folder: folder.path })
    assert.equal(ended.code, code, args.join(' '))
    assert.ok(ended.err.includes(words), ended.err)
    assert.equal(ended.out, '')
  }
  assert.equal(readFileSync(join(folder.path, 'there.yaml'), 'utf8'), 'name: mine\n')
  assert.match((await runCommand(['import', 'openapi', 'api.json'], { folder: folder.path })).out, /^# Swagger Petstore/)
})
