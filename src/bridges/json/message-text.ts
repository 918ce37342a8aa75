import { ScalarType, fromBinary, toJson } from '@bufbuild/protobuf'
import type { DescMessage } from '@bufbuild/protobuf'
import type { FieldPlan, MessagePlan, TextOptions, ValuePlan } from './field-plan.ts'
import { planMessage } from './field-plan.ts'
import { scalarText } from './scalar-text.ts'
import { wellKnownText } from './well-known-text.ts'
import { WireCursor, notPlain } from './wire-cursor.ts'

/** As deep as messages may be nested; a message in a message is one deeper. */
const maxDepth = 100

/**
 * Writes the bytes of messages as JSON text without making messages of them: the short way of `MessageCodec.toText` for
 * what services usually send. What is odd in any way (fields set twice, groups, extensions, broken bytes) is left to the
 * long way, which says what becomes of it.
 */
export class MessageText {
  readonly #options: TextOptions
  readonly #plans = new Map<DescMessage, MessagePlan | null>()

  constructor(options: TextOptions) {
    this.#options = options
  }

  /** The JSON text, or undefined for bytes that must go the long way. */
  write(desc: DescMessage, bytes: Buffer): string | undefined {
    try {
      return this.#message(desc, undefined, new WireCursor(bytes), 1)
    } catch (thrown) {
      if (thrown !== notPlain) throw thrown
      return undefined
    }
  }

  /** A message of all bytes up to the cursor's end. */
  #message(desc: DescMessage, known: MessagePlan | undefined, cursor: WireCursor, depth: number): string {
    if (depth > maxDepth) throw notPlain
    if (known === undefined && desc.typeName.startsWith('google.protobuf.')) {
      const text = this.#ownForm(desc, cursor, depth)
      if (text !== undefined) return text
    }
    const { fields } = known ?? this.#plan(desc)
    const { emitDefaults, registry } = this.#options
    let seen = 0
    let upperSeen = 0
    let text = ''
    while (cursor.at < cursor.end) {
      const tag = cursor.tag()
      const field = fields.get(tag >>> 3)
      if (field === undefined) {
        if (registry.getExtensionFor(desc, tag >>> 3) !== undefined) throw notPlain
        cursor.skip(tag & 7)
        continue
      }
      if ((seen & field.rivals) !== 0 || (upperSeen & field.upperRivals) !== 0) throw notPlain
      seen |= field.bit
      upperSeen |= field.upperBit
      const value = this.#field(field, tag, cursor, depth)
      // A default that came although it need not have: written like any other when defaults are.
      if (value === field.absent && !emitDefaults && !isNegativeZero(field, value, cursor)) continue
      text += (text === '' ? field.first : field.next) + value
    }
    if (emitDefaults) {
      for (const field of fields.values()) {
        if ((seen & field.bit) === 0 && (upperSeen & field.upperBit) === 0 && field.absent !== undefined)
          text += (text === '' ? field.first : field.next) + field.absent
      }
    }
    return text === '' ? '{}' : `${text}}`
  }

  #plan(desc: DescMessage): MessagePlan {
    let plan = this.#plans.get(desc)
    if (plan === undefined) {
      plan = planMessage(desc, this.#options) ?? null
      this.#plans.set(desc, plan)
    }
    if (plan === null) throw notPlain
    return plan
  }

  #field(field: FieldPlan, tag: number, cursor: WireCursor, depth: number): string {
    if (field.shape === 'list') return this.#list(field, tag, cursor, depth)
    if (tag !== field.tag) throw notPlain
    return field.shape === 'map' ? this.#map(field, cursor, depth) : this.#value(field.value, cursor, depth)
  }

  #value(value: ValuePlan, cursor: WireCursor, depth: number): string {
    if (value.kind === 'scalar') return scalarText(cursor, value.scalar)
    if (value.kind === 'enum') {
      cursor.varint()
      if (value.names !== 'null') return value.names?.get(cursor.low) ?? String(cursor.low)
      // Null by another number is no default, which its text would not tell.
      if (cursor.low !== 0) throw notPlain
      return value.zero
    }
    const outer = cursor.end
    cursor.end = cursor.block()
    const text = this.#message(value.desc, this.#planOf(value), cursor, depth + 1)
    cursor.end = outer
    return text
  }

  #planOf(value: ValuePlan & { readonly kind: 'message' }): MessagePlan | undefined {
    if (value.plan === undefined && !value.desc.typeName.startsWith('google.protobuf.')) value.plan = this.#plan(value.desc)
    return value.plan
  }

  /** All values that follow one another, packed or not. More of them further on are a field seen twice. */
  #list({ tag, packedTag, value }: FieldPlan, found: number, cursor: WireCursor, depth: number): string {
    let text = ''
    for (;;) {
      if (found === tag) text += (text === '' ? '[' : ',') + this.#value(value, cursor, depth)
      else if (found === packedTag) {
        const outer = cursor.end
        cursor.end = cursor.block()
        while (cursor.at < cursor.end) text += (text === '' ? '[' : ',') + this.#value(value, cursor, depth)
        cursor.end = outer
      } else throw notPlain
      const before = cursor.at
      if (before === cursor.end) break
      found = cursor.tag()
      if (found >>> 3 !== tag >>> 3) {
        cursor.at = before
        break
      }
    }
    return text === '' ? '[]' : `${text}]`
  }

  #map(field: FieldPlan, cursor: WireCursor, depth: number): string {
    const keys = new Set<string>()
    let text = ''
    for (;;) {
      const outer = cursor.end
      cursor.end = cursor.block()
      const entry = this.#entry(field, cursor, depth, keys)
      cursor.end = outer
      text += (text === '' ? '{' : ',') + entry
      const before = cursor.at
      if (before === outer) break
      if (cursor.tag() !== field.tag) {
        cursor.at = before
        break
      }
    }
    return `${text}}`
  }

  #entry({ key, value }: FieldPlan, cursor: WireCursor, depth: number, keys: Set<string>): string {
    let name = key!.zero
    let text: string | undefined
    if (cursor.at < cursor.end) {
      let tag = cursor.tag()
      if (tag === (8 | key!.wireType)) {
        name = scalarText(cursor, key!.scalar)
        tag = cursor.at < cursor.end ? cursor.tag() : 0
      }
      if (tag !== 0) {
        if (tag !== (16 | value.wireType)) throw notPlain
        text = this.#value(value, cursor, depth)
      }
      if (cursor.at < cursor.end) throw notPlain
    }
    if (keys.has(name)) throw notPlain
    keys.add(name)
    if (text === undefined) {
      if (value.kind === 'message') throw notPlain
      text = value.zero
    }
    return name.startsWith('"') ? `${name}:${text}` : `"${name}":${text}`
  }

  /** What has a JSON form of its own, written by hand where it is common and of a message where it is not. */
  #ownForm(desc: DescMessage, cursor: WireCursor, depth: number): string | undefined {
    const text = wellKnownText(desc, cursor, depth)
    if (text !== undefined) return text
    if (desc.typeName !== 'google.protobuf.Any' && desc.typeName !== 'google.protobuf.FieldMask') return undefined
    const { emitDefaults, enumsAsNumbers, protoNames, registry } = this.#options
    const bytes = cursor.bytes.subarray(cursor.at, cursor.end)
    cursor.at = cursor.end
    try {
      const json = toJson(desc, fromBinary(desc, bytes), {
        registry,
        alwaysEmitImplicit: emitDefaults,
        enumAsInteger: enumsAsNumbers,
        useProtoFieldName: protoNames,
      })
      return JSON.stringify(json)
    } catch {
      throw notPlain
    }
  }
}

/** It is no default, and yet JSON writes it as `0`. */
function isNegativeZero({ value }: FieldPlan, text: string, { bytes, at }: WireCursor): boolean {
  if (text !== '0' || value.kind !== 'scalar') return false
  return (value.scalar === ScalarType.DOUBLE || value.scalar === ScalarType.FLOAT) && bytes[at - 1] === 0x80
}
