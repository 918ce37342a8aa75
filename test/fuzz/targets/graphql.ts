import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { GraphQLError, Kind, Lexer, Source, TokenKind, buildSchema, parse, specifiedRules, validate, visit } from 'graphql'
import type { DocumentNode, FieldNode, SelectionSetNode } from 'graphql'
import { operationOf, parseDocument, readDocument } from '../../../src/bridges/graphql/documents.ts'
import { formCost } from '../../../src/bridges/graphql/form-cost.ts'
import { maxVisits, operationCost } from '../../../src/bridges/graphql/operation-limits.ts'
import { standardLimits } from '../../../src/bridges/graphql/options.ts'
import type { GraphqlLimits } from '../../../src/bridges/graphql/options.ts'
import { readGot, readPayload, readPosted } from '../../../src/bridges/graphql/request.ts'
import { defineTarget } from '../fuzz-target.ts'
import { spoilt, spoiltBytes } from '../spoilt.ts'
import { assertUnpolluted, faultOf } from './shelf.ts'

const schema = buildSchema(`
  type Query { item(id: ID): Item items(first: Int, input: Input): [Item!]! }
  type Mutation { put(input: Input): Item }
  type Item { id: ID name: String item: Item items(last: Int): [Item] }
  input Input { pageSize: Int name: String input: Input }
`)

/** Documents by a grammar of few names, so that fields are said again and fragments meet. */
const { document: grown } = fc.letrec((tie) => ({
  field: fc
    .tuple(
      fc.constantFrom('', '', '', 'x:', 'id:'),
      fc.constantFrom('item', 'items', 'item', 'id', 'name', '__typename', '__schema'),
      fc.constantFrom(
        '',
        '',
        '',
        '',
        '(first:3)',
        '(last:$n)',
        '(input:{pageSize:2})',
        '(input:$i)',
        '(first:{a:1})',
        '(first:$n limit:4)',
      ),
      fc.constantFrom('', '', '', '', '@skip(if:true)', '@a@b'),
      fc.option(tie('set'), { freq: 2, nil: '' }),
    )
    .map((parts) => parts.join('')),
  spread: fc.constantFrom('...F', '...G', '...H', '...F@a'),
  inline: fc.tuple(fc.constantFrom('...', '...on Item', '...@a', '...on Query'), tie('set')).map((parts) => parts.join('')),
  set: fc
    .array(
      fc.oneof(
        { depthSize: 'small', maxDepth: 5 },
        { weight: 4, arbitrary: tie('field') },
        { weight: 1, arbitrary: tie('spread') },
        { weight: 1, arbitrary: tie('inline') },
      ),
      { minLength: 1, maxLength: 3 },
    )
    .map((selections) => `{${selections.join(' ')}}`),
  definition: fc
    .tuple(
      fc.constantFrom(
        '',
        'query',
        'query A($n:Int=2 $i:Input@a)',
        'mutation B',
        'fragment F on Item',
        'fragment G on Query',
        'fragment H on Item@a',
      ),
      tie('set'),
    )
    .map((parts) => parts.join('')),
  document: fc.array(tie('definition'), { minLength: 1, maxLength: 4 }).map((definitions) => definitions.join(' ')),
})) as { readonly document: fc.Arbitrary<string> }

const seeds = [
  '{items(first:3){id x:name item{...F}}} fragment F on Item{name items(last:2){id}}',
  'query A($n:Int=2,$i:Input){a:items(input:$i first:$n){id id ...on Item{id}}}',
  'mutation B{put(input:{name:"}}{{" pageSize:5}){id @include(if:true)}}',
  '{__schema{types{fields{type{ofType{ofType{name}}}}}}} # }',
  'query A{...G} query B{item(id:"""a"""){id}} fragment G on Query{items{...G}}',
]
const words = [
  ['{', '}', '(', ')', '[', ']', '...', ':', '$', '@a', '"', '"""', '#', '\n', ',', '!', '=', '&', '|', '\\u{1F600}', '\ufeff'],
  [
    '{id}',
    '...F',
    '...{',
    ' fragment F on Item{id}',
    'query',
    'query A',
    'on',
    'subscription',
    'type A{a:Int}',
    '__schema{',
    'null',
  ],
  [
    'x:',
    'id',
    'items{',
    'first:-1',
    'first:1e9',
    'last:"3"',
    'input:{pageSize:$n}',
    '(',
    '{a'.repeat(9),
    '['.repeat(20),
    '@a'.repeat(9),
  ],
].flat()
const texts = fc.oneof({ weight: 2, arbitrary: grown }, { weight: 1, arbitrary: spoilt(seeds, words) })

/** Sets within sets and fragments that spread one another: as much to compare as the limits let pass. */
const hostile = fc
  .record({
    wide: fc.integer({ min: 1, max: 6 }),
    deep: fc.integer({ min: 1, max: 8 }),
    open: fc.constantFrom('...{item{', '...on Item{item{', 'item{...{'),
    chain: fc.integer({ min: 0, max: 60 }),
  })
  .map(({ wide, deep, open, chain }) => {
    let set = 'name'
    for (let i = 0; i < deep && set.length < 3000; i++) set = `${open}${set}}}`.repeat(wide)
    const spreads = (i: number): string => Array.from({ length: Math.min(wide, chain - i) }, (_, j) => `...F${i + j}`).join(' ')
    const fragments = Array.from({ length: chain }, (_, i) => `fragment F${i} on Item{id ${spreads(i + 1)} name}`)
    return `{item{${set} ${spreads(0)}}} ${fragments.join(' ')}`
  })

const variables = fc.constantFrom<Readonly<Record<string, unknown>>>(
  {},
  { n: 3 },
  { n: 4n, i: { pageSize: 5 } },
  { n: { valueOf: 1 }, i: { first: [] } },
  { n: '7', i: null },
  { n: 1e308, i: 5 },
  JSON.parse('{"__proto__":{"pageSize":9},"i":{"__proto__":{"pageSize":9}}}') as Record<string, unknown>,
)

/** Tight ones, so that documents of this size are on either side of them. */
const limits: fc.Arbitrary<GraphqlLimits> = fc.record({
  bytes: fc.constant(1000),
  tokens: fc.integer({ min: 20, max: 120 }),
  depth: fc.integer({ min: 1, max: 6 }),
  aliases: fc.integer({ min: 0, max: 5 }),
  rootFields: fc.integer({ min: 1, max: 5 }),
  directives: fc.integer({ min: 0, max: 5 }),
  cost: fc.constantFrom(20, 100, 5000),
  listSize: fc.integer({ min: 1, max: 4 }),
})

function tokensOf(text: string): number {
  const lexer = new Lexer(new Source(text))
  let count = 0
  while (lexer.advance().kind !== TokenKind.EOF) count++
  return count
}

interface Measures {
  depth: number
  aliases: number
  rootFields: number
  directives: number
}

class Cycle extends Error {}

/** The same measures by writing out every fragment where it is spread; throws a Cycle. */
function measured(document: DocumentNode): Measures {
  const fragments = new Map<string, SelectionSetNode>()
  for (const definition of document.definitions)
    if (definition.kind === Kind.FRAGMENT_DEFINITION) fragments.set(definition.name.value, definition.selectionSet)
  const found: Measures = { depth: 0, aliases: 0, rootFields: 0, directives: 0 }
  let aliases = 0
  const walk = (
    set: SelectionSetNode,
    depth: number,
    deepest: { at: number },
    open: readonly string[],
    root: FieldNode[],
  ): void => {
    const names: string[] = []
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        const name = (selection.alias ?? selection.name).value
        if (selection.alias !== undefined || names.includes(name)) aliases++
        names.push(name)
        root.push(selection)
        deepest.at = Math.max(deepest.at, depth + 1)
        const own = /^__(?:schema|type)$/.test(selection.name.value) ? { at: 0 } : deepest
        if (selection.selectionSet !== undefined) walk(selection.selectionSet, depth + 1, own, open, [])
        continue
      }
      const name = selection.kind === Kind.FRAGMENT_SPREAD ? selection.name.value : undefined
      if (name !== undefined && open.includes(name)) throw new Cycle()
      const inner = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(name!) : selection.selectionSet
      if (inner !== undefined) walk(inner, depth, deepest, name === undefined ? open : [...open, name], root)
    }
  }
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) walk(definition.selectionSet, 0, { at: 0 }, [definition.name.value], [])
    if (definition.kind !== Kind.FRAGMENT_DEFINITION && definition.kind !== Kind.OPERATION_DEFINITION) continue
    visit(definition, { Directive: () => void found.directives++ })
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue
    aliases = 0
    const deepest = { at: 0 }
    const root: FieldNode[] = []
    walk(definition.selectionSet, 0, deepest, [], root)
    found.depth = Math.max(found.depth, deepest.at)
    found.aliases = Math.max(found.aliases, aliases)
    found.rootFields = Math.max(found.rootFields, root.length)
  }
  return found
}

function namesOf(document: DocumentNode): string[] {
  return document.definitions.flatMap((definition) => {
    if (definition.kind !== Kind.FRAGMENT_DEFINITION && definition.kind !== Kind.OPERATION_DEFINITION) return []
    return definition.name === undefined ? [] : [`${definition.kind} ${definition.name.value}`]
  })
}

function isRefused(read: ReturnType<typeof parseDocument>): read is { readonly errors: readonly GraphQLError[] } {
  return 'errors' in read
}

const forms = defineTarget({
  name: 'limits of GraphQL documents',
  promise: 'what is accepted is a document within every limit; what is refused is none, or beyond the limit that is named',
  cases: fc.record({ text: texts, limits }),
  fewCases: 600,
  check({ text, limits: own }) {
    const read = parseDocument(text, own)
    if (!isRefused(read)) {
      const document = parse(text)
      const found = measured(document)
      for (const name of ['depth', 'aliases', 'rootFields', 'directives'] as const) assert.ok(found[name] <= own[name], name)
      assert.ok(tokensOf(text) <= own.tokens)
      assert.equal(new Set(namesOf(document)).size, namesOf(document).length)
      return
    }
    const [{ extensions }] = read.errors
    const limit = extensions['limit'] as keyof Measures | 'tokens' | undefined
    if (extensions['code'] === 'GRAPHQL_PARSE_FAILED') assert.throws(() => parse(text), GraphQLError)
    else if (limit === 'tokens') assert.throws(() => parse(text, { maxTokens: own.tokens }), GraphQLError)
    else if (limit === undefined) {
      assert.equal(extensions['code'], 'GRAPHQL_VALIDATION_FAILED')
      const names = namesOf(parse(text))
      if (new Set(names).size === names.length) assert.throws(() => measured(parse(text)), Cycle)
    } else {
      assert.equal(extensions['code'], 'OPERATION_LIMIT_EXCEEDED')
      try {
        assert.ok(measured(parse(text))[limit] > own[limit], limit)
      } catch (thrown) {
        if (!(thrown instanceof Cycle)) throw thrown
      }
    }
  },
})

const costs = defineTarget({
  name: 'costs of GraphQL operations',
  promise: 'a cost from its fields and sizes, or Infinity above the limit; never lower where more is asked for',
  cases: fc.record({ text: texts, limits, variables, more: fc.integer({ min: 1, max: 50 }) }),
  fewCases: 400,
  check({ text, limits: own, variables: given, more }) {
    const wide = { ...standardLimits, cost: own.cost, listSize: own.listSize }
    const read = parseDocument(text, wide)
    if (isRefused(read)) return
    const operation = operationOf(read, read.definitions.length > 1 ? 'A' : undefined)
    if ('errors' in operation) return
    for (const cost of [formCost(read, operation, given, wide), operationCost(schema, read, operation, given, wide)]) {
      assert.ok(cost === Infinity || (cost >= 0 && cost <= own.cost), String(cost))
    }
    // A longer list costs more, and so does a limit that is judged by hand.
    const short = formCost(read, operation, { ...given, n: 1 }, wide)
    assert.ok(formCost(read, operation, { ...given, n: more }, wide) >= short)
    const roots = rootFieldsOf(read, operation.selectionSet)
    assert.ok(short >= Math.min(10 * roots, own.cost) || short === Infinity, `${short} for ${roots} calls`)
    assert.ok(roots <= maxVisits)
  },
})

function rootFieldsOf(document: DocumentNode, set: SelectionSetNode): number {
  let count = 0
  for (const selection of set.selections) {
    if (selection.kind === Kind.FIELD) count++
    else if (selection.kind === Kind.INLINE_FRAGMENT) count += rootFieldsOf(document, selection.selectionSet)
    else {
      const fragment = document.definitions.find(
        (definition) => definition.kind === Kind.FRAGMENT_DEFINITION && definition.name.value === selection.name.value,
      )
      if (fragment?.kind === Kind.FRAGMENT_DEFINITION) count += rootFieldsOf(document, fragment.selectionSet)
    }
  }
  return count
}

const validity = defineTarget({
  name: 'GraphQL documents beside a schema',
  promise: 'what is accepted is valid to graphql-js; every refusal has one of our codes, and asks for no schema that is closed',
  cases: fc.record({
    text: fc.oneof({ weight: 4, arbitrary: texts }, { weight: 1, arbitrary: hostile }),
    introspection: fc.boolean(),
  }),
  fewCases: 100,
  check({ text, introspection }) {
    const read = readDocument(text, schema, { introspection, limits: standardLimits })
    if (isRefused(read)) {
      for (const { extensions } of read.errors)
        assert.match(String(extensions['code']), /^(?:GRAPHQL_PARSE_FAILED|GRAPHQL_VALIDATION_FAILED|OPERATION_LIMIT_EXCEEDED)$/)
      return
    }
    const document = parse(text)
    assert.deepEqual(validate(schema, document, specifiedRules), [])
    if (!introspection) visit(document, { Field: ({ name: { value } }) => assert.ok(value !== '__schema' && value !== '__type') })
  },
})

const posted = [
  '{"query":"{a}","variables":{"n":12345678901234567890,"m":1.5e300},"operationName":"A"}',
  '{"documentId":"sha256:aa","extensions":{"persistedQuery":{"version":1,"sha256Hash":"ff"}}}',
  '{"query":"{a}","variables":null,"extensions":null,"operationName":null}',
]
const postedWords = [
  ['{', '}', '[', ']', '"', ',', ':', 'null', '1e400', '"query":1,', '"__proto__":{"query":"{b}"},', '"variables":[],', '\\u0022'],
  [
    '"extensions":{"persistedQuery":null},',
    '"extensions":{"persistedQuery":{"sha256Hash":1}},',
    '"query":"","query":"x",',
    '{"variables":{"__proto__":{"n":1}}}',
  ],
].flat()

const requests = defineTarget({
  name: 'requests of GraphQL',
  promise: 'the members that JSON.parse finds, of the types that they must have, or malformed',
  cases: fc.record({
    content: spoiltBytes(
      posted.map((text) => Buffer.from(text)),
      postedWords,
    ),
    query: spoilt(
      ['query=%7Ba%7D&variables=%7B%22n%22%3A1%7D', 'documentId=sha256:a&extensions={}', 'query={a}&operationName=A'],
      [
        '&',
        '=',
        '%',
        '+',
        '&query=',
        '&variables=[]',
        '&variables=null',
        '&extensions={"persistedQuery":{"sha256Hash":"a"}}',
        '%00',
      ],
    ),
  }),
  fewCases: 400,
  check({ content, query }) {
    let object: Record<string, unknown> = {}
    try {
      object = JSON.parse(content.toString()) as Record<string, unknown>
    } catch {
      // Refused below.
    }
    const readings = [
      () => readPosted(content),
      () => readGot(query),
      () => readPayload(object !== null && typeof object === 'object' ? object : {}),
    ]
    for (const [i, read] of readings.entries()) {
      if (faultOf(read, 'malformed') !== undefined) continue
      const request = read()
      for (const value of [request.query, request.documentId, request.operationName])
        assert.ok(value === undefined || typeof value === 'string')
      assert.ok(typeof request.variables === 'object' && !Array.isArray(request.variables))
      if (i > 0) continue
      assert.ok(isUtf8(content))
      const own = (name: string): unknown => (Object.hasOwn(object, name) ? (object[name] ?? undefined) : undefined)
      assert.equal(request.query, own('query'))
      assert.equal(request.operationName, own('operationName'))
      const doubles = JSON.stringify(request.variables, (_name, value: unknown) =>
        typeof value === 'bigint' ? Number(value) : value,
      )
      assert.equal(doubles, JSON.stringify(own('variables') ?? {}))
    }
    assertUnpolluted()
  },
})

export const graphqlTargets = [forms, costs, validity, requests]
