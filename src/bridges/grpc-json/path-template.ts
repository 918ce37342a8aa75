/**
 * The path templates of google.api.http: "/v1/{name=shelves/*}/books/{book}:verb". `*` is one segment, `**` any number of
 * them (also none) and the last part; a variable captures what its own segments matched, `{x}` is `{x=*}`.
 */

/** A template that is none; the message says what is wrong, in one line. */
export class TemplateError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'TemplateError'
  }
}

export type TemplateSegment =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'one' }
  | { readonly kind: 'rest' }

/** A part of the path that becomes a field. */
export interface TemplateVariable {
  /** Names of fields, outermost first, as they are written. */
  readonly fieldPath: readonly string[]
  /** Its segments: from this one … */
  readonly start: number
  /** … up to here; Infinity where it ends with `**`. */
  readonly end: number
  /** Captures more than one segment, so that an encoded slash in it must stay told from a real one. */
  readonly isMulti: boolean
}

export interface PathTemplate {
  readonly text: string
  readonly segments: readonly TemplateSegment[]
  readonly variables: readonly TemplateVariable[]
  /** Without its colon; '' for none. */
  readonly verb: string
}

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/
/** What may stand unencoded in a segment (RFC 3986 pchar) and has no meaning in templates. */
const literalForm = /^(?:[A-Za-z0-9\-._~!$&'()+,;@:]|%[0-9A-Fa-f]{2})+$/

/** Reads a template. Throws a TemplateError. */
export function parsePathTemplate(text: string): PathTemplate {
  if (!text.startsWith('/')) throw new TemplateError('it does not begin with "/"')
  const segments: TemplateSegment[] = []
  const variables: TemplateVariable[] = []
  const parts = splitOutside(text.slice(1), text)
  let verb = ''
  for (const [i, part] of parts.entries()) {
    let own = part
    if (i === parts.length - 1) {
      const colon = verbColon(part)
      if (colon !== -1) {
        verb = part.slice(colon + 1)
        own = part.slice(0, colon)
        if (!literalForm.test(verb)) throw new TemplateError(`":${verb}" is no verb`)
      }
    }
    if (own.startsWith('{')) readVariable(own, segments, variables)
    else segments.push(segmentOf(own))
  }
  const rest = segments.findIndex(({ kind }) => kind === 'rest')
  if (rest !== -1 && rest < segments.length - 1) throw new TemplateError('"**" must be the last segment')
  const names = variables.map(({ fieldPath }) => fieldPath.join('.'))
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new TemplateError(`the variable "${twice}" stands there twice`)
  return { text, segments, variables, verb: normalLiteral(verb) }
}

/** Splits at slashes that are outside of braces. */
function splitOutside(text: string, whole: string): string[] {
  const parts: string[] = []
  let depth = 0
  let start = 0
  for (let i = 0; i <= text.length; i++) {
    const char = text[i]
    if (char === '{') depth++
    else if (char === '}') depth--
    if (depth > 1) throw new TemplateError('a variable stands inside of another one')
    if (depth < 0) throw new TemplateError('"}" closes nothing')
    if (i === text.length || (char === '/' && depth === 0)) {
      parts.push(text.slice(start, i))
      start = i + 1
    }
  }
  if (depth !== 0) throw new TemplateError('a variable is not closed')
  if (parts.some((part) => part === '')) throw new TemplateError(whole === '/' ? 'it has no segment' : 'it has an empty segment')
  return parts
}

/** Behind a variable the first colon begins the verb, behind a literal the last one. */
function verbColon(part: string): number {
  if (!part.startsWith('{')) return part.lastIndexOf(':')
  const close = part.indexOf('}')
  if (close === part.length - 1) return -1
  if (part[close + 1] !== ':') throw new TemplateError('a variable must be a whole segment')
  return close + 1
}

function readVariable(part: string, segments: TemplateSegment[], variables: TemplateVariable[]): void {
  if (!part.endsWith('}')) throw new TemplateError('a variable must be a whole segment')
  const inside = part.slice(1, -1)
  const equals = inside.indexOf('=')
  const fieldPath = (equals === -1 ? inside : inside.slice(0, equals)).split('.')
  if (!fieldPath.every((name) => identifier.test(name))) throw new TemplateError(`"${fieldPath.join('.')}" is no path of fields`)
  const start = segments.length
  const own = equals === -1 ? ['*'] : inside.slice(equals + 1).split('/')
  if (own.includes('')) throw new TemplateError(`the variable "${fieldPath.join('.')}" has an empty segment`)
  for (const segment of own) segments.push(segmentOf(segment))
  const isRest = segments.at(-1)!.kind === 'rest'
  const isMulti = own.length > 1 || isRest
  variables.push({ fieldPath, start, end: isRest ? Infinity : segments.length, isMulti })
}

function segmentOf(text: string): TemplateSegment {
  if (text === '*') return { kind: 'one' }
  if (text === '**') return { kind: 'rest' }
  if (!literalForm.test(text)) throw new TemplateError(`"${text}" is no segment`)
  return { kind: 'literal', text: normalLiteral(text) }
}

/** As the one reading of paths writes it: unreserved characters decoded, hexadecimal digits in upper case. */
export function normalLiteral(text: string): string {
  return text.replaceAll(/%[0-9A-Fa-f]{2}/g, (escape) => {
    const char = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
    return /[A-Za-z0-9\-._~]/.test(char) ? char : escape.toUpperCase()
  })
}

/** The text of a variable: everything decoded, but in one of several segments `%2F` stays as it is (http.proto). */
export function decodeVariable(raw: string, isMulti: boolean): string {
  if (!raw.includes('%')) return raw
  if (!isMulti) return decodeURIComponent(raw)
  return raw
    .split(/(%2[Ff])/)
    .map((part, i) => (i % 2 === 1 ? part : decodeURIComponent(part)))
    .join('')
}

/** The path that a template makes of variables' texts, in the order of `variables`; the inverse of matching. */
export function expandTemplate({ segments, variables, verb }: PathTemplate, values: readonly string[]): string {
  const parts: string[] = []
  for (let i = 0; i < segments.length; i++) {
    const index = variables.findIndex(({ start }) => start === i)
    if (index === -1) {
      const segment = segments[i]
      if (segment.kind === 'literal') parts.push(segment.text)
      continue
    }
    const { isMulti, end } = variables[index]
    const value = encodeVariable(values[index], isMulti)
    if (value !== '') parts.push(value)
    i = Math.min(end, segments.length) - 1
  }
  return `/${parts.join('/')}${verb === '' ? '' : `:${verb}`}`
}

function encodeVariable(value: string, isMulti: boolean): string {
  const segments = isMulti ? value.split('/') : [value]
  return segments.map((segment) => encodeSegment(segment, isMulti)).join('/')
}

/** Leaves what a segment may hold as it is (RFC 3986 pchar). */
function encodeSegment(text: string, isMulti: boolean): string {
  const encoded = encodeURIComponent(text).replaceAll(/%(?:24|26|2B|2C|3A|3B|3D|40)/g, (escape) => decodeURIComponent(escape))
  return isMulti ? encoded.replaceAll('%252F', '%2F') : encoded
}

/** A path that the template matches, for those who ask whether anything leads there. */
export function samplePath({ segments, verb }: PathTemplate): string {
  const parts = segments.map((segment) => (segment.kind === 'literal' ? segment.text : 'x'))
  return `/${parts.join('/')}${verb === '' ? '' : `:${verb}`}`
}
