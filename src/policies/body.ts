import { z } from 'zod'
import type { Exchange } from '../core/exchange.ts'
import { headerBlock } from '../core/headers.ts'
import type { DecideMode, Policy } from '../core/policy.ts'
import { pass, refuse } from '../core/verdict.ts'
import type { Verdict } from '../core/verdict.ts'
import { sizeText } from '../lib/size.ts'
import { AnswerValidation } from './answer-validation.ts'
import { BodyDecoding } from './body-decoding.ts'
import { BodyValidation } from './body-validation.ts'
import { CountedBody } from './counted-body.ts'
import { shadowing, shadowWords } from './in-shadow.ts'
import { MediaTypes } from './media-types.ts'
import { mediaRangeOption, sizeOption } from './option-schemas.ts'
import { mergeBody } from './merge-options.ts'
import type { PolicyEnv, PolicyKind } from './policy-kind.ts'
import { compileShape } from './shapes/compiled-shape.ts'
import { BodyRoom } from './whole-body.ts'

/** The largest request body of a route that says nothing else, in bytes. */
export const defaultMaxBodyBytes = 10 * 1024 ** 2

/** How large the body of a request may be, and of which type. */
export interface BodyInput {
  /** The largest request body: `64kb`, `10mb`, or `unlimited`. Default: `10mb`. */
  readonly max?: string | undefined
  /** Media types that are accepted: `application/json`, `image/*`, `application/*+json`. Default: any. */
  readonly types?: readonly string[] | undefined
  /** Bodies in a content coding are decoded for the service; `max` bounds what comes out. Default: they pass as they are. */
  readonly decompress?: boolean | undefined
  /** What JSON bodies have to be like: a JSON Schema, or the path of its file. Such bodies are read whole. Default: anything. */
  readonly schema?: string | Readonly<Record<string, unknown>> | undefined
  /** What requests have to be like: the path of an OpenAPI description (3.0 or 3.1), or where it is and how it is used. Default: anything. */
  readonly openapi?: string | OpenapiInput | undefined
  /** Decides and reports, but never refuses and never cuts off. Default: false. */
  readonly shadow?: boolean | undefined
}

/** An OpenAPI description and how it is used. */
export interface OpenapiInput {
  /** The path of the description. */
  readonly file: string
  /** Where its paths begin. Default: the path of its first server. */
  readonly base?: string | undefined
  /** `shadow`: answers are checked too, counted and logged; none is refused. Default: they are not. */
  readonly responses?: 'shadow' | undefined
}

export interface BodyOptions {
  /** Infinity for `unlimited`. */
  readonly maxBytes: number
  /** Media ranges in lower case; empty: any type. */
  readonly types: readonly string[]
  readonly decompress?: boolean | undefined
  readonly shadow?: boolean | undefined
  /** As it was written; a checked configuration has `shape` in its place. */
  readonly schema?: string | Readonly<Record<string, unknown>> | undefined
  readonly openapi?: string | OpenapiInput | undefined
  /** The digest of what requests are checked by. */
  readonly shape?: string | undefined
  /** Answers are checked too. */
  readonly checksAnswers?: boolean | undefined
}

const options: z.ZodType<BodyOptions, BodyInput> = z
  .strictObject({
    max: z
      .union([z.literal('unlimited').transform(() => Infinity), sizeOption])
      .optional()
      .describe('The largest request body; more is answered with 413. `unlimited` exists. Default: 10mb.'),
    types: z
      .array(mediaRangeOption)
      .min(1)
      .readonly()
      .optional()
      .describe('Media types of request bodies that are accepted; others are answered with 415. Default: any.'),
    decompress: z
      .boolean()
      .optional()
      .describe(
        'Bodies in a content coding (gzip, deflate, br, zstd) are decoded on their way, so that the service and `schema` see plain ones; `max` bounds what comes out, so a bomb ends there (413). Another coding is answered with 415, a broken one with 400. Default: bodies pass as they are.',
      ),
    schema: z
      .union([z.string().min(1), z.record(z.string(), z.unknown())])
      .optional()
      .describe(
        'A JSON Schema (2020-12, 2019-09 or draft-07), or the path of its file, that bodies have to fit. They must be JSON in UTF-8 with one reading (415, 400 else), in no content coding but what `decompress` opens; what does not fit is answered with 422 and every failing path. Bodies are read whole before the service gets their very bytes, so set `max`. Paths in `$ref` are relative to the file; nothing is fetched. Patterns are matched in one pass: what only backtracking can match is refused here. Default: any body.',
      )
      .meta({ examples: ['schemas/order.json'] }),
    openapi: z
      .union([
        z.string().min(1),
        z.strictObject({
          file: z.string().min(1).describe('The path of the description.'),
          base: z
            .string()
            .regex(/^(?:\/[^?#{}]*)?$/, 'a base path begins with "/"')
            .optional()
            .describe('Where its paths begin; `/` for the root. Default: the path of its first server.')
            .meta({ examples: ['/v1'] }),
          responses: z
            .literal('shadow')
            .optional()
            .describe(
              'Answers of the service are checked too, up to 1mb of JSON each: counted (`velum_answer_checks_total`) and logged, never refused or delayed. Default: they are not checked.',
            ),
        }),
      ])
      .optional()
      .describe(
        'An OpenAPI description (3.0 or 3.1), in YAML or JSON, that requests have to fit: path, query, headers, cookies, and bodies of JSON or urlencoded forms; of other bodies only the type. What it does not describe is answered with 404, or 405 where the path has other methods; what does not fit with 422 and every failing path. The same holds as for `schema`, which excludes it. Credentials are the business of `auth`: `security` is not read. Default: any request.',
      )
      .meta({ examples: ['openapi.yaml'] }),
    shadow: z.boolean().optional().describe(shadowWords),
  })
  .superRefine(({ schema, openapi, decompress, max }, context) => {
    if (decompress === true && max === Infinity) {
      const params = { remedy: 'give max a size: it bounds what comes out' }
      context.addIssue({ code: 'custom', path: ['decompress'], message: 'what is decoded needs a bound', params })
    }
    if (schema === undefined || openapi === undefined) return
    const params = { remedy: 'keep one of the two' }
    context.addIssue({ code: 'custom', path: ['openapi'], message: 'a body has one form: "schema" stands here too', params })
  })
  .transform(({ max, types, decompress, shadow, schema, openapi }) => {
    const coded = decompress === true ? { decompress } : {}
    return { maxBytes: max ?? defaultMaxBodyBytes, types: types ?? [], ...coded, shadow, schema, openapi }
  })

/** How large a request body may be, and of which type. */
export const body: PolicyKind<BodyOptions, BodyInput> = {
  name: 'body',
  stage: 'shape',
  doc: 'Bounds on the request body, and its form. A larger one is refused (413) before any of it is read when its length is declared, and cut off at the bound when it is not; one of another type is refused (415), what does not fit its `schema` or `openapi` too (422).',
  options,
  merge: mergeBody,
  build({ maxBytes, types, decompress = false, shadow = false, shape, checksAnswers = false }, env) {
    // Asked to peek: a charge would cut off a body of undeclared length.
    const bounds =
      maxBytes === Infinity && types.length === 0
        ? []
        : shadowing(shadow, [new BodyBounds(env.source, maxBytes, types)], env, 'peek')
    const checks = shape === undefined ? [] : validations(shape, { maxBytes, checksAnswers, opensCodings: decompress }, env)
    const form = shadowing(shadow, checks, env)
    // Not in shadow: it changes what the service gets, and refuses what it cannot change.
    const decoding = decompress ? new BodyDecoding(env.source, maxBytes) : undefined
    const policies = [...bounds, ...(decoding === undefined ? [] : [decoding]), ...form]
    return policies.length === 0 ? undefined : { policies, requestEdit: decoding?.requestEdit }
  },
}

/** All bodies that one worker holds whole at a time; more are answered with 503. */
const heldBytes = 256 * 1024 ** 2

interface Checks {
  readonly maxBytes: number
  readonly checksAnswers: boolean
  readonly opensCodings: boolean
}

function validations(digest: string, { maxBytes, checksAnswers, opensCodings }: Checks, env: PolicyEnv): Policy[] {
  const shape = env.shapes?.get(digest)
  // Leaving the check out would let through what it is there to stop.
  if (shape === undefined) throw new Error(`${env.source}: what bodies are checked by is not among the shapes`)
  const room = env.hold.take('held-bodies', () => new BodyRoom(heldBytes))
  const compiled = compileShape(shape, env.hold)
  const source = `${env.source}.${shape.kind}`
  const validation = new BodyValidation({ source, shape: compiled, maxBytes, room, opensCodings })
  return checksAnswers ? [validation, new AnswerValidation({ ...env, source }, compiled)] : [validation]
}

const fitting = pass('fitting', () => 'The request body is within its bounds.')
const counted = pass('counted', () => 'The length of the request body is not declared; it is counted as it arrives.')
class BodyBounds implements Policy {
  readonly name = 'body'
  readonly stage = 'shape'
  readonly source: string
  readonly #maxBytes: number
  readonly #types: MediaTypes | undefined
  readonly #tooLarge: Verdict
  readonly #otherType: Verdict

  constructor(source: string, maxBytes: number, types: readonly string[]) {
    this.source = source
    this.#maxBytes = maxBytes
    this.#types = types.length === 0 ? undefined : new MediaTypes(types)
    // RFC 9110 §15.5.16: a 415 may tell in Accept what would have been accepted.
    const accept =
      types.length === 0 ? undefined : headerBlock([['accept', types.filter((type) => !type.includes('*+')).join(', ')]])
    const headers = accept?.pairs[0][1] === '' ? undefined : accept
    this.#otherType = refuse(
      'other-type',
      { name: 'unsupported-type', policy: 'body', headers },
      undefined,
      () => `The content type is none of ${types.join(', ')}.`,
      `${source}.types`,
    )
    this.#tooLarge = refuse(
      'too-large',
      { name: 'body-too-large', policy: 'body' },
      undefined,
      () => `The declared length is above \`max\`, ${sizeText(maxBytes)}.`,
      `${source}.max`,
    )
  }

  decide(x: Exchange, mode: DecideMode): Verdict {
    const size = x.body.size
    if (size === 0) return fitting
    if (size !== undefined && size > this.#maxBytes) return this.#tooLarge
    if (this.#types !== undefined && !this.#types.accept(x.headers)) return this.#otherType
    if (size !== undefined || this.#maxBytes === Infinity) return fitting
    if (mode === 'charge') x.body = new CountedBody(x.body, this.#maxBytes)
    return counted
  }
}
