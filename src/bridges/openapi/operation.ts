import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { statusType } from '../descriptors/built-in.ts'
import { commentOf } from '../descriptors/comments.ts'
import type { Binding } from '../grpc-json/binding.ts'
import type { JsonSchema, MessageSchemas } from './message-schemas.ts'

/** An operation of OpenAPI 3.1; what is not set is left out. */
export interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly summary?: string
  readonly description?: string
  readonly deprecated?: true
  readonly parameters?: readonly JsonSchema[]
  readonly requestBody?: JsonSchema
  readonly responses: JsonSchema
}

/** How deep fields of fields become parameters of a query. */
const maxDepth = 3

/** What a rule is in OpenAPI; `names` are those of the path's parameters, in order. */
export function operationOf(binding: Binding, operationId: string, names: readonly PathPart[], schemas: MessageSchemas): Operation {
  const { method } = binding
  const bound = new Set(binding.template.variables.map(({ fieldPath }) => fieldPath.join('.')))
  const comment = commentOf(method.desc)
  const [summary, ...rest] = comment?.split('\n\n') ?? []
  const description = rest.join('\n\n')
  const parameters = [...names.map((part) => pathParameter(part, binding, schemas)), ...queryParameters(binding, bound, schemas)]
  const requestBody = bodyOf(binding, bound, schemas)
  return {
    operationId,
    tags: [method.desc.parent.typeName],
    ...(summary === undefined ? {} : { summary: summary.replaceAll('\n', ' ') }),
    ...(description === '' ? {} : { description }),
    ...(method.desc.deprecated ? { deprecated: true as const } : {}),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(requestBody === undefined ? {} : { requestBody }),
    responses: { '200': success(binding, schemas), default: failure(schemas) },
  }
}

/** A parameter of a path: the variable it belongs to, and what it is there. */
export interface PathPart {
  readonly name: string
  /** Undefined: a segment that no field takes. */
  readonly variable: number | undefined
  /** The variable's segments, where this is but one of them. */
  readonly within: string | undefined
  readonly holdsSlashes: boolean
}

function pathParameter({ name, variable, within, holdsSlashes }: PathPart, binding: Binding, schemas: MessageSchemas): JsonSchema {
  const field = variable === undefined ? undefined : binding.variables[variable].leaf
  const words = [
    field === undefined ? undefined : commentOf(field),
    within === undefined ? undefined : `A part of \`${within}\`.`,
    holdsSlashes ? 'It may hold slashes, which stay as they are.' : undefined,
  ].filter((line) => line !== undefined)
  const schema = field === undefined || within !== undefined ? { type: 'string' } : bare(schemas.field(field))
  return {
    name,
    in: 'path',
    required: true,
    ...(words.length === 0 ? {} : { description: words.join('\n\n') }),
    schema,
  }
}

/** Without the words, which stand beside it. */
function bare(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => key !== 'description'))
}

function queryParameters(binding: Binding, bound: ReadonlySet<string>, schemas: MessageSchemas): JsonSchema[] {
  if (binding.body === '*') return []
  const found: JsonSchema[] = []
  const visit = (desc: DescMessage, prefix: string, protoPrefix: string, depth: number): void => {
    for (const field of desc.fields) {
      if (field === binding.body || bound.has(protoPrefix + field.name)) continue
      const name = prefix + field.jsonName
      if (binding.parameter(name) !== undefined) found.push(queryParameter(name, field, schemas))
      else if (field.fieldKind === 'message' && depth < maxDepth)
        visit(field.message, `${name}.`, `${protoPrefix}${field.name}.`, depth + 1)
    }
  }
  visit(binding.method.input, '', '', 1)
  return found
}

function queryParameter(name: string, field: DescField, schemas: MessageSchemas): JsonSchema {
  const schema = schemas.field(field)
  const { description } = schema
  return { name, in: 'query', ...(description === undefined ? {} : { description }), schema: bare(schema) }
}

function bodyOf(binding: Binding, bound: ReadonlySet<string>, schemas: MessageSchemas): JsonSchema | undefined {
  const { body, method, isRawBody } = binding
  if (body === undefined) return undefined
  if (isRawBody) return { content: { '*/*': {} } }
  if (body !== '*') return { content: json(schemas.field(body), method.streamsIn) }
  const taken = new Set(method.input.fields.filter(({ name }) => bound.has(name)))
  const schema = taken.size === 0 ? schemas.message(method.input) : schemas.object(method.input, taken)
  return { content: json(schema, method.streamsIn) }
}

function json(schema: JsonSchema, isStream: boolean): JsonSchema {
  if (!isStream) return { 'application/json': { schema } }
  return { 'application/x-ndjson': { schema }, 'application/json': { schema: { type: 'array', items: schema } } }
}

function success({ method, responseField, isRawAnswer }: Binding, schemas: MessageSchemas): JsonSchema {
  if (isRawAnswer) return { description: 'The content.', content: { '*/*': {} } }
  const schema = responseField === undefined ? schemas.message(method.output) : bare(schemas.field(responseField))
  if (!method.streamsOut) return { description: 'The answer.', content: { 'application/json': { schema } } }
  return {
    description: 'The messages as they come: events, lines or an array, by what Accept asks for.',
    content: { 'text/event-stream': { schema }, ...json(schema, true) },
  }
}

function failure(schemas: MessageSchemas): JsonSchema {
  return {
    description: 'A failure of the service, or a refusal of the gateway.',
    content: {
      'application/json': { schema: schemas.message(statusType) },
      'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
    },
  }
}
