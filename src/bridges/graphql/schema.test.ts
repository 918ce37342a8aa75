import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import type { TestContext } from 'node:test'
import { buildSchema, validateSchema } from 'graphql'
import { compileProtos } from '../descriptors/compile-protos.ts'
import type { Descriptors } from '../descriptors/descriptors.ts'
import { readDescriptors } from '../descriptors/descriptors.ts'
import { buildGraphqlSchema, printGraphqlSchema, selectorOf } from './schema.ts'

async function described(t: TestContext, files: Readonly<Record<string, string>>): Promise<Descriptors> {
  const folder = mkdtempSync(join(tmpdir(), 'velum-graphql-test-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const { set, faults } = await compileProtos(
    Object.keys(files).map((name) => join(folder, name)),
    folder,
  )
  assert.deepEqual(faults, [])
  return readDescriptors(set!)
}

/** The type of a name as it stands in the text of a schema. */
function typeIn(text: string, name: string): string | undefined {
  return new RegExp(`(?:type|input|enum) ${name} [^}]*}`).exec(text)?.[0].replaceAll(/\s+/g, ' ')
}

suite('the schema of descriptors', () => {
  test('queries, mutations and subscriptions by what methods say, and by the configuration', async (t) => {
    const descriptors = await described(t, {
      'a.proto': `syntax = "proto3"; package a.v1;
        import "google/api/annotations.proto"; import "google/protobuf/empty.proto";
        // A message.
        message M { string name = 1; }
        service Things {
          // Finds one.
          rpc Find(M) returns (M) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc Get(M) returns (M) { option (google.api.http) = { get: "/v1/{name}" }; }
          rpc List(M) returns (M) { option (google.api.http) = { post: "/v1/x" body: "*" additional_bindings { get: "/v1/y" } }; }
          rpc Put(M) returns (M) { option idempotency_level = IDEMPOTENT; }
          rpc Ping(google.protobuf.Empty) returns (google.protobuf.Empty) { option deprecated = true; }
          rpc Watch(M) returns (stream M);
          rpc Send(stream M) returns (M);
          rpc Talk(stream M) returns (stream M);
          rpc Hidden(M) returns (M);
        }`,
    })
    const methods = [
      { method: 'a.v1.Things.Hidden', as: 'none' as const, name: undefined },
      { method: 'a.v1.Things.Put', as: 'query' as const, name: 'store' },
    ]
    const text = printGraphqlSchema(descriptors, { methods })
    assert.equal(
      typeIn(text, 'Query'),
      'type Query { """Finds one.""" find(input: MInput): M get(input: MInput): M list(input: MInput): M store(input: MInput): M }',
    )
    assert.equal(
      typeIn(text, 'Mutation'),
      'type Mutation { ping: Empty @deprecated(reason: "Deprecated by the service.") send(input: [MInput!]!): M }',
    )
    assert.equal(typeIn(text, 'Subscription'), 'type Subscription { watch(input: MInput): M }')
    assert.ok(text.includes('"""A message."""\ntype M {'))
    const { schema, leftOut } = buildGraphqlSchema(descriptors, { methods })
    assert.deepEqual(
      leftOut.map(({ method }) => selectorOf(method)),
      ['a.v1.Things.Talk'],
    )
    assert.deepEqual(validateSchema(schema), [])
    buildSchema(text)
  })

  test('a name that is given twice is that of the first', async (t) => {
    const descriptors = await described(t, {
      'a.proto': `syntax = "proto3"; package a; message M { string a = 1; }
        service S { rpc One(M) returns (M); rpc Two(M) returns (M); rpc same(M) returns (M); }`,
    })
    const methods = ['a.S.One', 'a.S.Two'].map((method) => ({ method, as: undefined, name: 'same' }))
    const { schema, leftOut } = buildGraphqlSchema(descriptors, { methods })
    assert.deepEqual(Object.keys(schema.getMutationType()!.getFields()), ['same', 's_same'])
    assert.deepEqual(
      leftOut.map(({ method, reason }) => [selectorOf(method), reason]),
      [['a.S.Two', 'another method is called same already']],
    )
  })

  test('a service without queries has a schema all the same', async (t) => {
    const descriptors = await described(t, {
      'a.proto': 'syntax = "proto3"; package a; message M { string a = 1; } service S { rpc Do(M) returns (M); }',
    })
    const text = printGraphqlSchema(descriptors)
    assert.match(text, /type Query \{\s+"""The service has no queries."""\s+_empty: Boolean\s+\}/)
    buildSchema(text)
  })

  test('names that two want are the full names of both, whatever comes first', async (t) => {
    const files = {
      'a.proto': `syntax = "proto3"; package a.v1; import "b.proto";
        message Thing { string name = 1; Inner inner = 2; message Inner { int32 x = 1; } }
        message ThingInput { b.Thing other = 1; Int64 number = 2; Query query = 3; }
        message Int64 { int64 value = 1; }
        message Query { string q = 1; }
        service S { rpc Get(Thing) returns (ThingInput); rpc Do(ThingInput) returns (Thing); }`,
      'b.proto': `syntax = "proto3"; package b;
        message Thing { string b = 1; }
        service T { rpc Get(Thing) returns (Thing); rpc get_all(Thing) returns (Thing); rpc HTTPPing(Thing) returns (Thing); }`,
    }
    const text = printGraphqlSchema(await described(t, files))
    assert.equal(
      typeIn(text, 'Mutation'),
      'type Mutation { t_get(input: b_ThingInput): b_Thing getAll(input: b_ThingInput): b_Thing httpPing(input: b_ThingInput): b_Thing s_get(input: a_v1_ThingInput): a_v1_ThingInput_2 do(input: ThingInputInput): a_v1_Thing }',
    )
    for (const name of ['Thing_Inner', 'a_v1_Int64', 'a_v1_Query']) assert.ok(text.includes(`type ${name} {`), name)
    buildSchema(text)
    const turned = printGraphqlSchema(await described(t, Object.fromEntries(Object.entries(files).toReversed())))
    assert.deepEqual(turned.split('\n').toSorted(), text.split('\n').toSorted())
  })

  test('every kind of field, and what may be missing', async (t) => {
    const descriptors = await described(t, {
      'a.proto': `syntax = "proto3"; package a;
        import "google/protobuf/wrappers.proto"; import "google/protobuf/struct.proto"; import "google/protobuf/duration.proto";
        enum E { NONE = 0; true = 1; __x = 2; }
        message Empty {}
        message M {
          optional string maybe = 1; string always = 2; uint64 big = 3; fixed32 wide = 4; float real = 5; E kind = 6;
          repeated E kinds = 7; repeated double reals = 8; repeated M again = 9;
          map<int64, M> byId = 10; map<bool, E> byBool = 11;
          google.protobuf.BoolValue flag = 12; google.protobuf.Value any_value = 13; google.protobuf.Duration wait = 14;
          repeated google.protobuf.StringValue texts = 15; Empty empty = 16;
          oneof choice { string left = 17; M right = 18; }
          string odd_name = 19 [json_name = "1-odd"]; string same = 20 [json_name = "choice"];
          string old = 21 [deprecated = true];
        }
        service S { rpc Do(M) returns (M); }`,
    })
    const text = printGraphqlSchema(descriptors)
    buildSchema(text)
    assert.equal(
      typeIn(text, 'M'),
      'type M { maybe: String always: String! big: UInt64! wide: UInt32! real: Float kind: E kinds: [E]! reals: [Float]! again: [M!]! ' +
        'byId: [MByIdEntry!]! byBool: [MByBoolEntry!]! flag: Boolean anyValue: Value wait: Duration texts: [String!]! empty: Empty ' +
        'left: String right: M _1_odd: String! choice_20: String! old: String! @deprecated(reason: "Deprecated by the service.") }',
    )
    assert.equal(typeIn(text, 'E'), 'enum E { NONE true_ _x }')
    assert.equal(typeIn(text, 'MByIdEntry'), 'type MByIdEntry { key: Int64! value: M! }')
    assert.equal(typeIn(text, 'MByBoolEntry'), 'type MByBoolEntry { key: Boolean! value: E }')
    assert.match(text, /input MChoiceInput @oneOf \{\s+left: String\s+right: MInput\s+\}/)
    assert.match(typeIn(text, 'MInput')!, /choice_oneof: MChoiceInput/)
  })

  test('proto2: what is required is required of callers', async (t) => {
    const descriptors = await described(t, {
      'a.proto': `syntax = "proto2"; package a;
        message M { required string must = 1; optional int32 may = 2 [default = 5]; repeated int32 many = 3; required M self = 4; }
        service S { rpc Do(M) returns (M); }`,
    })
    const text = printGraphqlSchema(descriptors)
    assert.deepEqual(validateSchema(buildGraphqlSchema(descriptors, { methods: [] }).schema), [])
    assert.equal(typeIn(text, 'MInput'), 'input MInput { must: String! may: Int many: [Int!] self: MInput }')
    assert.equal(typeIn(text, 'M'), 'type M { must: String may: Int many: [Int!]! self: M }')
  })
})
