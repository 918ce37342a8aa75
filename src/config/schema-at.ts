import { z } from 'zod'

/** The parts of zod's schema definitions that are looked at here. */
interface Definition {
  readonly type: string
  readonly innerType?: z.ZodType
  readonly in?: z.ZodType
  readonly shape?: Readonly<Record<string, z.ZodType>>
  readonly valueType?: z.ZodType
  readonly element?: z.ZodType
  readonly options?: readonly z.ZodType[]
  readonly values?: readonly unknown[]
}

function definitionOf(schema: z.ZodType): Definition {
  return schema._zod.def
}

/** The schema behind `optional`, `default`, transforms and the like. */
function bare(schema: z.ZodType): z.ZodType {
  const definition = definitionOf(schema)
  const inner = definition.innerType ?? (definition.type === 'pipe' ? definition.in : undefined)
  return inner === undefined ? schema : bare(inner)
}

/** Every schema that a value at `path` below `schema` may be read by; none when the path leads nowhere. */
export function schemasAt(schema: z.ZodType, path: readonly PropertyKey[]): z.ZodType[] {
  const definition = definitionOf(bare(schema))
  if (definition.options !== undefined) return definition.options.flatMap((option) => schemasAt(option, path))
  if (path.length === 0) return [bare(schema)]
  const next = definition.shape?.[String(path[0])] ?? definition.valueType ?? definition.element
  return next === undefined ? [] : schemasAt(next, path.slice(1))
}

/** The keys that the object `value` at `path` may have: of alternatives, those whose fixed members fit it. */
export function keysAt(schema: z.ZodType, path: readonly PropertyKey[], value: unknown): string[] {
  const objects = schemasAt(schema, path).filter((found) => definitionOf(found).shape !== undefined)
  const fitting = objects.filter((found) => hasFixedMembers(definitionOf(found).shape!, value))
  return [...new Set((fitting.length > 0 ? fitting : objects).flatMap((found) => Object.keys(definitionOf(found).shape!)))]
}

function hasFixedMembers(shape: Readonly<Record<string, z.ZodType>>, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(shape).every(([key, member]) => {
    const { type, values } = definitionOf(member)
    return type !== 'literal' || values === undefined || values.includes((value as Record<string, unknown>)[key])
  })
}

/** Example values of the place, from the schema's own documentation. */
export function examplesAt(schema: z.ZodType, path: readonly PropertyKey[]): unknown[] {
  let here: z.ZodType[] = [schema]
  for (const part of path) here = here.flatMap((found) => step(found, part))
  return here.flatMap((found) => documented(found))
}

function step(schema: z.ZodType, part: PropertyKey): z.ZodType[] {
  const definition = definitionOf(bare(schema))
  if (definition.options !== undefined) return definition.options.flatMap((option) => step(option, part))
  const next = definition.shape?.[String(part)] ?? definition.valueType ?? definition.element
  return next === undefined ? [] : [next]
}

function documented(schema: z.ZodType): unknown[] {
  const own = z.globalRegistry.get(schema)?.examples
  if (Array.isArray(own)) return own
  const definition = definitionOf(schema)
  const inner = definition.innerType ?? (definition.type === 'pipe' ? definition.in : undefined)
  if (inner !== undefined) return documented(inner)
  return (definition.options ?? []).flatMap((option) => documented(option))
}
