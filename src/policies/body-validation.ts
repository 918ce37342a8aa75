import type { Exchange } from '../core/exchange.ts'
import { isPromise } from '../core/handler.ts'
import type { MaybePromise } from '../core/handler.ts'
import { H } from '../core/header-names.ts'
import { headerBlock } from '../core/headers.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import { parameterMisfits } from './schema/compiled-shape.ts'
import type { CompiledContent, CompiledShape, Expectation } from './schema/compiled-shape.ts'
import { RequestText } from './schema/parameter-values.ts'
import type { Misfit } from './schema/shape.ts'
import { maxMisfits } from './schema/shape.ts'
import { wholeBody } from './whole-body.ts'

/** Deeper JSON than this is refused: nothing that people design goes there, and readers recurse. */
const maxJsonDepth = 64

const valid = pass('valid', () => 'The request has the form that its schema wants.')
const unchecked = pass('not-read', () => 'The body has not been read, so nothing is said of it.')
const bodyMisfit = (detail: string): Misfit => ({ in: 'body', pointer: '#', detail })
const needed = [bodyMisfit('a body is required')]
const unwanted = [bodyMisfit('no body is expected here')]

const tooLarge = refuse('too-large', { name: 'body-too-large', policy: 'body' }, undefined, () => 'The body is longer than `max`.')
const coded = refuse(
  'coded',
  {
    name: 'unsupported-type',
    policy: 'body',
    detail: 'The body may not have a content coding.',
    headers: headerBlock([['accept-encoding', 'identity']]),
  },
  undefined,
  () => 'A body in a content coding cannot be checked. `decompress: true` opens it.',
)
const otherCharset = refuse(
  'other-charset',
  { name: 'unsupported-type', policy: 'body', detail: 'The body must be in UTF-8.' },
  undefined,
  () => 'The content type names another charset than UTF-8.',
)
const notJson = refuse(
  'not-json',
  {
    name: 'malformed',
    policy: 'body',
    detail: `The body is not JSON of one reading: valid UTF-8, no member twice, at most ${maxJsonDepth} levels deep.`,
  },
  undefined,
  () => 'The body is no JSON, or JSON that parsers would read in different ways.',
)
const notForm = refuse(
  'not-a-form',
  { name: 'malformed', policy: 'body', detail: 'The body is not an urlencoded form of at most 1000 fields.' },
  undefined,
  () => 'The body is not urlencoded.',
)
const badQuery = refuse(
  'malformed-query',
  { name: 'malformed', policy: 'body', detail: 'The query cannot be decoded.' },
  undefined,
  () => 'The query has bad percent-encoding or more than 1000 parameters.',
)
const unknownPath = refuse(
  'unknown-operation',
  { name: 'no-route', policy: 'body' },
  undefined,
  () => 'The OpenAPI document describes no such path.',
)

/**
 * Refuses requests that do not have the form of their schema or operation. Everything that does not fit is told at once.
 * The body is read whole, and what the service gets are the very bytes that were checked.
 */
export class BodyValidation implements Policy {
  readonly name = 'body'
  readonly stage = 'shape'
  readonly source: string
  readonly #shape: CompiledShape
  readonly #maxBytes: number
  /** Whether a content coding is opened before the body gets here. */
  readonly #isOpened: (x: Exchange) => boolean

  constructor(source: string, shape: CompiledShape, maxBytes: number, isOpened: (x: Exchange) => boolean) {
    this.source = source
    this.#shape = shape
    this.#maxBytes = maxBytes
    this.#isOpened = isOpened
  }

  decide(x: Exchange, mode: DecideMode): MaybePromise<Verdict> {
    const found = this.#shape.find(x)
    if (found.kind === 'no-path') return unknownPath
    if (found.kind === 'no-method') {
      const headers = found.allow === '' ? undefined : headerBlock([['allow', found.allow]])
      return refuse('unknown-operation', { name: 'method-not-allowed', policy: 'body', headers })
    }
    const { expectation, params } = found
    let misfits: readonly Misfit[] = none
    if (expectation.parameters.length > 0) {
      const text = new RequestText(x, params)
      misfits = parameterMisfits(expectation, text)
      if (text.isQueryUnreadable) return badQuery
    }
    if (x.body.size === 0) return verdictOf(misfits, emptyMisfits(expectation, x.method))
    if (x.body.bytes === undefined && mode === 'peek') return misfits.length > 0 ? verdictOf(misfits, undefined) : unchecked
    // A length that is not declared may turn out to be nothing at all.
    if (expectation.body === undefined && x.body.size !== undefined) return verdictOf(misfits, unwanted)
    const content = expectation.body === undefined ? undefined : contentOf(x, expectation.body.content)
    if (content?.form === 'opaque') return verdictOf(misfits, undefined)
    const bytes = wholeBody(x, this.#maxBytes)
    return isPromise(bytes)
      ? bytes.then((whole) => this.#judge(x, expectation, content, whole, misfits))
      : this.#judge(x, expectation, content, bytes, misfits)
  }

  #judge(
    x: Exchange,
    expectation: Expectation,
    content: CompiledContent | undefined,
    bytes: Buffer | undefined,
    misfits: readonly Misfit[],
  ): Verdict {
    if (bytes === undefined) return tooLarge
    if (bytes.length === 0) return verdictOf(misfits, emptyMisfits(expectation, x.method))
    if (expectation.body === undefined) return verdictOf(misfits, unwanted)
    if (content === undefined) return otherType(expectation.body.content)
    if (x.headers.first(H.contentEncoding) !== undefined && !this.#isOpened(x) && x.headers.get('content-encoding') !== 'identity')
      return coded
    if (!isUtf8Named(x.headers.get('content-type')!)) return otherCharset
    const value = content.fields === undefined ? parseStrictJson(bytes, maxJsonDepth) : content.fields(bytes.toString('latin1'))
    if (value === undefined) return content.fields === undefined ? notJson : notForm
    const inBody = content.check(value, bytes.length)
    return inBody === undefined && misfits.length === 0 ? valid : verdictOf(misfits, inBody)
  }
}

const none: readonly Misfit[] = []

/** The first kind of content that takes this type, as they are written but exact types before ranges. */
function contentOf(x: Exchange, list: readonly CompiledContent[]): CompiledContent | undefined {
  let found: CompiledContent | undefined
  for (const content of list) {
    if (!content.types.accept(x.headers)) continue
    if (!content.range.includes('*')) return content
    found ??= content
  }
  return found
}

function isUtf8Named(contentType: string): boolean {
  const semicolon = contentType.indexOf(';')
  if (semicolon === -1) return true
  const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(contentType.slice(semicolon))
  return charset === null || /^(?:utf-?8|us-ascii)$/i.test(charset[1])
}

/** Methods whose requests have no content as a rule. */
const bodiless = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

function emptyMisfits({ body }: Expectation, method: string): readonly Misfit[] | undefined {
  if (body === undefined || body.isRequired === false) return undefined
  return body.isRequired === 'by-method' && bodiless.has(method) ? undefined : needed
}

function otherType(list: readonly CompiledContent[]): Verdict {
  const accept = list.map(({ range }) => range).join(', ')
  const headers = accept === '' ? undefined : headerBlock([['accept', accept]])
  return refuse(
    'other-type',
    { name: 'unsupported-type', policy: 'body', headers },
    undefined,
    () => `The content type is none of ${accept}.`,
  )
}

function verdictOf(first: readonly Misfit[], second: readonly Misfit[] | undefined): Verdict {
  const errors = second === undefined ? first : [...first, ...second].slice(0, maxMisfits)
  if (errors.length === 0) return valid
  return refuse(
    'invalid',
    { name: 'invalid-content', policy: 'body', detail: 'What does not fit is listed in errors.', members: { errors } },
    undefined,
    () => errors.map(({ in: place, name = '', pointer, detail }) => `${place} ${name}${pointer} ${detail}`).join('; '),
  )
}
