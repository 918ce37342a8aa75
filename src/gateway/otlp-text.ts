import type { SpanRow, SpanValue } from './span-row.ts'

/**
 * Spans in the bytes of OTLP (opentelemetry/proto/trace/v1/trace.proto, protobuf's wire format), each byte a character of
 * latin1: joining texts is what V8 does best, and a batch of them is one copy into a buffer. A span's objects would have to
 * be cloned for another thread, made into OpenTelemetry's and written there: twenty times as much.
 */

const kinds = { internal: '\x01', server: '\x02', client: '\x03' } as const
/** A status of nothing but its code, which is that of errors. */
const errorStatus = '\x7a\x02\x18\x02'
/** Sampled, and it is known where the parent is: in this process, or another. */
const flags = '\x85\x01\x01\x01\x00\x00'
const flagsOfRemoteParent = '\x85\x01\x01\x03\x00\x00'
const beyondAscii = /[\u0080-\uffff]/
const oneByte: readonly string[] = Array.from({ length: 128 }, (_, code) => String.fromCharCode(code))
const double = Buffer.alloc(8)

/** What is known of an attribute's name: how it opens up to the value, and the value and all of the text that came last. */
interface Known {
  readonly opening: string
  value: SpanValue
  text: string
  /** Whether the text is one piece: what was joined would be copied piece by piece into every span. */
  isWhole: boolean
}

/** Names are ours, and so few; most of their values come again and again. */
const known = new Map<string, Known>()

/** One span, as a field of `ScopeSpans`. */
export function spanText(row: SpanRow): string {
  const { attributes } = row
  let span = `\x0a\x10${bytesOf(row.traceId, 0)}${bytesOf(row.traceId, 16)}\x12\x08${bytesOf(row.spanId, 0)}`
  if (row.parentId !== undefined) span += `\x22\x08${bytesOf(row.parentId, 0)}`
  span += `\x2a${counted(utf8(row.name))}\x30${kinds[row.kind]}`
  span += `\x39${nanoseconds(row.beganAt)}\x41${nanoseconds(Math.max(row.beganAt, row.endedAt))}`
  for (let i = 0; i < attributes.length; i += 2) span += `\x4a${attributeText(attributes[i] as string, attributes[i + 1])}`
  if (row.isError) span += errorStatus
  span += row.hasRemoteParent ? flagsOfRemoteParent : flags
  return `\x12${counted(span)}`
}

/** What one gateway sends: the `ExportTraceServiceRequest` of spans that are written already, by a service of that name. */
export function exportRequest(service: string, scope: string, spans: readonly Uint8Array[]): Buffer {
  const length = spans.reduce((sum, { length: bytes }) => sum + bytes, 0)
  const resource = `\x0a${counted(`\x0a${attributeText('service.name', service)}`)}`
  const named = `\x0a${counted(`\x0a${counted(utf8(scope))}`)}`
  const opening = `\x12${varint(named.length + length)}${named}`
  const head = Buffer.from(`\x0a${varint(resource.length + opening.length + length)}${resource}${opening}`, 'latin1')
  return Buffer.concat([head, ...spans], head.length + length)
}

/** A `KeyValue`, counted. */
function attributeText(name: string, value: SpanValue): string {
  let last = known.get(name)
  if (last === undefined) known.set(name, (last = { opening: `\x0a${counted(name)}\x12`, value: NaN, text: '', isWhole: false }))
  if (last.value === value) {
    if (!last.isWhole) last.text = Buffer.from(last.text, 'latin1').toString('latin1')
    last.isWhole = true
  } else {
    last.text = counted(last.opening + counted(typeof value === 'string' ? `\x0a${counted(utf8(value))}` : numberText(value)))
    last.value = value
    last.isWhole = false
  }
  return last.text
}

/** Counts are integers; what is none goes as a double. */
function numberText(value: number): string {
  if (Number.isSafeInteger(value) && value >= 0) return `\x18${varint(value)}`
  double.writeDoubleLE(value)
  return `\x21${double.toString('latin1')}`
}

function counted(text: string): string {
  return varint(text.length) + text
}

function varint(value: number): string {
  if (value < 128) return oneByte[value]
  return String.fromCharCode((value % 128) + 128) + varint(Math.floor(value / 128))
}

function utf8(text: string): string {
  return beyondAscii.test(text) ? Buffer.from(text).toString('latin1') : text
}

/** Eight bytes of hex from a place on. */
function bytesOf(hex: string, at: number): string {
  return String.fromCharCode(
    byteOf(hex, at),
    byteOf(hex, at + 2),
    byteOf(hex, at + 4),
    byteOf(hex, at + 6),
    byteOf(hex, at + 8),
    byteOf(hex, at + 10),
    byteOf(hex, at + 12),
    byteOf(hex, at + 14),
  )
}

function byteOf(hex: string, at: number): number {
  return digitOf(hex.charCodeAt(at)) * 16 + digitOf(hex.charCodeAt(at + 1))
}

/** Of a lower-case digit. */
function digitOf(code: number): number {
  return (code & 15) + (code >> 6) * 9
}

/** Nanoseconds since 1970, exact to the microsecond, in eight bytes: more than the 53 bits of a number. */
function nanoseconds(ms: number): string {
  const micros = Math.round(ms * 1000)
  const upper = Math.floor(micros / 2 ** 26) * 1000
  const rest = (micros % 2 ** 26) * 1000 + (upper % 64) * 2 ** 26
  return fourBytes(rest) + fourBytes(Math.floor(upper / 64) + Math.floor(rest / 2 ** 32))
}

/** The last 32 bits, least first. */
function fourBytes(value: number): string {
  const bits = value | 0
  return String.fromCharCode(bits & 255, (bits >> 8) & 255, (bits >> 16) & 255, bits >>> 24)
}
