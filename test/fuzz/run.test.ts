import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { fuzzTargets } from './broken-targets.ts'

test('a broken promise ends the command with 1, its smallest case and seed; what hangs is named and ended', () => {
  const args = ['--targets', 'broken-targets.ts', '--seconds', '0.1', '--seed', '7', '--hang', '0.5']
  const { status, stdout } = spawnSync(process.execPath, [join(import.meta.dirname, 'run.ts'), ...args], { encoding: 'utf8' })
  assert.equal(status, 1, stdout)
  assert.match(stdout, /^wrong: case 11 \(seed 7, path [\d:]+\)$/m)
  const hangs = /^endless: a case hangs: (\d+) \(seed (-?\d+), case (\d+)\)$/m.exec(stdout)
  assert.ok(hangs !== null && Number(hangs[1]) > 900, stdout)
  assert.equal(fuzzTargets[1].caseOf(Number(hangs[2]), Number(hangs[3]) - 1), hangs[1])
  assert.match(stdout, /^silent: the thread ended within a case \(seed -?\d+, case \d+\)$/m)
  assert.match(stdout, /^3 promises, 3 broken$/m)
})
