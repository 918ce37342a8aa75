import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { hasRepeatedMember, jsonPlaces } from './json-places.ts'
import { readJson, readYaml } from './read-document.ts'

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

function pathsOf(value: Json, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return []
  const members: [string | number, Json][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return members.flatMap(([name, member]) => [path.concat(name)].concat(pathsOf(member, path.concat(name))))
}

function isRepeated(text: string): boolean {
  return hasRepeatedMember(text, JSON.parse(text))
}

describe('places in JSON', () => {
  it('are those that YAML finds, whatever the spacing', () => {
    const json = fc.json({ depthSize: 'small' }).filter((text) => !/"(__proto__|<<)":/.test(text))
    fc.assert(
      fc.property(json, fc.constantFrom(undefined, 1, 3), (text, spaces) => {
        const value = JSON.parse(text) as Json
        const written = JSON.stringify(value, undefined, spaces)
        const inJson = readJson(written)
        const inYaml = readYaml(written)
        if (inYaml.faults.length > 0) return
        for (const path of pathsOf(value)) assert.deepEqual(inJson.locate(path), inYaml.locate(path), JSON.stringify(path))
      }),
    )
  })

  it('are told for members whose names are escaped, and for what stands behind strings with brackets', () => {
    const text = '{ "a\\u0062": ["]{\\"", {"c": 1}] }'
    const places = jsonPlaces(text)
    assert.equal(places.get('["ab"]'), text.indexOf('"a'))
    assert.equal(places.get('["ab",1]'), text.indexOf('{"c"'))
    assert.equal(places.get('["ab",1,"c"]'), text.indexOf('"c"'))
  })

  it('do not need a deep stack', () => {
    const depth = 20_000
    assert.equal(jsonPlaces('['.repeat(depth) + ']'.repeat(depth)).get('[0]'), 1)
  })
})

describe('repeated members', () => {
  it('are found however they are spelt, wherever they stand', () => {
    for (const text of ['{"a":1,"a":1}', '[{"b":{"a":1,"\\u0061":{}}}]', '{"a":{"x":1},"b":2,"a":{"x":1}}', '{"":1,"":2}'])
      assert.equal(isRepeated(text), true, text)
  })

  it('are not seen where there are none', () => {
    const texts = ['{}', '1', 'null', '":"', '[null,null]', '{"a":{"a":[{"a":"\\\\"},{"a":"a\\":"}]}}', '{"__proto__":{"b":1}}']
    for (const text of texts) assert.equal(isRepeated(text), false, text)
    fc.assert(fc.property(fc.json(), (text) => !isRepeated(text)))
  })
})
