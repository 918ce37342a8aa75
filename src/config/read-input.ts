import { accessSync, constants, readFileSync, statSync } from 'node:fs'
import { extname } from 'node:path'
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import { evaluateModule } from './evaluate.ts'
import { expandEnvironment } from './expand.ts'
import type { ConfigPath, ConfigSource, Finding } from './finding.ts'
import { pathText } from './finding.ts'
import { readJson, readYaml } from './read-document.ts'

/** What a configuration file is read with. */
export interface ReadOptions {
  /** What `${NAME}` and `process.env` yield. Default: the environment of this process. */
  readonly env?: NodeJS.ProcessEnv
  readonly clock?: Clock
  /** Longest time that a module may take to evaluate. Default: 10 s. */
  readonly timeoutMs?: number
  /** Where output of the file itself goes. Default: stderr. */
  readonly print?: (text: string) => void
}

/** What is not data at a place of a file: it concerns only the gateway that stands there. */
export interface PlacedFault {
  readonly path: ConfigPath
  readonly finding: Finding
}

/** A configuration file as plain data. */
export interface ReadInput {
  readonly input: unknown
  readonly source: ConfigSource
  /** Why there is no data at all. */
  readonly faults: readonly Finding[]
  readonly placed: readonly PlacedFault[]
  readonly files: readonly string[]
}

/** Reads a file of any kind. Never rejects for what a user can get wrong. */
export async function readInput(file: string, options: ReadOptions): Promise<ReadInput> {
  const bad = (...faults: Finding[]): ReadInput => ({ input: undefined, source: { file }, faults, placed: [], files: [file] })
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

async function readModule(file: string, options: ReadOptions): Promise<ReadInput> {
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
    return { input: undefined, source, faults: [{ severity: 'error', path: '', ...found }], placed: [], files }
  }
  if (evaluation.kind === 'no-default') {
    const what =
      evaluation.names.length === 0
        ? 'the file exports nothing'
        : `the file exports ${evaluation.names.slice(0, 5).join(', ')}, but no default`
    return { input: undefined, source, faults: [fault(file, what, 'write export default defineGateway({ … })')], placed: [], files }
  }
  const placed = evaluation.notData.map(({ path, message, remedy }): PlacedFault => {
    return { path, finding: { ...fault(file, message, remedy), path: pathText(path) } }
  })
  return { input: evaluation.input, source, faults: [], placed, files }
}

function readDocument(file: string, options: ReadOptions): ReadInput {
  const text = readFileSync(file, 'utf8')
  const files = [file]
  if (text.trim() === '')
    return {
      input: undefined,
      source: { file },
      faults: [fault(file, 'the file is empty', 'write one with "velum init"')],
      placed: [],
      files,
    }
  const document = extname(file).toLowerCase() === '.json' ? readJson(text) : readYaml(text)
  const unreadable = document.faults.map((found): Finding => ({ severity: 'error', file, path: '', ...found }))
  if (unreadable.length > 0) return { input: undefined, source: { file }, faults: unreadable, placed: [], files }
  const { input, expansions, hidden, faults } = expandEnvironment(document.input, options.env ?? process.env)
  const source: ConfigSource = { file, locate: (path) => document.locate(path), expansions, hidden }
  const placed = faults.map(({ path, message, remedy }): PlacedFault => {
    const place = document.locate(path)
    const at = { line: place?.line, column: place?.column }
    return { path, finding: { severity: 'error', file, path: pathText(path), message, remedy, ...at } }
  })
  return { input, source, faults: [], placed, files }
}

function missingFile(file: string): Finding | undefined {
  try {
    if (!statSync(file).isFile()) return fault(file, 'this is not a file', 'name a file, such as velum.config.ts')
    accessSync(file, constants.R_OK)
    return undefined
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return fault(file, 'the file does not exist', 'correct the name, or write one with "velum init"')
    return fault(file, `the file cannot be read (${code ?? String(thrown)})`, 'give the user that runs Velum the right to read it')
  }
}

/** An error of the whole file. */
export function fault(file: string, message: string, remedy: string): Finding {
  return { severity: 'error', file, path: '', message, remedy }
}
