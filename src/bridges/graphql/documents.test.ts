import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parse } from 'graphql'
import { operationOf, parseDocument } from './documents.ts'
import { formCost } from './form-cost.ts'
import { standardLimits } from './options.ts'

/** The code of the refusal, or `undefined`. */
function refusal(text: string, tokens = standardLimits.tokens): unknown {
  const read = parseDocument(text, { ...standardLimits, tokens })
  return 'errors' in read ? [read.errors[0].extensions['code'], read.errors[0].extensions['limit']] : undefined
}

function costOf(text: string, variables: Readonly<Record<string, unknown>> = {}): number {
  const document = parse(text)
  const operation = operationOf(document, undefined)
  return 'errors' in operation ? assert.fail('there is one operation') : formCost(document, operation, variables, standardLimits)
}

/** A document whose one value is so many lists, each in the next. */
const nested = (levels: number): string => `{a(x:${'['.repeat(levels)}${']'.repeat(levels)})}`

suite('documents by their form alone', () => {
  test('a name that two definitions have means nothing: one of them would not be judged', () => {
    const deep = `${'{a'.repeat(20)}${'}'.repeat(20)}`
    assert.deepEqual(refusal(`{...F} fragment F on Q${deep}`), ['OPERATION_LIMIT_EXCEEDED', 'depth'])
    assert.deepEqual(refusal(`{...F} fragment F on Q${deep} fragment F on Q{a}`), ['GRAPHQL_VALIDATION_FAILED', undefined])
    assert.deepEqual(refusal('query A{a} query B{a} query A{b}'), ['GRAPHQL_VALIDATION_FAILED', undefined])
    assert.equal(refusal('query A{...A} query B{...A} fragment A on Q{a}'), undefined)
  })

  test('nesting that no stack holds is refused, however many tokens are allowed', () => {
    assert.equal(refusal(nested(500)), undefined)
    assert.deepEqual(refusal(nested(45_000), 100_000), ['OPERATION_LIMIT_EXCEEDED', 'depth'])
  })

  test('what says the length of a list and is no number says nothing', () => {
    assert.equal(costOf('{a(first:3){b}}'), 13)
    for (const value of ['{}', '[]', '{toString:1}', 'null', '"x"', '-1']) assert.equal(costOf(`{a(first:${value}){b}}`), 11, value)
    const text = 'query($n:Int){a(first:$n){b}}'
    assert.equal(costOf(text, { n: 5n }), 15)
    assert.equal(costOf(text, { n: { toString: 1 } }), 11)
    assert.equal(costOf('query($i:I){a(input:$i){b}}', { i: { first: { valueOf: null } } }), 11)
  })
})
