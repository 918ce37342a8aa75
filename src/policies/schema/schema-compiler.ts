import { Ajv } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ErrorObject, Options, ValidateFunction } from 'ajv'
import ajvFormats from 'ajv-formats'
import type { Closable } from '../../core/lasting.ts'
import type { Dialect, Schema } from './shape.ts'
import { maxMisfits } from './shape.ts'

/** Where in a value something does not fit, and why. */
export interface Fault {
  /** RFC 6901, as a URI fragment: `#/items/0/price`; `#` is the value itself. */
  readonly pointer: string
  readonly detail: string
}

/** What is wrong with a value; undefined when nothing is. `sizeBytes` is the length of the text that it was read from. */
export type Check = (value: unknown, sizeBytes: number) => readonly Fault[] | undefined

/** A schema that cannot be compiled. */
export class SchemaError extends Error {
  /** Where in the schema, as far as it is known. */
  readonly pointer: string

  constructor(message: string, pointer = '#') {
    super(message)
    this.name = 'SchemaError'
    this.pointer = pointer
  }
}

/**
 * Of a longer text only the first fault is told: to look for all of them makes an object for each one, and whoever sends
 * a hundred thousand wrong numbers should not get that for free.
 */
const maxExplainedBytes = 64 * 1024
const maxDetail = 200

const options: Options = {
  // Schemas of others are full of keywords that mean nothing here; what is misspelt cannot be told from them.
  strict: false,
  validateFormats: true,
  logger: false,
  ownProperties: true,
  addUsedSchema: false,
}

/**
 * Compiles schemas into functions. The quick function stops at the first fault, since most requests have none; the one
 * that finds all of them is made when it is first needed.
 */
export class SchemaCompiler implements Closable {
  readonly #quick: Ajv
  readonly #whole: Ajv

  constructor(dialect: Dialect) {
    this.#quick = made(dialect, false)
    this.#whole = made(dialect, true)
  }

  close(): void {}

  /** Makes a schema known under a URI, so that others can name it. Knowing it already is harmless. */
  add(uri: string, schema: Schema): void {
    if (this.#quick.schemas[uri] !== undefined) return
    attempt(() => this.#quick.addSchema(schema, uri))
    this.#whole.addSchema(schema, uri)
  }

  /** Throws SchemaError when the schema is none, or names what is not there. */
  compile(schema: Schema): Check {
    if (schema === true) return () => undefined
    const quick = attempt(() => this.#quick.compile(schema))
    let whole: ValidateFunction | undefined
    return (value, sizeBytes) => {
      if (quick(value)) return undefined
      let { errors } = quick
      if (sizeBytes <= maxExplainedBytes) {
        whole ??= this.#whole.compile(schema)
        whole(value)
        ;({ errors } = whole)
      }
      return faultsOf(errors ?? [])
    }
  }
}

function made(dialect: Dialect, allErrors: boolean): Ajv {
  const wanted = { ...options, allErrors }
  const ajv = dialect === '2020-12' ? new Ajv2020(wanted) : dialect === '2019-09' ? new Ajv2019(wanted) : new Ajv(wanted)
  ajvFormats.default(ajv as Ajv)
  return ajv as Ajv
}

function attempt<T>(run: () => T): T {
  try {
    return run()
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown)
    throw new SchemaError(message.split('\n')[0])
  }
}

/** What is wrong with a schema itself, by the rules of its dialect. */
export function schemaFaults(schema: unknown, dialect: Dialect): readonly Fault[] {
  const ajv = made(dialect, true)
  const uri =
    dialect === 'draft-07' ? 'http://json-schema.org/draft-07/schema' : `https://json-schema.org/draft/${dialect}/schema`
  return ajv.validate(uri, schema) ? [] : faultsOf(ajv.errors ?? [])
}

/** The faults in the order in which they were found, each place once, bounded. */
function faultsOf(errors: readonly ErrorObject[]): Fault[] {
  const faults: Fault[] = []
  const seen = new Set<string>()
  for (const error of errors) {
    // Says only that what stands behind it failed, which has been said.
    if (error.keyword === 'if' || error.keyword === '$ref') continue
    const fault = faultOf(error)
    const key = `${fault.pointer}\n${fault.detail}`
    if (seen.has(key)) continue
    seen.add(key)
    faults.push(fault)
    if (faults.length === maxMisfits) break
  }
  return faults
}

function faultOf({ keyword, instancePath, params, message = 'does not fit' }: ErrorObject): Fault {
  const given = params as Readonly<Record<string, unknown>>
  const base = `#${fragment(instancePath)}`
  switch (keyword) {
    case 'required':
      return { pointer: `${base}/${step(given['missingProperty'])}`, detail: 'is required' }
    case 'additionalProperties':
      return { pointer: `${base}/${step(given['additionalProperty'])}`, detail: 'is not expected here' }
    case 'unevaluatedProperties':
      return { pointer: `${base}/${step(given['unevaluatedProperty'])}`, detail: 'is not expected here' }
    case 'enum':
      return { pointer: base, detail: `must be ${oneOf(given['allowedValues'] as readonly unknown[])}`.slice(0, maxDetail) }
    case 'const':
      return { pointer: base, detail: `must be ${JSON.stringify(given['allowedValue'])}`.slice(0, maxDetail) }
    case 'false schema':
      return { pointer: base, detail: 'is not expected here' }
    default:
      return { pointer: base, detail: message.slice(0, maxDetail) }
  }
}

function oneOf(values: readonly unknown[]): string {
  if (values.length > 12) return 'one of the allowed values'
  const texts = values.map((value) => JSON.stringify(value))
  return texts.length === 1 ? texts[0] : `one of ${texts.join(', ')}`
}

/** A name as one step of a pointer in a URI fragment (RFC 6901 §6); cut where a client made it very long. */
function step(name: unknown): string {
  return fragment(String(name).slice(0, maxDetail).replaceAll('~', '~0').replaceAll('/', '~1'))
}

function fragment(pointer: string): string {
  return encodeURI(pointer.slice(0, 4 * maxDetail).toWellFormed()).replaceAll('#', '%23')
}
