import { normalLiteral, parsePathPattern, PatternError, restName, routeParamNames } from './path-pattern.ts'
import type { RouteMatch } from './route-match.ts'

/** What a route caught from a path, in the order of `routeParamNames`, as it stands in the path. */
export type Params = readonly (string | undefined)[]

/** Makes a path of what a route caught. Always in the normal form of `readPath`: no value can leave its segment. */
export type PathTemplate = (params: Params) => string

/** A piece of a template: text, or the parameter with this index. */
export type Piece = string | number

/** What a route's patterns offer to a template. */
export class TemplateNames {
  readonly #match: RouteMatch
  readonly #names: readonly string[]
  /** Names that some pattern does without, by leaving them out or by having them optional. */
  readonly #absent = new Map<string, string>()
  readonly #optional = new Set<string>()

  constructor(match: RouteMatch) {
    this.#match = match
    this.#names = routeParamNames(match)
    for (const path of match.paths) {
      const found = new Set<string>()
      for (const segment of parsePathPattern(path).segments) {
        if (segment.kind === 'rest') found.add(restName)
        else if (segment.kind !== 'literal' && segment.name !== undefined) found.add(segment.name)
        if (segment.kind === 'optional') this.#optional.add(segment.name)
      }
      for (const name of this.#names) if (!found.has(name)) this.#absent.set(name, path)
    }
  }

  /** The index of a name that every pattern has; throws PatternError. */
  index(name: string, position: number): number {
    const index = this.#names.indexOf(name)
    const shown = name === restName ? '**' : `{${name}}`
    const without = index === -1 ? this.#match.paths[0] : this.#absent.get(name)
    if (without !== undefined) {
      const known = this.#names.map((n) => (n === restName ? '**' : `{${n}}`)).join(', ')
      const remedy = index === -1 && known !== '' ? `use one of ${known}` : `put ${shown} into "${without}"`
      throw new PatternError(`the path pattern "${without}" has no ${shown}`, position, remedy)
    }
    return index
  }

  /** Whether a request can match without this parameter. */
  isOptional(name: string): boolean {
    return this.#optional.has(name)
  }
}

const placeholder = /\{([^{}]*)\}/g

/** Cuts text into literals and parameters; `literal` brings the former into form. Throws PatternError. */
export function cutTemplate(
  text: string,
  position: number,
  names: TemplateNames,
  literal: (text: string, position: number) => string,
): Piece[] {
  const pieces: Piece[] = []
  let from = 0
  const addLiteral = (to: number): void => {
    const piece = text.slice(from, to)
    const brace = piece.search(/[{}]/)
    if (brace !== -1)
      throw new PatternError('a brace has no partner', position + from + brace, 'write {name}, or %7B and %7D for braces')
    if (piece !== '') pieces.push(literal(piece, position + from))
  }
  for (const found of text.matchAll(placeholder)) {
    addLiteral(found.index)
    pieces.push(names.index(found[1].replace(/\?$/, ''), position + found.index))
    from = found.index + found[0].length
  }
  addLiteral(text.length)
  return pieces
}

/**
 * Compiles a path template such as `/v2/{id}.json` or `/x/**` for the patterns of a route. An optional parameter stands
 * last, as a segment of its own, and takes its slash with it when it is absent. Throws PatternError. `offset` is the
 * template's place in a longer text, for the error's position.
 */
export function compilePathTemplate(template: string, match: RouteMatch, offset = 0): PathTemplate {
  if (template[0] !== '/') throw new PatternError('a path begins with "/"', offset, `write "/${template}"`)
  const names = new TemplateNames(match)
  const texts = template.slice(1).split('/')
  const pieces: Piece[] = []
  let ending: Piece | undefined
  let isRest = false
  let position = offset + 1
  for (const [i, text] of texts.entries()) {
    const isLast = i === texts.length - 1
    const only = /^\{([^{}]*?)\??\}$/.exec(text)
    if (text === '**') {
      if (!isLast) throw new PatternError('"**" stands last', position, 'move "**" to the end')
      ending = names.index(restName, position)
      isRest = true
    } else if (text.includes('*')) {
      throw new PatternError('"*" has no name', position, 'use {name}, or "**" at the end')
    } else if (only !== null && isLast && names.isOptional(only[1])) {
      ending = names.index(only[1], position)
    } else {
      pieces.push('/', ...segmentPieces(text, position, isLast, names, match.allow))
    }
    position += text.length + 1
  }
  return assemble(joined(pieces), ending, isRest)
}

function segmentPieces(text: string, position: number, isLast: boolean, names: TemplateNames, allow: RouteMatch['allow']): Piece[] {
  if (text === '' && !isLast) throw new PatternError('the path has an empty segment', position, 'write one "/" in place of two')
  if (!text.includes('{') && !text.includes('}')) return [normalLiteral(text, position)]
  for (const [whole, name] of text.matchAll(placeholder)) {
    if (names.isOptional(name.replace(/\?$/, ''))) {
      throw new PatternError(
        `${whole} may be absent`,
        position,
        'let it stand last, as a segment of its own, or match it as {name}',
      )
    }
  }
  return cutTemplate(text, position, names, (literal, at) => {
    // Dots beside a value that carries an encoded slash or a semicolon would be a dot segment to whoever reads those.
    if (/^\.+$/.test(literal) && (literal !== '.' || allow.length > 0))
      throw new PatternError('dots alone beside a parameter', at, 'use other text between parameters')
    return normalLiteral(`x${literal}x`, at).slice(1, -1)
  })
}

/** Neighbouring literals made one. */
function joined(pieces: readonly Piece[]): Piece[] {
  const result: Piece[] = []
  for (const piece of pieces) {
    const last = result.at(-1)
    if (typeof piece === 'string' && typeof last === 'string') result[result.length - 1] = last + piece
    else result.push(piece)
  }
  return result
}

function assemble(pieces: readonly Piece[], ending: Piece | undefined, isRest: boolean): PathTemplate {
  if (ending === undefined && pieces.length === 1 && typeof pieces[0] === 'string') {
    const [constant] = pieces
    return () => constant
  }
  return (params) => {
    let path = ''
    for (const piece of pieces) path += typeof piece === 'string' ? piece : (params[piece] ?? '')
    if (ending !== undefined) {
      const value = params[ending as number]
      if (value !== undefined) path += isRest ? value : `/${value}`
    }
    return path === '' ? '/' : path
  }
}
