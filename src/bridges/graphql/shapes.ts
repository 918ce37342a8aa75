import type { DescEnum, DescField, DescMessage, DescOneof } from '@bufbuild/protobuf'
import { ScalarType } from '@bufbuild/protobuf'
import { isWrapperDesc } from '@bufbuild/protobuf/wkt'
import { GraphQLBoolean, GraphQLFloat, GraphQLInt, GraphQLString } from 'graphql'
import type { GraphQLScalarType } from 'graphql'
import { bytesScalar, emptyScalar, int64Scalar, scalarsByMessage, uint32Scalar, uint64Scalar } from './scalars.ts'

/** What a value of Protocol Buffers is in GraphQL. */
export type Shape =
  | { readonly kind: 'scalar'; readonly scalar: ScalarType; readonly type: GraphQLScalarType }
  | { readonly kind: 'enum'; readonly desc: DescEnum }
  /** A message with a form of its own, which is one scalar. */
  | { readonly kind: 'json'; readonly desc: DescMessage; readonly type: GraphQLScalarType }
  /** A message that holds one value, to say that there may be none. */
  | { readonly kind: 'wrapper'; readonly desc: DescMessage; readonly scalar: ScalarType; readonly type: GraphQLScalarType }
  | { readonly kind: 'object'; readonly desc: DescMessage }

const byScalar: Record<ScalarType, GraphQLScalarType> = {
  [ScalarType.DOUBLE]: GraphQLFloat,
  [ScalarType.FLOAT]: GraphQLFloat,
  [ScalarType.INT64]: int64Scalar,
  [ScalarType.UINT64]: uint64Scalar,
  [ScalarType.INT32]: GraphQLInt,
  [ScalarType.FIXED64]: uint64Scalar,
  [ScalarType.FIXED32]: uint32Scalar,
  [ScalarType.BOOL]: GraphQLBoolean,
  [ScalarType.STRING]: GraphQLString,
  [ScalarType.BYTES]: bytesScalar,
  [ScalarType.UINT32]: uint32Scalar,
  [ScalarType.SFIXED32]: GraphQLInt,
  [ScalarType.SFIXED64]: int64Scalar,
  [ScalarType.SINT32]: GraphQLInt,
  [ScalarType.SINT64]: int64Scalar,
}

/** The shape of a scalar; also of a map's key. */
export function scalarShape(scalar: ScalarType): Shape & { readonly kind: 'scalar' } {
  return { kind: 'scalar', scalar, type: byScalar[scalar] }
}

/** The shape of a message. */
export function messageShape(desc: DescMessage): Shape {
  const type = scalarsByMessage.get(desc.typeName)
  if (type !== undefined) return { kind: 'json', desc, type }
  if (isWrapperDesc(desc)) {
    const scalar = desc.fields[0].scalar
    return { kind: 'wrapper', desc, scalar, type: byScalar[scalar] }
  }
  return desc.fields.length === 0 ? { kind: 'json', desc, type: emptyScalar } : { kind: 'object', desc }
}

/** The shape of a field's value: of each one where there are several. */
export function fieldShape(field: DescField): Shape {
  if (field.enum !== undefined) return { kind: 'enum', desc: field.enum }
  return field.message === undefined ? scalarShape(field.scalar) : messageShape(field.message)
}

/** Whether a value may be one that GraphQL has no word for, so that it comes out as null: an unknown enum number, NaN. */
export function mayBeNull(shape: Shape): boolean {
  return shape.kind === 'enum' || ('type' in shape && shape.type === GraphQLFloat)
}

/** What stands in an input for the fields of a message: those of a oneof as one. */
export function inputMembers(desc: DescMessage): readonly (DescField | DescOneof)[] {
  return [...desc.fields.filter(({ oneof }) => oneof === undefined), ...desc.oneofs]
}
