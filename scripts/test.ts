// Runs the whole suite with Node's own runner, or the files given as arguments.
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'

// Two files at a time: the machines this must pass on have two cores, and many tests start real servers.
const concurrency = 2
// Those that start servers are the longest. They begin first, so that no core waits for one of them in the end.
const whole = ['test/**/*.test.ts', 'demo/**/*.test.ts', 'examples/**/*.test.ts', 'src/**/*.test.ts']

const given = process.argv.slice(2)
const files = (given.length > 0 ? given : whole).flatMap((pattern) => globSync(pattern).toSorted())
if (files.length === 0) {
  console.error(`no file is named ${given.join(' or ')}`)
  process.exit(1)
}

// Hundreds of processes read the same modules: what the first made of their TypeScript serves the others. V8 takes only what
// was compiled under the flags it has: tests have those of the launcher from the beginning, and give them on to it.
const compiled = mkdtempSync(join(tmpdir(), 'velum-compiled-'))
process.env['NODE_COMPILE_CACHE'] = compiled
process.once('exit', () => rmSync(compiled, { recursive: true, force: true }))
process.once('SIGINT', () => process.exit(130))

const launcher = readFileSync(new URL('../bin/velum.js', import.meta.url), 'utf8')
const flags = [...launcher.matchAll(/setFlagsFromString\('(.*)'\)/g)].map(([, flag]) => flag)

// Examples import 'velum' and 'velum/testing', as they would where the package is installed.
const resolver = new URL('../src/testing/resolve-velum.ts', import.meta.url).href
run({ files, concurrency, timeout: 120_000, execArgv: [...flags, '--import', resolver] })
  .on('test:summary', ({ file, success }) => {
    if (file === undefined && !success) process.exitCode = 1
  })
  .compose(spec)
  .pipe(process.stdout)
