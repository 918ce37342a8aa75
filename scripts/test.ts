// Runs the whole suite with Node's own runner, or the files given as arguments. Two files at a time: the machines
// this must pass on have two cores, and many tests start real servers.
import { spawnSync } from 'node:child_process'

const patterns = process.argv.slice(2)
const files =
  patterns.length > 0 ? patterns : ['src/**/*.test.ts', 'test/**/*.test.ts', 'demo/**/*.test.ts', 'examples/**/*.test.ts']
// Examples import 'velum' and 'velum/testing', as they would where the package is installed.
const resolver = new URL('../src/testing/resolve-velum.ts', import.meta.url).href
const run = spawnSync(
  process.execPath,
  ['--import', resolver, '--test', '--test-concurrency=2', '--test-timeout=120000', '--test-reporter=spec', ...files],
  { stdio: 'inherit' },
)
process.exit(run.status ?? 1)
