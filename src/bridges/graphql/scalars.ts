import { GraphQLError, GraphQLScalarType, Kind, valueFromASTUntyped } from 'graphql'
import type { ConstValueNode } from 'graphql'
import type { JsonValue } from '@bufbuild/protobuf'

/** A wrong value, in words of the API. */
function wrong(name: string, must: string): GraphQLError {
  return new GraphQLError(`${name} ${must}`, { extensions: { code: 'BAD_USER_INPUT' } })
}

function integerScalar(name: string, description: string, min: bigint, max: bigint, asText: boolean): GraphQLScalarType {
  const must = `must be an integer from ${min} to ${max}`
  const read = (text: string | undefined): string | number => {
    if (text === undefined || !/^-?\d{1,20}$/.test(text)) throw wrong(name, must)
    const value = BigInt(text)
    if (value < min || value > max) throw wrong(name, must)
    return asText ? String(value) : Number(value)
  }
  return new GraphQLScalarType({
    name,
    description,
    coerceOutputValue: (value) => value,
    coerceInputValue: (value) => read(integerText(value)),
    coerceInputLiteral: (node) => read(node.kind === Kind.INT || node.kind === Kind.STRING ? node.value : undefined),
  })
}

/** An integer as its digits, however a caller may write it without losing one. */
function integerText(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined
  return typeof value === 'bigint' ? String(value) : undefined
}

function textScalar(name: string, description: string, specifiedByURL?: string): GraphQLScalarType {
  const must = 'must be a string'
  return new GraphQLScalarType({
    name,
    description,
    specifiedByURL,
    coerceOutputValue: (value) => value,
    coerceInputValue(value) {
      if (typeof value !== 'string') throw wrong(name, must)
      return value
    },
    coerceInputLiteral(node) {
      if (node.kind !== Kind.STRING) throw wrong(name, must)
      return node.value
    },
  })
}

function jsonScalar(name: string, description: string, fits: (value: JsonValue) => boolean, must: string): GraphQLScalarType {
  const read = (value: unknown): JsonValue => {
    const json = plainJson(value)
    if (!fits(json)) throw wrong(name, must)
    return json
  }
  return new GraphQLScalarType({
    name,
    description,
    coerceOutputValue: (value) => value,
    coerceInputValue: read,
    coerceInputLiteral: (node: ConstValueNode) => read(valueFromASTUntyped(node)),
  })
}

/** JSON with doubles for all numbers, whatever it was parsed by, and safe own members. */
function plainJson(value: unknown): JsonValue {
  if (typeof value === 'bigint') return Number(value)
  if (Array.isArray(value)) return value.map(plainJson)
  if (value === null || typeof value !== 'object') return value as JsonValue
  const copy: { [name: string]: JsonValue } = {}
  for (const [name, member] of Object.entries(value))
    Object.defineProperty(copy, name, { value: plainJson(member), enumerable: true, configurable: true, writable: true })
  return copy
}

const isObject = (value: JsonValue): boolean => value !== null && typeof value === 'object' && !Array.isArray(value)

export const int64Scalar = integerScalar(
  'Int64',
  'A signed integer of 64 bits, written as a string so that no digit is lost. Integers are read too.',
  -(2n ** 63n),
  2n ** 63n - 1n,
  true,
)
export const uint64Scalar = integerScalar(
  'UInt64',
  'An unsigned integer of 64 bits, written as a string so that no digit is lost. Integers are read too.',
  0n,
  2n ** 64n - 1n,
  true,
)
export const uint32Scalar = integerScalar('UInt32', 'An unsigned integer of 32 bits.', 0n, 2n ** 32n - 1n, false)
export const bytesScalar = textScalar('Bytes', 'Bytes in base64.')

const timestamp = textScalar(
  'Timestamp',
  'A point in time, such as "2026-11-24T10:00:00Z".',
  'https://datatracker.ietf.org/doc/html/rfc3339',
)
const duration = textScalar('Duration', 'A span of time in seconds, such as "3.5s".')
const fieldMask = textScalar('FieldMask', 'Names of fields in lowerCamelCase, separated by commas.')
const struct = jsonScalar('Struct', 'Any JSON object.', isObject, 'must be an object')
const value = jsonScalar('Value', 'Any JSON value.', () => true, '')
const listValue = jsonScalar('ListValue', 'Any JSON array.', (json) => Array.isArray(json), 'must be an array')
const any = jsonScalar(
  'Any',
  'A message of any type as a JSON object; "@type" names its type.',
  isObject,
  'must be an object with "@type"',
)

/** A message without fields: GraphQL has no object without any. */
export const emptyScalar = jsonScalar('Empty', 'An empty object, {}.', isObject, 'must be an empty object')

/** Messages that have a form of their own in JSON, by type. */
export const scalarsByMessage: ReadonlyMap<string, GraphQLScalarType> = new Map([
  ['google.protobuf.Timestamp', timestamp],
  ['google.protobuf.Duration', duration],
  ['google.protobuf.FieldMask', fieldMask],
  ['google.protobuf.Struct', struct],
  ['google.protobuf.Value', value],
  ['google.protobuf.ListValue', listValue],
  ['google.protobuf.Any', any],
])

/** The names that no type of a service may have. */
export const scalarNames: readonly string[] = [
  'Int',
  'Float',
  'String',
  'Boolean',
  'ID',
  'Query',
  'Mutation',
  'Subscription',
  ...[int64Scalar, uint64Scalar, uint32Scalar, bytesScalar, emptyScalar, ...scalarsByMessage.values()].map(({ name }) => name),
]
