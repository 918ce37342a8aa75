import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, extname, isAbsolute, join } from 'node:path'
import fc from 'fast-check'
import { stringify } from 'yaml'
import type { Finding } from '../../../src/config/finding.ts'
import type { LoadResult } from '../../../src/config/load.ts'
import { loadGateway } from '../../../src/config/load.ts'
import { readJson, readYaml } from '../../../src/config/read-document.ts'
import { altered } from '../altered.ts'
import { defineTarget } from '../fuzz-target.ts'
import { spoilt } from '../spoilt.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'velum-fuzz-')))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

/** The configurations of the golden cases that are documents; files that the good ones name lie beside the fuzzed one. */
function goldenTexts(): string[] {
  const cases = join(import.meta.dirname, '../../config/cases')
  const texts: string[] = []
  for (const name of readdirSync(cases).toSorted()) {
    const parts = readFileSync(join(cases, name), 'utf8').split(/^=== /m).slice(1)
    const files = parts.map((part) => [part.slice(0, part.indexOf('\n')).trim(), part.slice(part.indexOf('\n') + 1)] as const)
    const [[first, text], ...others] = files
    if (!/^\.(?:yaml|json)$/.test(extname(first))) continue
    texts.push(text)
    for (const [file, content] of name.startsWith('good-') ? others : []) {
      if (!/\.(?:yaml|json)$/.test(file)) continue
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      writeFileSync(join(folder, file), content)
    }
  }
  return texts
}

const texts = goldenTexts()
const documents = texts
  .map(readYaml)
  .filter(({ input, faults }) => faults.length === 0 && typeof input === 'object' && input !== null)
  .map(({ input }) => input)

/** Names and values that stand somewhere in the good ones, to be put where they do not belong. */
const names = new Set<string>()
const values = new Set<unknown>()
const collect = (value: unknown): void => {
  if (typeof value !== 'object' || value === null) return void values.add(value)
  if (!Array.isArray(value)) for (const name of Object.keys(value)) names.add(name)
  for (const member of Object.values(value)) collect(member)
}
collect(documents)

const secret = 'swordfish-in-the-environment'
const env = {
  PORT: '8080',
  CAPACITY: '5',
  SHADOW: 'true',
  STATUS: '200',
  MOVED: '301',
  REDIS_URL: `rediss://gateway:${secret}@10.0.0.1:6379`,
  SECRET: secret,
}
const yamlWords = [
  '&a ',
  '*a',
  '<<: *a\n',
  '!!set ',
  '? ',
  ': ',
  '- ',
  '---\n',
  '|\n',
  '>-\n',
  '\n  ',
  '\t',
  '.inf',
  '.nan',
  '0x1f',
  'null',
  '~',
  '{ a: 1 }',
  '[',
  ']',
  '{',
  '}',
  '"',
  '${SECRET}',
  '${NOT_SET}',
  '${',
  '[[[[[[[['.repeat(40),
]

const cases = fc.record({
  kind: fc.constantFrom('yaml', 'json'),
  text: fc.oneof(
    {
      weight: 3,
      arbitrary: altered(documents, [...values, '${SECRET}', '${NOT_SET}'], [...names]).map((made) => JSON.stringify(made)),
    },
    { weight: 1, arbitrary: spoilt(texts, yamlWords) },
    {
      weight: 1,
      arbitrary: spoilt(
        documents.map((made) => JSON.stringify(made)),
        yamlWords,
      ),
    },
  ),
})

async function load(kind: string, text: string): Promise<LoadResult> {
  writeFileSync(join(folder, `velum.config.${kind}`), text)
  return loadGateway(`velum.config.${kind}`, { folder, env, now: Date.UTC(2026, 10, 24), print: () => {} })
}

/** The steps of a path as findings write it, items of lists as numbers. */
const stepsOf = (path: string): (string | number)[] =>
  [...path.matchAll(/\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([\w$-]+)/g)].map(([, index, quoted, plain]) =>
    index !== undefined ? Number(index) : quoted === undefined ? plain : (JSON.parse(quoted) as string),
  )

function checkFinding({ file, path, message, remedy, line, column }: Finding, input: unknown): void {
  const said = `${path}: ${message}; ${remedy}`
  assert.ok(message !== '' && remedy !== '' && !/[\r\n]/.test(message + remedy), said)
  assert.ok(!said.includes(secret), said)
  assert.ok(isAbsolute(file), file)
  assert.equal(line === undefined, column === undefined)
  // What stands there, or what is to be written there: members may be missing, but nobody can look for an item that is not there.
  let here: unknown = input
  for (const step of stepsOf(path)) {
    const isThere = typeof here === 'object' && here !== null && Object.hasOwn(here, step)
    assert.ok(isThere || typeof step === 'string', `${said}, and there is no [${step}]`)
    here = isThere ? (here as Record<string, unknown>)[step] : undefined
  }
}

const configurations = defineTarget({
  name: 'configurations',
  promise: 'a model, or findings with a place and a remedy each; what is accepted is accepted as the same when written otherwise',
  cases,
  fewCases: 60,
  async check({ kind, text }) {
    const { model, findings } = await load(kind, text)
    const { input } = (kind === 'json' ? readJson : readYaml)(text)
    for (const finding of findings) checkFinding(finding, input)
    assert.equal(
      model === undefined,
      findings.some(({ severity }) => severity === 'error'),
    )
    if (model === undefined) return
    for (const [other, written] of [
      ['json', JSON.stringify(input)],
      ['yaml', stringify(input)],
    ]) {
      const again = await load(other, written)
      assert.equal(again.model?.hash, model.hash, `as ${other}: ${again.findings.map(({ message }) => message).join('; ')}`)
    }
  },
})

export const configurationTargets = [configurations]
