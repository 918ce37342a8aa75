import type { DescField, DescMessage, DescOneof } from '@bufbuild/protobuf'
import { Fault } from '../../core/fault.ts'
import type { Json } from '../json/json-text.ts'
import { fieldNames } from './field-names.ts'
import type { Shape } from './shapes.ts'
import { fieldShape, inputMembers } from './shapes.ts'

type Input = Readonly<Record<string, unknown>>

/** An input object, as GraphQL has coerced it, as the JSON of its message. */
export function inputJson(desc: DescMessage, input: Input): Json {
  const names = fieldNames(desc)
  const json: { [name: string]: Json } = {}
  for (const member of inputMembers(desc)) {
    const value = input[names.of(member)]
    if (value === undefined || value === null) continue
    if (member.kind === 'oneof') setMember(json, member, value as Input)
    else json[member.jsonName] = fieldJson(member, value)
  }
  return json
}

function setMember(json: { [name: string]: Json }, oneof: DescOneof, value: Input): void {
  const names = fieldNames(oneof.parent)
  for (const field of oneof.fields) {
    const inner = value[names.of(field)]
    if (inner !== undefined && inner !== null) json[field.jsonName] = fieldJson(field, inner)
  }
}

function fieldJson(field: DescField, value: unknown): Json {
  const shape = fieldShape(field)
  if (field.fieldKind === 'list') return (value as unknown[]).map((item) => valueJson(shape, item))
  if (field.fieldKind !== 'map') return valueJson(shape, value)
  const json: { [name: string]: Json } = {}
  for (const entry of value as { key: unknown; value: unknown }[]) {
    const key = String(entry.key)
    if (Object.hasOwn(json, key))
      throw new Fault('unfit-message', `${field.jsonName}: the key ${JSON.stringify(key)} stands there twice`)
    // A key may be "__proto__", which must stay a key.
    const member = { value: valueJson(shape, entry.value), enumerable: true, configurable: true, writable: true }
    Object.defineProperty(json, key, member)
  }
  return json
}

function valueJson(shape: Shape, value: unknown): Json {
  if (shape.kind === 'object') return inputJson(shape.desc, value as Input)
  return value as Json
}
