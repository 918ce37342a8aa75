import { readPath } from './read-path.ts'
import type { RouteMatch } from './route-match.ts'

/** One step of a pattern. `one` without a name is `*`. `rest` and `optional` stand last. */
export type PatternSegment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'one'; readonly name: string | undefined }
  | { readonly kind: 'optional'; readonly name: string }
  | { readonly kind: 'rest' }

/** A path pattern of the configuration, read: `/a/b`, `/a/{x}`, `/a/*`, `/a/{x?}`, `/a/**`. */
export interface PathPattern {
  readonly source: string
  /** Literals are in the normal form of `readPath`. A slash at the end is an empty literal. */
  readonly segments: readonly PatternSegment[]
}

/** What is wrong with a pattern or template, where (an offset into its text), and what would be right. */
export class PatternError extends Error {
  readonly position: number
  readonly remedy: string

  constructor(message: string, position: number, remedy: string) {
    super(message)
    this.name = 'PatternError'
    this.position = position
    this.remedy = remedy
  }
}

/** The name under which `**` stands among a route's parameters: the rest of the path, from its slash on, not decoded. */
export const restName = '**'

const namePattern = /^[A-Za-z_][\w-]*$/

/** Reads a pattern; throws PatternError. */
export function parsePathPattern(source: string): PathPattern {
  if (source[0] !== '/') {
    throw new PatternError('a path pattern begins with "/"', 0, `write "/${source.replace(/^\.?\/*/, '')}"`)
  }
  const texts = source.slice(1).split('/')
  const seen = new Set<string>()
  const segments: PatternSegment[] = []
  let position = 1
  for (const [i, text] of texts.entries()) {
    const segment = parseSegment(text, position, i === texts.length - 1)
    const name = segment.kind === 'one' || segment.kind === 'optional' ? segment.name : undefined
    if (name !== undefined) {
      if (seen.has(name)) throw new PatternError(`the name {${name}} occurs twice`, position, 'give each parameter its own name')
      seen.add(name)
    }
    segments.push(segment)
    position += text.length + 1
  }
  return { source, segments }
}

function parseSegment(text: string, position: number, isLast: boolean): PatternSegment {
  if (text === '**') {
    if (!isLast) throw new PatternError('"**" stands last', position, 'use {name} or * for one segment in the middle of a path')
    return { kind: 'rest' }
  }
  if (text === '*') return { kind: 'one', name: undefined }
  if (text.includes('{') || text.includes('}')) {
    const inner = text.slice(1, -1)
    if (text[0] !== '{' || text.at(-1) !== '}' || inner.includes('{') || inner.includes('}')) {
      throw new PatternError('a parameter is a whole segment', position, 'write "/{name}/", with nothing beside the braces')
    }
    const isOptional = inner.endsWith('?')
    const name = isOptional ? inner.slice(0, -1) : inner
    if (!namePattern.test(name)) {
      throw new PatternError(
        `"${name}" is not a parameter's name`,
        position + 1,
        'use letters, digits, "_" and "-", beginning with a letter',
      )
    }
    if (!isOptional) return { kind: 'one', name }
    if (!isLast) throw new PatternError('an optional parameter stands last', position, `write {${name}} here, or two patterns`)
    return { kind: 'optional', name }
  }
  if (text.includes('*')) {
    throw new PatternError('"*" is a whole segment', position, 'use * or {name} for one segment, ** for the rest')
  }
  if (text === '' && !isLast) throw new PatternError('the pattern has an empty segment', position, 'write one "/" in place of two')
  return { kind: 'literal', text: normalLiteral(text, position) }
}

/** A literal in the normal form of requests; throws PatternError where none could ever equal it. */
export function normalLiteral(text: string, position: number): string {
  if (text === '') return ''
  if (text === '.' || text === '..') {
    throw new PatternError('a path here has no dot segments', position, 'write the path that they lead to')
  }
  if (text.includes('?') || text.includes('#')) {
    throw new PatternError('a path pattern has no query and no fragment', position, 'match a query with `query: { name: value }`')
  }
  if (/\s/.test(text)) throw new PatternError('the pattern contains whitespace', position, 'write a space as %20')
  // A configuration is text: letters beyond ASCII may be written as they are read.
  const reading = readPath(`/${text.toWellFormed().replace(/[^\0-\x7f]+/gu, encodeURIComponent)}`)
  if (reading.fault !== undefined) {
    throw new PatternError(`no request can match "${text}": ${reading.fault}`, position, 'correct the segment')
  }
  if (reading.path === '/') return normalLiteral('.', position)
  return reading.path.slice(1)
}

/** A pattern's parameters in order, `**` as `restName`. */
export function patternNames(pattern: PathPattern): string[] {
  const names: string[] = []
  for (const segment of pattern.segments) {
    if (segment.kind === 'rest') names.push(restName)
    else if (segment.kind !== 'literal' && segment.name !== undefined) names.push(segment.name)
  }
  return names
}

const patternsByMatch = new WeakMap<RouteMatch, readonly PathPattern[]>()

/** The patterns of a route's paths, read once for all who ask: checks, tables and every reload do. Throws PatternError. */
export function pathPatternsOf(match: RouteMatch): readonly PathPattern[] {
  const known = patternsByMatch.get(match)
  if (known !== undefined) return known
  const patterns = match.paths.map((path) => parsePathPattern(path))
  patternsByMatch.set(match, patterns)
  return patterns
}

/** The names of everything that a route's patterns catch, each once: the order of `Exchange.params`. Throws PatternError. */
export function routeParamNames(match: RouteMatch): readonly string[] {
  const patterns = pathPatternsOf(match)
  return patterns.length === 1 ? patternNames(patterns[0]) : [...new Set(patterns.flatMap(patternNames))]
}

/** What the pattern matches, whatever its parameters are called: two patterns of one shape match the same paths. */
export function patternShape(pattern: PathPattern): string {
  return pattern.segments
    .map((s) => (s.kind === 'literal' ? `/${s.text}` : s.kind === 'one' ? '/{}' : s.kind === 'optional' ? '/{?}' : '/**'))
    .join('')
}
