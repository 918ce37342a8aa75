import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { commands } from '../src/cli/commands.ts'
import { loadGateway } from '../src/config/load.ts'
import { curlLines } from '../demo/curl-lines.ts'

const root = fileURLToPath(new URL('../', import.meta.url))
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

/** The code blocks of a document in this language. */
function blocks(document: string, language: string): string[] {
  return [...document.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter((found) => found[1] === language).map((found) => found[2])
}

async function documents(): Promise<string[]> {
  const found: string[] = []
  for await (const file of glob(['*.md', 'docs/**/*.md', 'demo/**/*.md', 'bench/**/*.md', 'examples/**/*.md'], { cwd: root }))
    found.push(file)
  return found
}

describe('the documents', () => {
  it('link to what exists', async () => {
    const broken: string[] = []
    for (const file of await documents()) {
      for (const [, target] of read(file).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
        if (!/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(file), target))) broken.push(`${file}: ${target}`)
      }
    }
    assert.deepEqual(broken, [])
  })

  it('list every decision', async () => {
    const list = read('docs/decisions/README.md')
    for await (const file of glob('*.md', { cwd: join(root, 'docs/decisions') })) {
      if (file !== 'README.md') assert.ok(list.includes(`(${file})`), `docs/decisions/README.md lists ${file}`)
    }
  })

  it('name files that exist', () => {
    const missing: string[] = []
    for (const file of ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'SECURITY.md']) {
      for (const [, path] of read(file).matchAll(/`((?:src|test|bench|demo|docs|scripts|runtime)\/[\w./*-]+)`/g)) {
        if (path.includes('NAME')) continue
        const place = path.includes('*') ? dirname(path) : path
        if (!existsSync(join(root, place))) missing.push(`${file}: ${path}`)
      }
    }
    assert.deepEqual(missing, [])
  })

  it('the configuration of the README is without fault', async () => {
    const [config] = blocks(read('README.md'), 'ts')
    const folder = mkdtempSync(join(tmpdir(), 'velum-readme-'))
    try {
      writeFileSync(join(folder, 'velum.config.ts'), config)
      const { findings, model } = await loadGateway(undefined, { folder })
      assert.deepEqual(findings, [])
      assert.equal(model?.routes.length, 3)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('the five lines of the README are those that the demo prints', () => {
    const [lines] = blocks(read('README.md'), 'sh')
    const printed = curlLines({ gateway: 'https://localhost:8443', authorityPath: '.velum/dev-ca.pem', token: '$TOKEN' })
    assert.deepEqual(
      lines.split('\n').filter((line) => line !== '' && !/^(?:#|TOKEN=)/.test(line)),
      // In the README the shell fills the token in.
      printed.map(({ command }) => command.replace("'Authorization: Bearer $TOKEN'", '"Authorization: Bearer $TOKEN"')),
    )
  })

  it('the commands of the README and their options are there', async () => {
    const rows = [...read('README.md').matchAll(/^\| `velum (\w+)([^`]*)` \|/gm)]
    assert.ok(rows.length >= 5)
    for (const [, name, usage] of rows) {
      const entry = commands.find((command) => command.name === name)
      assert.ok(entry !== undefined, name)
      const { options } = await entry.load()
      for (const [, option] of usage.matchAll(/--([\w-]+)/g)) assert.ok(option in options, `velum ${name} --${option}`)
    }
  })

  it('can be read in an evening, with the code that they name first', () => {
    const section = read('ARCHITECTURE.md').split('## Reading order')[1]
    const files = ['ARCHITECTURE.md', ...[...section.matchAll(/`(src\/[\w/.-]+\.ts)`/g)].map((found) => found[1])]
    assert.ok(files.length >= 5, 'the reading order names its files')
    const policyTest = files.find((file) => file.startsWith('src/policies/'))!.replace(/\.ts$/, '.test.ts')
    const lines = [...files, policyTest].reduce((sum, file) => sum + read(file).split('\n').length - 1, 0)
    assert.ok(lines < 800, `${lines} lines`)
  })
})
