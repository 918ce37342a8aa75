import { Ajv, _ } from 'ajv'
import type { CodeKeywordDefinition, Options, ValidateFunction } from 'ajv'
import { Ajv2019 } from 'ajv/dist/2019.js'
import { Ajv2020 } from 'ajv/dist/2020.js'
import ajvFormats from 'ajv-formats'
import { LinearPattern } from '../../lib/linear-pattern.ts'
import type { WorkLeft } from '../../lib/linear-pattern.ts'
import { stableJson } from '../../lib/stable-json.ts'
import type { SchemaFault } from './schema-words.ts'
import { faultsOf } from './schema-words.ts'
import { mapSchema } from './schema-tree.ts'
import type { Keywords } from './schema-tree.ts'
import type { Dialect, Schema } from './shape.ts'

/** What is wrong with a value; undefined when nothing is. `sizeBytes` is the length of the text that it was read from. */
export type Check = (value: unknown, sizeBytes: number) => readonly SchemaFault[] | undefined

/** A schema that cannot be compiled. */
export class SchemaError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SchemaError'
  }
}

/**
 * Of a longer text only the first fault is told: to look for all of them makes an object for each one, and whoever sends
 * a hundred thousand wrong numbers should not get that for free.
 */
const maxExplainedBytes = 64 * 1024

/**
 * Work allowed for one value, however its schema is made: characters that patterns look at, and sixteen for each `$ref`
 * that is followed. Schemas whose branches recurse double the work with every level of a value; nobody else comes near.
 */
const freeWork = 1_000_000
const workPerByte = 16
const workPerReference = 16
const tooMuchWork: readonly SchemaFault[] = [{ pointer: '#', detail: 'takes more work to check than its length allows' }]
/** Thrown by a check that has used up its work. */
const workIsUsedUp = new Error('the work for one value is used up')

const stepKeyword = 'velum-step'

const options: Options = {
  // Schemas of others are full of keywords that mean nothing here.
  strict: false,
  validateFormats: true,
  logger: false,
  ownProperties: true,
}

/**
 * Compiles schemas into functions. The quick function stops at the first fault, since most requests have none; the one
 * that finds all of them is made when it is first needed, as most are never needed.
 */
export class SchemaCompiler {
  readonly #work: WorkLeft = { steps: Infinity }
  readonly #quick: Ajv
  readonly #whole: Ajv
  readonly #known = new Set<string>()

  constructor(dialect: Dialect) {
    this.#quick = ajvOf(dialect, false, this.#work)
    this.#whole = ajvOf(dialect, true, this.#work)
  }

  /** Makes a schema known under a URI, so that others can name it. */
  add(uri: string, schema: Schema): void {
    if (this.#known.has(uri)) return
    const counted = counting(schema)
    attempt(() => this.#quick.addSchema(counted, uri))
    this.#whole.addSchema(counted, uri)
    this.#known.add(uri)
  }

  /** Throws SchemaError when the schema is none, or names what is not there. */
  compile(schema: Schema): Check {
    if (schema === true) return () => undefined
    const counted = counting(schema)
    const quick = attempt(() => this.#quick.compile(counted))
    let whole: ValidateFunction | undefined
    return (value, sizeBytes) => {
      if (this.#fits(quick, value, sizeBytes)) return undefined
      let { errors } = quick
      if (sizeBytes <= maxExplainedBytes && this.#work.steps >= 0) {
        whole ??= this.#whole.compile(counted)
        this.#fits(whole, value, sizeBytes)
        ;({ errors } = whole)
      }
      return this.#work.steps < 0 ? tooMuchWork : faultsOf(errors ?? [])
    }
  }

  #fits(validate: ValidateFunction, value: unknown, sizeBytes: number): boolean {
    this.#work.steps = freeWork + workPerByte * sizeBytes
    try {
      return validate(value)
    } catch (thrown) {
      if (thrown !== workIsUsedUp) throw thrown
      return false
    }
  }
}

/** A copy that counts each `$ref` it follows: whatever recurses passes one. */
function counting(schema: Schema): Schema {
  return mapSchema(schema, (keywords) => {
    // No word of JSON Schema, though the compiler would take it for one.
    const { nullable, ...rest } = keywords
    if (refers(keywords)) return { [stepKeyword]: true, ...rest }
    return nullable === undefined ? undefined : rest
  }) as Schema
}

function refers(keywords: Keywords): boolean {
  return ['$ref', '$dynamicRef', '$recursiveRef'].some((key) => typeof keywords[key] === 'string')
}

function ajvOf(dialect: Dialect, allErrors: boolean, work: WorkLeft): Ajv {
  const regExp = Object.assign((pattern: string) => new LinearPattern(pattern, work), { code: '' })
  const wanted = { ...options, allErrors, code: { regExp } }
  const ajv = dialect === '2020-12' ? new Ajv2020(wanted) : dialect === '2019-09' ? new Ajv2019(wanted) : new Ajv(wanted)
  ajvFormats.default(ajv)
  // What comes with it takes time by the square of the text's length.
  const url = ajv.formats['url'] as RegExp
  ajv.addFormat('url', { type: 'string', validate: (text: string) => text.length <= 2048 && url.test(text) })
  // And this one refuses what is an expression without flag `u`.
  ajv.addFormat('regex', { type: 'string', validate: isRegExp })
  // By itself it compares each item with each other one.
  ajv.removeKeyword('uniqueItems')
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    compile: (isWanted: boolean) => (items: readonly unknown[]) => !isWanted || new Set(items.map(sameness)).size === items.length,
  })
  ajv.addKeyword(stepping(work))
  return ajv
}

/** Comes first among the keywords of its schema, since it stands first there. */
function stepping(work: WorkLeft): CodeKeywordDefinition {
  return {
    keyword: stepKeyword,
    schemaType: 'boolean',
    code({ gen }) {
      const left = gen.scopeValue('obj', { ref: work, key: work })
      const usedUp = gen.scopeValue('obj', { ref: workIsUsedUp, key: workIsUsedUp })
      gen.code(_`if ((${left}.steps -= ${workPerReference}) < 0) throw ${usedUp};`)
    },
  }
}

function isRegExp(text: string): boolean {
  for (const flags of ['u', '']) {
    try {
      return new RegExp(text, flags) instanceof RegExp
    } catch {
      continue
    }
  }
  return false
}

/** Equal for equal JSON values; what is no container is itself, beside texts that no value is written as. */
function sameness(item: unknown): unknown {
  if (typeof item === 'string') return `"${item}`
  return typeof item === 'object' && item !== null ? stableJson(item) : item
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
export function schemaFaults(schema: unknown, dialect: Dialect): readonly SchemaFault[] {
  const ajv = ajvOf(dialect, true, { steps: Infinity })
  const uri = dialect === 'draft-07' ? 'http://json-schema.org/draft-07/schema' : `https://json-schema.org/draft/${dialect}/schema`
  if (ajv.validate(uri, schema)) return []
  // Of several reasons for one place the first is the plainest: the others are of forms that were not meant.
  const faults = faultsOf(ajv.errors ?? [])
  return faults.filter(({ pointer }, i) => faults.findIndex((other) => other.pointer === pointer) === i)
}
