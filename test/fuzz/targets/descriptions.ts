import assert from 'node:assert/strict'
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import fc from 'fast-check'
import { parse, stringify } from 'yaml'
import { importOpenapi } from '../../../src/config/import-openapi.ts'
import { loadGateway } from '../../../src/config/load.ts'
import { readYaml } from '../../../src/config/read-document.ts'
import { readOpenapi } from '../../../src/config/read-openapi.ts'
import type { SchemaFinding } from '../../../src/config/schema-files.ts'
import { atPointer, pathOf, SchemaFiles } from '../../../src/config/schema-files.ts'
import { pointerStep } from '../../../src/policies/shapes/schema-tree.ts'
import { altered } from '../altered.ts'
import { defineTarget } from '../fuzz-target.ts'
import { spoilt } from '../spoilt.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'velum-fuzz-')))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const item = { type: 'object', required: ['id'], properties: { id: { type: 'integer', minimum: 1 }, note: { type: 'string' } } }
const shop = {
  openapi: '3.1.0',
  info: { title: 'Shop', version: '1' },
  servers: [{ url: 'https://{region}.example.com/v1', variables: { region: { default: 'eu' } } }],
  security: [{ key: [] }],
  paths: {
    '/orders/{id}': {
      parameters: [
        { name: 'id', in: 'path', required: true, schema: { type: 'integer' } },
        { $ref: '#/components/parameters/trace' },
      ],
      get: {
        responses: {
          200: { description: '', content: { 'application/json': { schema: { $ref: '#/components/schemas/order' } } } },
        },
      },
      put: {
        parameters: [{ name: 'q', in: 'query', style: 'deepObject', explode: true, schema: { type: 'object' } }],
        requestBody: { required: true, content: { 'application/json': { schema: { $ref: '#/components/schemas/order' } } } },
        responses: { '2XX': { description: '' }, default: { $ref: '#/components/responses/bad' } },
      },
    },
    '/compare/{base}...{head}': { get: { responses: {} }, trace: { responses: {} } },
    '/': {
      post: {
        security: [],
        requestBody: { content: { 'application/x-www-form-urlencoded': { schema: item, encoding: { note: { style: 'form' } } } } },
      },
    },
  },
  components: {
    schemas: {
      order: {
        type: 'object',
        properties: { items: { type: 'array', items: item }, parent: { $ref: '#/components/schemas/order' } },
      },
    },
    parameters: { trace: { name: 'X-Trace', in: 'header', content: { 'application/json': { schema: { type: 'string' } } } } },
    responses: { bad: { description: '', content: { 'application/problem+json': {} } } },
  },
}
const old = {
  openapi: '3.0.3',
  paths: {
    '/a%20b/{x}/': { $ref: '#/paths/~1c' },
    '/c': {
      delete: {
        parameters: [{ name: 's', in: 'cookie', schema: { type: 'string', nullable: true, exclusiveMinimum: true, minimum: 1 } }],
        responses: { 204: {} },
      },
    },
  },
}
const seeds = [shop, old]
const names = [
  'get',
  'patch',
  'trace',
  'parameters',
  'requestBody',
  'content',
  'schema',
  'encoding',
  'style',
  'servers',
  'variables',
  'paths',
].concat(
  '/orders/{id}',
  '/orders/{other}',
  '/x/{a}{b}',
  '/..',
  '/%2e%2e/',
  '/a//b',
  '/*',
  '/**',
  '/{',
  '/é',
  'no-path',
  'x-y',
  '2XX',
  '600',
)
const values = [
  '#/components/schemas/order',
  '#/components',
  '#',
  '#/%',
  'other.yaml#/a',
  'https://a.example/',
  '/v1/',
  '/../v2',
  'http://[',
  '{x}/y',
]
  .concat('path', 'simple', 'matrix', 'integer', '(', 'application/json', '3.0.0', '3.1.1', '2.0')
  .map((value): unknown => value)
  .concat([{ $ref: '#/paths/~1orders~1{id}' }, { type: 'array', items: { $ref: '#' } }, [{ url: '/b' }], 7])

const descriptionTexts = fc.oneof(
  { weight: 4, arbitrary: altered(seeds, values, names).map((made) => JSON.stringify(made)) },
  {
    weight: 1,
    arbitrary: spoilt(
      seeds.flatMap((seed) => [stringify(seed), JSON.stringify(seed)]),
      [...names, '$ref: ', '- ', '\n', ': ', '&a', '*a'],
    ),
  },
)

function checkFindings(findings: readonly SchemaFinding[]): void {
  for (const { file, message, remedy, line, column } of findings) {
    assert.ok(message !== '' && remedy !== '' && !/[\r\n]/.test(message + remedy), message)
    assert.ok(file !== undefined && isAbsolute(file))
    assert.equal(line === undefined, column === undefined)
  }
}

/** A path with every segment that is not one text as `*`, and the others undone. */
const shapeOf = (path: string): string =>
  path
    .split('/')
    .map((segment) => (/[{*]/.test(segment) ? '*' : decodeURIComponent(segment)))
    .join('/')

interface Written {
  readonly routes: readonly {
    readonly name: string
    readonly match: { readonly path: string; readonly methods: readonly string[] }
  }[]
}

const descriptions = defineTarget({
  name: 'OpenAPI descriptions',
  promise: 'findings, or a configuration that loads, with no route outside of the paths that stand there and no other methods',
  cases: descriptionTexts,
  fewCases: 25,
  async check(text) {
    const file = join(folder, 'api.yaml')
    writeFileSync(file, text)
    const { text: made, findings } = importOpenapi(file, { writtenAs: 'api.yaml' })
    checkFindings(findings)
    assert.ok(made !== undefined || findings.some(({ severity }) => severity === 'error'))
    const files = new SchemaFiles()
    const root = files.open(file)
    if ('document' in root) checkFindings(readOpenapi(files, root, '', true).findings)
    if (made === undefined) return
    const { paths } = readYaml(text).input as { paths: Record<string, Record<string, unknown> & { $ref?: unknown }> }
    const { routes } = parse(made) as Written
    assert.ok(routes.length > 0 || Object.values(paths).every((one) => Object.keys(one).every((name) => name !== 'get')))
    for (const { match } of routes) {
      const fitting = Object.entries(paths).filter(
        ([template]) => template.startsWith('/') && shapeOf(match.path).endsWith(shapeOf(template)),
      )
      assert.ok(fitting.length > 0, `${match.path} is the path of nothing`)
      if (fitting.some(([, one]) => one.$ref !== undefined)) continue
      const methods = new Set(fitting.flatMap(([, one]) => Object.keys(one).map((name) => name.toUpperCase())))
      for (const method of match.methods) assert.ok(methods.has(method) && method !== 'TRACE', `${method} ${match.path}`)
    }
    writeFileSync(join(folder, 'velum.config.yaml'), made)
    const loaded = await loadGateway('velum.config.yaml', { folder, env: {} })
    const errors = loaded.findings.filter(({ severity }) => severity === 'error')
    assert.deepEqual(
      errors.map(({ path, message }) => `${path}: ${message}`),
      [],
    )
  },
})

/** Every place of a document with its pointer. */
function placesOf(value: unknown, pointer = '#'): [string, unknown][] {
  const places: [string, unknown][] = [[pointer, value]]
  if (typeof value !== 'object' || value === null) return places
  for (const [name, member] of Object.entries(value))
    places.push(...placesOf(member, `${pointer}/${encodeURIComponent(pointerStep(name))}`))
  return places
}

const pointed = [...seeds, { '': 1, '/': [{ '~': 2, '~1': 3, '%41': 4 }], 'a b': { é: [5, 6] } }]
const pointerWords = ['/', '~', '~0', '~1', '~2', '%', '%2f', '%7e1', '/0', '/00', '/-', '/length', '/__proto__', '/constructor']

const pointers = defineTarget({
  name: 'JSON Pointers',
  promise:
    'each place of a document has one that finds it; any other text finds what its steps lead to, by members and items alone',
  cases: fc.record({
    document: altered(pointed, values, names),
    pointer: fc
      .tuple(
        spoilt(
          pointed.flatMap((one) => placesOf(one).map(([pointer]) => pointer)),
          pointerWords,
        ),
        fc.constantFrom('', '', ...pointerWords),
      )
      .map(([text, end]) => `${text.startsWith('#') ? '' : '#'}${text}${end}`),
  }),
  check({ document, pointer }) {
    const places = new Map<string, unknown>(placesOf(document))
    for (const [text, value] of places) {
      const found = atPointer(document, text)
      assert.ok(found !== undefined && found.value === value, text)
      assert.equal(['#', ...found.steps.map((step) => encodeURIComponent(pointerStep(step)))].join('/'), text)
    }
    const found = atPointer(document, pointer)
    const path = pathOf(document, pointer)
    assert.ok(places.has(['#', ...path.map((step) => encodeURIComponent(pointerStep(String(step))))].join('/')), path.join())
    if (found === undefined) return
    const canonical = ['#', ...found.steps.map((step) => encodeURIComponent(pointerStep(step)))].join('/')
    assert.ok(places.has(canonical) && places.get(canonical) === found.value, canonical)
    assert.deepEqual(path.map(String), found.steps)
  },
})

export const descriptionTargets = [descriptions, pointers]
