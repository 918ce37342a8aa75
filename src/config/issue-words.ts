import type { z } from 'zod'
import { nearest } from '../lib/suggest.ts'
import { quoted } from '../lib/unit-error.ts'
import { isNameNotYet, isValueNotYet } from './not-yet.ts'
import { examplesAt, keysAt } from './schema-at.ts'

/** What zod reports about a value; its own words are made for programmers and are not used. */
export type Issue = z.core.$ZodIssue

/** One fault in words: where (relative to what was read), what, and what would be right. */
export interface IssueWords {
  readonly path: readonly PropertyKey[]
  readonly message: string
  readonly remedy: string
}

/** What the words are made from besides the issue. */
export interface IssueContext {
  /** The schema of the whole configuration, and where in it the value that was read stands. */
  readonly root: z.ZodType
  readonly place: readonly PropertyKey[]
  /** The value that the issue's path begins at. */
  readonly value: unknown
  /** The text with `${NAME}` that a value came from, if it did. */
  writtenAt(path: readonly PropertyKey[]): string | undefined
  /** How a value at a path may be shown: quoted, or hidden when it is a secret. */
  show(value: unknown, path: readonly PropertyKey[]): string
}

/** An issue as faults in words; an object with several unknown keys has one for each. */
export function issueWords(issue: Issue, context: IssueContext): IssueWords[] {
  const path = issue.path
  const one = (message: string, remedy: string): IssueWords[] => [{ path, message, remedy }]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(key, path, context))
    case 'invalid_type':
      return one(...wrongType(issue.expected, path, context))
    case 'invalid_value':
      return one(...notOneOf(issue.values, path, context))
    case 'invalid_union':
      return unionWords(issue, context)
    case 'too_small':
    case 'too_big':
      return one(...outOfBounds(issue, path, context))
    case 'invalid_key':
      return [{ ...issueWords(issue.issues[0], { ...context, value: path.at(-1) })[0], path }]
    case 'custom':
      return one(issue.message, remedyOf(issue) ?? exampleRemedy(path, context) ?? 'correct the value')
    default:
      return one(lowerFirst(issue.message), exampleRemedy(path, context) ?? 'correct the value')
  }
}

function remedyOf(issue: z.core.$ZodIssueCustom): string | undefined {
  const remedy: unknown = issue.params?.['remedy']
  return typeof remedy === 'string' ? remedy : undefined
}

function unknownKey(key: string, path: readonly PropertyKey[], context: IssueContext): IssueWords {
  const place = [...context.place, ...path]
  const at = [...path, key]
  if (isNameNotYet(place, key)) {
    return {
      path: at,
      message: `"${key}" is not available yet in this version of Velum`,
      remedy: 'remove it, or use a version that has it',
    }
  }
  const known = keysAt(context.root, place, valueAt(context.value, path)).filter((name) => name !== '$schema')
  const meant = nearest(key, known)
  const remedy = meant === undefined ? `remove it; known here: ${known.join(', ')}` : `did you mean "${meant}"?`
  return { path: at, message: `${quoted(key)} is not known here`, remedy }
}

const typeWords: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
}

function wrongType(expected: string, path: readonly PropertyKey[], context: IssueContext): [string, string] {
  const wanted = typeWords[expected] ?? expected
  const value = valueAt(context.value, path)
  const remedy = exampleRemedy(path, context) ?? `write ${wanted}`
  if (value === undefined) {
    return missing(path, context, wanted)
  }
  if (isUnitless(value, path, context)) return [`${context.show(value, path)} has no unit`, remedy]
  const written = typeof value === 'string' ? context.writtenAt(path) : undefined
  if (written !== undefined) return [`expected ${wanted}, and ${written} is none`, 'set the variable to one']
  if (expected === 'int' && typeof value === 'number') return [`${context.show(value, path)} is not a whole number`, remedy]
  if (expected === 'string' && (typeof value === 'number' || typeof value === 'boolean')) {
    return [`expected a string, got ${kindOf(value)}`, remedy === `write ${wanted}` ? 'put it in quotes' : remedy]
  }
  return [`expected ${wanted}, got ${kindOf(value)}`, remedy]
}

/** A bare number where a text with a unit is meant. */
function isUnitless(value: unknown, path: readonly PropertyKey[], context: IssueContext): boolean {
  const example = examplesAt(context.root, [...context.place, ...path])[0]
  return typeof value === 'number' && typeof example === 'string' && /^\d+\/?[a-z]+$/.test(example)
}

function missing(path: readonly PropertyKey[], context: IssueContext, wanted: string): [string, string] {
  const last = path.at(-1) ?? context.place.at(-1)
  if (last === undefined) return ['there is no configuration', 'write an object with listeners and routes']
  if (typeof last === 'number')
    return ['the value is not set', 'set the environment variable that it is read from, or remove the entry']
  const examples = examplesAt(context.root, [...context.place, ...path])
  const what = examples.length === 0 ? `add it: ${wanted}` : `add it, for example ${listOf(examples.slice(0, 3))}`
  return [`"${String(last)}" is missing`, what]
}

function notOneOf(values: readonly unknown[], path: readonly PropertyKey[], context: IssueContext): [string, string] {
  const value = valueAt(context.value, path)
  if (isValueNotYet([...context.place, ...path], value)) {
    return [`${context.show(value, path)} is not available yet in this version of Velum`, `use ${listOf(values)}`]
  }
  if (value === undefined) return missing(path, context, listOf(values))
  const meant = meantBy(value, values)
  const remedy = meant === undefined ? `use ${listOf(values)}` : `did you mean "${meant}"?`
  return [`${context.show(value, path)} is not allowed here`, remedy]
}

function unionWords(issue: z.core.$ZodIssueInvalidUnion, context: IssueContext): IssueWords[] {
  const path = issue.path
  const note = issue as { discriminator?: string; options?: readonly unknown[] }
  if (note.discriminator !== undefined) {
    const [message, remedy] = notOneOf(note.options ?? [], path, context)
    return [{ path, message, remedy }]
  }
  // The branch that was meant is the one whose type fits; only its faults are of interest.
  const fitting = issue.errors.filter((branch) => !branch.some((inner) => inner.path.length === 0 && isShapeIssue(inner)))
  const value = valueAt(context.value, path)
  const values = issue.errors
    .flat()
    .flatMap((inner) => (inner.code === 'invalid_value' && inner.path.length === 0 ? inner.values : []))
  const meant = meantBy(value, values)
  if (fitting.length > 0 && meant === undefined) {
    const inner = { ...context, value, place: [...context.place, ...path] }
    const words = fitting[0].flatMap((found) => issueWords(found, inner))
    return words.map(({ path: at, message, remedy }) => ({ path: [...path, ...at], message, remedy }))
  }
  const types = issue.errors
    .flat()
    .flatMap((inner) =>
      inner.code === 'invalid_type' && inner.path.length === 0 ? [typeWords[inner.expected] ?? inner.expected] : [],
    )
  const wanted = [...values.map((v) => JSON.stringify(v)), ...new Set(types)].join(' or ')
  if (value === undefined) {
    const [message, remedy] = missing(path, context, wanted)
    return [{ path, message, remedy }]
  }
  const isText = typeof value === 'string' && values.length > 0
  const what = isText ? `${context.show(value, path)} is not allowed here` : `expected ${wanted}, got ${kindOf(value)}`
  const remedy = meant === undefined ? (exampleRemedy(path, context) ?? `write ${wanted}`) : `did you mean "${meant}"?`
  return [{ path, message: isUnitless(value, path, context) ? `${context.show(value, path)} has no unit` : what, remedy }]
}

function meantBy(value: unknown, values: readonly unknown[]): string | undefined {
  if (typeof value !== 'string') return undefined
  const texts = values.filter((candidate) => typeof candidate === 'string')
  return nearest(value, texts)
}

function isShapeIssue(issue: Issue): boolean {
  return issue.code === 'invalid_type' || issue.code === 'invalid_value'
}

function outOfBounds(
  issue: z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig,
  path: readonly PropertyKey[],
  context: IssueContext,
): [string, string] {
  const value = valueAt(context.value, path)
  const bound = issue.code === 'too_small' ? issue.minimum : issue.maximum
  const atLeast = issue.code === 'too_small'
  const limit = atLeast ? `at least ${bound}` : `at most ${bound}`
  if (issue.origin === 'array') {
    if (atLeast && Number(bound) === 1) return ['the list is empty', 'add an entry, or remove the list']
    return [`the list has ${(value as unknown[]).length} entries`, `keep ${limit}`]
  }
  if (issue.origin === 'string') {
    if (atLeast && Number(bound) === 1) return ['the text is empty', exampleRemedy(path, context) ?? 'write a text, or remove it']
    return [`the text is too ${atLeast ? 'short' : 'long'}`, `use ${limit} characters`]
  }
  return [`${context.show(value, path)} is too ${atLeast ? 'small' : 'large'}`, `use ${limit}`]
}

function exampleRemedy(path: readonly PropertyKey[], context: IssueContext): string | undefined {
  const examples = examplesAt(context.root, [...context.place, ...path])
  if (examples.length === 0) return undefined
  return `write ${listOf(examples.slice(0, 5))}`
}

function listOf(values: readonly unknown[]): string {
  const texts = values.map((value) => JSON.stringify(value))
  return texts.length < 2 ? texts.join('') : `${texts.slice(0, -1).join(', ')} or ${texts.at(-1)}`
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let here = value
  for (const part of path) {
    if (typeof here !== 'object' || here === null) return undefined
    here = (here as Record<PropertyKey, unknown>)[part]
  }
  return here
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'number') return Number.isFinite(value) ? 'a number' : String(value)
  return typeof value === 'boolean' ? String(value) : 'a string'
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
