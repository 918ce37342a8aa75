import type { Exchange } from '../../core/exchange.ts'
import { trimSpace } from '../../lib/trim-space.ts'
import type { Check } from './schema-compiler.ts'
import type { SchemaKinds } from './schema-kinds.ts'
import { maxMisfits } from './shape.ts'
import type { Misfit, Parameter } from './shape.ts'
import { gatherPairs, readPairs, splitText, typed, unreadable } from './text-values.ts'
import type { Pair } from './text-values.ts'

/** A parameter with what checks it. */
export interface CompiledParameter extends Parameter {
  readonly kinds: SchemaKinds
  readonly check: Check
}

const longestCookies = 16 * 1024

/** The texts of one request that parameters are read from, each read when it is first asked for. */
export class RequestText {
  readonly #x: Exchange
  readonly #params: ReadonlyMap<string, string>
  #query: readonly Pair[] | undefined
  #cookies: readonly Pair[] | undefined
  /** Whether the query turned out to be none that can be decoded. */
  isQueryUnreadable = false

  constructor(x: Exchange, params: ReadonlyMap<string, string>) {
    this.#x = x
    this.#params = params
  }

  path(name: string): string | undefined {
    return this.#params.get(name)
  }

  header(name: string): string | undefined {
    return this.#x.headers.get(name)
  }

  get query(): readonly Pair[] {
    if (this.#query !== undefined) return this.#query
    const pairs = readPairs(this.#x.query ?? '')
    this.isQueryUnreadable = pairs === undefined
    this.#query = pairs ?? []
    return this.#query
  }

  get cookies(): readonly Pair[] {
    if (this.#cookies !== undefined) return this.#cookies
    const pairs: Pair[] = []
    const text = this.#x.headers.all('cookie').join(';').slice(0, longestCookies)
    for (const piece of text.split(';')) {
      const equals = piece.indexOf('=')
      if (equals !== -1) pairs.push([trimSpace(piece.slice(0, equals)), trimSpace(piece.slice(equals + 1))])
    }
    this.#cookies = pairs
    return pairs
  }
}

/** What does not fit among path, query, headers and cookies. */
export function parameterMisfits(parameters: readonly CompiledParameter[], text: RequestText): readonly Misfit[] {
  const misfits: Misfit[] = []
  for (const parameter of parameters) if (misfits.length < maxMisfits) readParameter(parameter, text, misfits)
  return misfits
}

function readParameter(parameter: CompiledParameter, text: RequestText, misfits: Misfit[]): void {
  const { place, name, isRequired, mayBeEmpty, schema, isJson, kinds, check } = parameter
  const say = (pointer: string, detail: string): void => void misfits.push({ in: place, name, pointer, detail })
  const raw = rawValue(parameter, text)
  if (raw === undefined) {
    if (isRequired) say('#', 'is required')
    return
  }
  if (mayBeEmpty && isEmpty(raw)) return
  if (raw === unreadable) return say('#', 'cannot be read as it is written')
  const value = isJson ? parsed(raw) : typed(raw, schema, kinds)
  if (value === unreadable) return say('#', 'must be JSON')
  const faults = check(value, 0)
  if (faults === undefined) return
  // Of a schema that takes texts and numbers, or one value and lists of them, another reading may be the one that fits.
  if (!isJson && otherReadings(raw, parameter).some((reading) => check(reading, 0) === undefined)) return
  for (const { pointer, detail } of faults) say(pointer, detail)
}

function isEmpty(raw: unknown): boolean {
  return raw === '' || (Array.isArray(raw) && (raw.length === 0 || (raw.length === 1 && raw[0] === '')))
}

function otherReadings(raw: unknown, { schema, kinds }: CompiledParameter): readonly unknown[] {
  return Array.isArray(raw) && raw.length === 1 ? [raw, raw[0], typed(raw[0], schema, kinds)] : [raw]
}

function parsed(text: unknown): unknown {
  try {
    return JSON.parse(text as string) as unknown
  } catch {
    return unreadable
  }
}

function rawValue(parameter: CompiledParameter, text: RequestText): unknown {
  const { place, name, schema, isJson, kinds } = parameter
  if (place === 'query') return gatherPairs(text.query, name, schema, parameter, kinds)
  if (place === 'cookie') return gatherPairs(text.cookies, name, schema, parameter, kinds)
  const written = place === 'path' ? text.path(name) : text.header(name)
  if (written === undefined || isJson) return written
  const value = splitText(written, kinds.kindsOf(schema), parameter, name)
  return place === 'header' && Array.isArray(value) ? value.map((item) => trimSpace(item as string)) : value
}
