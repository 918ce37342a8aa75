/** Keywords whose members are schemas under names of the author's own. */
const namedSchemas = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas', 'dependencies'])
/** Keywords that hold values, whatever these look like. */
const values = new Set(['enum', 'const', 'default', 'examples', 'example'])

/** An object of keywords. */
export type Keywords = Readonly<Record<string, unknown>>

/**
 * A copy of a schema in which every object of keywords has become what `change` makes of it (undefined: it stays). Also
 * of those under keywords that nobody knows, since a `$ref` may lead there; never of values such as those of `enum`.
 * `pointer` is a JSON Pointer as a URI fragment.
 */
export function mapSchema(schema: unknown, change: (keywords: Keywords, pointer: string) => Keywords | undefined): unknown {
  const copy = (value: unknown, pointer: string, isNaming: boolean): unknown => {
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map((item, i) => copy(item, `${pointer}/${i}`, false))
    const keywords = isNaming ? (value as Keywords) : (change(value as Keywords, pointer) ?? (value as Keywords))
    const made: Record<string, unknown> = {}
    for (const [key, inner] of Object.entries(keywords)) {
      const copied =
        !isNaming && values.has(key) ? inner : copy(inner, `${pointer}/${pointerStep(key)}`, !isNaming && namedSchemas.has(key))
      // Defined, not assigned: a member called __proto__ must stay a member.
      Object.defineProperty(made, key, { value: copied, enumerable: true, writable: true, configurable: true })
    }
    return made
  }
  return copy(schema, '#', false)
}

/** Visits every object of keywords, outer ones first. */
export function eachKeywords(schema: unknown, visit: (keywords: Keywords, pointer: string) => void): void {
  mapSchema(schema, (keywords, pointer) => {
    visit(keywords, pointer)
    return undefined
  })
}

/** A name as one step of a JSON Pointer. */
export function pointerStep(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}
