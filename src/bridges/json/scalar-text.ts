import { ScalarType } from '@bufbuild/protobuf'
import { isUtf8 } from 'node:buffer'
import type { WireCursor } from './wire-cursor.ts'
import { notPlain, wire } from './wire-cursor.ts'

/** The wire type that a scalar has outside of a packed list. */
export function wireTypeOf(type: ScalarType): number {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return wire.delimited
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return wire.bits64
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return wire.bits32
    default:
      return wire.varint
  }
}

/** The JSON of a scalar's default, which a field without presence does not write. */
export function zeroText(type: ScalarType): string {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return '""'
    case ScalarType.BOOL:
      return 'false'
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return '"0"'
    default:
      return '0'
  }
}

/** Reads a scalar and gives it as JSON. */
export function scalarText(cursor: WireCursor, type: ScalarType): string {
  switch (type) {
    case ScalarType.STRING:
      return stringText(cursor)
    case ScalarType.BYTES: {
      const end = cursor.block()
      const start = cursor.at
      cursor.at = end
      return `"${cursor.bytes.toString('base64', start, end)}"`
    }
    case ScalarType.BOOL:
      cursor.varint()
      return cursor.low === 0 && cursor.high === 0 ? 'false' : 'true'
    case ScalarType.INT32:
      cursor.varint()
      return String(cursor.low)
    case ScalarType.UINT32:
      cursor.varint()
      return String(cursor.low >>> 0)
    case ScalarType.SINT32:
      cursor.varint()
      return String((cursor.low >>> 1) ^ -(cursor.low & 1))
    case ScalarType.FIXED32:
      return String(cursor.bytes.readUInt32LE(cursor.fixed(4)))
    case ScalarType.SFIXED32:
      return String(cursor.bytes.readInt32LE(cursor.fixed(4)))
    case ScalarType.FLOAT:
      return numberText(cursor.bytes.readFloatLE(cursor.fixed(4)))
    case ScalarType.DOUBLE:
      return numberText(cursor.bytes.readDoubleLE(cursor.fixed(8)))
    default:
      return `"${longDigits(cursor, type)}"`
  }
}

function numberText(value: number): string {
  return Number.isFinite(value) ? String(value) : `"${value}"`
}

/** Reads an integer of 64 bits and gives its decimal digits. */
export function longDigits(cursor: WireCursor, type: ScalarType): string {
  if (type === ScalarType.FIXED64 || type === ScalarType.SFIXED64) {
    const start = cursor.fixed(8)
    cursor.low = cursor.bytes.readInt32LE(start)
    cursor.high = cursor.bytes.readInt32LE(start + 4)
  } else cursor.varint()
  let { low, high } = cursor
  if (type === ScalarType.SINT64) {
    const sign = -(low & 1)
    low = ((low >>> 1) | ((high & 1) << 31)) ^ sign
    high = (high >>> 1) ^ sign
  }
  if (type === ScalarType.UINT64 || type === ScalarType.FIXED64) high >>>= 0
  if (high >= -0x20_0000 && high < 0x20_0000) return String(high * 0x1_0000_0000 + (low >>> 0))
  return String((BigInt(high) << 32n) | BigInt(low >>> 0))
}

/** Reads a string and gives it as JSON. What is no UTF-8 is not plain. */
export function stringText(cursor: WireCursor): string {
  const end = cursor.block()
  const start = cursor.at
  const { bytes } = cursor
  cursor.at = end
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    // A quotation mark, a backslash, a control character or something beyond ASCII.
    if (byte < 0x20 || byte > 0x7e || byte === 0x22 || byte === 0x5c) return JSON.stringify(utf8(bytes, start, end))
  }
  return `"${bytes.toString('latin1', start, end)}"`
}

/** Text that must be UTF-8. */
export function utf8(bytes: Buffer, start: number, end: number): string {
  if (!isUtf8(bytes.subarray(start, end))) throw notPlain
  return bytes.toString('utf8', start, end)
}
