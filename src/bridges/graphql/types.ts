import type { DescEnum, DescField, DescMessage, DescOneof, Registry } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import type { ReflectMessage } from '@bufbuild/protobuf/reflect'
import { GraphQLEnumType, GraphQLInputObjectType, GraphQLList, GraphQLNonNull, GraphQLObjectType } from 'graphql'
import type {
  GraphQLEnumValueConfig,
  GraphQLFieldConfig,
  GraphQLInputFieldConfig,
  GraphQLInputType,
  GraphQLNullableInputType,
  GraphQLNullableOutputType,
  GraphQLOutputType,
} from 'graphql'
import { commentOf } from '../descriptors/comments.ts'
import { fieldNames } from './field-names.ts'
import { nameOf } from './names.ts'
import { canBeAbsent, fieldReader } from './output-value.ts'
import type { Shape } from './shapes.ts'
import { fieldShape, inputMembers, mayBeNull, messageShape, scalarShape } from './shapes.ts'
import type { TypeNames } from './type-names.ts'

type MapField = DescField & { readonly fieldKind: 'map' }
type InputFields = Record<string, GraphQLInputFieldConfig>
type OutputFields<T> = Record<string, GraphQLFieldConfig<T, unknown>>

/** The types of one schema, each made when it is first asked for. */
export class TypeTable {
  readonly #names: TypeNames
  readonly #registry: Registry
  readonly #made = new Map<string, GraphQLObjectType | GraphQLInputObjectType | GraphQLEnumType>()

  constructor(names: TypeNames, registry: Registry) {
    this.#names = names
    this.#registry = registry
  }

  output(desc: DescMessage): GraphQLNullableOutputType {
    return this.#output(messageShape(desc))
  }

  input(desc: DescMessage): GraphQLNullableInputType {
    return this.#input(messageShape(desc))
  }

  #output(shape: Shape): GraphQLNullableOutputType {
    if (shape.kind === 'enum') return this.#enum(shape.desc)
    return shape.kind === 'object' ? this.#object(shape.desc) : shape.type
  }

  #input(shape: Shape): GraphQLNullableInputType {
    if (shape.kind === 'enum') return this.#enum(shape.desc)
    return shape.kind === 'object' ? this.#inputObject(shape.desc) : shape.type
  }

  #once<T extends GraphQLObjectType | GraphQLInputObjectType | GraphQLEnumType>(name: string, make: (name: string) => T): T {
    let type = this.#made.get(name) as T | undefined
    if (type === undefined) {
      type = make(name)
      this.#made.set(name, type)
    }
    return type
  }

  #enum(desc: DescEnum): GraphQLEnumType {
    return this.#once(this.#names.enum(desc), (name) => {
      const values = new Map<string, GraphQLEnumValueConfig>()
      for (const value of desc.values) {
        let alias = enumName(value.name)
        while (values.has(alias)) alias += '_'
        values.set(alias, { value: value.name, description: commentOf(value), deprecationReason: reasonOf(value) })
      }
      return new GraphQLEnumType({ name, description: commentOf(desc), values: Object.fromEntries(values) })
    })
  }

  #object(desc: DescMessage): GraphQLObjectType {
    const names = fieldNames(desc)
    return this.#once(this.#names.message(desc, 'output'), (name) => {
      const fields = (): OutputFields<ReflectMessage> =>
        Object.fromEntries(
          desc.fields.map((field) => {
            const read = fieldReader(field, this.#registry)
            const type = this.#fieldType(field)
            const resolve = (source: ReflectMessage): unknown => read(source)
            return [names.of(field), { type, resolve, description: commentOf(field), deprecationReason: reasonOf(field) }]
          }),
        )
      return new GraphQLObjectType({ name, description: commentOf(desc), fields })
    })
  }

  #fieldType(field: DescField): GraphQLOutputType {
    const shape = fieldShape(field)
    const one = this.#output(shape)
    if (field.fieldKind === 'map') return listOf(new GraphQLNonNull(this.#entry(field)))
    if (field.fieldKind === 'list') return listOf(mayBeNull(shape) ? one : new GraphQLNonNull(one))
    return canBeAbsent(field) || mayBeNull(shape) ? one : new GraphQLNonNull(one)
  }

  #entry(field: MapField): GraphQLObjectType {
    return this.#once(this.#names.entry(field, 'output'), (name) => {
      const shape = fieldShape(field)
      const value = this.#output(shape)
      const key = scalarShape(field.mapKey).type
      const fields = (): OutputFields<unknown> => ({
        key: { type: new GraphQLNonNull(key) },
        value: { type: mayBeNull(shape) ? value : new GraphQLNonNull(value) },
      })
      return new GraphQLObjectType({ name, fields })
    })
  }

  #inputObject(desc: DescMessage): GraphQLInputObjectType {
    const names = fieldNames(desc)
    return this.#once(this.#names.message(desc, 'input'), (name) => {
      const fields = (): InputFields =>
        Object.fromEntries(inputMembers(desc).map((member) => [names.of(member), this.#inputField(member)]))
      return new GraphQLInputObjectType({ name, description: commentOf(desc), fields })
    })
  }

  #inputField(member: DescField | DescOneof): GraphQLInputFieldConfig {
    const description = commentOf(member)
    if (member.kind === 'oneof') return { type: this.#oneof(member), description }
    const type = this.#inputType(member)
    return { type, description, deprecationReason: isRequired(member) ? undefined : reasonOf(member) }
  }

  #inputType(field: DescField): GraphQLInputType {
    if (field.fieldKind === 'map') return new GraphQLList(new GraphQLNonNull(this.#inputEntry(field)))
    const one = this.#input(fieldShape(field))
    if (field.fieldKind === 'list') return new GraphQLList(new GraphQLNonNull(one))
    // A message may hold itself, which could never end if it had to.
    return isRequired(field) && field.fieldKind !== 'message' ? new GraphQLNonNull(one) : one
  }

  #inputEntry(field: MapField): GraphQLInputObjectType {
    return this.#once(this.#names.entry(field, 'input'), (name) => {
      const key = new GraphQLNonNull(scalarShape(field.mapKey).type)
      const fields = (): InputFields => ({
        key: { type: key },
        value: { type: new GraphQLNonNull(this.#input(fieldShape(field))) },
      })
      return new GraphQLInputObjectType({ name, fields })
    })
  }

  #oneof(oneof: DescOneof): GraphQLInputObjectType {
    const names = fieldNames(oneof.parent)
    return this.#once(this.#names.oneof(oneof), (name) => {
      const fields = (): InputFields =>
        Object.fromEntries(
          oneof.fields.map((field) => [names.of(field), { type: this.#input(fieldShape(field)), description: commentOf(field) }]),
        )
      return new GraphQLInputObjectType({ name, description: commentOf(oneof), isOneOf: true, fields })
    })
  }
}

function isRequired({ presence }: DescField): boolean {
  return presence === FeatureSet_FieldPresence.LEGACY_REQUIRED
}

/** A list that is always there, if empty. */
function listOf(type: GraphQLOutputType): GraphQLOutputType {
  return new GraphQLNonNull(new GraphQLList(type))
}

function reasonOf({ deprecated }: { readonly deprecated: boolean }): string | undefined {
  return deprecated ? 'Deprecated by the service.' : undefined
}

/** GraphQL keeps three names for values of its own. */
function enumName(name: string): string {
  return name === 'true' || name === 'false' || name === 'null' ? `${name}_` : nameOf(name)
}
