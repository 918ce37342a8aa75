import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { compileProtos } from '../descriptors/compile-protos.ts'
import { readDescriptors } from '../descriptors/descriptors.ts'
import type { OpenapiDocument } from './document.ts'
import { openapiDocument } from './document.ts'

async function documentOf(t: TestContext, proto: string): Promise<OpenapiDocument> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-openapi-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  writeFileSync(join(folder, 'a.proto'), proto)
  const { set, faults } = await compileProtos([join(folder, 'a.proto')], folder)
  assert.deepEqual(faults, [])
  return openapiDocument(readDescriptors(set!), { title: 'things', version: '1' })
}

/** The types of content of a request or an answer. */
function contents(message: unknown): string[] {
  return Object.keys((message as { content: object }).content)
}

const imports = `syntax = "proto3"; package a.v1;
  import "google/api/annotations.proto"; import "google/api/httpbody.proto"; import "google/protobuf/any.proto";
  import "google/protobuf/duration.proto"; import "google/protobuf/empty.proto"; import "google/protobuf/field_mask.proto";
  import "google/protobuf/struct.proto"; import "google/protobuf/timestamp.proto"; import "google/protobuf/wrappers.proto";`

test('rules become operations: paths, parameters of path and query, contents', async (t) => {
  const { paths } = await documentOf(
    t,
    `${imports}
    message Author { string name = 1; Author friend = 2; }
    message M { string name = 1; int32 page_size = 2; repeated string tags = 3; Author author = 4; map<string, string> labels = 5; string shelf = 6; }
    service Things {
      // Finds one.
      // On one line.
      //
      // And more.
      rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name=shelves/*}" additional_bindings { get: "/v1/x/{shelf}/{name=**}" } }; }
      rpc Put(M) returns (M) { option (google.api.http) = { put: "/v1/{shelf}/authors" body: "author" }; }
      rpc Make(M) returns (M) { option (google.api.http) = { post: "/v1/{shelf}:make" body: "*" }; option deprecated = true; }
      rpc Both(stream M) returns (stream M) { option (google.api.http) = { post: "/v1/both" body: "*" }; }
    }`,
  )
  const lines = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { operationId, parameters = [], requestBody }]) => {
      const told = parameters.map((one) => `${String(one['in'])}:${String(one['name'])}`)
      return [method, path, operationId, told.join(' '), requestBody === undefined ? '' : 'content'].join(' ').trim()
    }),
  )
  const query = 'query:pageSize query:tags query:author.name query:author.friend.name'
  assert.deepEqual(lines, [
    `get /v1/shelves/{name} Things_Get path:name ${query} query:shelf`,
    `get /v1/x/{shelf}/{name} Things_Get_2 path:shelf path:name ${query}`,
    'put /v1/{shelf}/authors Things_Put path:shelf query:name query:pageSize query:tags content',
    'post /v1/{shelf}:make Things_Make path:shelf content',
  ])
  const get = paths['/v1/shelves/{name}']['get']
  assert.deepEqual([get.summary, get.description], ['Finds one. On one line.', 'And more.'])
  assert.equal(get.parameters![0]['description'], 'A part of `name`.')
  const rest = paths['/v1/x/{shelf}/{name}']['get'].parameters![1]
  assert.match(String(rest['description']), /may hold slashes/)
  const make = paths['/v1/{shelf}:make']['post']
  assert.equal(make.deprecated, true)
  const { schema } = (make.requestBody!['content'] as Record<string, { schema: { properties: object } }>)['application/json']
  assert.deepEqual(Object.keys(schema.properties), ['name', 'pageSize', 'tags', 'author', 'labels'])
})

test('paths that differ only in the names of parameters are one path', async (t) => {
  const { paths } = await documentOf(
    t,
    `${imports}
    message M { string a = 1; string b = 2; }
    service Things {
      rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{a}" }; }
      rpc Drop(M) returns (M) { option (google.api.http) = { delete: "/v1/{b}" }; }
      rpc Any(M) returns (M) { option (google.api.http) = { custom { kind: "*" path: "/v1/any" } body: "*" }; }
      rpc Odd(M) returns (M) { option (google.api.http) = { custom { kind: "PURGE" path: "/v1/odd" } }; }
    }`,
  )
  assert.deepEqual(Object.keys(paths), ['/v1/{a}', '/v1/any'])
  assert.deepEqual(Object.keys(paths['/v1/{a}']), ['get', 'delete'])
  assert.equal(paths['/v1/{a}']['delete'].parameters![0]['name'], 'a')
  assert.deepEqual(Object.keys(paths['/v1/any']), ['post'])
})

test('messages become what their JSON is', async (t) => {
  const { components } = await documentOf(
    t,
    `${imports}
    // Kinds.
    enum Kind { KIND_UNSPECIFIED = 0; // The best.
      KIND_GOOD = 1; }
    message M {
      // Its name.
      string name = 1; int64 big = 2; uint32 small = 3; bytes raw = 4; Kind kind = 5; map<string, M> more = 6; repeated double list = 7;
      google.protobuf.Timestamp at = 8; google.protobuf.Int64Value maybe = 9; google.protobuf.Struct free = 10;
      google.protobuf.Value any = 11; google.protobuf.Any typed = 12; google.protobuf.FieldMask mask = 13;
      oneof what { string one = 14; bool two = 15; }
      string old = 16 [deprecated = true]; google.protobuf.NullValue nothing = 17;
    }
    service Things { rpc Make(M) returns (M) { option (google.api.http) = { post: "/v1/m" body: "*" }; } }`,
  )
  const { 'a.v1.M': message, 'a.v1.Kind': kind } = components.schemas as Record<string, { properties: Record<string, object> }>
  assert.deepEqual(kind, {
    type: 'string',
    enum: ['KIND_UNSPECIFIED', 'KIND_GOOD'],
    description: 'Kinds.\n\n- `KIND_UNSPECIFIED`: The best.',
  })
  assert.deepEqual(message.properties, {
    name: { type: 'string', description: 'Its name.' },
    big: { type: 'string', format: 'int64' },
    small: { type: 'integer', format: 'int64', minimum: 0, maximum: 4_294_967_295 },
    raw: { type: 'string', contentEncoding: 'base64' },
    kind: { $ref: '#/components/schemas/a.v1.Kind' },
    more: { type: 'object', additionalProperties: { $ref: '#/components/schemas/a.v1.M' } },
    list: { type: 'array', items: { type: 'number', format: 'double' } },
    at: { type: 'string', format: 'date-time' },
    maybe: { type: ['string', 'null'], format: 'int64' },
    free: { type: 'object' },
    any: {},
    typed: {
      type: 'object',
      properties: { '@type': { type: 'string', description: 'The type of the message, as a URL; its fields stand beside it.' } },
      required: ['@type'],
    },
    mask: { type: 'string', examples: ['title,author.name'] },
    one: { type: 'string' },
    two: { type: 'boolean' },
    old: { type: 'string', deprecated: true },
    nothing: { type: 'null' },
  })
  assert.equal((message as { description?: string }).description, 'At most one of `one`, `two`.')
  assert.ok('google.rpc.Status' in components.schemas && 'Problem' in components.schemas)
})

test('streams say in which forms they come and go, and bytes are any content', async (t) => {
  const { paths } = await documentOf(
    t,
    `${imports}
    message M { string name = 1; repeated string tags = 2; }
    service Things {
      rpc Watch(M) returns (stream M) { option (google.api.http) = { get: "/v1/watch" }; }
      rpc Send(stream M) returns (M) { option (google.api.http) = { post: "/v1/send" body: "*" response_body: "tags" }; }
      rpc Load(M) returns (google.api.HttpBody) { option (google.api.http) = { get: "/v1/load/{name}" }; }
    }`,
  )
  assert.deepEqual(contents(paths['/v1/watch']['get'].responses['200']), [
    'text/event-stream',
    'application/x-ndjson',
    'application/json',
  ])
  assert.deepEqual(contents(paths['/v1/send']['post'].requestBody), ['application/x-ndjson', 'application/json'])
  const sent = paths['/v1/send']['post'].responses['200'] as { content: Record<string, unknown> }
  assert.deepEqual(sent.content, { 'application/json': { schema: { type: 'array', items: { type: 'string' } } } })
  assert.deepEqual(contents(paths['/v1/load/{name}']['get'].responses['200']), ['*/*'])
})
