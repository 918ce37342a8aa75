import { globSync, statSync } from 'node:fs'
import { extname, relative, resolve } from 'node:path'
import { run } from 'node:test'
import { spec, tap } from 'node:test/reporters'
import type { Command, Io } from './command.ts'
import { exitCode, UsageError } from './command.ts'

const endings = '{ts,mts,js,mjs}'
/** `velum.test.ts` and `orders.velum.test.ts`, here and below. */
const usual = [`**/velum.test.${endings}`, `**/*.velum.test.${endings}`]
const resolver = new URL(`../testing/resolve-velum${extname(import.meta.filename)}`, import.meta.url)

export const testCommand: Command = {
  usage: '[FILES] [--only PATTERN] [--tap]',
  options: {
    only: { type: 'string', value: 'PATTERN', help: 'Run only tests whose names match this regular expression.' },
    tap: { type: 'boolean', help: 'Print TAP, for programs that read it.' },
  },
  maxPositionals: 1000,
  async run(args, io) {
    const files = args.positionals.length === 0 ? usualFiles(io.folder) : namedFiles(args.positionals, io.folder)
    if (files.length === 0) {
      io.err(`velum: there are no policy tests here: write velum.test.ts, or *.velum.test.ts ("velum init" writes one)\n`)
      return exitCode.input
    }
    const { only } = args.options
    const patterns = typeof only === 'string' ? { testNamePatterns: [patternOf(only)] } : {}
    return runFiles(files, patterns, args.options['tap'] === true, io)
  },
}

function usualFiles(folder: string): string[] {
  const found = globSync(usual, { cwd: folder, exclude: (name) => name === 'node_modules' || name === '.git' })
  return found.map((file) => resolve(folder, file)).sort()
}

function namedFiles(names: readonly string[], folder: string): string[] {
  return names.map((name) => {
    const file = resolve(folder, name)
    if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true) throw new Error(`${name} is no file`)
    return file
  })
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text)
  } catch (thrown) {
    throw new UsageError(`--only: ${(thrown as Error).message}`)
  }
}

/** Each file in a process of its own, so that one that hangs or ends its process takes no other along. */
async function runFiles(
  files: readonly string[],
  patterns: { testNamePatterns?: RegExp[] },
  isTap: boolean,
  io: Io,
): Promise<number> {
  // Node's runner thinks that it runs itself when a test started this process.
  delete process.env['NODE_TEST_CONTEXT']
  let failures = 0
  let count = 0
  const stream = run({
    files,
    ...patterns,
    cwd: io.folder,
    execArgv: ['--disable-warning=MODULE_TYPELESS_PACKAGE_JSON', '--import', resolver.href],
    timeout: 60_000,
  })
  stream.on('test:fail', ({ todo }) => {
    if (todo === undefined) failures++
  })
  stream.on('test:pass', ({ skip }) => {
    if (skip === undefined) count++
  })
  const reporter = isTap ? stream.compose(tap) : stream.compose(new spec())
  for await (const text of reporter) io.out(String(text))
  if (failures === 0 && count === 0) {
    io.err('velum: no test ran\n')
    return exitCode.input
  }
  if (failures > 0)
    io.err(`velum: ${failures} of the tests in ${files.map((file) => relative(io.folder, file)).join(', ')} failed\n`)
  return failures === 0 ? exitCode.done : exitCode.input
}
