import { dirname, resolve } from 'node:path'
import { LinearPattern } from '../lib/linear-pattern.ts'
import { mapSchema, pointerStep } from '../policies/shapes/schema-tree.ts'
import type { Keywords } from '../policies/shapes/schema-tree.ts'
import type { Schema } from '../policies/shapes/shape.ts'
import { atPointer, findingAt } from './schema-files.ts'
import type { SchemaFile, SchemaFiles, SchemaFinding } from './schema-files.ts'

/** Who writes the value: what is `readOnly` is not asked of requests, what is `writeOnly` not of answers. */
export type Direction = 'request' | 'answer'

/** A place in a document. */
export interface Place {
  readonly file: SchemaFile
  readonly pointer: string
}

/** What means nothing for a check, and only makes a model large. */
const silent = new Set([
  'title',
  'description',
  'default',
  'example',
  'examples',
  'deprecated',
  'externalDocs',
  'xml',
  'discriminator',
  'readOnly',
  'writeOnly',
  'nullable',
  '$comment',
  '$schema',
  '$anchor',
])
/** What would change where names lead. */
const unknownHere = ['$id', '$dynamicRef', '$dynamicAnchor', '$recursiveRef']

/**
 * Makes JSON Schemas (2020-12) of the schemas of an OpenAPI description, each for one direction. What they name by `$ref` is
 * collected under names of its own, once.
 */
export class OpenapiSchemas {
  readonly findings: SchemaFinding[] = []
  /** By name, with the place of each. */
  readonly named = new Map<string, { schema: Schema; readonly place: Place }>()
  readonly #names = new Map<string, string>()
  readonly #files: SchemaFiles
  /** 3.0 has a dialect of its own; 3.1 has JSON Schema's. */
  readonly #isOld: boolean
  readonly #judged = new Set<string>()

  constructor(files: SchemaFiles, isOld: boolean) {
    this.#files = files
    this.#isOld = isOld
  }

  /** The schema at a place. */
  schemaAt({ file, pointer }: Place, direction: Direction): Schema {
    const found = atPointer(file.document, pointer)
    return found === undefined ? true : this.#translate(found.value, { file, pointer }, direction)
  }

  /** Where a reference leads, from where it stands; undefined, with a finding, when it leads nowhere. */
  follow(ref: string, from: Place): Place | undefined {
    const [named, fragment = ''] = ref.split('#', 2)
    const refPlace: Place = { file: from.file, pointer: `${from.pointer}/$ref` }
    let { file } = from
    if (named !== '') {
      if (/^[a-z][a-z0-9+.-]*:/i.test(named) || named.startsWith('//')) {
        const remedy = 'keep it in a file of yours and name it by its path: nothing is fetched'
        return this.#fault(refPlace, `names ${JSON.stringify(ref.slice(0, 200))}, which lies elsewhere`, remedy)
      }
      const opened = this.#files.open(resolve(dirname(from.file.file ?? ''), decodeURI(named)))
      if (!('document' in opened)) return this.#fault(refPlace, `${named}: ${opened[0].message}`, opened[0].remedy)
      file = opened
    }
    const pointer = `#${fragment}`
    if (atPointer(file.document, pointer) !== undefined) return { file, pointer }
    return this.#fault(refPlace, `names ${JSON.stringify(ref.slice(0, 200))}, where nothing is`, 'correct the pointer')
  }

  /** The object at a place, and its place, behind any number of `$ref`. */
  object(place: Place): { readonly value: Keywords; readonly place: Place } | undefined {
    let here = place
    for (let i = 0; i < 20; i++) {
      const value = atPointer(here.file.document, here.pointer)?.value
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
      const ref = (value as Keywords)['$ref']
      if (typeof ref !== 'string') return { value: value as Keywords, place: here }
      const next = this.follow(ref, here)
      if (next === undefined) return undefined
      here = next
    }
    return this.#fault(place, 'refers to itself', 'remove the circle')
  }

  #fault({ file, pointer }: Place, message: string, remedy: string): undefined {
    const finding = findingAt(file, pointer, message, remedy)
    const key = JSON.stringify([finding.file, finding.message])
    if (this.#judged.has(key)) return
    this.#judged.add(key)
    this.findings.push(finding)
  }

  #translate(value: unknown, place: Place, direction: Direction): Schema {
    if (typeof value !== 'boolean' && (typeof value !== 'object' || value === null || Array.isArray(value))) {
      this.#fault(place, 'is no schema', 'write an object of keywords')
      return true
    }
    return mapSchema(value, (keywords, inner) => {
      return this.#keywords(keywords, { file: place.file, pointer: place.pointer + inner.slice(1) }, direction)
    }) as Schema
  }

  #keywords(keywords: Keywords, place: Place, direction: Direction): Keywords {
    const ref = keywords['$ref']
    const named = typeof ref === 'string' ? this.#name(ref, place, direction) : undefined
    // In 3.0 what stands beside a $ref is not there.
    if (this.#isOld && named !== undefined) return { $ref: named }
    const made: Record<string, unknown> = {}
    for (const [key, value] of Object.entries(keywords)) {
      if (!silent.has(key) && !key.startsWith('x-') && key !== '$ref') made[key] = value
    }
    if (named !== undefined) made['$ref'] = named
    this.#judge(keywords, place)
    if (Array.isArray(made['required'])) made['required'] = this.#asked(made['required'], keywords, place, direction)
    const bounded = this.#isOld ? withNumericBounds(made) : made
    // Not a word of 3.1; who writes it there means what it meant.
    return keywords['nullable'] === true ? orNull(bounded) : bounded
  }

  /** The names of required members without those that the other side writes. */
  #asked(required: readonly unknown[], keywords: Keywords, place: Place, direction: Direction): unknown[] {
    const notOurs = direction === 'request' ? 'readOnly' : 'writeOnly'
    const { properties } = keywords
    if (typeof properties !== 'object' || properties === null) return [...required]
    return required.filter((name) => {
      if (typeof name !== 'string' || !Object.hasOwn(properties, name)) return true
      const member = { file: place.file, pointer: `${place.pointer}/properties/${encodeURIComponent(pointerStep(name))}` }
      const own = (properties as Readonly<Record<string, unknown>>)[name]
      if (typeof own === 'object' && own !== null && (own as Keywords)[notOurs] === true) return false
      return this.object(member)?.value[notOurs] !== true
    })
  }

  #judge(keywords: Keywords, place: Place): void {
    for (const key of unknownHere) {
      if (keywords[key] === undefined) continue
      this.#fault({ ...place, pointer: `${place.pointer}/${key}` }, 'is not known within OpenAPI', 'name schemas by $ref and path')
    }
    const { pattern, patternProperties } = keywords
    const patterns = typeof patternProperties === 'object' && patternProperties !== null ? Object.keys(patternProperties) : []
    if (typeof pattern === 'string') patterns.push(pattern)
    for (const one of patterns) {
      try {
        void new LinearPattern(one)
      } catch (thrown) {
        const message = `the pattern ${JSON.stringify(one.slice(0, 100))} cannot be matched in bounded time: ${(thrown as Error).message}`
        this.#fault(place, message, 'write it without look-around and back references')
      }
    }
  }

  /** The name of what a reference leads to, which is translated too. */
  #name(ref: string, from: Place, direction: Direction): string | undefined {
    const place = this.follow(ref, from)
    if (place === undefined) return undefined
    const key = JSON.stringify([place.file.file, place.pointer, direction])
    const known = this.#names.get(key)
    if (known !== undefined) return known
    const name = `velum:schema-${this.#names.size}`
    this.#names.set(key, name)
    const entry: { schema: Schema; place: Place } = { schema: true, place }
    this.named.set(name, entry)
    entry.schema = this.schemaAt(place, direction)
    return name
  }
}

/** Exclusive bounds as JSON Schema says them; in 3.0 they are flags beside the bound. */
function withNumericBounds(made: Record<string, unknown>): Record<string, unknown> {
  for (const [bound, exclusive] of [
    ['minimum', 'exclusiveMinimum'],
    ['maximum', 'exclusiveMaximum'],
  ] as const) {
    if (typeof made[exclusive] !== 'boolean') continue
    if (made[exclusive] && made[bound] !== undefined) {
      made[exclusive] = made[bound]
      delete made[bound]
    } else delete made[exclusive]
  }
  return made
}

/** By the letter `nullable` needs a `type`, and an `enum` must name null; who writes it means null all the same. */
function orNull(made: Record<string, unknown>): Keywords {
  const { type, enum: values, ...rest } = made
  const isPlain =
    typeof type === 'string' && ['allOf', 'anyOf', 'oneOf', 'not', 'const', '$ref'].every((key) => rest[key] === undefined)
  if (!isPlain) return { anyOf: [{ type: 'null' }, made] }
  if (!Array.isArray(values)) return { ...made, type: [type, 'null'] }
  return { ...made, type: [type, 'null'], enum: values.includes(null) ? values : [...(values as unknown[]), null] }
}
