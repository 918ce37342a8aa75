import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { expandEnvironment, isOneVariable } from './expand.ts'

const env = { NAME: 'value', EMPTY: '', DOLLAR: '${NAME}' }

function expanded(text: string): string {
  const { input, faults } = expandEnvironment({ text }, env)
  return faults.length > 0 ? `fault: ${faults[0].message}` : (input as { text: string }).text
}

test('expands variables, defaults and escapes', () => {
  assert.equal(expanded('${NAME}'), 'value')
  assert.equal(expanded('a ${NAME} b ${NAME}'), 'a value b value')
  assert.equal(expanded('${UNSET:-fallback}'), 'fallback')
  assert.equal(expanded('${UNSET:-}'), '')
  assert.equal(expanded('${UNSET:-a:-b c}'), 'a:-b c')
  assert.equal(expanded('${NAME:-fallback}'), 'value')
  assert.equal(expanded('$${NAME}'), '${NAME}')
  assert.equal(expanded('$$${NAME}'), '$${NAME}')
  assert.equal(expanded('$NAME {NAME} $'), '$NAME {NAME} $')
})

test('an empty variable is like an unset one where there is a default, as in a shell', () => {
  assert.equal(expanded('${EMPTY:-fallback}'), 'fallback')
  assert.equal(expanded('[${EMPTY}]'), '[]')
})

test('what a variable holds is not expanded again', () => {
  assert.equal(expanded('${DOLLAR}'), '${NAME}')
})

test('an unset variable without default and a broken form are faults with their place', () => {
  const { faults } = expandEnvironment({ a: ['x', '${UNSET}'], b: { c: '${' }, d: '${1A}', e: '${NAME' }, env)
  assert.deepEqual(
    faults.map(({ path, message }) => [path.join('.'), message]),
    [
      ['a.1', 'the environment variable UNSET is not set'],
      ['b.c', 'a "${" is not followed by a variable name and "}"'],
      ['d', 'a "${" is not followed by a variable name and "}"'],
      ['e', 'a "${" is not followed by a variable name and "}"'],
    ],
  )
})

test('names of members and values that are no text stay as they are', () => {
  const input = { '${NAME}': 1, a: null, b: true, c: [1.5] }
  assert.deepEqual(expandEnvironment(input, env).input, input)
})

test('knows which values came from the environment, and what must not be printed', () => {
  const { expansions, hidden } = expandEnvironment(
    { a: '${LONG}', b: 'x ${SHORT}', c: '$${LONG}', d: 'plain' },
    { LONG: 'a long secret', SHORT: '8080' },
  )
  assert.deepEqual(
    [...expansions],
    [
      ['a', '${LONG}'],
      ['b', 'x ${SHORT}'],
    ],
  )
  assert.deepEqual([...hidden], [['a long secret', '${LONG}']])
})

test('one variable alone is told apart from a text that holds one', () => {
  assert.deepEqual(['${A}', '${A:-1}', '${A}0', ' ${A}', '${A}${B}', '$${A}', '${}'].map(isOneVariable), [
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ])
})

test('text without "${" is never changed', () => {
  fc.assert(
    fc.property(
      fc.string().filter((text) => !text.includes('${')),
      (text) => expanded(text) === text,
    ),
  )
})
