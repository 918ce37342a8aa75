// One file a case. It holds the files of a configuration, the environment if there is one, and what `velum check` says,
// each under a line "=== name". The first file is the configuration. `UPDATE_GOLDEN=1` writes what is said now into
// the cases; read the difference before you commit it.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { formatFindings } from '../../src/config/format-findings.ts'
import { loadGateway } from '../../src/config/load.ts'

const casesFolder = join(import.meta.dirname, 'cases')
const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'velum-golden-')))
after(() => rmSync(scratch, { recursive: true, force: true }))

interface Case {
  readonly files: ReadonlyMap<string, string>
  readonly env: Record<string, string>
  readonly expected: string
}

function readCase(text: string): Case {
  const files = new Map<string, string>()
  let env = ''
  let expected = ''
  for (const part of text.split(/^=== /m).slice(1)) {
    const end = part.indexOf('\n')
    const name = part.slice(0, end).trim()
    const content = part.slice(end + 1)
    if (name === 'env') env = content
    else if (name === 'expected') expected = content
    else files.set(name, content)
  }
  const variables = env
    .split('\n')
    .filter((line) => line.includes('='))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])
  return { files, env: Object.fromEntries(variables) as Record<string, string>, expected }
}

const names = readdirSync(casesFolder).filter((name) => name.endsWith('.txt'))

for (const name of names) {
  test(name.replace('.txt', '').replaceAll('-', ' '), async () => {
    const path = join(casesFolder, name)
    const text = readFileSync(path, 'utf8')
    const { files, env, expected } = readCase(text)
    const folder = join(scratch, name.replace('.txt', ''))
    for (const [file, content] of files) {
      mkdirSync(dirname(join(folder, file)), { recursive: true })
      writeFileSync(join(folder, file), content)
    }
    const [first] = files.keys()
    const result = await loadGateway(first, { folder, env, now: Date.parse('2026-11-24T12:00:00Z'), print: () => {} })
    for (const finding of result.findings) {
      assert.ok(finding.file.startsWith(folder), 'a finding names its file')
      assert.ok(finding.message !== '' && finding.remedy !== '', 'a finding says what is wrong and what would be right')
      assert.ok(!`${finding.message}${finding.remedy}`.includes('\n'), 'one line each')
    }
    const hasErrors = result.findings.some(({ severity }) => severity === 'error')
    assert.equal(result.model === undefined, hasErrors, 'there is a model exactly when there is no error')
    const said =
      result.findings.length === 0 ? 'no problems\n' : formatFindings(result.findings, folder).replaceAll(`${folder}/`, '')
    for (const [variable, value] of Object.entries(env)) {
      if (variable.startsWith('SECRET')) assert.ok(!said.includes(value), `${variable} is not printed`)
    }
    if (process.env['UPDATE_GOLDEN'] === '1')
      writeFileSync(path, `${text.slice(0, text.indexOf('=== expected\n'))}=== expected\n${said}`)
    else assert.equal(said, expected)
  })
}

test('there are at least twenty broken configurations', () => {
  const broken = names.filter((name) => readFileSync(join(casesFolder, name), 'utf8').includes('\n  error: '))
  assert.ok(broken.length >= 20)
})
