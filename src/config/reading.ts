import type { z } from 'zod'
import { quoted } from '../lib/unit-error.ts'
import { isOneVariable } from './expand.ts'
import type { ConfigPath, Findings } from './finding.ts'
import { pathInFile, pathText } from './finding.ts'
import type { Issue } from './issue-words.ts'
import { issueWords } from './issue-words.ts'

/**
 * Reads a configuration piece by piece, so that a fault in one route hides none in the next: each piece either comes
 * out typed or leaves its findings.
 */
export class Reading {
  readonly findings: Findings
  readonly #root: z.ZodType
  #input: unknown

  constructor(root: z.ZodType, input: unknown, findings: Findings) {
    this.#root = root
    this.#input = input
    this.findings = findings
  }

  /** The value at `path` as it was written. */
  at(path: ConfigPath): unknown {
    return path.reduce<unknown>((here, part) => (isContainer(here) ? here[part] : undefined), this.#input)
  }

  /** Reads the value at `path` by `schema`; undefined, with findings, when it does not fit. */
  read<T>(schema: z.ZodType<T>, path: ConfigPath): T | undefined {
    return this.readValue(schema, this.at(path), path)
  }

  /**
   * The fields of an object, each read for itself: those that do not fit are left out, with findings. Whatever looks at
   * the fields together can do so although one of them is faulty. Undefined for what is no object.
   */
  readFields<S extends z.ZodObject>(schema: S, path: ConfigPath): Fields<S> | undefined {
    const written = this.at(path)
    if (!isContainer(written) || Array.isArray(written)) {
      this.read(schema, path)
      return undefined
    }
    const unknown = Object.keys(written).filter((key) => !Object.hasOwn(schema.shape, key))
    if (unknown.length > 0) this.#report({ code: 'unrecognized_keys', keys: unknown, path: [], message: '' }, written, path)
    const fields: Record<string, unknown> = {}
    const mayLack = keysToLack(schema)
    for (const [key, field] of Object.entries(schema.shape)) {
      if (written[key] === undefined && mayLack.has(key)) continue
      const value = this.read(field as z.ZodType, [...path, key])
      if (value !== undefined) fields[key] = value
    }
    return fields as Fields<S>
  }

  /** The same for a value made here (such as a route's joined with the default's) that stands for `path`. */
  readValue<T>(schema: z.ZodType<T>, written: unknown, path: ConfigPath): T | undefined {
    let value = written
    let result = schema.safeParse(value)
    if (!result.success) {
      const converted = this.#convertVariables(result.error.issues, value, path)
      if (converted !== undefined) {
        value = converted
        result = schema.safeParse(value)
      }
    }
    if (result.success) return result.data
    for (const issue of toThePoint(result.error.issues)) this.#report(issue, value, path)
    return undefined
  }

  #report(issue: Issue, value: unknown, place: ConfigPath): void {
    const show = (shown: unknown, path: readonly PropertyKey[]): string => this.show(shown, [...place, ...asPath(path)])
    const writtenAt = (path: readonly PropertyKey[]): string | undefined => this.#written([...place, ...asPath(path)])
    for (const words of issueWords(issue, { root: this.#root, place, value, show, writtenAt })) {
      const path = [...place, ...asPath(words.path)]
      // What came from the environment or is a secret does not stand in a message; zod's custom messages quote values.
      const message = this.#isHidden(path) ? hideQuoted(words.message, this.#written(path)) : words.message
      this.findings.error(path, message, words.remedy)
    }
  }

  /** A value as it may stand in a message. */
  show(value: unknown, path: ConfigPath): string {
    if (this.#isHidden(path)) return this.#written(path) ?? 'the value'
    if (typeof value === 'string') return quoted(value)
    return isContainer(value) ? 'the value' : String(value)
  }

  #written(path: ConfigPath): string | undefined {
    const { source } = this.findings
    return source.expansions?.get(pathText(pathInFile(source, path)))
  }

  #isHidden(path: ConfigPath): boolean {
    return this.#written(path) !== undefined || isSecretPath(path)
  }

  /**
   * A copy of `value` in which texts that were one `${NAME}` became the number or boolean that the schema wants there;
   * undefined when there was nothing to change.
   */
  #convertVariables(issues: readonly Issue[], value: unknown, place: ConfigPath): unknown {
    const changes: { path: readonly PropertyKey[]; value: unknown }[] = []
    const collect = (issue: Issue, base: readonly PropertyKey[]): void => {
      const path = [...base, ...issue.path]
      if (issue.code === 'invalid_union') for (const branch of issue.errors) for (const inner of branch) collect(inner, path)
      if (issue.code !== 'invalid_type' && issue.code !== 'invalid_value') return
      const written = this.#written([...place, ...asPath(path)])
      const text = path.reduce<unknown>((here, part) => (isContainer(here) ? here[part as string] : undefined), value)
      if (written === undefined || !isOneVariable(written) || typeof text !== 'string') return
      const converted = convert(text, issue)
      if (converted !== undefined) changes.push({ path, value: converted })
    }
    for (const issue of issues) collect(issue, [])
    if (changes.length === 0) return undefined
    let changed = value
    for (const change of changes) changed = withValue(changed, change.path, change.value)
    // Kept, so that a later look at the same place sees the converted value too.
    this.#input = withValue(this.#input, place, changed)
    return changed
  }
}

const lacking = new WeakMap<z.ZodObject, ReadonlySet<string>>()

/** Keys that come to nothing where nothing is written, by what their schemas say once: most keys of most routes. */
function keysToLack(schema: z.ZodObject): ReadonlySet<string> {
  let keys = lacking.get(schema)
  if (keys === undefined) {
    keys = new Set(Object.keys(schema.shape).filter((key) => comesToNothing(schema.shape[key] as z.ZodType)))
    lacking.set(schema, keys)
  }
  return keys
}

function comesToNothing(schema: z.ZodType): boolean {
  const result = schema.safeParse(undefined)
  return result.success && result.data === undefined
}

/** What could be read of an object. */
export type Fields<S extends z.ZodObject> = Partial<z.output<S>>

/** Whether what stands at the path must never be printed. */
export function isSecretPath(path: ConfigPath): boolean {
  if (path[0] === 'telemetry' && path[1] === 'headers' && path.length > 2) return true
  return path.some((part) => typeof part === 'string' && /^(?:secret|clientSecret|secretHash|sha256|password|token)$/i.test(part))
}

function convert(text: string, issue: Issue): number | boolean | undefined {
  const isNumber = /^-?\d+(?:\.\d+)?$/.test(text)
  const wanted = issue.code === 'invalid_type' ? issue.expected : ''
  if (isNumber && (wanted === 'number' || wanted === 'int')) return Number(text)
  if (wanted === 'boolean') return text === 'true' ? true : text === 'false' ? false : undefined
  if (issue.code !== 'invalid_value') return undefined
  return issue.values.find((value): value is number | boolean => typeof value !== 'string' && String(value) === text)
}

function hideQuoted(message: string, written: string | undefined): string {
  return message.replace(/^"(?:[^"\\]|\\.)*"/, written ?? 'the value')
}

function asPath(path: readonly PropertyKey[]): ConfigPath {
  return path.map((part) => (typeof part === 'symbol' ? String(part) : part))
}

function isContainer(value: unknown): value is Record<string | number, unknown> {
  return typeof value === 'object' && value !== null
}

/** A copy of `container` with another value at `path`. */
function withValue(container: unknown, path: readonly PropertyKey[], value: unknown): unknown {
  if (path.length === 0) return value
  const [first, ...rest] = path
  const inner = (container as Record<PropertyKey, unknown>)[first]
  if (Array.isArray(container)) return container.with(Number(first), withValue(inner, rest, value))
  return { ...(container as Record<PropertyKey, unknown>), [first]: withValue(inner, rest, value) }
}

/**
 * Without what zod says besides the point: of safe integers where a bound of our own is broken as well, and of the length
 * of what is of another kind altogether.
 */
function toThePoint(issues: readonly Issue[]): readonly Issue[] {
  const isSaid = (issue: Issue, code: Issue['code'], from: number): boolean =>
    issues.some((other, i) => i >= from && other.code === code && samePath(issue, other))
  return issues.filter((issue, i) => {
    if (issue.code !== 'too_big' && issue.code !== 'too_small') return true
    return !isSaid(issue, 'invalid_type', 0) && !(issue.code === 'too_big' && isSaid(issue, 'too_big', i + 1))
  })
}

function samePath(a: Issue, b: Issue): boolean {
  return a.path.length === b.path.length && a.path.every((part, i) => part === b.path[i])
}
