import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { configurationReference } from '../scripts/configuration-reference.ts'
import type { JsonSchema } from '../scripts/configuration-reference.ts'
import { metricsReference } from '../scripts/metrics-reference.ts'
import { readMetrics } from '../scripts/read-metrics.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const remedy = 'run: node scripts/build-schema.ts'
const schema = JSON.parse(read('schema/velum.schema.json')) as JsonSchema

/** Every key of an object in the schema, with what it means. */
function* keysOf(value: unknown): Generator<[string, JsonSchema]> {
  if (typeof value !== 'object' || value === null) return
  const { properties, ...others } = value as JsonSchema
  for (const [key, inner] of Object.entries(properties ?? {})) {
    yield [key, inner]
    yield* keysOf(inner)
  }
  for (const [keyword, inner] of Object.entries(others)) {
    if (keyword === 'examples' || keyword === 'enum' || keyword === 'propertyNames') continue
    if (Array.isArray(inner)) for (const item of inner as unknown[]) yield* keysOf(item)
    else yield* keysOf(inner)
  }
}

describe('the manual of the configuration', () => {
  it('is that of the published schema', () => {
    assert.ok(read('docs/configuration.md') === configurationReference(schema), `docs/configuration.md is out of date; ${remedy}`)
  })

  it('has a row for every key, with its meaning', () => {
    const manual = read('docs/configuration.md')
    const keys = [...keysOf(schema)].filter(([key]) => key !== '$schema')
    assert.ok(keys.length > 300)
    for (const [key, { description = '' }] of keys) {
      const meaning = description.replaceAll('|', '\\|').replaceAll('\n', ' ')
      const rows = manual.split('\n').filter((line) => line.startsWith(`| \`${key}\` `) || line.startsWith(`| **\`${key}\`** `))
      assert.ok(
        rows.some((row) => row.includes(meaning)),
        `${key}: ${meaning}`,
      )
    }
  })

  it('leads to sections that there are', () => {
    const manual = read('docs/configuration.md')
    const anchors = [...manual.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    )
    const sections = new Set(anchors)
    assert.equal(sections.size, anchors.length, 'no two sections have one anchor')
    for (const [, anchor] of manual.matchAll(/\]\(#([^)]*)\)/g)) assert.ok(sections.has(anchor), anchor)
  })
})

describe('the list of metrics', () => {
  const metrics = readMetrics(root)
  const byName = new Map(metrics.map((metric) => [metric.name, metric]))

  it('is that of the sources', () => {
    assert.ok(read('docs/metrics.md') === metricsReference(metrics), `docs/metrics.md is out of date; ${remedy}`)
  })

  it('has every name that looks like one in the sources', () => {
    const names = new Set(metrics.map(({ name }) => name))
    for (const file of globSync('src/**/*.ts', { cwd: root }).filter((path) => !path.endsWith('.test.ts')))
      for (const [name] of read(file).matchAll(/\bvelum_\w+_(?:total|seconds|bytes|ratio)\b/g))
        assert.ok(names.has(name), `${file}: ${name}`)
  })

  it('reads kinds, labels and words that stand elsewhere in a file', () => {
    assert.deepEqual(byName.get('velum_request_duration_seconds'), {
      name: 'velum_request_duration_seconds',
      kind: 'histogram',
      help: 'From the first byte of a request to the end of its response.',
      labels: ['route'],
    })
    assert.deepEqual(byName.get('velum_limit_decisions_total'), {
      name: 'velum_limit_decisions_total',
      kind: 'counter',
      help: 'Decisions of limits, by limit and decision.',
      labels: ['limit', 'decision'],
    })
    assert.deepEqual(byName.get('velum_worker_busy_ratio')?.labels, ['worker'])
  })
})
