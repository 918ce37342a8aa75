import { ScalarType } from '@bufbuild/protobuf'
import type { DescField, DescExtension, DescMessage, Registry } from '@bufbuild/protobuf'
import type { JsonValue } from '@bufbuild/protobuf'
import type { Json } from './json-text.ts'
import { ExactNumber, exactInteger } from './json-text.ts'

const longTypes: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
])

/**
 * Makes what was parsed a value for `fromJson`: where a field takes 64 bits, a number goes on as the text of its exact
 * integer; elsewhere it becomes the double that it would have been. Only needed where the parser found such numbers.
 */
export function settleNumbers(desc: DescMessage, value: Json, registry: Registry): JsonValue {
  if (value instanceof ExactNumber) return isLongWrapper(desc) ? exactText(value) : Number(value.text)
  if (Array.isArray(value)) return value.map((item) => plain(item))
  if (value === null || typeof value !== 'object') return value
  if (desc.typeName === 'google.protobuf.Any') return settleAny(value, registry)
  if (desc.typeName.startsWith('google.protobuf.')) return plain(value)
  const settled: { [name: string]: JsonValue } = {}
  for (const name of Object.keys(value)) {
    const field = fieldNamed(desc, name) ?? extensionNamed(name, registry)
    put(settled, name, field === undefined ? plain(value[name]) : settleField(field, value[name], registry))
  }
  return settled
}

/** The field of a message by its JSON name or its own; `fromJson` takes both. */
export function fieldNamed(desc: DescMessage, name: string): DescField | undefined {
  return desc.fields.find((field) => field.jsonName === name || field.name === name)
}

function settleField(field: DescField | DescExtension, value: Json, registry: Registry): JsonValue {
  switch (field.fieldKind) {
    case 'scalar':
      return settleScalar(field.scalar, value)
    case 'message':
      return settleNumbers(field.message, value, registry)
    case 'enum':
      return plain(value)
    case 'list':
      if (!Array.isArray(value)) return plain(value)
      return value.map((item) => settleEntry(field.listKind === 'scalar' ? field.scalar : field.message, item, registry))
    case 'map': {
      if (value === null || typeof value !== 'object' || Array.isArray(value) || value instanceof ExactNumber) return plain(value)
      const settled: { [name: string]: JsonValue } = {}
      for (const key of Object.keys(value)) {
        put(settled, key, settleEntry(field.mapKind === 'scalar' ? field.scalar : field.message, value[key], registry))
      }
      return settled
    }
    default:
      return plain(value)
  }
}

/** Its members are those of the packed type; one with a JSON form of its own stands under `value`. */
function settleAny(value: { [name: string]: Json }, registry: Registry): JsonValue {
  const url = value['@type']
  const desc = typeof url === 'string' ? registry.getMessage(url.slice(url.lastIndexOf('/') + 1)) : undefined
  if (desc === undefined) return plain(value)
  const settled = settleNumbers(desc, value, registry)
  if (!desc.typeName.startsWith('google.protobuf.') || settled === null || typeof settled !== 'object' || Array.isArray(settled))
    return settled
  return 'value' in value ? { ...settled, value: settleNumbers(desc, value['value'], registry) } : settled
}

function extensionNamed(name: string, registry: Registry): DescExtension | undefined {
  return name.startsWith('[') ? registry.getExtension(name.slice(1, -1)) : undefined
}

function settleEntry(type: ScalarType | DescMessage | undefined, value: Json, registry: Registry): JsonValue {
  if (type === undefined) return plain(value)
  return typeof type === 'number' ? settleScalar(type, value) : settleNumbers(type, value, registry)
}

function settleScalar(type: ScalarType, value: Json): JsonValue {
  return value instanceof ExactNumber && longTypes.has(type) ? exactText(value) : plain(value)
}

/** A number that is no integer stays what was written, for `fromJson` to refuse: as a double it might have become one. */
function exactText(value: ExactNumber): JsonValue {
  return exactInteger(value.text) ?? value.text
}

function isLongWrapper({ typeName }: DescMessage): boolean {
  return typeName === 'google.protobuf.Int64Value' || typeName === 'google.protobuf.UInt64Value'
}

/** Doubles for all numbers, as JSON.parse has them. */
function plain(value: Json): JsonValue {
  if (value instanceof ExactNumber) return Number(value.text)
  if (Array.isArray(value)) return value.map(plain)
  if (value === null || typeof value !== 'object') return value
  const copy: { [name: string]: JsonValue } = {}
  for (const name of Object.keys(value)) put(copy, name, plain(value[name]))
  return copy
}

function put(object: { [name: string]: JsonValue }, name: string, value: JsonValue): void {
  if (name === '__proto__') Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  else object[name] = value
}
