import { readFileSync, statSync } from 'node:fs'
import { extname } from 'node:path'
import { parseStrictJson } from '../lib/strict-json.ts'
import { readJson, readYaml } from './read-document.ts'
import type { ReadDocument } from './read-document.ts'

/** A fault in a schema or a description of an interface, with its place as far as it is known. */
export interface SchemaFinding {
  readonly severity: 'error' | 'warning'
  /** Absolute; undefined for what stands in the configuration itself. */
  readonly file: string | undefined
  /** A JSON Pointer as a URI fragment; '' where the file cannot be read at all. */
  readonly pointer: string
  readonly message: string
  readonly remedy: string
  readonly line: number | undefined
  readonly column: number | undefined
}

/** A document of JSON or YAML, read. */
export interface SchemaFile {
  /** Absolute; undefined for what stands in the configuration itself. */
  readonly file: string | undefined
  readonly document: unknown
  readonly locate: ReadDocument['locate']
}

/** A description of an interface is text that people keep; what is longer is something else. */
const maxFileBytes = 16 * 1024 ** 2
/** How deep JSON may be nested that people write. */
const maxDepth = 200

/** Reads schemas and descriptions of interfaces, each file once for a configuration. */
export class SchemaFiles {
  readonly #read = new Map<string, SchemaFile | readonly SchemaFinding[]>()

  /** The file, or what is wrong with it. */
  open(file: string): SchemaFile | readonly SchemaFinding[] {
    const known = this.#read.get(file) ?? readSchemaFile(file)
    this.#read.set(file, known)
    return known
  }

  /** The files that were asked for. */
  get files(): readonly string[] {
    return [...this.#read.keys()]
  }
}

function readSchemaFile(file: string): SchemaFile | readonly SchemaFinding[] {
  const fault = (message: string, remedy: string): SchemaFinding[] => {
    return [{ severity: 'error', file, pointer: '', message, remedy, line: undefined, column: undefined }]
  }
  let bytes: Buffer
  try {
    const stats = statSync(file)
    if (!stats.isFile()) return fault('this is not a file', 'give the path of a file')
    if (stats.size > maxFileBytes) return fault('the file is larger than 16mb', 'keep only what the gateway needs in it')
    bytes = readFileSync(file)
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? fault('the file does not exist', 'correct the path; it is relative to the file that names it')
      : fault(`the file cannot be read (${code ?? String(thrown)})`, 'give the user that runs Velum the right to read it')
  }
  const isJson = extname(file).toLowerCase() === '.json'
  // Where nothing is wrong nobody asks for places, which take ten times as long to find as the content.
  const quick = isJson ? parseStrictJson(bytes, maxDepth) : undefined
  const text = bytes.toString('utf8')
  if (quick !== undefined) {
    let read: ReadDocument | undefined
    return { file, document: quick, locate: (path) => (read ??= readJson(text)).locate(path) }
  }
  const read = isJson ? readJson(text) : readYaml(text)
  if (read.faults.length > 0) return read.faults.map((found) => ({ severity: 'error', file, pointer: '', ...found }))
  if (isJson)
    return fault(
      'the JSON has more than one reading',
      'write UTF-8, no number beyond a double, no member __proto__, at most 200 levels',
    )
  return { file, document: read.input, locate: (path) => read.locate(path) }
}

/** What a JSON Pointer in a URI fragment names in a document, and its steps; undefined when nothing is there. */
export function atPointer(document: unknown, pointer: string): { value: unknown; steps: string[] } | undefined {
  let text: string
  try {
    text = decodeURIComponent(pointer.slice(1))
  } catch {
    return undefined
  }
  if (text !== '' && !text.startsWith('/')) return undefined
  const steps = text
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  let value = document
  for (const step of steps) {
    if (!holds(value, step)) return undefined
    value = value[step]
  }
  return { value, steps }
}

/** Whether it has such a member or item; a list has nothing else (RFC 6901 §4), not even its length. */
function holds(value: unknown, step: string): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return false
  return !Array.isArray(value) || step !== 'length'
}

/** Steps of a pointer as a path, with the items of lists as numbers; the longest part of it that exists. */
export function pathOf(document: unknown, pointer: string): (string | number)[] {
  const path: (string | number)[] = []
  let value = document
  for (const step of readable(pointer).split('/').slice(1)) {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (!holds(value, name)) break
    path.push(Array.isArray(value) ? Number(name) : name)
    value = value[name]
  }
  return path
}

function readable(pointer: string): string {
  try {
    return decodeURIComponent(pointer)
  } catch {
    // A bare "%" in a name: it is meant as it stands.
    return pointer
  }
}

/** A finding at a pointer of a document. */
export function findingAt(
  file: SchemaFile,
  pointer: string,
  message: string,
  remedy: string,
  severity: SchemaFinding['severity'] = 'error',
): SchemaFinding {
  const place = file.locate(pathOf(file.document, pointer))
  const said = pointer === '#' ? message : `${readable(pointer)} ${message}`
  return { severity, file: file.file, pointer, message: said, remedy, line: place?.line, column: place?.column }
}
