import { createHash } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { stableJson } from '../lib/stable-json.ts'
import { schemaFaults } from '../policies/schema/schema-compiler.ts'
import type { Dialect, Schema, SchemaShape } from '../policies/schema/shape.ts'
import type { FileFault, SchemaFile, SchemaFiles } from './schema-files.ts'
import { placeOf } from './schema-files.ts'

const dialects: readonly (readonly [RegExp, Dialect])[] = [
  [/^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/, '2020-12'],
  [/^https?:\/\/json-schema\.org\/draft\/2019-09\/schema#?$/, '2019-09'],
  [/^https?:\/\/json-schema\.org\/draft-07\/schema#?$/, 'draft-07'],
]

/** Reads a JSON Schema with the files that it names, or says what is wrong with them. */
export function readJsonSchema(files: SchemaFiles, path: string): SchemaShape | readonly FileFault[] {
  const root = files.open(path)
  if (!('document' in root)) return root
  const faults: FileFault[] = []
  const dialect = dialectOf(root, faults)
  if (dialect === undefined) return faults
  const folder = dirname(path)
  const others = new Map<string, Schema>()
  const judge = (file: SchemaFile): void => {
    for (const { pointer, detail } of schemaFaults(file.document, dialect)) {
      faults.push({
        file: file.file,
        message: `${pointer} ${detail}`,
        remedy: `see the rules of ${dialect}`,
        ...placeOf(file, pointer),
      })
    }
  }
  judge(root)
  // The gateway's folders are nobody's business: files are named from the schema's own folder on.
  const syntheticBase = (file: string): string =>
    `velum:///${pathToFileURL(file).href.slice(pathToFileURL(folder).href.length + 1)}`
  const follow = (file: SchemaFile, base: string): void => {
    for (const { ref, pointer, at } of references(file.document, base)) {
      const target = new URL(ref, at)
      target.hash = ''
      const uri = target.href
      if (
        uri === at ||
        uri === base ||
        others.has(uri) ||
        hasId(root.document, uri) ||
        [...others.values()].some((known) => hasId(known, uri))
      )
        continue
      const named = ref.split('#')[0]
      const found = /^[a-z][a-z0-9+.-]*:/i.test(named)
        ? undefined
        : files.open(resolve(dirname(file.file), decodeURIComponent(named)))
      const place = { file: file.file, ...placeOf(file, pointer) }
      if (found === undefined) {
        const remedy = 'keep the schema in a file of yours and name it by its path: nothing is fetched'
        faults.push({ ...place, message: `${pointer} names ${JSON.stringify(ref.slice(0, 200))}, which lies elsewhere`, remedy })
      } else if ('document' in found) {
        others.set(uri, found.document as Schema)
        judge(found)
        follow(found, uri)
      } else {
        faults.push(...found.map(({ message, remedy }) => ({ ...place, message: `${named}: ${message}`, remedy })))
      }
    }
  }
  follow(root, baseOf(root.document, syntheticBase(path)))
  if (faults.length > 0) return faults
  const document = root.document as Schema
  const whole = typeof document === 'object' && document['$id'] === undefined ? { ...document, $id: syntheticBase(path) } : document
  const digest = createHash('sha256')
    .update(stableJson([dialect, whole, [...others]]))
    .digest('base64url')
  return { kind: 'schema', dialect, digest, root: whole, others: [...others] }
}

function dialectOf(file: SchemaFile, faults: FileFault[]): Dialect | undefined {
  const { document } = file
  if (typeof document !== 'boolean' && (typeof document !== 'object' || document === null || Array.isArray(document))) {
    faults.push({
      file: file.file,
      message: 'the file is no JSON Schema',
      remedy: 'write an object of keywords, such as { "type": "object" }',
      line: undefined,
      column: undefined,
    })
    return undefined
  }
  const named = typeof document === 'boolean' ? undefined : (document as Record<string, unknown>)['$schema']
  if (named === undefined) return '2020-12'
  const found = dialects.find(([pattern]) => typeof named === 'string' && pattern.test(named))
  if (found !== undefined) return found[1]
  const message = `#/$schema names a dialect that is not known: ${JSON.stringify(named).slice(0, 120)}`
  faults.push({
    file: file.file,
    message,
    remedy: 'use https://json-schema.org/draft/2020-12/schema, 2019-09 or draft-07',
    ...placeOf(file, '#/$schema'),
  })
  return undefined
}

function baseOf(document: unknown, otherwise: string): string {
  const id = typeof document === 'object' && document !== null ? (document as Record<string, unknown>)['$id'] : undefined
  return typeof id === 'string' && URL.canParse(id) ? new URL(id).href.replace(/#$/, '') : otherwise
}

interface Reference {
  readonly ref: string
  readonly pointer: string
  /** The base URI there. */
  readonly at: string
}

const data = new Set(['enum', 'const', 'default', 'examples', 'example'])

/** Every `$ref` to another file or resource. */
function references(document: unknown, base: string): Reference[] {
  const found: Reference[] = []
  const walk = (value: unknown, pointer: string, at: string): void => {
    if (typeof value !== 'object' || value === null) return
    const id = (value as Record<string, unknown>)['$id']
    const here = typeof id === 'string' && URL.canParse(id, at) ? new URL(id, at).href.replace(/#$/, '') : at
    for (const [key, inner] of Object.entries(value)) {
      const below = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
      if (key === '$ref' && typeof inner === 'string') {
        if (!inner.startsWith('#') && URL.canParse(inner, here)) found.push({ ref: inner, pointer: below, at: here })
      } else if (!data.has(key)) walk(inner, below, here)
    }
  }
  walk(document, '#', base)
  return found
}

/** Whether a schema inside of the document has this id. */
function hasId(document: unknown, uri: string): boolean {
  if (typeof document !== 'object' || document === null) return false
  const id = (document as Record<string, unknown>)['$id']
  if (typeof id === 'string' && id.replace(/#$/, '') === uri) return true
  return Object.values(document).some((inner) => hasId(inner, uri))
}
