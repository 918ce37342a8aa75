import type { Keywords } from './schema-tree.ts'
import type { Schema } from './shape.ts'

/** Which kinds of JSON values a schema takes, as far as that can be told: what a text may have been meant as. */
export interface Kinds {
  readonly integer: boolean
  readonly number: boolean
  readonly boolean: boolean
  readonly null: boolean
  readonly array: boolean
  readonly object: boolean
}

const beside = ['allOf', 'anyOf', 'oneOf'] as const

/** Answers what schemas take that name others by `$ref`. What was found once is remembered. */
export class SchemaKinds {
  readonly #named: ReadonlyMap<string, Schema>
  readonly #parts = new WeakMap<object, readonly Keywords[]>()
  readonly #kinds = new WeakMap<object, Kinds>()

  constructor(named: ReadonlyMap<string, Schema>) {
    this.#named = named
  }

  kindsOf(schema: Schema): Kinds {
    if (typeof schema === 'boolean') return noKinds
    const known = this.#kinds.get(schema)
    if (known !== undefined) return known
    const kinds = { integer: false, number: false, boolean: false, null: false, array: false, object: false }
    for (const part of this.#partsOf(schema)) {
      for (const type of [part['type']].flat()) {
        if (typeof type === 'string' && Object.hasOwn(kinds, type)) kinds[type as keyof typeof kinds] = true
      }
      if (part['items'] !== undefined || part['prefixItems'] !== undefined) kinds.array = true
      if (part['properties'] !== undefined) kinds.object = true
      // A type may be told by its values alone.
      for (const value of [part['enum'], part['const']].flat()) {
        if (typeof value === 'number') kinds.number = true
        if (typeof value === 'boolean') kinds.boolean = true
      }
    }
    this.#kinds.set(schema, kinds)
    return kinds
  }

  /** The schema of a member, as far as it says one. */
  member(schema: Schema, name: string): Schema {
    const parts = this.#partsOf(schema)
    for (const { properties } of parts) {
      if (typeof properties === 'object' && properties !== null && Object.hasOwn(properties, name)) {
        return (properties as Readonly<Record<string, Schema>>)[name]
      }
    }
    for (const part of parts) if (typeof part['additionalProperties'] === 'object') return part['additionalProperties'] as Schema
    return true
  }

  memberNames(schema: Schema): readonly string[] {
    const names = new Set<string>()
    for (const { properties } of this.#partsOf(schema)) for (const name of Object.keys(properties ?? {})) names.add(name)
    return [...names]
  }

  item(schema: Schema): Schema {
    for (const part of this.#partsOf(schema)) if (part['items'] !== undefined) return part['items'] as Schema
    return true
  }

  /** The schema and all that stand beside it for the same value: behind `$ref`, `allOf`, `anyOf`, `oneOf`. */
  #partsOf(schema: Schema): readonly Keywords[] {
    if (typeof schema === 'boolean') return []
    const known = this.#parts.get(schema)
    if (known !== undefined) return known
    const found = new Set<Keywords>()
    const collect = (part: Schema): void => {
      if (typeof part === 'boolean' || found.has(part)) return
      found.add(part)
      const ref = part['$ref']
      const named = typeof ref === 'string' ? this.#named.get(ref) : undefined
      if (named !== undefined) collect(named)
      for (const key of beside) {
        const parts = part[key]
        if (Array.isArray(parts)) for (const one of parts) collect(one as Schema)
      }
    }
    collect(schema)
    const parts = [...found]
    this.#parts.set(schema, parts)
    return parts
  }
}

const noKinds: Kinds = { integer: false, number: false, boolean: false, null: false, array: false, object: false }
