import { z } from 'zod'
import { gatewaySchema } from './schema/gateway.ts'

type Json = Readonly<Record<string, unknown>>

const variable = { type: 'string', pattern: '\\$\\{' } as const

/**
 * The vocabulary as a JSON Schema (draft 7, which editors know best) for YAML and JSON configurations. A value may come
 * from the environment, so everything that is not a free text anyway may also be written as `${NAME}`.
 */
export function gatewayJsonSchema(): Json {
  const schema: Json = z.toJSONSchema(gatewaySchema, { io: 'input', target: 'draft-7' })
  const title = { title: 'Velum configuration', description: 'The configuration of a Velum API gateway.' }
  return { ...title, ...withVariables(schema) }
}

function withVariables(schema: Json): Json {
  const inner: Record<string, unknown> = {}
  for (const [keyword, value] of Object.entries(schema)) {
    // Names of members are not expanded.
    if (keyword === 'propertyNames') inner[keyword] = value
    else if (keyword === 'properties')
      inner[keyword] = Object.fromEntries(Object.entries(value as object).map(([k, v]) => [k, withVariables(v as Json)]))
    else if (keyword === 'anyOf' || keyword === 'oneOf' || keyword === 'allOf')
      inner[keyword] = (value as Json[]).map(withVariables)
    else if ((keyword === 'items' || keyword === 'additionalProperties') && typeof value === 'object')
      inner[keyword] = withVariables(value as Json)
    else inner[keyword] = value
  }
  const { type, pattern, minLength, enum: values } = inner
  if (type === 'string' && typeof pattern === 'string') return { ...inner, pattern: `${pattern}|${variable.pattern}` }
  const isLong = type === 'string' && typeof minLength === 'number' && minLength > 1
  if (type !== 'number' && type !== 'integer' && type !== 'boolean' && values === undefined && !isLong) return inner
  const { description, ...bare } = inner
  return { ...(description === undefined ? {} : { description }), anyOf: [bare, variable] }
}
