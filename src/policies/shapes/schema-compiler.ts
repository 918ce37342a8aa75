import { _, Ajv, Name } from 'ajv'
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
const freeWork = 500_000
const workPerByte = 8
const mostWork = 32_000_000
const workPerReference = 16
/** Work for telling all that is wrong; the answer names less where that is not enough. */
const workToExplain = 200_000
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
  readonly #dialect: Dialect
  readonly #isTracking: boolean
  readonly #quick: Ajv
  #explaining: Ajv | undefined
  readonly #added = new Map<string, Schema>()
  readonly #checks = new Map<string, Check>()

  /**
   * `schemas` is whatever holds all that will be added and compiled. Whether they are schemas at all is judged only with
   * `isJudging`: what comes from a checked configuration has been.
   */
  constructor(dialect: Dialect, schemas: unknown, isJudging = false) {
    this.#dialect = dialect
    this.#isTracking = hasUnevaluated(schemas)
    this.#quick = ajvOf(dialect, this.#work, { allErrors: false, isTracking: this.#isTracking, isJudging })
  }

  /** Makes a schema known under a URI, so that others can name it. Throws SchemaError when it is none. */
  add(uri: string, schema: Schema): void {
    if (this.#added.has(uri)) return
    const counted = counting(schema)
    attempt(() => this.#quick.addSchema(counted, uri))
    this.#added.set(uri, counted)
  }

  /** Throws SchemaError when the schema is none, or names what is not there. Equal schemas have one check. */
  compile(schema: Schema): Check {
    const key = stableJson(schema)
    const check = this.#checks.get(key) ?? this.#compiled(schema)
    this.#checks.set(key, check)
    return check
  }

  #compiled(schema: Schema): Check {
    if (schema === true) return () => undefined
    const counted = counting(schema)
    const quick = attempt(() => this.#quick.compile(counted))
    let whole: ValidateFunction | undefined
    return (value, sizeBytes) => {
      if (this.#fits(quick, value, Math.min(freeWork + workPerByte * sizeBytes, mostWork))) return undefined
      if (this.#work.steps < 0) return tooMuchWork
      const first = quick.errors ?? []
      if (sizeBytes > maxExplainedBytes) return faultsOf(first)
      whole ??= this.#whole().compile(counted)
      this.#fits(whole, value, workToExplain + workPerByte * sizeBytes)
      return faultsOf(this.#work.steps < 0 ? first : (whole.errors ?? first))
    }
  }

  #whole(): Ajv {
    if (this.#explaining !== undefined) return this.#explaining
    const ajv = ajvOf(this.#dialect, this.#work, { allErrors: true, isTracking: this.#isTracking, isJudging: false })
    for (const [uri, schema] of this.#added) ajv.addSchema(schema, uri)
    this.#explaining = ajv
    return ajv
  }

  #fits(validate: ValidateFunction, value: unknown, work: number): boolean {
    this.#work.steps = work
    try {
      return validate(value)
    } catch (thrown) {
      // A schema that leads to itself, and to no smaller value, ends with the stack before the work does.
      if (thrown !== workIsUsedUp && !(thrown instanceof RangeError)) throw thrown
      this.#work.steps = -1
      return false
    }
  }
}

/** No words of these dialects, though the compiler knows them: one even makes promises, which all are true. */
const foreign = ['nullable', '$async', 'id', stepKeyword]

/** A copy that counts each `$ref` it follows: whatever recurses passes one. */
function counting(schema: Schema): Schema {
  return mapSchema(schema, (keywords) => {
    const isForeign = foreign.some((key) => keywords[key] !== undefined)
    const rest = isForeign ? Object.fromEntries(Object.entries(keywords).filter(([key]) => !foreign.includes(key))) : keywords
    return refers(keywords) ? { [stepKeyword]: true, ...rest } : rest
  }) as Schema
}

function refers(keywords: Keywords): boolean {
  return ['$ref', '$dynamicRef', '$recursiveRef'].some((key) => typeof keywords[key] === 'string')
}

/** Whether `unevaluatedProperties` or `unevaluatedItems` may stand somewhere. */
function hasUnevaluated(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(hasUnevaluated)
  return Object.entries(value).some(([key, inner]) => key.startsWith('unevaluated') || hasUnevaluated(inner))
}

interface AjvParts {
  readonly allErrors: boolean
  /** Whether it is kept which members a branch has seen. */
  readonly isTracking: boolean
  readonly isJudging: boolean
}

function ajvOf(dialect: Dialect, work: WorkLeft, { allErrors, isTracking, isJudging }: AjvParts): Ajv {
  const regExp = Object.assign((pattern: string) => new LinearPattern(pattern, work), { code: '' })
  const wanted = { ...options, allErrors, validateSchema: isJudging, code: { regExp } }
  const ajv = dialect === '2020-12' ? new Ajv2020(wanted) : dialect === '2019-09' ? new Ajv2019(wanted) : new Ajv(wanted)
  // What members a branch has seen is kept only for these keywords, at the price of every branch after the one that fits.
  if (!isTracking) ajv.opts.unevaluated = false
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
  ajv.addKeyword(stepping(work, allErrors, dialect))
  return ajv
}

/**
 * Takes work for each `$ref` that is followed; when only the first fault is wanted also for each fault that is kept: branches
 * that fail one after the other keep theirs, and memory must not double with every level of a value.
 */
function stepping(work: WorkLeft, allErrors: boolean, dialect: Dialect): CodeKeywordDefinition {
  return {
    keyword: stepKeyword,
    schemaType: 'boolean',
    // In front of the first keyword of its dialect that refers to something.
    before: dialect === 'draft-07' ? '$ref' : '$dynamicRef',
    code({ gen }) {
      const left = gen.scopeValue('obj', { ref: work, key: work })
      const usedUp = gen.scopeValue('obj', { ref: workIsUsedUp, key: workIsUsedUp })
      const cost = allErrors ? _`${workPerReference}` : _`${workPerReference} * (1 + ${new Name('errors')})`
      gen.code(_`if ((${left}.steps -= ${cost}) < 0) throw ${usedUp};`)
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

/** What each dialect is judged by; made once, since it takes longer than most schemas. */
const judges = new Map<Dialect, ValidateFunction>()

/** What is wrong with a schema itself, by the rules of its dialect. */
export function schemaFaults(schema: unknown, dialect: Dialect): readonly SchemaFault[] {
  const judge = judges.get(dialect) ?? judgeOf(dialect)
  judges.set(dialect, judge)
  if (judge(schema)) return []
  // Of several reasons for one place the first is the plainest: the others are of forms that were not meant.
  const faults = faultsOf(judge.errors ?? [])
  return faults.filter(({ pointer }, i) => faults.findIndex((other) => other.pointer === pointer) === i)
}

function judgeOf(dialect: Dialect): ValidateFunction {
  const uri = dialect === 'draft-07' ? 'http://json-schema.org/draft-07/schema' : `https://json-schema.org/draft/${dialect}/schema`
  return ajvOf(dialect, { steps: Infinity }, { allErrors: true, isTracking: false, isJudging: false }).getSchema(uri)!
}
