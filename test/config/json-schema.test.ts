import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { z } from 'zod'
import { gatewayJsonSchema } from '../../src/config/json-schema.ts'

const published = JSON.parse(readFileSync(join(import.meta.dirname, '../../schema/velum.schema.json'), 'utf8')) as Parameters<
  typeof z.fromJSONSchema
>[0]

test('the published JSON Schema is up to date (node scripts/build-schema.ts)', () => {
  assert.deepEqual(published, JSON.parse(JSON.stringify(gatewayJsonSchema())))
})

test('every option is explained', () => {
  const silent: string[] = []
  const walk = (schema: Record<string, unknown>, path: string): void => {
    for (const [name, member] of Object.entries((schema['properties'] ?? {}) as Record<string, Record<string, unknown>>)) {
      if (member['description'] === undefined && member['const'] === undefined) silent.push(`${path}.${name}`)
      walk(member, `${path}.${name}`)
    }
    for (const branch of [...((schema['anyOf'] ?? []) as object[]), ...((schema['oneOf'] ?? []) as object[])])
      walk(branch as Record<string, unknown>, path)
    for (const key of ['items', 'additionalProperties']) {
      if (typeof schema[key] === 'object') walk(schema[key] as Record<string, unknown>, `${path}.*`)
    }
  }
  walk(published as Record<string, unknown>, '')
  assert.deepEqual(silent, [])
})

const validator = z.fromJSONSchema(published)
const casesFolder = join(import.meta.dirname, 'cases')

function yamlOf(name: string): unknown {
  const text = readFileSync(join(casesFolder, name), 'utf8')
  const match = /^=== velum\.config\.(?:yaml|json)\n([^]*?)^=== /m.exec(text)
  return match === null ? undefined : parse(match[1], { merge: true })
}

for (const name of readdirSync(casesFolder).filter((file) => file.startsWith('good-'))) {
  const config = yamlOf(name)
  if (config === undefined) continue
  test(`an editor accepts ${name}`, () => {
    const result = validator.safeParse(config)
    assert.deepEqual(result.success ? [] : result.error.issues, [])
  })
}

for (const name of [
  'misspelt-option.txt',
  'misspelt-top-level-key.txt',
  'units.txt',
  'wrong-types.txt',
  'vocabulary-of-later-versions.txt',
]) {
  test(`an editor marks ${name}`, () => {
    assert.equal(validator.safeParse(yamlOf(name)).success, false)
  })
}
