import { isScalar, LineCounter, parseDocument, visit } from 'yaml'
import type { Document, ParsedNode, Scalar, YAMLError } from 'yaml'
import type { ConfigPath } from './finding.ts'
import { hasRepeatedMember, jsonPlaces } from './json-places.ts'

/** What a YAML or JSON text says, or every place where it cannot be read. */
export interface ReadDocument {
  readonly input: unknown
  readonly faults: readonly DocumentFault[]
  locate(path: ConfigPath): { line: number; column: number } | undefined
}

export interface DocumentFault {
  readonly line: number
  readonly column: number
  readonly message: string
  readonly remedy: string
}

/** Deeper than anybody writes: whatever walks a configuration may call itself once for each level. */
const maxDepth = 200
const tooDeep = { message: `it is nested more than ${maxDepth} levels deep`, remedy: 'nest less deeply' }

/** Reads YAML 1.2 (with merge keys) as plain data: a tree of objects, lists, texts, numbers, booleans and null. */
export function readYaml(text: string): ReadDocument {
  const lines = new LineCounter()
  const plain = withoutMark(text)
  // Tags such as !!set and !!binary make what is no plain data. What the library would warn of is said here or by the check.
  const document = parseDocument(plain, {
    lineCounter: lines,
    merge: true,
    prettyErrors: false,
    resolveKnownTags: false,
    logLevel: 'error',
    uniqueKeys: isSameName,
  })
  const faults = [...document.errors, ...document.warnings].map((error) => yamlFault(error, lines, plain))
  if (faults.length > 0) return { input: undefined, faults, locate: locator(document, lines) }
  const locate = locator(document, lines)
  try {
    const input: unknown = document.toJS({ maxAliasCount: 100 })
    return { input, faults: nestingFaults(input, locate), locate }
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message.split(/[\r\n]/)[0] : String(thrown)
    const remedy = 'define each anchor before its aliases, and use few of them'
    return {
      input: undefined,
      faults: [{ line: 1, column: 1, message: `the YAML cannot be resolved: ${message}`, remedy }],
      locate: () => undefined,
    }
  }
}

/** Names of members are texts: 1 and "1" are the same one. */
function isSameName(a: ParsedNode, b: ParsedNode): boolean {
  return a === b || (isScalar(a) && isScalar(b) && nameOf(a) === nameOf(b))
}

function nameOf(key: Scalar): string {
  const { value } = key as Scalar<string | number | boolean | null>
  return String(value ?? '')
}

/** Reads JSON strictly (RFC 8259); a member that stands twice in one object is a fault. */
export function readJson(text: string): ReadDocument {
  const plain = withoutMark(text)
  let input: unknown
  try {
    input = JSON.parse(plain)
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    const offset = Number(/at position (\d+)/.exec(message)?.[1] ?? (/end of JSON/.test(message) ? plain.length : 0))
    const { line, column } = placeAt(plain, offset)
    const what = message.replace(/ in JSON at position.*$/, '').replace(/, (?:\.\.\.)?"[^]*$/, '')
    if (plain.slice(offset).trim() === '') {
      const cut = { line, column, message: 'the JSON ends too early', remedy: 'close what is open: a quote, "]" or "}"' }
      return { input: undefined, faults: [cut], locate: () => undefined }
    }
    const fault = { line, column, message: `the JSON cannot be read: ${what}`, remedy: jsonRemedy(plain, offset) }
    return { input: undefined, faults: [fault], locate: () => undefined }
  }
  const locate = jsonLocator(plain)
  const nesting = nestingFaults(input, locate)
  if (nesting.length > 0) return { input, faults: nesting, locate }
  return { input, faults: hasRepeatedMember(plain, input) ? repeatedMembers(plain) : [], locate }
}

/** The first place that is nested too deep, or, through an alias, in itself. */
function nestingFaults(input: unknown, locate: ReadDocument['locate']): DocumentFault[] {
  const path: (string | number)[] = []
  const open = new Set<unknown>()
  const wrong = (value: unknown): Pick<DocumentFault, 'message' | 'remedy'> | undefined => {
    if (typeof value !== 'object' || value === null) return undefined
    if (open.has(value)) return { message: 'an alias stands inside of what it stands for', remedy: 'write the value out' }
    if (open.size >= maxDepth) return tooDeep
    open.add(value)
    const isList = Array.isArray(value)
    for (const [name, member] of Object.entries(value)) {
      path.push(isList ? Number(name) : name)
      const found = wrong(member)
      if (found !== undefined) return found
      path.pop()
    }
    open.delete(value)
    return undefined
  }
  const found = wrong(input)
  return found === undefined ? [] : [{ ...(locate(path) ?? { line: 1, column: 1 }), ...found }]
}

/** Reading as YAML takes fifty times as long, so it is done only where there is something to say. */
function repeatedMembers(text: string): DocumentFault[] {
  const lines = new LineCounter()
  const { errors } = parseDocument(text, { lineCounter: lines, schema: 'json', prettyErrors: false })
  return errors.filter(({ code }) => code === 'DUPLICATE_KEY').map((error) => yamlFault(error, lines, text))
}

function jsonLocator(text: string): ReadDocument['locate'] {
  let places: Map<string, number> | undefined
  const lines = new LineCounter()
  return (path) => {
    if (places === undefined) {
      places = jsonPlaces(text)
      lines.addNewLine(0)
      for (const { index } of text.matchAll(/\n/g)) lines.addNewLine(index + 1)
    }
    return placeIn(places, path, lines)
  }
}

function withoutMark(text: string): string {
  return text.startsWith('\uFEFF') ? text.slice(1) : text
}

function placeAt(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset)
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') }
}

function jsonRemedy(text: string, offset: number): string {
  if (/\/[/*]/.test(text.slice(Math.max(0, offset - 2), offset + 2))) return 'remove the comment: JSON has none (YAML does)'
  if (/,\s*$/.test(text.slice(0, offset)) && /^[}\]]/.test(text.slice(offset))) return 'remove the comma before the closing bracket'
  return 'correct the syntax there'
}

function yamlFault(error: YAMLError, lines: LineCounter, text: string): DocumentFault {
  const { line, col } = lines.linePos(error.pos[0])
  const [offset] = error.pos
  if (error.code === 'DUPLICATE_KEY') {
    const name = /^["']?([^"':\s]*)/.exec(text.slice(offset))?.[1] ?? ''
    return { line, column: col, message: `${JSON.stringify(name)} stands twice in one object`, remedy: 'keep one of the two' }
  }
  const { message, remedy } = yamlWords(error.code, error.message.split(/[\r\n]/)[0])
  return { line, column: col, message, remedy }
}

function yamlWords(code: string, message: string): { message: string; remedy: string } {
  switch (code) {
    case 'TAB_AS_INDENT':
      return { message: 'a tab is used for indentation', remedy: 'indent with spaces' }
    case 'MULTIPLE_DOCS':
      return { message: 'the file holds more than one YAML document', remedy: 'keep one document: remove the "---" between them' }
    case 'TAG_RESOLVE_FAILED':
      return { message: 'the YAML uses a tag that means nothing here', remedy: 'remove the tag: a config is plain data' }
    default:
      if (message.startsWith('Maximum call stack')) return tooDeep
      return {
        // What follows a colon is what stands there, which may be a secret.
        message: `the YAML cannot be read: ${message.replace(/: [^]*$/, '')}`,
        remedy: 'correct the syntax there (often the indentation, or a missing quote)',
      }
  }
}

/** Finds the key (or list item) of a path; for a place that does not exist, its nearest ancestor that does. */
function locator(document: Document, lines: LineCounter): ReadDocument['locate'] {
  let places: Map<string, number> | undefined
  return (path) => {
    places ??= placesOf(document)
    return placeIn(places, path, lines)
  }
}

function placeIn(
  places: ReadonlyMap<string, number>,
  path: ConfigPath,
  lines: LineCounter,
): { line: number; column: number } | undefined {
  for (let length = path.length; length > 0; length--) {
    const offset = places.get(JSON.stringify(path.slice(0, length)))
    if (offset === undefined) continue
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  return undefined
}

function placesOf(document: Document): Map<string, number> {
  const places = new Map<string, number>()
  const pathOf = new Map<unknown, ConfigPath>([[document.contents, []]])
  visit(document, {
    Pair(_, pair, ancestors) {
      const parent = pathOf.get(ancestors.at(-1))
      const key = pair.key as { value?: string | number | boolean | null; range?: [number, number, number] } | null
      if (parent === undefined || key === null || key.value === undefined) return
      const path = [...parent, String(key.value)]
      if (key.range !== undefined) places.set(JSON.stringify(path), key.range[0])
      pathOf.set(pair.value, path)
    },
    Seq(_, seq) {
      const parent = pathOf.get(seq)
      if (parent === undefined) return
      for (const [i, item] of seq.items.entries()) {
        const path = [...parent, i]
        const range = (item as { range?: [number, number, number] } | null)?.range
        if (range !== undefined) places.set(JSON.stringify(path), range[0])
        pathOf.set(item, path)
      }
    },
  })
  return places
}
