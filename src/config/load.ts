import { readFileSync, statSync } from 'node:fs'
import { extname, join, resolve } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import { checkGateway } from './check.ts'
import type { CheckOptions } from './check.ts'
import { evaluateModule } from './evaluate.ts'
import { expandEnvironment } from './expand.ts'
import type { ConfigSource, Finding } from './finding.ts'
import { pathText } from './finding.ts'
import { loadDescriptors } from './load-descriptors.ts'
import type { GatewayModel } from './model.ts'
import { readJson, readYaml } from './read-document.ts'

/** The files that are looked for when none is named; the first that exists is taken. */
export const defaultFiles = [
  'velum.config.ts',
  'velum.config.mts',
  'velum.config.js',
  'velum.config.yaml',
  'velum.config.json',
] as const

export interface LoadOptions extends CheckOptions {
  /** Where default files and a relative name are looked for. Default: the working directory. */
  readonly folder?: string
  /** What `${NAME}` and `process.env` yield. Default: the environment of this process. */
  readonly env?: NodeJS.ProcessEnv
  readonly clock?: Clock
  /** Longest time that a module may take to evaluate. Default: 10 s. */
  readonly timeoutMs?: number
  /** Where output of the file itself goes. Default: stderr. */
  readonly print?: (text: string) => void
}

export interface LoadResult {
  /** Absolute path of the configuration; of the folder when there is none. */
  readonly file: string
  /** Undefined when there is an error among the findings. */
  readonly model: GatewayModel | undefined
  readonly findings: readonly Finding[]
  /** All files that were read on the way, the configuration first; for a watcher. Absolute. */
  readonly files: readonly string[]
}

/** Loads and checks a configuration. Never rejects for what a user can get wrong: that is among the findings. */
export async function loadGateway(file?: string, options: LoadOptions = {}): Promise<LoadResult> {
  const folder = resolve(options.folder ?? '.')
  const found = file === undefined ? findDefault(folder) : { file: resolve(folder, file), others: [] }
  if (found === undefined) {
    const message = `there is no configuration in this folder (none of ${defaultFiles.join(', ')})`
    return failed(folder, [], [fault(folder, message, 'write one with "velum init", or name one with --config FILE')])
  }
  const read = await readInput(found.file, options)
  const notes = found.others.map((other): Finding => {
    return {
      ...fault(found.file, `${other} lies beside it and is not used`, 'remove one of the two, or name one with --config FILE'),
      severity: 'warning',
    }
  })
  if (read.faults.length > 0) return failed(found.file, read.files, [...notes, ...read.faults])
  const descriptors = await loadDescriptors(read.input, found.file)
  const { model, findings, files } = checkGateway(read.input, read.source, { ...options, descriptors })
  return { file: found.file, model, findings: [...notes, ...findings], files: [...new Set([...read.files, ...files])] }
}

interface ReadInput {
  readonly input: unknown
  readonly source: ConfigSource
  readonly faults: readonly Finding[]
  readonly files: readonly string[]
}

async function readInput(file: string, options: LoadOptions): Promise<ReadInput> {
  const bad = (...faults: Finding[]): ReadInput => ({ input: undefined, source: { file }, faults, files: [file] })
  const missing = missingFile(file)
  if (missing !== undefined) return bad(missing)
  switch (extname(file).toLowerCase()) {
    case '.ts':
    case '.mts':
    case '.js':
    case '.mjs':
      return readModule(file, options)
    case '.yaml':
    case '.yml':
    case '.json':
      return readDocument(file, options)
    default:
      return bad(
        fault(file, `"${extname(file)}" is not a kind of configuration file`, 'use .ts, .mts, .js, .mjs, .yaml, .yml or .json'),
      )
  }
}

async function readModule(file: string, options: LoadOptions): Promise<ReadInput> {
  const evaluation = await evaluateModule(file, {
    env: options.env ?? process.env,
    clock: options.clock ?? systemClock,
    timeoutMs: options.timeoutMs ?? 10_000,
    print: options.print ?? ((text) => void process.stderr.write(text)),
  })
  const source: ConfigSource = { file }
  const { files } = evaluation
  if (evaluation.kind === 'fault') {
    const { fault: found } = evaluation
    return { input: undefined, source, faults: [{ severity: 'error', path: '', ...found }], files }
  }
  if (evaluation.kind === 'no-default') {
    const what =
      evaluation.names.length === 0
        ? 'the file exports nothing'
        : `the file exports ${evaluation.names.slice(0, 5).join(', ')}, but no default`
    return { input: undefined, source, faults: [fault(file, what, 'write export default defineGateway({ … })')], files }
  }
  const faults = evaluation.notData.map(({ path, message, remedy }): Finding => ({
    ...fault(file, message, remedy),
    path: pathText(path),
  }))
  return { input: evaluation.input, source, faults, files }
}

function readDocument(file: string, options: LoadOptions): ReadInput {
  const text = readFileSync(file, 'utf8')
  const files = [file]
  if (text.trim() === '')
    return { input: undefined, source: { file }, faults: [fault(file, 'the file is empty', 'write one with "velum init"')], files }
  const document = extname(file).toLowerCase() === '.json' ? readJson(text) : readYaml(text)
  const unreadable = document.faults.map((found): Finding => ({ severity: 'error', file, path: '', ...found }))
  if (unreadable.length > 0) return { input: undefined, source: { file }, faults: unreadable, files }
  const { input, expansions, hidden, faults } = expandEnvironment(document.input, options.env ?? process.env)
  const source: ConfigSource = { file, locate: (path) => document.locate(path), expansions, hidden }
  const unexpanded = faults.map(({ path, message, remedy }): Finding => {
    const place = document.locate(path)
    return { severity: 'error', file, path: pathText(path), message, remedy, line: place?.line, column: place?.column }
  })
  return { input, source, faults: unexpanded, files }
}

function findDefault(folder: string): { file: string; others: string[] } | undefined {
  const present = defaultFiles.filter((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile() === true)
  return present.length === 0 ? undefined : { file: join(folder, present[0]), others: present.slice(1) }
}

function missingFile(file: string): Finding | undefined {
  try {
    if (!statSync(file).isFile()) return fault(file, 'this is not a file', 'name a file, such as velum.config.ts')
    readFileSync(file)
    return undefined
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return fault(file, 'the file does not exist', 'correct the name, or write one with "velum init"')
    return fault(file, `the file cannot be read (${code ?? String(thrown)})`, 'give the user that runs Velum the right to read it')
  }
}

function fault(file: string, message: string, remedy: string): Finding {
  return { severity: 'error', file, path: '', message, remedy }
}

function failed(file: string, files: readonly string[], findings: readonly Finding[]): LoadResult {
  return { file, model: undefined, findings, files }
}
