import type { Exchange } from '../core/exchange.ts'
import { Slot } from '../core/exchange.ts'
import { isPromise } from '../core/handler.ts'
import type { MaybePromise } from '../core/handler.ts'
import { headerBlock } from '../core/headers.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import type { CompiledContent, CompiledShape, Expectation } from './shapes/compiled-shape.ts'
import type { Misfit } from './shapes/shape.ts'
import { maxMisfits } from './shapes/shape.ts'
import type { BodyRoom, Reading } from './whole-body.ts'
import { wholeBody } from './whole-body.ts'

/** Deeper JSON than this is refused: nothing that people design goes there, and readers recurse. */
const maxJsonDepth = 64

const valid = pass('valid', () => 'The request has the form that its schema wants.')
const unread = pass('not-read', () => 'The body has not been read, so nothing is said of it.')
const needed: readonly Misfit[] = [{ in: 'body', pointer: '#', detail: 'a body is required' }]

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

/** Bytes of room that a request has taken. */
const taken = new Slot<number>()

/**
 * Refuses requests that do not have the form of their schema. Everything that does not fit is told at once. The body is
 * read whole, and what the service gets are the very bytes that were checked.
 */
export class BodyValidation implements Policy {
  readonly name = 'body'
  readonly stage = 'shape'
  readonly source: string
  readonly #shape: CompiledShape
  readonly #maxBytes: number
  readonly #room: BodyRoom

  constructor(source: string, shape: CompiledShape, maxBytes: number, room: BodyRoom) {
    this.source = source
    this.#shape = shape
    this.#maxBytes = maxBytes
    this.#room = room
  }

  decide(x: Exchange, mode: DecideMode): MaybePromise<Verdict> {
    const expectation = this.#shape.find(x)
    if (x.body.size === 0) return verdictOf(emptyMisfits(expectation, x.method))
    const content = contentOf(x, expectation.body.content)
    if (content === undefined) return otherType(expectation.body.content)
    const oddity = oddityOf(x)
    if (oddity !== undefined) return oddity
    if (x.body.bytes === undefined && mode === 'peek') return unread
    const bytes = wholeBody(x, this.#reading(x))
    return isPromise(bytes)
      ? bytes.then((whole) => this.#judge(x, expectation, content, whole))
      : this.#judge(x, expectation, content, bytes)
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

  #judge(x: Exchange, expectation: Expectation, content: CompiledContent, bytes: Buffer | undefined): Verdict {
    if (bytes === undefined) return tooLarge
    if (bytes.length === 0) return verdictOf(emptyMisfits(expectation, x.method))
    const value = parseStrictJson(bytes, maxJsonDepth)
    return value === undefined ? notJson : verdictOf(content.check(value, bytes.length))
  }
}

/** The first kind of content that takes this type, exact types before ranges. */
function contentOf(x: Exchange, list: readonly CompiledContent[]): CompiledContent | undefined {
  let found: CompiledContent | undefined
  for (const content of list) {
    if (!content.types.accept(x.headers)) continue
    if (!content.range.includes('*')) return content
    found ??= content
  }
  return found
}

/** What keeps a body of the right type from being read: a coding, another charset. */
function oddityOf({ headers }: Exchange): Verdict | undefined {
  const coding = headers.get('content-encoding')
  if (coding !== undefined && coding.toLowerCase() !== 'identity') return coded
  const contentType = headers.get('content-type')!
  const semicolon = contentType.indexOf(';')
  if (semicolon === -1) return undefined
  const charset = /;\s*charset\s*=\s*"?([^\s";]*)/i.exec(contentType.slice(semicolon))
  return charset === null || /^(?:utf-?8|us-ascii)$/i.test(charset[1]) ? undefined : otherCharset
}

/** Methods whose requests have no content as a rule. */
const bodiless = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])

function emptyMisfits(_: Expectation, method: string): readonly Misfit[] | undefined {
  return bodiless.has(method) ? undefined : needed
}

/** RFC 9110 §15.5.16: a 415 may tell in Accept what would have been accepted. */
function otherType(list: readonly CompiledContent[]): Verdict {
  const accept = list.map(({ range }) => range).join(', ')
  const headers = headerBlock([['accept', accept]])
  const problem = { name: 'unsupported-type', policy: 'body', headers } as const
  return refuse('other-type', problem, undefined, () => `The content type is none of ${accept}.`)
}

function verdictOf(misfits: readonly Misfit[] | undefined): Verdict {
  if (misfits === undefined || misfits.length === 0) return valid
  const errors = misfits.slice(0, maxMisfits)
  return refuse(
    'invalid',
    { name: 'invalid-content', policy: 'body', detail: 'What does not fit is listed in errors.', members: { errors } },
    undefined,
    () => errors.map(({ in: place, pointer, detail }) => `${place} ${pointer} ${detail}`).join('; '),
  )
}
