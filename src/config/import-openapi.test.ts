import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { importOpenapi } from './import-openapi.ts'
import type { ImportOptions } from './import-openapi.ts'
import { loadGateway } from './load.ts'

const folder = mkdtempSync(join(tmpdir(), 'velum-import-'))
after(() => rmSync(folder, { recursive: true, force: true }))

interface Written {
  readonly services: { readonly api: { readonly url: string; readonly identity?: string } }
  readonly routes: readonly {
    readonly name: string
    readonly match: { readonly path: string; readonly methods: readonly string[] }
    readonly rewrite?: object
  }[]
}

function imported(
  document: object,
  options: Partial<ImportOptions> = {},
): { config: Written; text: string; notes: readonly string[] } {
  const file = join(folder, 'api.yaml')
  writeFileSync(file, stringify(document))
  const { text, notes, findings } = importOpenapi(file, { writtenAs: 'api.yaml', ...options })
  assert.ok(text !== undefined, JSON.stringify(findings))
  return { config: parse(text) as Written, text, notes }
}

const get = { responses: { 200: { description: 'fine' } } }

test('each path becomes a route with the methods that it has', async () => {
  const { text, config } = imported({
    openapi: '3.1.0',
    info: { title: 'Shop: "orders" & more', version: '1\n2' },
    servers: [{ url: 'https://api.example.com/v1' }],
    paths: {
      '/': { get },
      '/orders/{order-id}': { get, delete: get, trace: get },
      '/orders/{id}': { put: get },
      '/orders/{id}/lines/{id}': { get },
      '/compare/{base}...{head}': { get },
      '/files/{file.name}': { get },
      '/2fa': { post: get },
      '/orders-id': { get },
    },
  })
  assert.deepEqual(
    config.routes.map(({ name, match: { path, methods } }) => `${name} ${path} ${methods.join()}`),
    [
      'v1 /v1/ GET',
      'v1-orders-order-id /v1/orders/{order-id} GET,DELETE,PUT',
      'v1-orders-id-lines-id /v1/orders/{id}/lines/* GET',
      'v1-compare-base-head /v1/compare/* GET',
      'v1-files-file-name /v1/files/* GET',
      'v1-2fa /v1/2fa POST',
      'v1-orders-id /v1/orders-id GET',
    ],
  )
  assert.ok(text.startsWith('# Shop: "orders" & more, 1 2: made by'))
  writeFileSync(join(folder, 'velum.config.yaml'), text)
  const loaded = await loadGateway('velum.config.yaml', { folder, env: {} })
  assert.deepEqual(loaded.findings, [])
  assert.ok(loaded.files.includes(join(folder, 'api.yaml')), 'the description is watched')
})

test('requests go where the description says, by its name, or where they are sent', () => {
  const document = { openapi: '3.0.0', servers: [{ url: 'https://api.example.com/v1' }], paths: { '/a': { get } } }
  const { config, notes } = imported(document)
  assert.equal(config.services.api.url, 'https://api.example.com')
  assert.deepEqual(config.routes[0].rewrite, { host: 'api.example.com' })
  assert.match(notes[0], /^requests go to https:\/\/api\.example\.com/)
  const other = imported(document, { service: 'http://127.0.0.1:7000' }).config
  assert.equal(other.services.api.url, 'http://127.0.0.1:7000')
  assert.equal(other.routes[0].rewrite, undefined)
})

test('a description without a server, or with a relative one, gets a place to fill in', () => {
  for (const servers of [undefined, [{ url: '/v1' }], [{ url: '{scheme}://x' }], [{ url: 'ftp://example.com/v1' }]]) {
    const { config, notes } = imported({ openapi: '3.0.0', servers, paths: { '/a': { get } } })
    assert.equal(config.services.api.url, 'http://127.0.0.1:8000')
    assert.match(notes[0], /names no server/)
  }
})

test('credentials that a description asks for are passed on, others are not', () => {
  const paths = { '/a': { get } }
  assert.equal(imported({ openapi: '3.0.0', paths }).config.services.api.identity, undefined)
  assert.equal(imported({ openapi: '3.0.0', paths, security: [{}] }).config.services.api.identity, undefined)
  assert.equal(imported({ openapi: '3.0.0', paths, security: [{ key: [] }] }).config.services.api.identity, 'pass')
  const own = { '/a': { get: { ...get, security: [{ key: [] }] } } }
  assert.equal(imported({ openapi: '3.0.0', paths: own }).config.services.api.identity, 'pass')
})

test('what is no description gives none', () => {
  const file = join(folder, 'none.yaml')
  writeFileSync(file, 'swagger: "2.0"')
  const { text, findings } = importOpenapi(file, { writtenAs: 'none.yaml' })
  assert.equal(text, undefined)
  assert.equal(findings.length, 1)
  assert.equal(importOpenapi(join(folder, 'gone.yaml'), { writtenAs: 'gone.yaml' }).findings[0].message, 'the file does not exist')
})

test('null where an object should stand is as if nothing stood there, and a server whose name is not filled in is none', () => {
  const body = { content: { 'application/x-www-form-urlencoded': { schema: { type: 'object' }, encoding: { a: null } } } }
  const parameters = [{ name: 'q', in: 'query', content: { 'application/json': null } }]
  const { config, notes } = imported({
    openapi: '3.1.0',
    info: null,
    servers: [{ url: 'https://{region}.example.com', variables: { region: null } }],
    paths: { '/a': { post: { parameters, requestBody: body, responses: null } }, '/b': null },
  })
  assert.equal(config.services.api.url, 'http://127.0.0.1:8000')
  assert.match(notes[0], /^the description names no server/)
})
