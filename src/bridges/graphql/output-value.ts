import { toJson } from '@bufbuild/protobuf'
import type { DescEnum, DescField, Registry } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import type { ReflectMessage } from '@bufbuild/protobuf/reflect'
import { Fault } from '../../core/fault.ts'
import type { Shape } from './shapes.ts'
import { fieldShape, scalarShape } from './shapes.ts'

/** One entry of a map. */
export interface MapEntry {
  readonly key: unknown
  readonly value: unknown
}

/** Reads one field of a message as GraphQL gives it. Made once for each field. */
export function fieldReader(field: DescField, registry: Registry): (message: ReflectMessage) => unknown {
  const read = valueReader(fieldShape(field), registry)
  if (field.fieldKind === 'list')
    return (message) => {
      const values: unknown[] = []
      for (const value of message.get(field)) values.push(read(value))
      return values
    }
  if (field.fieldKind === 'map') {
    const readKey = valueReader(scalarShape(field.mapKey), registry)
    return (message) => {
      const entries: MapEntry[] = []
      for (const [key, value] of message.get(field)) entries.push({ key: readKey(key), value: read(value) })
      return entries
    }
  }
  // A scalar that knows no absence has its default.
  if (!canBeAbsent(field)) return (message) => read(message.get(field))
  return (message) => (message.isSet(field) ? read(message.get(field)) : null)
}

/** Whether a single field of a message may be missing rather than have its default. */
export function canBeAbsent(field: DescField): boolean {
  return field.fieldKind === 'message' || field.oneof !== undefined || field.presence !== FeatureSet_FieldPresence.IMPLICIT
}

/** Reads a value by its shape. */
export function valueReader(shape: Shape, registry: Registry): (value: unknown) => unknown {
  switch (shape.kind) {
    case 'enum':
      return enumReader(shape.desc)
    case 'json':
      return (value) => {
        try {
          return toJson(shape.desc, (value as ReflectMessage).message, { registry })
        } catch (cause) {
          throw new Fault('service-nonsense', `a ${shape.desc.typeName} has no JSON form`, { cause })
        }
      }
    case 'wrapper': {
      const [field] = shape.desc.fields
      return (value) => readScalar((value as ReflectMessage).get(field))
    }
    case 'scalar':
      return readScalar
    default:
      return (value) => value
  }
}

function readScalar(value: unknown): unknown {
  switch (typeof value) {
    case 'bigint':
      return String(value)
    case 'number':
      return Number.isFinite(value) ? value : null
    case 'object':
      return Buffer.from(value as Uint8Array).toString('base64')
    default:
      return value
  }
}

function enumReader({ value: byNumber }: DescEnum): (value: unknown) => string | null {
  return (value) => byNumber[value as number]?.name ?? null
}
