import type { Schema, Writing } from './shape.ts'

/** Which kinds of JSON values a schema takes, as far as that can be told: what a text may have been meant as. */
export interface Kinds {
  readonly number: boolean
  readonly boolean: boolean
  readonly null: boolean
  readonly array: boolean
  readonly object: boolean
}

/** A name and a value of a query, form or cookie, decoded. */
export type Pair = readonly [name: string, value: string]

/** What a text says about its schema when it cannot be read at all. */
export const unreadable = Symbol('unreadable')

const lists = ['allOf', 'anyOf', 'oneOf'] as const

/** Reads schemas that name others by `$ref`. */
export class TextValues {
  readonly #defs: Readonly<Record<string, Schema>>

  constructor(defs: Readonly<Record<string, Schema>>) {
    this.#defs = defs
  }

  /** The schema and all that stand beside it for the same value: behind `$ref`, `allOf`, `anyOf`, `oneOf`. */
  #parts(schema: Schema, found: Set<object> = new Set()): Set<object> {
    if (typeof schema === 'boolean' || found.has(schema)) return found
    found.add(schema)
    const ref = schema['$ref']
    if (typeof ref === 'string' && Object.hasOwn(this.#defs, ref)) this.#parts(this.#defs[ref], found)
    for (const key of lists) {
      const parts = schema[key]
      if (Array.isArray(parts)) for (const part of parts) this.#parts(part as Schema, found)
    }
    return found
  }

  kindsOf(schema: Schema): Kinds {
    const kinds = { number: false, boolean: false, null: false, array: false, object: false }
    for (const part of this.#parts(schema) as Set<Record<string, unknown>>) {
      for (const type of [part['type']].flat()) {
        if (type === 'integer') kinds.number = true
        else if (typeof type === 'string' && Object.hasOwn(kinds, type)) kinds[type as keyof typeof kinds] = true
      }
      if (part['items'] !== undefined) kinds.array = true
      if (part['properties'] !== undefined) kinds.object = true
      // A type may be told by its values alone.
      for (const value of [part['enum'], part['const']].flat()) {
        if (typeof value === 'number') kinds.number = true
        if (typeof value === 'boolean') kinds.boolean = true
      }
    }
    return kinds
  }

  /** The schema of a member, as far as it says one. */
  member(schema: Schema, name: string): Schema {
    for (const part of this.#parts(schema) as Set<Record<string, unknown>>) {
      const { properties } = part
      if (typeof properties === 'object' && properties !== null && Object.hasOwn(properties, name)) {
        return (properties as Readonly<Record<string, Schema>>)[name]
      }
    }
    for (const part of this.#parts(schema) as Set<Record<string, unknown>>) {
      if (typeof part['additionalProperties'] === 'object') return part['additionalProperties'] as Schema
    }
    return true
  }

  memberNames(schema: Schema): string[] {
    const names = new Set<string>()
    for (const part of this.#parts(schema) as Set<Record<string, unknown>>) {
      for (const name of Object.keys((part['properties'] ?? {}) as object)) names.add(name)
    }
    return [...names]
  }

  item(schema: Schema): Schema {
    for (const part of this.#parts(schema) as Set<Record<string, unknown>>) if (part['items'] !== undefined) return part['items'] as Schema
    return true
  }

  /**
   * What texts (in lists and objects) mean by a schema: a number where it takes numbers and the text is one. With
   * `isTextual` a text stays one wherever the schema may take it, for schemas that take both.
   */
  typed(value: unknown, schema: Schema, isTextual: boolean, depth = 0): unknown {
    if (depth > maxDepth) return value
    if (Array.isArray(value)) {
      const item = this.item(schema)
      return value.map((inner) => this.typed(inner, item, isTextual, depth + 1))
    }
    if (typeof value === 'object' && value !== null) {
      const typed: Record<string, unknown> = Object.create(null) as Record<string, unknown>
      for (const [name, inner] of Object.entries(value)) typed[name] = this.typed(inner, this.member(schema, name), isTextual, depth + 1)
      return typed
    }
    if (typeof value !== 'string' || isTextual) return value
    const kinds = this.kindsOf(schema)
    if (kinds.number && numberPattern.test(value)) return Number(value)
    if (kinds.boolean && (value === 'true' || value === 'false')) return value === 'true'
    if (kinds.null && value === 'null') return null
    return value
  }

  /** The untyped value of one text by its writing: a text, a list of texts or an object of them. */
  split(text: string, schema: Schema, { style, isExploded }: Writing, name: string): unknown {
    const kinds = this.kindsOf(schema)
    let bare = text
    let separator = ','
    if (style === 'label') {
      if (!bare.startsWith('.')) return unreadable
      bare = bare.slice(1)
      separator = isExploded ? '.' : ','
    } else if (style === 'matrix') {
      return this.#matrix(bare, kinds, isExploded, name)
    } else if (style === 'spaceDelimited') separator = ' '
    else if (style === 'pipeDelimited') separator = '|'
    if (!kinds.array && !kinds.object) return bare
    const pieces = piecesOf(bare, separator)
    if (pieces === undefined || kinds.array) return pieces ?? unreadable
    if (isExploded) return asObject(pieces.map((piece) => cut(piece, '=')))
    return pieces.length % 2 === 1 ? unreadable : asObject(pieces.filter((_, i) => i % 2 === 0).map((key, i) => [key, pieces[2 * i + 1]]))
  }

  #matrix(text: string, kinds: Kinds, isExploded: boolean, name: string): unknown {
    if (!text.startsWith(';')) return unreadable
    const pieces = piecesOf(text.slice(1), ';')
    if (pieces === undefined) return unreadable
    const pairs = pieces.map((piece) => cut(piece, '='))
    if (isExploded && kinds.object) return asObject(pairs)
    if (pairs.some(([key]) => key !== name)) return unreadable
    if (isExploded && kinds.array) return pairs.map(([, value]) => value)
    if (pairs.length !== 1) return unreadable
    return kinds.array ? (piecesOf(pairs[0][1], ',') ?? unreadable) : pairs[0][1]
  }

  /** The untyped value under `name` among pairs of a query, form or cookie; undefined when nothing is there. */
  gather(pairs: readonly Pair[], name: string, schema: Schema, writing: Writing): unknown {
    if (writing.style === 'deepObject') return deepObject(pairs, name)
    const kinds = this.kindsOf(schema)
    if (kinds.object && writing.isExploded && !kinds.array && !writing.isJson) {
      const names = new Set(this.memberNames(schema))
      const own = pairs.filter(([key]) => names.has(key))
      return own.length === 0 ? undefined : asObject(own)
    }
    const values: string[] = []
    for (const [key, value] of pairs) if (key === name || (kinds.array && key === `${name}[]`)) values.push(value)
    if (values.length === 0) return undefined
    if (kinds.array && writing.isExploded && !writing.isJson) return values
    // Twice where once is meant: what the service would take is anybody's guess.
    return values.length > 1 ? unreadable : writing.isJson ? values[0] : this.split(values[0], schema, writing, name)
  }
}

/** JSON's own numbers, so that nothing counts as one that the service might read otherwise. */
const numberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const maxDepth = 16
/** The most fields of a form or query, and the most items of one text. */
const maxPairs = 1000

/** A text cut at a separator; undefined for more pieces than anybody means. */
function piecesOf(text: string, separator: string): string[] | undefined {
  const pieces: string[] = []
  if (text === '') return pieces
  for (let from = 0; ;) {
    const at = text.indexOf(separator, from)
    if (at === -1) {
      pieces.push(text.slice(from))
      return pieces
    }
    if (pieces.push(text.slice(from, at)) === maxPairs) return undefined
    from = at + separator.length
  }
}

function cut(text: string, separator: string): Pair {
  const at = text.indexOf(separator)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function asObject(pairs: readonly (readonly [string, unknown])[]): Record<string, unknown> {
  const made = Object.create(null) as Record<string, unknown>
  for (const [name, value] of pairs) made[name] = Object.hasOwn(made, name) ? unreadable : value
  return made
}

/** `a[b]=1&a[c][d]=2&a[e][]=3&a[f][0]=4` under `a`. */
function deepObject(pairs: readonly Pair[], name: string): unknown {
  let found: Tree | undefined
  const start = `${name}[`
  for (const [key, value] of pairs) {
    if (!key.startsWith(start)) continue
    if (!key.endsWith(']')) return unreadable
    const steps = key.slice(start.length, -1).split('][')
    if (steps.length > maxDepth) return unreadable
    found ??= new Map()
    let here = found
    for (const [i, step] of steps.entries()) {
      const at = step === '' ? String(here.size) : step
      if (i === steps.length - 1) {
        if (here.has(at)) return unreadable
        here.set(at, value)
        break
      }
      const next = here.get(at) ?? new Map<string, never>()
      if (typeof next === 'string') return unreadable
      here.set(at, next)
      here = next
    }
  }
  return found === undefined ? undefined : plain(found)
}

interface Tree extends Map<string, string | Tree> {}

/** Steps that count from 0 make a list. */
function plain(tree: string | Tree): unknown {
  if (typeof tree === 'string') return tree
  const keys = [...tree.keys()]
  if (keys.length > 0 && keys.every((key, i) => key === String(i))) return [...tree.values()].map(plain)
  return asObject([...tree].map(([key, value]) => [key, plain(value)]))
}

/** The pairs of a query or an urlencoded form; undefined when it cannot be decoded or holds too many. */
export function readPairs(text: string): Pair[] | undefined {
  const pieces = piecesOf(text, '&')
  if (pieces === undefined) return undefined
  const pairs: Pair[] = []
  for (const piece of pieces) {
    if (piece === '') continue
    const [name, value] = cut(piece, '=')
    try {
      pairs.push([decoded(name), decoded(value)])
    } catch {
      return undefined
    }
  }
  return pairs
}

function decoded(text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  return spaced.includes('%') ? decodeURIComponent(spaced) : spaced
}
