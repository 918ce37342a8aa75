import { ScalarType, fromJson } from '@bufbuild/protobuf'
import type { DescEnum, DescField, DescMessage, JsonValue, Registry } from '@bufbuild/protobuf'
import { fieldNamed } from './settle-numbers.ts'

interface ReadOptions {
  readonly registry: Registry
  readonly ignoreUnknownFields: boolean
}

/** Each question costs as much as the whole may have to be read: a hostile message gets few answers. */
interface Asking extends ReadOptions {
  readonly cost: number
  left: number
}

const budget = 400_000

type JsonObject = { [name: string]: JsonValue }

/**
 * Why JSON is not a message of this type, in the words of the API: the path of the first member at fault and what it
 * must be. Only called when `fromJson` has refused, so it may take its time: it asks again, member by member.
 */
export function explainJson(desc: DescMessage, json: JsonValue, options: ReadOptions): string {
  const found = faultOf(desc, json, '', { ...options, cost: nodesOf(json), left: budget })
  if (found === undefined) return 'the content does not fit the method'
  return found.path === '' ? found.words : `${found.path}: ${found.words}`
}

function nodesOf(json: JsonValue): number {
  if (json === null || typeof json !== 'object') return 1
  let count = 1
  for (const value of Array.isArray(json) ? json : Object.values(json)) count += nodesOf(value)
  return count
}

interface Found {
  readonly path: string
  readonly words: string
}

function faultOf(desc: DescMessage, json: JsonValue, path: string, options: Asking): Found | undefined {
  if (fits(desc, json, options)) return undefined
  if (desc.typeName.startsWith('google.protobuf.'))
    return anyFault(desc, json, path, options) ?? { path, words: wellKnownWords(desc) }
  if (!isObject(json)) return { path, words: 'must be an object' }
  const seen = new Map<DescField, string>()
  for (const [name, value] of Object.entries(json)) {
    const at = path === '' ? name : `${path}.${name}`
    const field = fieldNamed(desc, name)
    if (field === undefined) {
      if (options.ignoreUnknownFields || fits(desc, { [name]: value }, options)) continue
      return { path: at, words: 'there is no such field' }
    }
    const twin = seen.get(field)
    if (twin !== undefined) return { path: at, words: `stands there twice, as ${twin} too` }
    seen.set(field, name)
    if (!fits(desc, { [name]: value }, options)) return fieldFault(field, value, at, options)
  }
  for (const oneof of desc.oneofs) {
    const set = oneof.fields.filter((field) => seen.has(field)).map((field) => seen.get(field)!)
    if (set.length > 1) return { path, words: `only one of ${set.join(', ')} may be set` }
  }
  return undefined
}

function fieldFault(field: DescField, value: JsonValue, path: string, options: Asking): Found {
  switch (field.fieldKind) {
    case 'scalar':
      return { path, words: scalarWords(field.scalar) }
    case 'enum':
      return { path, words: enumWords(field.enum) }
    case 'message':
      return faultOf(field.message, value, path, options) ?? { path, words: 'does not fit its field' }
    case 'list': {
      if (!Array.isArray(value)) return { path, words: 'must be an array' }
      for (const [i, item] of value.entries()) {
        if (fits(field.parent, { [field.jsonName]: [item] }, options)) continue
        const at = `${path}[${i}]`
        return entryFault(field.listKind, field, item, at, options)
      }
      return { path, words: 'does not fit its field' }
    }
    case 'map': {
      if (!isObject(value)) return { path, words: 'must be an object' }
      for (const [key, entry] of Object.entries(value)) {
        if (fits(field.parent, { [field.jsonName]: { [key]: entry } }, options)) continue
        const at = `${path}[${JSON.stringify(key)}]`
        if (fitsKey(field, key, options)) return entryFault(field.mapKind, field, entry, at, options)
        return { path: at, words: `the key ${scalarWords(field.mapKey)}` }
      }
      return { path, words: 'does not fit its field' }
    }
    default:
      return { path, words: 'does not fit its field' }
  }
}

type Entries = DescField & { readonly fieldKind: 'list' | 'map' }

function entryFault(kind: 'scalar' | 'enum' | 'message', field: Entries, value: JsonValue, path: string, options: Asking): Found {
  if (value === null) return { path, words: 'must not be null' }
  if (kind === 'scalar') return { path, words: scalarWords(field.scalar!) }
  if (kind === 'enum') return { path, words: enumWords(field.enum!) }
  return faultOf(field.message!, value, path, options) ?? { path, words: 'does not fit its field' }
}

/** The value is at fault when the key would go with one that always fits. */
function fitsKey(field: DescField & { readonly fieldKind: 'map' }, key: string, options: Asking): boolean {
  const anything: JsonValue =
    field.mapKind === 'message'
      ? {}
      : field.mapKind === 'enum'
        ? 0
        : field.scalar === ScalarType.BOOL
          ? false
          : stringly(field.scalar)
  return fits(field.parent, { [field.jsonName]: { [key]: anything } }, options) || field.mapKind === 'message'
}

function stringly(scalar: ScalarType | undefined): JsonValue {
  return scalar === ScalarType.STRING || scalar === ScalarType.BYTES ? '' : 0
}

/** An Any: its type must be known, and the rest must be that type's. */
function anyFault(desc: DescMessage, json: JsonValue, path: string, options: Asking): Found | undefined {
  if (desc.typeName !== 'google.protobuf.Any' || !isObject(json)) return undefined
  const url = json['@type']
  const at = path === '' ? '@type' : `${path}.@type`
  if (typeof url !== 'string') return { path: at, words: 'must name the type of the value' }
  const type = options.registry.getMessage(url.slice(url.lastIndexOf('/') + 1))
  if (type === undefined) return { path: at, words: 'is not a type that is known here' }
  const { '@type': _, ...rest } = json
  return type.typeName.startsWith('google.protobuf.') ? undefined : faultOf(type, rest, path, options)
}

function fits(desc: DescMessage, json: JsonValue, options: Asking): boolean {
  if ((options.left -= options.cost) < 0) return true
  try {
    fromJson(desc, json, options)
    return true
  } catch {
    return false
  }
}

function isObject(json: JsonValue): json is JsonObject {
  return json !== null && typeof json === 'object' && !Array.isArray(json)
}

/** What a value of a scalar type must be. */
export function scalarWords(type: ScalarType): string {
  switch (type) {
    case ScalarType.BOOL:
      return 'must be true or false'
    case ScalarType.STRING:
      return 'must be a string'
    case ScalarType.BYTES:
      return 'must be a string in base64'
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return 'must be a number in range, "NaN", "Infinity" or "-Infinity"'
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return 'must be an integer from 0 to 4294967295'
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return 'must be an integer from -2147483648 to 2147483647'
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return 'must be an integer from 0 to 18446744073709551615'
    default:
      return 'must be an integer from -9223372036854775808 to 9223372036854775807'
  }
}

/** What a value of an enum must be. */
export function enumWords({ values }: DescEnum): string {
  const names = values.slice(0, 10).map(({ name }) => name)
  return `must be one of ${names.join(', ')}${values.length > names.length ? ' …' : ''}, or a number`
}

/** What a value of a type with a JSON form of its own must be. */
export function wellKnownWords({ typeName, fields }: DescMessage): string {
  switch (typeName) {
    case 'google.protobuf.Timestamp':
      return 'must be a time such as "2026-11-24T10:00:00Z"'
    case 'google.protobuf.Duration':
      return 'must be a duration in seconds such as "3.5s"'
    case 'google.protobuf.FieldMask':
      return 'must be field names in lowerCamelCase, separated by commas'
    case 'google.protobuf.Struct':
      return 'must be an object'
    case 'google.protobuf.ListValue':
      return 'must be an array'
    case 'google.protobuf.Any':
      return 'must be an object with "@type"'
    case 'google.protobuf.Empty':
      return 'must be an empty object'
    default:
      return typeName.endsWith('Value') && fields[0]?.scalar !== undefined ? scalarWords(fields[0].scalar) : 'does not fit its type'
  }
}
