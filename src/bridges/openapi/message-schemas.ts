import { ScalarType } from '@bufbuild/protobuf'
import type { DescEnum, DescField, DescMessage } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence, isWrapperDesc } from '@bufbuild/protobuf/wkt'
import { commentOf } from '../descriptors/comments.ts'

/** A schema of JSON Schema 2020-12, as OpenAPI 3.1 has it. */
export type JsonSchema = { readonly [key: string]: unknown }

const text = (format?: string): JsonSchema => (format === undefined ? { type: 'string' } : { type: 'string', format })

const scalars: Readonly<Record<ScalarType, JsonSchema>> = {
  [ScalarType.DOUBLE]: { type: 'number', format: 'double' },
  [ScalarType.FLOAT]: { type: 'number', format: 'float' },
  [ScalarType.INT32]: { type: 'integer', format: 'int32' },
  [ScalarType.SINT32]: { type: 'integer', format: 'int32' },
  [ScalarType.SFIXED32]: { type: 'integer', format: 'int32' },
  [ScalarType.UINT32]: { type: 'integer', format: 'int64', minimum: 0, maximum: 4_294_967_295 },
  [ScalarType.FIXED32]: { type: 'integer', format: 'int64', minimum: 0, maximum: 4_294_967_295 },
  // Texts of digits: the numbers of JavaScript and its like end at 2^53.
  [ScalarType.INT64]: text('int64'),
  [ScalarType.SINT64]: text('int64'),
  [ScalarType.SFIXED64]: text('int64'),
  [ScalarType.UINT64]: text('uint64'),
  [ScalarType.FIXED64]: text('uint64'),
  [ScalarType.BOOL]: { type: 'boolean' },
  [ScalarType.STRING]: text(),
  [ScalarType.BYTES]: { type: 'string', contentEncoding: 'base64' },
}

/** Messages whose JSON is not an object of their fields. */
const wellKnown: ReadonlyMap<string, JsonSchema> = new Map<string, JsonSchema>([
  ['google.protobuf.Timestamp', text('date-time')],
  ['google.protobuf.Duration', { type: 'string', pattern: String.raw`^-?\d+(?:\.\d{1,9})?s$`, examples: ['1.5s'] }],
  ['google.protobuf.FieldMask', { type: 'string', examples: ['title,author.name'] }],
  ['google.protobuf.Struct', { type: 'object' }],
  ['google.protobuf.Value', {}],
  ['google.protobuf.ListValue', { type: 'array' }],
  ['google.protobuf.Empty', { type: 'object' }],
  [
    'google.protobuf.Any',
    {
      type: 'object',
      properties: { '@type': { type: 'string', description: 'The type of the message, as a URL; its fields stand beside it.' } },
      required: ['@type'],
    },
  ],
])

/** Schemas of messages and enums, each of which is described once and referred to by its name. */
export class MessageSchemas {
  readonly #described = new Map<string, JsonSchema | undefined>()

  /** What was referred to, by name. */
  get all(): Readonly<Record<string, JsonSchema>> {
    const names = [...this.#described.keys()].toSorted()
    return Object.fromEntries(names.map((name) => [name, this.#described.get(name)!]))
  }

  /** What stands for a message. */
  message(desc: DescMessage): JsonSchema {
    const own = wellKnown.get(desc.typeName)
    if (own !== undefined) return own
    if (isWrapperDesc(desc)) return nullable(scalars[desc.fields[0].scalar])
    return this.#reference(desc.typeName, () => this.object(desc))
  }

  /** The schema of a message itself, without some of its fields. */
  object(desc: DescMessage, without: ReadonlySet<DescField> = new Set()): JsonSchema {
    const fields = desc.fields.filter((field) => !without.has(field))
    const required = fields
      .filter((field) => field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED)
      .map(({ jsonName }) => jsonName)
    return {
      type: 'object',
      ...described(commentOf(desc), choices(desc)),
      properties: Object.fromEntries(fields.map((field) => [field.jsonName, this.field(field)])),
      ...(required.length === 0 ? {} : { required }),
    }
  }

  /** What stands for a field. */
  field(field: DescField): JsonSchema {
    const words = described(commentOf(field))
    const deprecated = field.proto.options?.deprecated === true ? { deprecated: true } : {}
    const schema = this.#value(field)
    return { ...schema, ...words, ...deprecated }
  }

  #value(field: DescField): JsonSchema {
    switch (field.fieldKind) {
      case 'scalar':
        return scalars[field.scalar]
      case 'enum':
        return this.#enum(field.enum)
      case 'message':
        return this.message(field.message)
      case 'list':
        return { type: 'array', items: this.#item(field) }
      default:
        return { type: 'object', additionalProperties: this.#item(field) }
    }
  }

  #item(field: DescField & { fieldKind: 'list' | 'map' }): JsonSchema {
    if (field.message !== undefined) return this.message(field.message)
    return field.enum === undefined ? scalars[field.scalar] : this.#enum(field.enum)
  }

  #enum(desc: DescEnum): JsonSchema {
    if (desc.typeName === 'google.protobuf.NullValue') return { type: 'null' }
    return this.#reference(desc.typeName, () => {
      const values = desc.values.map((value) => {
        const words = commentOf(value)
        return words === undefined ? undefined : `- \`${value.name}\`: ${words.replaceAll('\n', ' ')}`
      })
      const told = values.filter((line) => line !== undefined).join('\n')
      return {
        type: 'string',
        enum: desc.values.map(({ name }) => name),
        ...described(commentOf(desc), told === '' ? undefined : told),
      }
    })
  }

  #reference(name: string, describe: () => JsonSchema): JsonSchema {
    if (!this.#described.has(name)) {
      // A message may hold itself.
      this.#described.set(name, undefined)
      this.#described.set(name, describe())
    }
    return { $ref: `#/components/schemas/${name}` }
  }
}

function nullable(schema: JsonSchema): JsonSchema {
  return { ...schema, type: [schema['type'], 'null'] }
}

function described(...parts: readonly (string | undefined)[]): { description?: string } {
  const description = parts.filter((part) => part !== undefined).join('\n\n')
  return description === '' ? {} : { description }
}

/** In words, since a schema of alternatives is read by nobody. */
function choices({ oneofs }: DescMessage): string | undefined {
  const lines = oneofs
    .filter(({ fields }) => fields.length > 1)
    .map(({ fields }) => {
      return `At most one of ${fields.map(({ jsonName }) => `\`${jsonName}\``).join(', ')}.`
    })
  return lines.length === 0 ? undefined : lines.join(' ')
}
