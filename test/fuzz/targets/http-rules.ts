import { fromJson, toBinary } from '@bufbuild/protobuf'
import type { JsonValue } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { requestMessage } from '../../../src/bridges/grpc-json/request-message.ts'
import { RuleTree } from '../../../src/bridges/grpc-json/rule-tree.ts'
import { compileRules } from '../../../src/bridges/grpc-json/rules.ts'
import { decodeVariable, expandTemplate, parsePathTemplate } from '../../../src/bridges/grpc-json/path-template.ts'
import { standardJson } from '../../../src/bridges/json/message-codec.ts'
import { readPath } from '../../../src/routing/read-path.ts'
import { defineTarget } from '../fuzz-target.ts'
import { spoilt } from '../spoilt.ts'
import { assertUnpolluted, bookType, faultOf, registry, shelf } from './shelf.ts'

/** A part of a template: its text, and the segments in it. `''` is a variable's name to come. */
const parts = {
  a: ['a'],
  b: ['b'],
  '%2F': ['%2F'],
  '*': ['*'],
  '{}': ['*'],
  '{=a/*}': ['a', '*'],
  '{=*/b}': ['*', 'b'],
} as const
const tails = { '**': ['**'], '{=**}': ['**'], '{=a/**}': ['a', '**'] } as const
type Part = keyof typeof parts | keyof typeof tails

interface Rule {
  readonly method: string
  readonly parts: readonly Part[]
  readonly verb: string
}

const rule: fc.Arbitrary<Rule> = fc
  .record({
    method: fc.constantFrom('GET', 'GET', 'POST', '*'),
    own: fc.array(fc.constantFrom(...(Object.keys(parts) as Part[])), { maxLength: 3 }),
    tail: fc.option(fc.constantFrom(...(Object.keys(tails) as Part[]))),
    verb: fc.constantFrom('', '', 'go', 'a', 'b:go'),
  })
  .map(({ method, own, tail, verb }) => {
    const all = tail === null ? own : [...own, tail]
    // Only behind a variable a verb may hold a colon.
    const isPlain = all.at(-1)?.startsWith('{') !== true
    return { method, verb: isPlain && verb === 'b:go' ? 'go' : verb, parts: all.length === 0 ? ['a' as const] : all }
  })

const segmentsOf = ({ parts: own }: Rule): readonly string[] => own.flatMap((part) => ({ ...parts, ...tails })[part])

function textOf({ parts: own, verb }: Rule): string {
  const named = own.map((part, i) => part.replace('{', `{v${i}`))
  return `/${named.join('/')}${verb === '' ? '' : `:${verb}`}`
}

/** The same as a regular expression, with a group for each variable: another reading of what a template matches. */
function patternOf({ parts: own, verb }: Rule): RegExp {
  let pattern = ''
  for (const part of own) {
    const isVariable = part.startsWith('{')
    if (part.endsWith('**') || part.endsWith('**}')) {
      const more = '(?:/[^/]+)*'
      if (part.includes('a/')) pattern += `/(a${more})`
      else pattern += isVariable ? `(?:/([^/]+${more}))?` : more
      continue
    }
    const segments = parts[part as keyof typeof parts].map((segment) => (segment === '*' ? '[^/]+' : segment)).join('/')
    pattern += isVariable ? `/(${segments})` : `/${segments}`
  }
  return new RegExp(`^${pattern}${verb === '' ? '' : `:${verb}`}$`)
}

const ranks: readonly string[] = ['literal', '*', '', '**']
const rankOf = (segment = ''): number => Math.max(0, ranks.indexOf(segment))

/** Which of two rules that match comes first: the longer verb, then literals before `*` before an end before `**`. */
function compare(a: Rule, b: Rule, method: string): number {
  if (a.verb !== b.verb) return b.verb.length - a.verb.length
  const [own, others] = [segmentsOf(a), segmentsOf(b)]
  for (let i = 0; i < Math.max(own.length, others.length); i++) {
    const difference = rankOf(own[i]) - rankOf(others[i])
    if (difference !== 0) return difference
  }
  const byMethod = [method, method === 'HEAD' ? 'GET' : method, '*']
  return byMethod.indexOf(a.method) - byMethod.indexOf(b.method)
}

const segment = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', '%2F', 'x', 'a:go') },
  { weight: 1, arbitrary: fc.constantFrom('x:b:go', 'b:a', ':go', 'go', '%C3%A9', '~', '') },
)

const ruleTree = defineTarget({
  name: 'rules of google.api.http',
  promise: 'the first rule that matches, with its variables, as regular expressions find it; the path again when it is expanded',
  cases: fc.record({
    rules: fc.array(rule, { minLength: 1, maxLength: 5 }),
    method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT'),
    path: fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`),
  }),
  fewCases: 600,
  check({ rules, method, path }) {
    const tree = new RuleTree<Rule>()
    const added = rules.filter((own) => tree.add(own.method, parsePathTemplate(textOf(own)), own) === undefined)
    const matching = added.filter((own) => patternOf(own).test(path))
    const fits = (own: Rule): boolean => own.method === method || own.method === '*' || (own.method === 'GET' && method === 'HEAD')
    const [expected] = matching.filter(fits).toSorted((a, b) => compare(a, b, method))
    const hit = tree.match(method, path)
    if (expected === undefined) {
      const allowed = hit === undefined ? [] : 'allowed' in hit ? hit.allowed : assert.fail('a rule matches')
      assert.deepEqual(new Set(allowed), new Set(matching.map((own) => own.method)))
      return
    }
    assert.ok(hit !== undefined && 'variables' in hit)
    assert.equal(textOf(hit.value), textOf(expected))
    assert.equal(hit.value.method, expected.method)
    const groups = patternOf(expected).exec(path)!.slice(1)
    assert.deepEqual(
      hit.variables,
      groups.map((group) => group ?? ''),
    )
    if (expected.parts.includes('*') || expected.parts.includes('**')) return
    const template = parsePathTemplate(textOf(expected))
    const values = hit.variables.map((raw, i) => decodeVariable(raw, template.variables[i].isMulti))
    assert.equal(expandTemplate(template, values), path)
  },
})

const { tree } = compileRules(shelf, standardJson)
const calls: readonly (readonly [method: string, path: string])[] = [
  ['GET', '/v1/shelves/1/books/2'],
  ['PUT', '/v1/shelves/1/books/2'],
  ['PATCH', '/v1/shelves/1/books/2'],
  ['POST', '/v1/books'],
  ['PURGE', '/v1/books/a'],
  ['GET', '/v1/files/a/b%2Fc'],
  ['GET', '/v1/titles/x:peek'],
  ['GET', '/v1/authors/a'],
  ['GET', '/v1/tags/t'],
  ['POST', '/v1/upload/t'],
  ['POST', '/v1/talk'],
]
const targetWords = ['%2F', '%', '%FF', '%c3%a9', ':peek', '/', '%00', '**', '{', '..', '%3A', '__proto__']
const called = fc.oneof(
  fc.constantFrom(...calls).map(([method, target]) => ({ method, target })),
  fc
    .constantFrom(...calls)
    .chain(([method, path]) => fc.record({ method: fc.constant(method), target: spoilt([path], targetWords) })),
)
const queries = [
  'name=x&room=a+b',
  'pages=-1&is_lent=true&kind=KIND_NOVEL',
  'kind=1&copies=-5&mask=title',
  'tags=a&tags=&years=1&years=2',
  'author.name=a&author.born=1',
  'cover=-_8&price=1.5e3&printed=2026-11-24T10:00:00Z',
  'copies=9007199254740993&floor=1&mask=a.b,c',
]
const queryWords = [
  ['&', '=', '+', '%', '%20', '%FF', '%c3%a9', '%00', '.', '..', 'a.b.', '&&', '#', '%26', '%3D'],
  ['__proto__=1&', '__proto__.polluted=1&', 'author.__proto__.x=1&', 'constructor.prototype.x=1&', 'toString=1&'],
  ['notes=1&', 'notes.a=1&', 'counts.a=1&', 'counts[a]=1&', 'extra=1&', 'extra.@type=1&', 'author=1&', 'nope=1&', 'nope.a=1&'],
  ['room=a&', 'isLent=false&', 'price=NaN&', 'price=1e400&', 'kind=2147483648&', 'floor=-1&', 'cover=*&', 'printed=&'],
  ['title=a&', 'book.title=x&', 'updateMask=a&', '&tags=', '&years=3'],
  ['tags=x&'.repeat(50), 'author.'.repeat(40)],
].flat()
const contents = [
  undefined,
  '',
  '{}',
  'null',
  '[]',
  '1e20',
  '{"title":"a","name":"b"}',
  '{"author":{"name":"a"},"__proto__":{"name":"b"}}',
  '{"author":null,"is_lent":true}',
  '{"author":12345678901234567890}',
  '{"pages":12345678901234567890e-1}',
]

const requests = defineTarget({
  name: 'requests of google.api.http',
  promise: 'a message, malformed or unfit-message; no parameter or member touches anything but the message',
  cases: fc.record({
    call: called,
    query: fc.option(spoilt(queries, queryWords), { nil: undefined }),
    content: fc.oneof(
      fc.constantFrom(...contents),
      spoilt(['{"book":{"title":"a"}}', '{"tags":["a"]}'], ['{', '}', '"', ',', 'null']),
    ),
    ignores: fc.boolean(),
  }),
  fewCases: 600,
  check({ call: { method, target }, query, content, ignores }) {
    const path = readPath(target.startsWith('/') ? target : `/${target}`)?.path
    const hit = path === undefined ? undefined : tree.match(method, path)
    if (hit === undefined || 'allowed' in hit) return
    const read = (): Uint8Array => {
      const sent = content === undefined ? undefined : { bytes: Buffer.from(content), type: undefined }
      return hit.value.input.bytesOf(requestMessage(hit.value, hit.variables, query, sent, ignores))
    }
    if (faultOf(read, 'malformed', 'unfit-message') === undefined) {
      const bytes = read()
      const { input } = hit.value
      assert.deepEqual(Buffer.from(input.toBytes(Buffer.from(input.toText(bytes)))), Buffer.from(bytes))
    }
    assertUnpolluted()
  },
})

/** How the text of a parameter stands in JSON. */
const asJson: Readonly<Record<string, (text: string) => JsonValue>> = {
  is_lent: (text) => text === 'true',
  isLent: (text) => text === 'true',
  kind: (text) => (/^-?\d+$/.test(text) ? Number(text) : text),
  price: (text) => (/[NI]/.test(text) ? text : Number(text)),
}
const lists: ReadonlySet<string> = new Set(['tags', 'years'])

/** The JSON that a query stands for, by another reader of queries. */
function jsonOf(query: string): JsonValue {
  const json: { [name: string]: JsonValue } = {}
  for (const [name, text] of new URLSearchParams(query)) {
    const value = asJson[name]?.(text) ?? text
    if (name.startsWith('author.')) json['author'] = { ...(json['author'] as object | undefined), [name.slice(7)]: value }
    else if (lists.has(name)) json[name] = [...((json[name] as JsonValue[] | undefined) ?? []), value]
    else {
      assert.ok(!(name in json), `${name} is taken twice`)
      json[name] = value
    }
  }
  return json
}

const parameters = defineTarget({
  name: 'parameters of google.api.http',
  promise: 'what is taken of a query is what URLSearchParams and protobuf-es make of it',
  cases: spoilt(queries, queryWords),
  fewCases: 600,
  check(query) {
    const hit = tree.match('GET', '/v1/tags/t')
    assert.ok(hit !== undefined && 'variables' in hit)
    const read = (): Uint8Array => hit.value.input.bytesOf(requestMessage(hit.value, ['t'], query, undefined, false))
    if (faultOf(read, 'malformed', 'unfit-message') !== undefined) return
    const expected = fromJson(bookType, { ...(jsonOf(query) as object), title: 't' }, { registry })
    assert.deepEqual(Buffer.from(read()), Buffer.from(toBinary(bookType, expected)))
  },
})

export const httpRuleTargets = [ruleTree, requests, parameters]
