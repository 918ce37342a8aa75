import { ScalarType } from '@bufbuild/protobuf'
import type { DescEnum, DescField, DescMessage, Registry } from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import { wireTypeOf, zeroText } from './scalar-text.ts'
import { wire } from './wire-cursor.ts'

/** What decides how fields are written. */
export interface TextOptions {
  readonly registry: Registry
  readonly emitDefaults: boolean
  readonly enumsAsNumbers: boolean
  readonly protoNames: boolean
}

/** One kind of value: a scalar, an enum or a message. */
export type ValuePlan =
  | { readonly kind: 'scalar'; readonly scalar: ScalarType; readonly wireType: number; readonly zero: string }
  | {
      readonly kind: 'enum'
      readonly names: ReadonlyMap<number, string> | 'null' | undefined
      readonly wireType: number
      readonly zero: string
    }
  | { readonly kind: 'message'; readonly desc: DescMessage; readonly wireType: number; plan: MessagePlan | undefined }

/** How one field is written. */
export interface FieldPlan {
  readonly tag: number
  /** The member's name as it begins an object, and as it follows another member. */
  readonly first: string
  readonly next: string
  readonly shape: 'one' | 'list' | 'map'
  readonly value: ValuePlan
  /** Of a map. */
  readonly key: (ValuePlan & { readonly kind: 'scalar' }) | undefined
  /** Of a list: the tag of many values together; 0 when there is no such form. */
  readonly packedTag: number
  /** What stands for the field when it has its default and defaults are written; undefined for one with presence. */
  readonly absent: string | undefined
  /** The field's bit among those seen (two words of them), and those of fields that it must not follow: its own, its oneof's. */
  readonly bit: number
  readonly upperBit: number
  readonly rivals: number
  readonly upperRivals: number
}

/** How one message is written. */
export interface MessagePlan {
  readonly desc: DescMessage
  /** By number, in ascending order. */
  readonly fields: ReadonlyMap<number, FieldPlan>
}

const bitsPerWord = 31

/**
 * The plan of a message; undefined when it must go the long way: more fields than bits, groups, required fields,
 * closed enums, strings that need not be UTF-8, or two fields of one name.
 */
export function planMessage(desc: DescMessage, options: TextOptions): MessagePlan | undefined {
  if (desc.fields.length > 2 * bitsPerWord) return undefined
  const places = new Map(desc.fields.map((field, i) => [field, i]))
  const names = new Set<string>()
  const fields = new Map<number, FieldPlan>()
  for (const field of desc.fields.toSorted((a, b) => a.number - b.number)) {
    const name = options.protoNames ? field.name : field.jsonName
    if (isOdd(field) || names.has(name) || name === '@type') return undefined
    names.add(name)
    fields.set(field.number, planField(field, name, places, options))
  }
  return { desc, fields }
}

function isOdd(field: DescField): boolean {
  if (field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED) return true
  if ('delimitedEncoding' in field && field.delimitedEncoding) return true
  if (field.enum !== undefined && !field.enum.open) return true
  const isText = field.scalar === ScalarType.STRING || (field.fieldKind === 'map' && field.mapKey === ScalarType.STRING)
  return isText && !field.utf8Validation
}

function planField(field: DescField, name: string, places: ReadonlyMap<DescField, number>, options: TextOptions): FieldPlan {
  const member = `${JSON.stringify(name)}:`
  const value = planValue(field, options)
  const tagOf = (wireType: number): number => ((field.number << 3) | wireType) >>> 0
  const shape = field.fieldKind === 'list' || field.fieldKind === 'map' ? field.fieldKind : 'one'
  const isPackable = shape === 'list' && value.wireType !== wire.delimited
  const key = field.fieldKind === 'map' ? planScalar(field.mapKey) : undefined
  return {
    tag: tagOf(shape === 'map' ? wire.delimited : value.wireType),
    first: `{${member}`,
    next: `,${member}`,
    shape,
    value,
    key,
    packedTag: isPackable ? tagOf(wire.delimited) : 0,
    absent: absentText(field, shape, value),
    ...bitsOf(field, places),
  }
}

function bitsOf(
  field: DescField,
  places: ReadonlyMap<DescField, number>,
): Pick<FieldPlan, 'bit' | 'upperBit' | 'rivals' | 'upperRivals'> {
  const lower = (one: DescField): number => (places.get(one)! < bitsPerWord ? 1 << places.get(one)! : 0)
  const upper = (one: DescField): number => (places.get(one)! < bitsPerWord ? 0 : 1 << (places.get(one)! - bitsPerWord))
  const rivals = field.oneof?.fields ?? [field]
  return {
    bit: lower(field),
    upperBit: upper(field),
    rivals: rivals.reduce((all, rival) => all | lower(rival), 0),
    upperRivals: rivals.reduce((all, rival) => all | upper(rival), 0),
  }
}

function absentText(field: DescField, shape: FieldPlan['shape'], value: ValuePlan): string | undefined {
  if (shape === 'list') return '[]'
  if (shape === 'map') return '{}'
  return field.presence === FeatureSet_FieldPresence.IMPLICIT && value.kind !== 'message' ? value.zero : undefined
}

function planValue(field: DescField, options: TextOptions): ValuePlan {
  if (field.message !== undefined) return { kind: 'message', desc: field.message, wireType: wire.delimited, plan: undefined }
  if (field.enum === undefined) return planScalar(field.scalar)
  if (field.enum.typeName === 'google.protobuf.NullValue')
    return { kind: 'enum', names: 'null', wireType: wire.varint, zero: 'null' }
  const names = namesOf(field.enum, options.enumsAsNumbers)
  const zero = field.enum.values[0].number
  return { kind: 'enum', names, wireType: wire.varint, zero: names?.get(zero) ?? String(zero) }
}

function planScalar(scalar: ScalarType): ValuePlan & { readonly kind: 'scalar' } {
  return { kind: 'scalar', scalar, wireType: wireTypeOf(scalar), zero: zeroText(scalar) }
}

function namesOf({ values, value }: DescEnum, isNumbers: boolean): ReadonlyMap<number, string> | undefined {
  if (isNumbers) return undefined
  return new Map(values.map(({ number }) => [number, JSON.stringify(value[number].jsonName)]))
}
