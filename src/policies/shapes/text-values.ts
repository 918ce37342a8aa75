import type { Kinds, SchemaKinds } from './schema-kinds.ts'
import type { Schema, Writing } from './shape.ts'

/** A name and a value of a query, form or cookie, decoded. */
export type Pair = readonly [name: string, value: string]

/** Stands for a text that cannot be read as it is written. No schema takes it. */
export const unreadable = Symbol('unreadable')

/** JSON's own numbers, so that nothing counts as one that the service might read otherwise. */
const numberPattern = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const integerPattern = /^-?(?:0|[1-9]\d*)$/
const maxDepth = 16
/** The most fields of a form or query, and the most items of one text. */
const maxPairs = 1000

/** What texts (in lists and objects) mean by a schema: a number where it takes numbers and the text is one. */
export function typed(value: unknown, schema: Schema, kinds: SchemaKinds, depth = 0): unknown {
  if (depth > maxDepth) return value
  if (Array.isArray(value)) {
    const item = kinds.item(schema)
    return value.map((inner) => typed(inner, item, kinds, depth + 1))
  }
  if (typeof value === 'object' && value !== null) {
    const made = emptyObject()
    for (const [name, inner] of Object.entries(value)) put(made, name, typed(inner, kinds.member(schema, name), kinds, depth + 1))
    return made
  }
  return typeof value === 'string' ? typedText(value, kinds.kindsOf(schema)) : value
}

function typedText(text: string, kinds: Kinds): unknown {
  if ((kinds.number && numberPattern.test(text)) || (kinds.integer && integerPattern.test(text))) return Number(text)
  if (kinds.boolean && (text === 'true' || text === 'false')) return text === 'true'
  return kinds.null && text === 'null' ? null : text
}

/** The untyped value of one text by its writing: a text, a list of texts or an object of them. */
export function splitText(text: string, kinds: Kinds, { style, isExploded }: Writing, name: string): unknown {
  if (style === 'matrix') return splitMatrix(text, kinds, isExploded, name)
  if (style === 'label' && !text.startsWith('.')) return unreadable
  const bare = style === 'label' ? text.slice(1) : text
  if (!kinds.array && !kinds.object) return bare
  const pieces = piecesOf(bare, separatorOf(style, isExploded))
  if (pieces === undefined) return unreadable
  // What may be a list or a single value: one piece is the value itself too, and the schema has the last word.
  if (kinds.array) return pieces
  if (isExploded) return asObject(pieces.map((piece) => cut(piece, '=')))
  if (pieces.length % 2 === 1) return unreadable
  return asObject(pieces.flatMap((key, i) => (i % 2 === 0 ? [[key, pieces[i + 1]] as const] : [])))
}

function separatorOf(style: Writing['style'], isExploded: boolean): string {
  if (style === 'spaceDelimited') return ' '
  if (style === 'pipeDelimited') return '|'
  return style === 'label' && isExploded ? '.' : ','
}

function splitMatrix(text: string, kinds: Kinds, isExploded: boolean, name: string): unknown {
  if (!text.startsWith(';')) return unreadable
  const pieces = piecesOf(text.slice(1), ';')
  if (pieces === undefined) return unreadable
  const pairs = pieces.map((piece) => cut(piece, '='))
  if (isExploded && kinds.object && !kinds.array) return asObject(pairs)
  if (pairs.some(([key]) => key !== name)) return unreadable
  if (isExploded && kinds.array) return pairs.map(([, value]) => value)
  if (pairs.length !== 1) return unreadable
  return splitText(pairs[0][1], kinds, { style: 'simple', isExploded: false, isJson: false }, name)
}

/** The untyped value under `name` among pairs of a query, form or cookie; undefined when nothing is there. */
export function gatherPairs(pairs: readonly Pair[], name: string, schema: Schema, writing: Writing, kinds: SchemaKinds): unknown {
  if (writing.style === 'deepObject') return deepObject(pairs, name)
  const taken = kinds.kindsOf(schema)
  if (taken.object && writing.isExploded && !taken.array && !writing.isJson) {
    const names = new Set(kinds.memberNames(schema))
    const own = pairs.filter(([key]) => names.has(key))
    return own.length === 0 ? undefined : asObject(own)
  }
  const values: string[] = []
  for (const [key, value] of pairs) if (key === name || (taken.array && key === `${name}[]`)) values.push(value)
  if (values.length === 0) return undefined
  if (taken.array && writing.isExploded && !writing.isJson) return values
  // Twice where once is meant: what the service would take is anybody's guess.
  if (values.length > 1) return unreadable
  return writing.isJson ? values[0] : splitText(values[0], taken, writing, name)
}

/** The pairs of a query or an urlencoded form; undefined when it cannot be decoded or holds more than a thousand. */
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

/** An object as JSON has them, so that `__proto__` is a member like others. */
export function emptyObject(): Record<string, unknown> {
  return Object.create(null) as Record<string, unknown>
}

function put(object: Record<string, unknown>, name: string, value: unknown): void {
  object[name] = value
}

/** Unreadable with a name twice: which one counts is anybody's guess. */
function asObject(pairs: readonly (readonly [string, unknown])[]): unknown {
  const made = emptyObject()
  for (const [name, value] of pairs) {
    if (Object.hasOwn(made, name)) return unreadable
    put(made, name, value)
  }
  return made
}

interface Tree extends Map<string, string | Tree> {}

/** `a[b]=1&a[c][d]=2&a[e][]=3&a[f][0]=4` under `a`. */
function deepObject(pairs: readonly Pair[], name: string): unknown {
  let found: Tree | undefined
  const start = `${name}[`
  for (const [key, value] of pairs) {
    if (!key.startsWith(start)) continue
    if (!key.endsWith(']')) return unreadable
    const steps = key.slice(start.length, -1).split('][')
    found ??= new Map()
    if (steps.length > maxDepth || !plant(found, steps, value)) return unreadable
  }
  return found === undefined ? undefined : plain(found)
}

/** Puts a value where its steps lead; false where something stands already. */
function plant(root: Tree, steps: readonly string[], value: string): boolean {
  let here = root
  for (const [i, step] of steps.entries()) {
    const at = step === '' ? String(here.size) : step
    if (i === steps.length - 1) {
      if (here.has(at)) return false
      here.set(at, value)
      return true
    }
    const next: string | Tree = here.get(at) ?? new Map()
    if (typeof next === 'string') return false
    here.set(at, next)
    here = next
  }
  return true
}

/** Steps that count from 0 make a list. */
function plain(tree: string | Tree): unknown {
  if (typeof tree === 'string') return tree
  const keys = [...tree.keys()]
  if (keys.length > 0 && keys.every((key, i) => key === String(i))) return [...tree.values()].map(plain)
  return asObject([...tree].map(([key, value]) => [key, plain(value)]))
}
