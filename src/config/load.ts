import { statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { nearest } from '../lib/suggest.ts'
import { checkGateway } from './check.ts'
import type { CheckOptions } from './check.ts'
import type { Clash, WrittenGateway } from './claims.ts'
import { findClashes } from './claims.ts'
import type { ConfigSource, Finding } from './finding.ts'
import { Findings } from './finding.ts'
import { loadDescriptors } from './load-descriptors.ts'
import type { PolicyLoadOptions } from './load-policies.ts'
import { loadPolicies } from './load-policies.ts'
import type { GatewayModel } from './model.ts'
import type { ReadInput } from './read-input.ts'
import { fault, readInput } from './read-input.ts'

/** The files that are looked for when none is named; the first that exists is taken. */
export const defaultFiles = [
  'velum.config.ts',
  'velum.config.mts',
  'velum.config.js',
  'velum.config.yaml',
  'velum.config.json',
] as const

export interface LoadOptions extends CheckOptions, PolicyLoadOptions {
  /** Where default files and a relative name are looked for. Default: the working directory. */
  readonly folder?: string | undefined
  /** The gateway that is meant, by name. Needed where a file holds several; what is wrong with the others does not matter then. */
  readonly only?: string | undefined
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

/** A gateway of a file that was loaded whole. */
export interface LoadedGateway extends LoadResult {
  readonly name: string
}

/** Everything that a file holds. */
export interface LoadedFile {
  readonly file: string
  /** What concerns no single gateway; errors here leave none. */
  readonly findings: readonly Finding[]
  /** Whether the file holds a list, be it of one. */
  readonly isList: boolean
  readonly gateways: readonly LoadedGateway[]
  readonly files: readonly string[]
}

/** Loads and checks one gateway. Never rejects for what a user can get wrong: that is among the findings. */
export async function loadGateway(file?: string, options: LoadOptions = {}): Promise<LoadResult> {
  const opened = await open(file, options)
  if ('model' in opened) return opened
  const { read, notes } = opened
  const { source } = read
  if (!Array.isArray(read.input)) {
    const name = nameOf(read.input) ?? 'gateway'
    if (options.only !== undefined && options.only !== name)
      return failed(source.file, read.files, [...notes, nobodyNamed(source.file, options.only, [name])])
    return withNotes(notes, await loadOne(read, { index: undefined, name, input: read.input }, options))
  }
  const written = writtenGateways(read.input)
  const names = written.map(({ name }) => name)
  const meant = options.only === undefined && written.length === 1 ? written : written.filter(({ name }) => name === options.only)
  if (meant.length !== 1) {
    const several = fault(source.file, `the file holds several gateways: ${names.join(', ')}`, 'name one with --only NAME')
    const twice = fault(source.file, `${meant.length} gateways are named "${options.only}"`, 'give each gateway its own name')
    const none = names.length === 0 ? emptyList(source.file) : nobodyNamed(source.file, options.only ?? '', names)
    const why = meant.length > 1 ? twice : options.only === undefined && names.length > 0 ? several : none
    return failed(source.file, read.files, [...notes, why])
  }
  const [one] = meant
  const clashes = findClashes(written, source.file).filter(({ first, second }) => first === one || second === one)
  // What two gateways claim is for whoever checks them both: it keeps neither from being run by itself.
  const warnings = clashes.map((clash) => clashFinding(clash, source, 'warning'))
  return withNotes([...notes, ...warnings], await loadOne(read, one, options))
}

/** Loads and checks every gateway of a file, each for itself, and what they claim against each other. */
export async function loadGateways(file?: string, options: Omit<LoadOptions, 'only'> = {}): Promise<LoadedFile> {
  const opened = await open(file, options)
  if ('model' in opened) return { ...opened, isList: false, gateways: [] }
  const { read, notes } = opened
  const { source, input } = read
  const isList = Array.isArray(input)
  const written = isList ? writtenGateways(input) : [{ index: undefined, name: nameOf(input) ?? 'gateway', input }]
  const clashes = isList ? findClashes(writtenGateways(input), source.file) : []
  const gateways: LoadedGateway[] = []
  for (const one of written) {
    const claimed = clashes.filter(({ second }) => second.index === one.index).map((clash) => clashFinding(clash, source, 'error'))
    const loaded = await loadOne(read, one, options)
    const model = claimed.length === 0 ? loaded.model : undefined
    gateways.push({ ...loaded, name: one.name, model, findings: [...claimed, ...loaded.findings] })
  }
  const empty = written.length === 0 ? [emptyList(source.file)] : []
  const files = [...new Set([...read.files, ...gateways.flatMap((gateway) => gateway.files)])]
  return { file: source.file, findings: [...notes, ...empty], isList, gateways, files }
}

interface Opened {
  readonly read: ReadInput
  /** What is to be said besides. */
  readonly notes: readonly Finding[]
}

/** Finds and reads the file; a result when that failed. */
async function open(file: string | undefined, options: LoadOptions): Promise<Opened | LoadResult> {
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
  return read.faults.length > 0 ? failed(found.file, read.files, [...notes, ...read.faults]) : { read, notes }
}

/** One gateway of what was read; `index` is undefined where it is the whole file. */
type One = Omit<WrittenGateway, 'index'> & { readonly index: number | undefined }

async function loadOne(read: ReadInput, { index, name, input }: One, options: LoadOptions): Promise<LoadResult> {
  const source: ConfigSource = index === undefined ? read.source : { ...read.source, member: { index, name } }
  const { file } = source
  const own = read.placed.filter(({ path }) => index === undefined || path[0] === index)
  if (own.length > 0)
    return failed(
      file,
      read.files,
      own.map(({ finding }) => (index === undefined ? finding : ofGateway(finding, name))),
    )
  const descriptors = await loadDescriptors(input, file)
  const { model, findings, files } = checkGateway(input, source, {
    ...options,
    descriptors,
    policies: await loadPolicies(input, file, options),
  })
  const all = [...new Set([...read.files, ...files])]
  if (index === undefined || nameOf(input) !== undefined) return { file, model, findings, files: all }
  const nameless = new Findings(source)
  nameless.error(['name'], 'one of several gateways in a file needs a name', 'add name')
  return { file, model: undefined, findings: [...nameless.list, ...findings], files: all }
}

function ofGateway(finding: Finding, gateway: string): Finding {
  return { ...finding, gateway }
}

/** The gateways of a list; one without a name goes by its place. */
function writtenGateways(list: readonly unknown[]): WrittenGateway[] {
  return list.map((input, index) => ({ index, name: nameOf(input) ?? `[${index}]`, input }))
}

function nameOf(input: unknown): string | undefined {
  const name = typeof input === 'object' && input !== null ? (input as Record<string, unknown>)['name'] : undefined
  return typeof name === 'string' ? name : undefined
}

function clashFinding({ second, path, message, remedy }: Clash, source: ConfigSource, severity: Finding['severity']): Finding {
  const findings = new Findings({ ...source, member: second })
  if (severity === 'error') findings.error(path, message, remedy)
  else findings.warn(path, message, remedy)
  return findings.list[0]
}

function nobodyNamed(file: string, only: string, names: readonly string[]): Finding {
  const near = nearest(only, names)
  return fault(
    file,
    `there is no gateway named ${JSON.stringify(only)} in the file`,
    near === undefined ? `name one of ${names.join(', ')}` : `did you mean "${near}"?`,
  )
}

function emptyList(file: string): Finding {
  return fault(file, 'the file holds an empty list', 'export a gateway, or a list of several')
}

function withNotes(notes: readonly Finding[], loaded: LoadResult): LoadResult {
  return { ...loaded, findings: [...notes, ...loaded.findings] }
}

function findDefault(folder: string): { file: string; others: string[] } | undefined {
  const present = defaultFiles.filter((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile() === true)
  return present.length === 0 ? undefined : { file: join(folder, present[0]), others: present.slice(1) }
}

function failed(file: string, files: readonly string[], findings: readonly Finding[]): LoadResult {
  return { file, model: undefined, findings, files }
}
