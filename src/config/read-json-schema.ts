import { lazily } from '../lib/lazily.ts'
import { createHash } from 'node:crypto'
import { dirname, relative, resolve, sep } from 'node:path'
import { LinearPattern } from '../lib/linear-pattern.ts'
import { stableJson } from '../lib/stable-json.ts'
import { nearest } from '../lib/suggest.ts'
import { eachKeywords, pointerStep } from '../policies/shapes/schema-tree.ts'
import type { Dialect, Schema, SchemaShape } from '../policies/shapes/shape.ts'
import { keywordsOf } from './schema-keywords.ts'
import { atPointer, findingAt } from './schema-files.ts'
import type { SchemaFile, SchemaFiles, SchemaFinding } from './schema-files.ts'
import type * as SchemaCompilerModule from '../policies/shapes/schema-compiler.ts'

const schemaCompiler = lazily<typeof SchemaCompilerModule>(import.meta.url, '../policies/shapes/schema-compiler')

const dialects: readonly (readonly [RegExp, Dialect])[] = [
  [/^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/, '2020-12'],
  [/^https?:\/\/json-schema\.org\/draft\/2019-09\/schema#?$/, '2019-09'],
  [/^https?:\/\/json-schema\.org\/draft-07\/schema#?$/, 'draft-07'],
]

/** What reading a schema came to. */
export interface ReadSchema {
  /** Undefined when there is an error among the findings. */
  readonly shape: SchemaShape | undefined
  readonly findings: readonly SchemaFinding[]
}

/**
 * Reads a JSON Schema with the files that it names. `folder` is where paths of an inline schema begin, and what names of
 * files are made relative to: a configuration means the same wherever it lies. Nothing is fetched.
 */
export function readJsonSchema(files: SchemaFiles, root: SchemaFile, folder: string): ReadSchema {
  const reader = new Reader(files, folder)
  const dialect = reader.dialectOf(root, '2020-12')
  if (dialect === undefined) return { shape: undefined, findings: reader.findings }
  const base = reader.read(
    root,
    dialect,
    reader.baseOf(root.document, syntheticUri(folder, root.file ?? resolve(folder, 'inline'))),
  )
  if (reader.findings.some(({ severity }) => severity === 'error')) return { shape: undefined, findings: reader.findings }
  const others = [...reader.others]
  const whole = withBase(root.document as Schema, base)
  const shape: SchemaShape = { kind: 'schema', dialect, digest: '', root: whole, others }
  try {
    const compiler = new (schemaCompiler().SchemaCompiler)(dialect, shape)
    for (const [uri, schema] of others) compiler.add(uri, schema)
    compiler.compile(whole)
  } catch (thrown) {
    const fault = findingAt(
      root,
      '#',
      `the schema cannot be compiled: ${(thrown as Error).message}`,
      'correct what the message names',
    )
    return { shape: undefined, findings: [...reader.findings, fault] }
  }
  const digest = createHash('sha256').update(stableJson(shape)).digest('base64url')
  return { shape: { ...shape, digest }, findings: reader.findings }
}

class Reader {
  readonly findings: SchemaFinding[] = []
  readonly others = new Map<string, Schema>()
  readonly #files: SchemaFiles
  readonly #folder: string
  /** URIs that are known without a file of their own. */
  readonly #ids = new Set<string>()

  constructor(files: SchemaFiles, folder: string) {
    this.#files = files
    this.#folder = folder
  }

  dialectOf(file: SchemaFile, otherwise: Dialect): Dialect | undefined {
    const { document } = file
    if (typeof document !== 'boolean' && (typeof document !== 'object' || document === null || Array.isArray(document))) {
      this.findings.push(
        findingAt(file, '#', 'this is no JSON Schema', 'write an object of keywords, such as { "type": "object" }'),
      )
      return undefined
    }
    const named = typeof document === 'boolean' ? undefined : (document as Record<string, unknown>)['$schema']
    if (named === undefined) return otherwise
    const known = dialects.find(([pattern]) => typeof named === 'string' && pattern.test(named))
    if (known !== undefined) return known[1]
    const message = `names a dialect that is not known: ${JSON.stringify(named).slice(0, 120)}`
    const remedy = 'use https://json-schema.org/draft/2020-12/schema, draft/2019-09/schema or draft-07/schema'
    this.findings.push(findingAt(file, '#/$schema', message, remedy))
    return undefined
  }

  baseOf(document: unknown, otherwise: string): string {
    const id = typeof document === 'object' && document !== null ? (document as Record<string, unknown>)['$id'] : undefined
    return typeof id === 'string' && URL.canParse(id, otherwise) ? withoutFragment(new URL(id, otherwise)) : otherwise
  }

  /** Judges a file and all that it names. Returns the base URI of what is in it. */
  read(file: SchemaFile, dialect: Dialect, base: string): string {
    for (const { pointer, detail } of schemaCompiler().schemaFaults(file.document, dialect)) {
      this.findings.push(findingAt(file, pointer, detail, `see the rules of ${dialect}`))
    }
    this.#judge(file, dialect)
    const references = this.#references(file, base)
    for (const { ref, pointer, at } of references) this.#follow(file, dialect, ref, pointer, at)
    return base
  }

  #follow(file: SchemaFile, dialect: Dialect, ref: string, pointer: string, at: string): void {
    const uri = withoutFragment(new URL(ref, at))
    if (uri === at || this.#ids.has(uri) || this.others.has(uri) || dialects.some(([pattern]) => pattern.test(uri))) return
    const [named] = ref.split('#')
    if (/^[a-z][a-z0-9+.-]*:/i.test(named) || named.startsWith('//')) {
      const remedy = 'keep the schema in a file of yours and name it by its path: nothing is fetched'
      this.findings.push(findingAt(file, pointer, `names ${JSON.stringify(ref.slice(0, 200))}, which lies elsewhere`, remedy))
      return
    }
    const path = resolve(file.file === undefined ? this.#folder : dirname(file.file), decodedPath(named))
    const found = this.#files.open(path)
    if (!('document' in found)) {
      const words =
        found[0].pointer === '' && found[0].line === undefined
          ? findingAt(file, pointer, `${named}: ${found[0].message}`, found[0].remedy)
          : undefined
      this.findings.push(...(words === undefined ? found : [words]))
      return
    }
    const otherDialect = this.dialectOf(found, dialect)
    if (otherDialect === undefined) return
    if (otherDialect !== dialect) {
      const message = `is written by ${otherDialect}, and what names it by ${dialect}`
      this.findings.push(findingAt(found, '#/$schema', message, 'use one dialect for all files of a schema'))
      return
    }
    const base = this.baseOf(found.document, uri)
    this.others.set(uri, withBase(found.document as Schema, base))
    this.read(found, dialect, base)
  }

  /** What the rules of the dialect do not see: patterns that could take for ever, misspelt keywords, `#/…` leading nowhere. */
  #judge(file: SchemaFile, dialect: Dialect): void {
    eachKeywords(file.document, (keywords, pointer) => {
      const { pattern, patternProperties } = keywords
      if (typeof pattern === 'string') this.#judgePattern(file, `${pointer}/pattern`, pattern)
      if (typeof patternProperties === 'object' && patternProperties !== null) {
        for (const name of Object.keys(patternProperties)) {
          this.#judgePattern(file, `${pointer}/patternProperties/${pointerStep(name)}`, name)
        }
      }
      for (const name of Object.keys(keywords)) {
        if (keywordsOf(dialect).has(name)) continue
        const near = nearest(name, keywordsOf(dialect))
        if (near === undefined || /^x-/i.test(name)) continue
        const message = 'is no keyword, so it means nothing'
        this.findings.push(findingAt(file, `${pointer}/${pointerStep(name)}`, message, `did you mean "${near}"?`, 'warning'))
      }
    })
  }

  #judgePattern(file: SchemaFile, pointer: string, pattern: string): void {
    try {
      void new LinearPattern(pattern)
    } catch (thrown) {
      const message = `cannot be matched in bounded time: ${(thrown as Error).message}`
      this.findings.push(findingAt(file, pointer, message, 'write it without look-around and back references'))
    }
  }

  /** Every `$ref` with the base URI that holds where it stands. */
  #references(file: SchemaFile, base: string): { ref: string; pointer: string; at: string }[] {
    const found: { ref: string; pointer: string; at: string }[] = []
    const bases: { pointer: string; base: string }[] = [{ pointer: '#', base }]
    this.#ids.add(base)
    eachKeywords(file.document, (keywords, pointer) => {
      while (bases.length > 1 && pointer !== bases.at(-1)!.pointer && !pointer.startsWith(`${bases.at(-1)!.pointer}/`)) bases.pop()
      if (pointer !== '#' && typeof keywords['$id'] === 'string') {
        const inner = this.baseOf(keywords, bases.at(-1)!.base)
        bases.push({ pointer, base: inner })
        this.#ids.add(inner)
      }
      const ref = keywords['$ref']
      if (typeof ref !== 'string') return
      const at = bases.at(-1)!.base
      const place = `${pointer}/$ref`
      if (!URL.canParse(ref, at)) {
        this.findings.push(
          findingAt(file, place, `is no reference: ${JSON.stringify(ref.slice(0, 200))}`, 'write a path, "#/…", or both'),
        )
      } else if (ref.startsWith('#/') && bases.length === 1 && atPointer(file.document, ref) === undefined) {
        this.findings.push(
          findingAt(file, place, `names ${JSON.stringify(ref.slice(0, 200))}, where nothing is`, 'correct the pointer'),
        )
      } else if (!ref.startsWith('#')) found.push({ ref, pointer: place, at })
    })
    return found
  }
}

/** The same with an absolute `$id`, and without the name of its dialect, which is known. */
function withBase(schema: Schema, base: string): Schema {
  if (typeof schema === 'boolean') return schema
  const { $schema: _, ...rest } = schema
  return { ...rest, $id: base }
}

// Deep enough that no "../" reaches the top: there two files of one name would be one.
const top = `velum:///${'_/'.repeat(32)}`

/** A URI for a file from which relative references lead to those of other files as paths do. */
function syntheticUri(folder: string, file: string): string {
  return new URL(relative(folder, file).split(sep).map(encodeURIComponent).join('/'), top).href
}

function withoutFragment(url: URL): string {
  url.hash = ''
  return url.href
}

function decodedPath(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
