import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readJson, readYaml } from './read-document.ts'

test('what is nested too deep to be walked is a fault, in YAML and in JSON', () => {
  for (const read of [readJson, readYaml]) {
    assert.deepEqual(read(`${'['.repeat(200)}${']'.repeat(200)}`).faults, [])
    for (const depth of [201, 3000]) {
      const { faults } = read(`{ "a":\n ${'['.repeat(depth)}${']'.repeat(depth)} }`)
      assert.match(faults[0]?.message ?? '', /nested more than 200 levels deep/, `${read.name} ${depth}`)
    }
  }
})

test('an alias inside of what it stands for is a fault at its place', () => {
  const found = { message: 'an alias stands inside of what it stands for', remedy: 'write the value out' }
  assert.deepEqual(readYaml('a: 1\nb: &b\n  c: [1, *b]').faults, [{ line: 3, column: 10, ...found }])
  assert.deepEqual(readYaml('&a [*a]').faults, [{ line: 1, column: 5, ...found }])
})

test('an alias elsewhere, even twice, is what it stands for', () => {
  assert.deepEqual(readYaml('a: &a { x: 1 }\nb: *a\nc: [*a, *a]').input, { a: { x: 1 }, b: { x: 1 }, c: [{ x: 1 }, { x: 1 }] })
})

test('tags that make no plain data are faults', () => {
  for (const text of ['!!set { a, b }', '!!omap [a: 1]', '!!binary aGk=', 'a: !!timestamp 2026-11-24']) {
    assert.match(readYaml(text).faults[0]?.message ?? '', /a tag that means nothing here/, text)
  }
  assert.deepEqual(readYaml('a: !!str 1').input, { a: '1' })
})

test('what the YAML cannot be read for is one line, without what stands there', () => {
  assert.deepEqual(
    readYaml('|\r').faults.map(({ message }) => message),
    ['the YAML cannot be read: Not a YAML token'],
  )
  for (const { message } of readYaml('% 600\r/..').faults) assert.doesNotMatch(message, /[\r\n]/)
})
