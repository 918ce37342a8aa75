import type { Exchange } from '../core/exchange.ts'
import { Slot } from '../core/exchange.ts'
import { isPromise } from '../core/handler.ts'
import type { MaybePromise } from '../core/handler.ts'
import { headerBlock } from '../core/headers.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import { contentOf, formOf, isPlain, isUtf8Named } from './content-form.ts'
import type { ContentForm } from './content-form.ts'
import type { CompiledContent, CompiledShape, Expectation, Found } from './shapes/compiled-shape.ts'
import { parameterMisfits, RequestText } from './shapes/parameter-values.ts'
import type { Misfit } from './shapes/shape.ts'
import { maxMisfits } from './shapes/shape.ts'
import type { BodyRoom, Reading } from './whole-body.ts'
import { wholeBody } from './whole-body.ts'

/** Deeper JSON than this is refused: nothing that people design goes there, and readers recurse. */
const maxJsonDepth = 64

const valid = pass('valid', () => 'The request has the form that its schema wants.')
const unread: Verdict = { ...pass('not-read', () => 'The body has not been read, so nothing is said of it.'), isOpen: true }
const none: readonly Misfit[] = []
const needed: readonly Misfit[] = [{ in: 'body', pointer: '#', detail: 'a body is required' }]
const unwanted: readonly Misfit[] = [{ in: 'body', pointer: '#', detail: 'no body is expected here' }]

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
  () => 'A body in a content coding cannot be checked.',
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
    detail: `The body is not JSON of one reading: UTF-8, no member twice, no number beyond a double, at most ${maxJsonDepth} levels deep.`,
  },
  undefined,
  () => 'The body is no JSON, or JSON that parsers would read in different ways.',
)

const notForm = refuse(
  'not-a-form',
  { name: 'malformed', policy: 'body', detail: 'The body is not an urlencoded form of at most 1000 fields that can be read.' },
  undefined,
  () => 'The body is not urlencoded, or says the same thing twice.',
)
const badQuery = refuse(
  'malformed-query',
  { name: 'malformed', policy: 'body', detail: 'The query cannot be decoded, or has more than 1000 parameters.' },
  undefined,
  () => 'The query has bad percent-encoding or more than 1000 parameters.',
)
const unknownPath = refuse(
  'unknown-operation',
  { name: 'no-route', policy: 'body', detail: 'The description of this interface has no such path.' },
  undefined,
  () => 'The OpenAPI description has no such path.',
)

/** Bytes of room that a request has taken. */
const taken = new Slot<number>()

/** What a check of requests is made of. */
export interface BodyValidationParts {
  readonly source: string
  readonly shape: CompiledShape
  readonly maxBytes: number
  readonly room: BodyRoom
  /** Whether content codings are opened before the body gets here; a peek opens none. */
  readonly opensCodings: boolean
}

/**
 * Refuses requests that do not have the form of their schema or operation. Everything that does not fit is told at once. The body is
 * read whole, and what the service gets are the very bytes that were checked.
 */
export class BodyValidation implements Policy {
  readonly name = 'body'
  readonly stage = 'shape'
  readonly source: string
  readonly #shape: CompiledShape
  readonly #maxBytes: number
  readonly #room: BodyRoom
  readonly #opensCodings: boolean

  constructor({ source, shape, maxBytes, room, opensCodings }: BodyValidationParts) {
    this.source = source
    this.#shape = shape
    this.#maxBytes = maxBytes
    this.#room = room
    this.#opensCodings = opensCodings
  }

  decide(x: Exchange, mode: DecideMode): MaybePromise<Verdict> {
    const found = this.#shape.find(x)
    if (found.kind !== 'expected') return unknownOperation(found)
    const { expectation } = found
    let misfits = none
    if (expectation.parameters.length > 0) {
      const text = new RequestText(x, found.params)
      misfits = parameterMisfits(expectation.parameters, text)
      if (text.isQueryUnreadable) return badQuery
    }
    const { body } = expectation
    if (x.body.size === 0) return verdictOf(misfits, emptyMisfits(expectation, x.method))
    // A length that is not declared may turn out to be nothing at all.
    if (body === undefined && x.body.size !== undefined) return verdictOf(misfits, unwanted)
    const content = body === undefined ? undefined : contentOf(x.headers, body.content)
    const form = body === undefined ? 'opaque' : formOf(x.headers)
    if (body !== undefined) {
      if (content === undefined) return otherType(body.content)
      if (form === 'opaque') return verdictOf(misfits, undefined)
      if (!isPlain(x.headers)) return this.#opensCodings && mode === 'peek' ? unread : coded
      if (!isUtf8Named(x.headers)) return otherCharset
    }
    if (x.body.bytes === undefined && mode === 'peek') return misfits.length > 0 ? verdictOf(misfits, undefined) : unread
    const bytes = wholeBody(x, this.#reading(x))
    if (!isPromise(bytes)) return judged({ x, expectation, content, form, bytes, misfits })
    return bytes.then((whole) => judged({ x, expectation, content, form, bytes: whole, misfits }))
  }

  onDone(x: Exchange): void {
    const bytes = taken.get(x)
    if (bytes !== undefined) this.#room.give(bytes)
  }

  #reading(x: Exchange): Reading {
    return {
      maxBytes: this.#maxBytes,
      room: this.#room,
      took: (bytes) => taken.set(x, (taken.get(x) ?? 0) + bytes),
    }
  }
}

interface Judged {
  readonly x: Exchange
  readonly expectation: Expectation
  readonly content: CompiledContent | undefined
  readonly form: ContentForm
  readonly bytes: Buffer | undefined
  /** Of what is not the body. */
  readonly misfits: readonly Misfit[]
}

function judged({ x, expectation, content, form, bytes, misfits }: Judged): Verdict {
  if (bytes === undefined) return tooLarge
  if (bytes.length === 0) return verdictOf(misfits, emptyMisfits(expectation, x.method))
  if (content === undefined) return verdictOf(misfits, unwanted)
  if (form === 'json') {
    const value = parseStrictJson(bytes, maxJsonDepth)
    return value === undefined ? notJson : verdictOf(misfits, content.check(value, bytes.length))
  }
  const value = content.readForm?.(bytes.toString('latin1'))
  return value === undefined ? notForm : verdictOf(misfits, content.check(value, bytes.length))
}

function unknownOperation(found: Exclude<Found, { kind: 'expected' }>): Verdict {
  if (found.kind === 'no-path') return unknownPath
  const allow = found.allow.join(', ')
  const problem = { name: 'method-not-allowed', policy: 'body', headers: headerBlock([['allow', allow]]) } as const
  return refuse('unknown-operation', problem, undefined, () => `The OpenAPI description knows only ${allow} there.`)
}

/** Methods whose requests have no content as a rule. */
const bodiless = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

function emptyMisfits({ body }: Expectation, method: string): readonly Misfit[] | undefined {
  if (body === undefined || body.isRequired === false) return undefined
  return body.isRequired === 'by-method' && bodiless.has(method) ? undefined : needed
}

/** RFC 9110 §15.5.16: a 415 may tell in Accept what would have been accepted. */
function otherType(list: readonly CompiledContent[]): Verdict {
  const accept = list.map(({ range }) => range).join(', ')
  const headers = accept === '' ? undefined : headerBlock([['accept', accept]])
  const problem = { name: 'unsupported-type', policy: 'body', headers } as const
  return refuse('other-type', problem, undefined, () => `The content type is none of ${accept}.`)
}

function verdictOf(first: readonly Misfit[], second: readonly Misfit[] | undefined): Verdict {
  if (first.length === 0 && second === undefined) return valid
  const errors = second === undefined ? first : [...first, ...second].slice(0, maxMisfits)
  return refuse(
    'invalid',
    { name: 'invalid-content', policy: 'body', detail: 'What does not fit is listed in errors.', members: { errors } },
    undefined,
    () => errors.map(({ in: place, name = '', pointer, detail }) => `${place} ${name}${pointer} ${detail}`).join('; '),
  )
}
