import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { policyKinds } from '../../src/policies/list.ts'
import { checkGateway } from '../../src/config/check.ts'
import { policies } from './types/agreement.ts'
import { loose } from './types/good.ts'
import { misspelt } from './types/misspelt.ts'

const root = join(import.meta.dirname, '../..')
const typesFolder = join(import.meta.dirname, 'types')

/** Type-checks files as the project does; gives what the compiler reports as `file:line:column`. */
function compile(folder: string, files: readonly string[]): string[] {
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions: { noEmit: true, rewriteRelativeImportExtensions: false, typeRoots: [join(root, 'node_modules/@types')] },
    files,
    include: [],
  }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const run = spawnSync(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], { cwd: folder, encoding: 'utf8' })
  assert.equal(run.error, undefined)
  return run.stdout.split('\n').flatMap((line) => {
    const match = /^(.*?)\((\d+),(\d+)\): error /.exec(line)
    return match === null ? [] : [`${match[1].split('/').at(-1)}:${match[2]}:${match[3]}`]
  })
}

function withFolder(run: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'velum-types-'))
  try {
    run(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test('what should compile does, and every expected error is one', () => {
  withFolder((folder) => {
    const files = ['good.ts', 'misspelt.ts', 'agreement.ts'].map((file) => join(typesFolder, file))
    assert.deepEqual(compile(folder, files), [])
  })
})

test('a misspelt name is reported at its own token', () => {
  const source = readFileSync(join(typesFolder, 'misspelt.ts'), 'utf8')
  const lines = source.split('\n')
  const expected = lines.flatMap((line, i) => {
    const token = /@ts-expect-error: (.*)$/.exec(line)?.[1]
    return token === undefined ? [] : [`misspelt.ts:${i + 2}:${lines[i + 1].indexOf(token) + 1}`]
  })
  assert.ok(expected.length >= 20)
  withFolder((folder) => {
    const open = source.replaceAll('@ts-expect-error', 'expected').replace('../../../src', join(root, 'src'))
    writeFileSync(join(folder, 'misspelt.ts'), open)
    assert.deepEqual(compile(folder, ['misspelt.ts']), expected)
  })
})

test('what compiles passes the check, and what does not compile does not', () => {
  const source = { file: join(typesFolder, 'velum.config.ts') }
  const key = { apiKeys: { 'ci-bot': { sha256: 'ab'.repeat(32) } } }
  const secret = ['0123456789abcdef0123456789abcdef']
  for (const input of loose) {
    const whole = input.identity === undefined ? input : { ...input, secret, identity: { ...input.identity, ...key } }
    const errors = checkGateway(whole, source).findings.filter(({ severity }) => severity === 'error')
    assert.deepEqual(errors, [])
  }
  assert.equal(checkGateway(misspelt, source).model, undefined)
})

test('the types know the policies of the list', () => {
  assert.deepEqual(
    Object.keys(policies),
    policyKinds.map((kind) => kind.name),
  )
})
