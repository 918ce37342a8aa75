import type { Exchange } from '../../core/exchange.ts'
import type { Check } from './schema-compiler.ts'
import { maxMisfits } from './shape.ts'
import type { Misfit, Parameter } from './shape.ts'
import { readPairs, unreadable } from './text-values.ts'
import type { Pair, TextValues } from './text-values.ts'

/** A parameter with what checks it. */
export interface CompiledParameter extends Parameter {
  readonly values: TextValues
  readonly check: Check
}

/** The texts of one request that parameters are read from, each read when it is first asked for. */
export class RequestText {
  readonly #x: Exchange
  readonly #params: ReadonlyMap<string, string>
  #query: readonly Pair[] | undefined
  #cookies: readonly Pair[] | undefined
  /** Whether the query is none that can be decoded. */
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
    return (this.#query = pairs ?? [])
  }

  get cookies(): readonly Pair[] {
    return (this.#cookies ??= (this.#x.headers.all('cookie').join('; ') || '')
      .split(';')
      .filter((piece) => piece.includes('='))
      .map((piece) => [piece.slice(0, piece.indexOf('=')).trim(), piece.slice(piece.indexOf('=') + 1).trim()]))
  }
}

/** Reads a parameter and adds what does not fit. */
export function readParameter(parameter: CompiledParameter, text: RequestText, misfits: Misfit[]): void {
  if (misfits.length >= maxMisfits) return
  const { place, name, isRequired, schema, isJson, values, check } = parameter
  const say = (pointer: string, detail: string): void => {
    if (misfits.length < maxMisfits) misfits.push({ in: place, name, pointer, detail })
  }
  let raw = rawValue(parameter, text)
  if (raw === undefined) {
    if (isRequired) say('#', 'is required')
    return
  }
  if (isJson && typeof raw === 'string') {
    try {
      raw = JSON.parse(raw) as unknown
    } catch {
      raw = unreadable
    }
    if (raw === unreadable) return say('#', 'must be JSON')
    for (const { pointer, detail } of check(raw, 0) ?? []) say(pointer, detail)
    return
  }
  if (raw === unreadable) return say('#', 'cannot be read as it is written')
  const faults = check(values.typed(raw, schema, false), 0)
  // A schema that takes texts and numbers: either reading may be the one that fits.
  if (faults === undefined || check(raw, 0) === undefined) return
  for (const { pointer, detail } of faults) say(pointer, detail)
}

function rawValue(parameter: CompiledParameter, text: RequestText): unknown {
  const { place, name, schema, isJson, values } = parameter
  if (place === 'query') return values.gather(text.query, name, schema, parameter)
  if (place === 'cookie') return values.gather(text.cookies, name, schema, parameter)
  const written = place === 'path' ? text.path(name) : text.header(name)
  if (written === undefined || isJson) return written
  const value = values.split(written, schema, parameter, name)
  return place === 'header' && Array.isArray(value) ? value.map((item) => (item as string).trim()) : value
}
