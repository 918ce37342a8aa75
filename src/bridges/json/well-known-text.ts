import { ScalarType } from '@bufbuild/protobuf'
import type { DescMessage } from '@bufbuild/protobuf'
import { isWrapperDesc } from '@bufbuild/protobuf/wkt'
import { scalarText, stringText, wireTypeOf, zeroText } from './scalar-text.ts'
import type { WireCursor } from './wire-cursor.ts'
import { notPlain, wire } from './wire-cursor.ts'

const maxDepth = 100

/** The JSON of a well-known type up to the cursor's end; undefined for a type that this does not write. */
export function wellKnownText(desc: DescMessage, cursor: WireCursor, depth: number): string | undefined {
  switch (desc.typeName) {
    case 'google.protobuf.Timestamp':
      return timestampText(cursor)
    case 'google.protobuf.Duration':
      return durationText(cursor)
    case 'google.protobuf.Struct':
      return structText(cursor, depth)
    case 'google.protobuf.Value':
      return valueText(cursor, depth)
    case 'google.protobuf.ListValue':
      return listText(cursor, depth)
    default:
      return isWrapperDesc(desc) ? wrappedText(cursor, desc.fields[0].scalar) : undefined
  }
}

function wrappedText(cursor: WireCursor, scalar: ScalarType): string {
  let text = zeroText(scalar)
  while (cursor.at < cursor.end) {
    const tag = cursor.tag()
    if (tag === (8 | wireTypeOf(scalar))) text = scalarText(cursor, scalar)
    else skipOther(cursor, tag, 1)
  }
  return text
}

function skipOther(cursor: WireCursor, tag: number, lastKnown: number): void {
  if (tag >>> 3 <= lastKnown) throw notPlain
  cursor.skip(tag & 7)
}

/** The seconds and nanoseconds of a Timestamp or a Duration, of the pair that was read last. */
const time = { seconds: 0, nanos: 0 }

function readTime(cursor: WireCursor): void {
  time.seconds = 0
  time.nanos = 0
  while (cursor.at < cursor.end) {
    const tag = cursor.tag()
    if (tag === (8 | wire.varint)) {
      cursor.varint()
      time.seconds = cursor.high * 0x1_0000_0000 + (cursor.low >>> 0)
    } else if (tag === (16 | wire.varint)) {
      cursor.varint()
      time.nanos = cursor.low
    } else skipOther(cursor, tag, 2)
  }
}

/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z. */
const firstSecond = -62_135_596_800
const lastSecond = 253_402_300_799
const maxNanos = 999_999_999

function timestampText(cursor: WireCursor): string {
  readTime(cursor)
  const { seconds, nanos } = time
  if (!(seconds >= firstSecond && seconds <= lastSecond) || nanos < 0 || nanos > maxNanos) throw notPlain
  // Without the thousandths and the Z.
  const text = new Date(seconds * 1000).toISOString().slice(0, 19)
  return nanos === 0 ? `"${text}Z"` : `"${text}.${fraction(nanos)}Z"`
}

/** About 10,000 years. */
const longestSeconds = 315_576_000_000

function durationText(cursor: WireCursor): string {
  readTime(cursor)
  const { seconds, nanos } = time
  if (Math.abs(seconds) > longestSeconds || Math.abs(nanos) > maxNanos) throw notPlain
  if ((seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) throw notPlain
  if (nanos === 0) return `"${seconds}s"`
  return `"${nanos < 0 && seconds === 0 ? '-' : ''}${seconds}.${fraction(Math.abs(nanos))}s"`
}

/** Three, six or nine digits. */
function fraction(nanos: number): string {
  if (nanos % 1_000_000 === 0) return String(nanos / 1_000_000).padStart(3, '0')
  return nanos % 1000 === 0 ? String(nanos / 1000).padStart(6, '0') : String(nanos).padStart(9, '0')
}

function within(cursor: WireCursor, depth: number, read: (cursor: WireCursor, depth: number) => string): string {
  const outer = cursor.end
  cursor.end = cursor.block()
  const text = read(cursor, depth)
  cursor.end = outer
  return text
}

function structText(cursor: WireCursor, depth: number): string {
  if (depth > maxDepth) throw notPlain
  const keys = new Set<string>()
  let text = ''
  while (cursor.at < cursor.end) {
    if (cursor.tag() !== (8 | wire.delimited)) throw notPlain
    const outer = cursor.end
    cursor.end = cursor.block()
    if (cursor.tag() !== (8 | wire.delimited)) throw notPlain
    const name = stringText(cursor)
    if (keys.has(name)) throw notPlain
    keys.add(name)
    if (cursor.tag() !== (16 | wire.delimited)) throw notPlain
    text += `${text === '' ? '{' : ','}${name}:${within(cursor, depth + 1, valueText)}`
    if (cursor.at !== cursor.end) throw notPlain
    cursor.end = outer
  }
  return text === '' ? '{}' : `${text}}`
}

function listText(cursor: WireCursor, depth: number): string {
  if (depth > maxDepth) throw notPlain
  let text = ''
  while (cursor.at < cursor.end) {
    if (cursor.tag() !== (8 | wire.delimited)) throw notPlain
    text += (text === '' ? '[' : ',') + within(cursor, depth + 1, valueText)
  }
  return text === '' ? '[]' : `${text}]`
}

function valueText(cursor: WireCursor, depth: number): string {
  if (depth > maxDepth) throw notPlain
  const text = kindText(cursor, depth)
  if (cursor.at !== cursor.end) throw notPlain
  return text
}

/** Each kind of a Value is a field: null, a number, a string, true or false, an object, a list. */
function kindText(cursor: WireCursor, depth: number): string {
  switch (cursor.tag()) {
    case 8 | wire.varint:
      cursor.varint()
      return 'null'
    case 16 | wire.bits64: {
      const text = scalarText(cursor, ScalarType.DOUBLE)
      if (text.startsWith('"')) throw notPlain
      return text
    }
    case 24 | wire.delimited:
      return stringText(cursor)
    case 32 | wire.varint:
      return scalarText(cursor, ScalarType.BOOL)
    case 40 | wire.delimited:
      return within(cursor, depth + 1, structText)
    case 48 | wire.delimited:
      return within(cursor, depth + 1, listText)
    default:
      throw notPlain
  }
}
