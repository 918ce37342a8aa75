import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { extname } from 'node:path'
import { readJson, readYaml } from './read-document.ts'
import type { ReadDocument } from './read-document.ts'

/** A fault in a file that the configuration names, with its place there as far as it is known. */
export interface FileFault {
  readonly file: string
  readonly message: string
  readonly remedy: string
  readonly line: number | undefined
  readonly column: number | undefined
}

/** A JSON or YAML file, read. */
export interface SchemaFile {
  /** Absolute. */
  readonly file: string
  readonly document: unknown
  /** Of its bytes. */
  readonly digest: string
  readonly locate: ReadDocument['locate']
}

/** A description of an interface is text that people keep; what is longer is something else. */
const maxFileBytes = 16 * 1024 ** 2

/** Reads schema and OpenAPI files, each once for a configuration. */
export class SchemaFiles {
  readonly #read = new Map<string, SchemaFile | readonly FileFault[]>()
  /** Shared by what is made of a file for several routes. */
  readonly made = new Map<string, unknown>()

  /** The file, or what is wrong with it. */
  open(file: string): SchemaFile | readonly FileFault[] {
    const known = this.#read.get(file)
    if (known !== undefined) return known
    const read = readSchemaFile(file)
    this.#read.set(file, read)
    return read
  }

  /** The files that were read. */
  get files(): string[] {
    return [...this.#read.keys()]
  }
}

function readSchemaFile(file: string): SchemaFile | readonly FileFault[] {
  const fault = (message: string, remedy: string): FileFault[] => [{ file, message, remedy, line: undefined, column: undefined }]
  let text: string
  try {
    if (statSync(file).size > maxFileBytes) return fault('the file is larger than 16mb', 'keep only what the gateway needs in it')
    text = readFileSync(file, 'utf8')
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    return code === 'ENOENT'
      ? fault('the file does not exist', 'correct the path; it is relative to the config file')
      : fault(`the file cannot be read (${code ?? String(thrown)})`, 'give the user that runs Velum the right to read it')
  }
  const document = extname(file).toLowerCase() === '.json' ? readJson(text) : readYaml(text)
  if (document.faults.length > 0) return document.faults.map((found) => ({ file, ...found }))
  const digest = createHash('sha256').update(text).digest('base64url')
  return { file, document: document.input, digest, locate: document.locate }
}

/** What a JSON Pointer (with or without `#` in front) names in a document, and its steps; undefined when nothing is there. */
export function atPointer(document: unknown, pointer: string): { value: unknown; steps: string[] } | undefined {
  const text = decodeURIComponent(pointer.startsWith('#') ? pointer.slice(1) : pointer)
  if (text !== '' && !text.startsWith('/')) return undefined
  const steps = text
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  let value = document
  for (const step of steps) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined
    value = (value as Record<string, unknown>)[step]
  }
  return { value, steps }
}

/** Steps as a JSON Pointer. */
export function pointerText(steps: readonly (string | number)[]): string {
  return `#${steps.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')}`
}

/** The place of a pointer in a file. */
export function placeOf(file: SchemaFile, pointer: string): { line: number | undefined; column: number | undefined } {
  const found = atPointer(file.document, pointer)
  if (found === undefined) return { line: undefined, column: undefined }
  let value = file.document
  const path = found.steps.map((step) => {
    const at = Array.isArray(value) ? Number(step) : step
    value = (value as Record<string | number, unknown>)[at]
    return at
  })
  const place = file.locate(path)
  return { line: place?.line, column: place?.column }
}
