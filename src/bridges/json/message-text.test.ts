import { ScalarType, fromBinary, toJson } from '@bufbuild/protobuf'
import type { DescField, DescMessage } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { Fault } from '../../core/fault.ts'
import { compileProtos } from '../descriptors/compile-protos.ts'
import { readDescriptors } from '../descriptors/descriptors.ts'
import { parseJson } from './json-text.ts'
import type { JsonOptions } from './message-codec.ts'
import { MessageCodec, standardJson } from './message-codec.ts'
import { MessageText } from './message-text.ts'

const proto = `
syntax = "proto3";
package kinds.v1;
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
enum Color { COLOR_NONE = 0; COLOR_RED = 1; COLOR_DARK = -2; }
message Inner { string text_value = 1; int32 number = 2; Inner inner = 3; repeated Inner more = 4; }
message Scalars {
  double f1 = 1; float f2 = 2; int32 f3 = 3; int64 f4 = 4; uint32 f5 = 5; uint64 f6 = 6; sint32 f7 = 7; sint64 f8 = 8;
  fixed32 f9 = 9; fixed64 f10 = 10; sfixed32 f11 = 11; sfixed64 f12 = 12; bool f13 = 13; string f14 = 14; bytes f15 = 15;
  Color f16 = 16; Inner in_ner = 17;
  optional double o1 = 21; optional int64 o2 = 22; optional string o3 = 23; optional Color o4 = 24;
}
message Lists {
  repeated double f1 = 1; repeated float f2 = 2; repeated int32 f3 = 3; repeated int64 f4 = 4; repeated uint32 f5 = 5;
  repeated uint64 f6 = 6; repeated sint32 f7 = 7; repeated sint64 f8 = 8; repeated fixed32 f9 = 9; repeated fixed64 f10 = 10;
  repeated sfixed32 f11 = 11; repeated sfixed64 f12 = 12; repeated bool f13 = 13; repeated string f14 = 14;
  repeated bytes f15 = 15; repeated Color f16 = 16; repeated Inner f17 = 17;
  repeated int32 apart = 18 [packed = false];
}
message Maps {
  map<string, string> f1 = 1; map<int32, double> f2 = 2; map<int64, Inner> f3 = 3; map<bool, Color> f4 = 4;
  map<uint64, bytes> f5 = 5; map<sint32, sint64> f6 = 6; map<fixed32, bool> f7 = 7; map<sfixed64, float> f8 = 8;
}
message Known {
  google.protobuf.Timestamp time = 1; google.protobuf.Duration span = 2; google.protobuf.FieldMask mask = 3;
  google.protobuf.Struct object = 4; google.protobuf.Value value = 5; google.protobuf.ListValue list = 6;
  google.protobuf.DoubleValue w1 = 7; google.protobuf.FloatValue w2 = 8; google.protobuf.Int64Value w3 = 9;
  google.protobuf.UInt64Value w4 = 10; google.protobuf.Int32Value w5 = 11; google.protobuf.UInt32Value w6 = 12;
  google.protobuf.BoolValue w7 = 13; google.protobuf.StringValue w8 = 14; google.protobuf.BytesValue w9 = 15;
  google.protobuf.Any any = 16; google.protobuf.NullValue nothing = 17;
  repeated google.protobuf.Timestamp times = 18; map<string, google.protobuf.Value> values = 19;
  repeated google.protobuf.StringValue words = 20;
}
message Choices {
  int32 before = 9;
  oneof choice { string f1 = 1; uint64 f2 = 2; Inner f3 = 3; Color f4 = 4; google.protobuf.Int32Value f5 = 5; bytes f6 = 12; }
  oneof other { bool g1 = 7; double g2 = 8; }
  Scalars scalars = 10; Lists lists = 11; Known known = 13; Choices again = 14;
}
message Wide { ${Array.from({ length: 60 }, (_, i) => `int32 n${i + 1} = ${i + 1};`).join(' ')} oneof w { string a = 70; bool b = 300; } }
message Wider { ${Array.from({ length: 70 }, (_, i) => `int32 n${i + 1} = ${i + 1};`).join(' ')} }
`

const old = `
syntax = "proto2";
package kinds.v1;
enum Shade { SHADE_LIGHT = 1; SHADE_DARK = 2; }
message Old {
  optional string text = 1; optional Shade shade = 2; repeated int32 numbers = 3; optional group Part = 4 { optional int32 x = 1; }
  extensions 100 to 200;
}
message Strict { required int32 x = 1; }
extend Old { optional int32 added = 100; }
`

const folder = mkdtempSync(join(tmpdir(), 'velum-'))
writeFileSync(join(folder, 'kinds.proto'), proto)
writeFileSync(join(folder, 'old.proto'), old)
const compiled = await compileProtos([join(folder, 'kinds.proto'), join(folder, 'old.proto')], folder)
rmSync(folder, { recursive: true })
assert.deepEqual(compiled.faults, [])
const { registry } = readDescriptors(compiled.set!)
const messageOf = (name: string): DescMessage => registry.getMessage(`kinds.v1.${name}`)!

const numbers = [0, 1, -1, 127, 128, 300, 2 ** 31 - 1, -(2 ** 31)]
const longs = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(0n, 1n, -1n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n), -(2n ** 53n) - 1n, 2n ** 32n, 2n ** 63n - 1n, -(2n ** 63n)),
)
const doubles = fc.oneof(fc.double(), fc.constantFrom(0, -0, 1.5, 1e21, 1e-7, 7.25))
const ints = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.constantFrom(...numbers))
const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string(),
  fc.constantFrom('', '"', '\\', '\u0000', '\ufeffx', 'é😀', '\u2028', '__proto__'),
)
const blobs = fc.uint8Array({ maxLength: 20 })

/** Writes a value of a scalar type, without its tag. */
function scalars(type: ScalarType): fc.Arbitrary<(w: BinaryWriter) => BinaryWriter> {
  switch (type) {
    case ScalarType.DOUBLE:
      return doubles.map((v) => (w) => w.double(v))
    case ScalarType.FLOAT:
      return doubles.map((v) => (w) => w.float(Math.fround(v)))
    case ScalarType.INT32:
      return ints.map((v) => (w) => w.int32(v))
    case ScalarType.SINT32:
      return ints.map((v) => (w) => w.sint32(v))
    case ScalarType.SFIXED32:
      return ints.map((v) => (w) => w.sfixed32(v))
    case ScalarType.UINT32:
      return ints.map((v) => (w) => w.uint32(v >>> 0))
    case ScalarType.FIXED32:
      return ints.map((v) => (w) => w.fixed32(v >>> 0))
    case ScalarType.INT64:
      return longs.map((v) => (w) => w.int64(v))
    case ScalarType.SINT64:
      return longs.map((v) => (w) => w.sint64(v))
    case ScalarType.SFIXED64:
      return longs.map((v) => (w) => w.sfixed64(v))
    case ScalarType.UINT64:
      return longs.map((v) => (w) => w.uint64(BigInt.asUintN(64, v)))
    case ScalarType.FIXED64:
      return longs.map((v) => (w) => w.fixed64(BigInt.asUintN(64, v)))
    case ScalarType.BOOL:
      return fc.boolean().map((v) => (w) => w.bool(v))
    case ScalarType.STRING:
      return texts.map((v) => (w) => w.string(v.toWellFormed()))
    default:
      return blobs.map((v) => (w) => w.bytes(v))
  }
}

const typeOf = (type: ScalarType): WireType => {
  if (type === ScalarType.STRING || type === ScalarType.BYTES) return WireType.LengthDelimited
  if ([ScalarType.DOUBLE, ScalarType.FIXED64, ScalarType.SFIXED64].includes(type)) return WireType.Bit64
  return [ScalarType.FLOAT, ScalarType.FIXED32, ScalarType.SFIXED32].includes(type) ? WireType.Bit32 : WireType.Varint
}

type Part = fc.Arbitrary<(w: BinaryWriter) => BinaryWriter>

/** One value of a field, its tag first: what an ordinary writer makes. */
function one(no: number, scalar: ScalarType | undefined, message: DescMessage | undefined, depth: number): Part {
  if (message !== undefined)
    return records(message, depth + 1).map((bytes) => (w) => w.tag(no, WireType.LengthDelimited).bytes(bytes))
  const type = scalar ?? ScalarType.INT32
  const value =
    scalar === undefined ? fc.oneof(fc.constantFrom(0, 1, -2, 99), ints).map((v) => (w: BinaryWriter) => w.int32(v)) : scalars(type)
  return value.map((write) => (w) => write(w.tag(no, typeOf(type))))
}

function field(desc: DescField, depth: number): Part {
  const no = desc.number
  if (desc.fieldKind === 'list') {
    const item = one(no, desc.scalar, desc.message, depth)
    const apart = fc.array(item, { maxLength: 3 }).map((items) => (w: BinaryWriter) => items.reduce((all, write) => write(all), w))
    const type = desc.message === undefined ? (desc.scalar ?? ScalarType.INT32) : undefined
    if (type === undefined || typeOf(type) === WireType.LengthDelimited) return apart
    const packed = fc.array(scalars(type), { maxLength: 3 }).map((items) => (w: BinaryWriter) => {
      w.tag(no, WireType.LengthDelimited).fork()
      return items.reduce((all, write) => write(all), w).join()
    })
    return fc.oneof(packed, packed, apart)
  }
  if (desc.fieldKind === 'map') {
    const key = scalars(desc.mapKey)
    const entry = fc
      .tuple(fc.option(key), fc.option(one(2, desc.scalar, desc.message, depth)))
      .map(([k, v]) => (w: BinaryWriter) => {
        w.tag(no, WireType.LengthDelimited).fork()
        if (k !== null) k(w.tag(1, typeOf(desc.mapKey)))
        return (v === null ? w : v(w)).join()
      })
    return fc.array(entry, { maxLength: 3 }).map((items) => (w) => items.reduce((all, write) => write(all), w))
  }
  return one(no, desc.scalar, desc.message, depth)
}

const times = fc
  .tuple(
    fc.oneof(fc.constantFrom(0n, -62135596800n, 253402300799n, 253402300800n), fc.bigInt(-(2n ** 38n), 2n ** 38n)),
    fc.constantFrom(0, 5e8, 123456000, 1, 999999999, -1, -5e8, 1e9),
  )
  .map(([seconds, nanos]) =>
    new BinaryWriter().tag(1, WireType.Varint).int64(seconds).tag(2, WireType.Varint).int32(nanos).finish(),
  )

/** Bytes of a message, its fields in the order of their numbers, sometimes with ones that nobody knows. */
function records(desc: DescMessage, depth: number): fc.Arbitrary<Uint8Array> {
  if (depth > 3) return fc.constant(new Uint8Array())
  if (desc.typeName === 'google.protobuf.Timestamp' || desc.typeName === 'google.protobuf.Duration') return times
  if (desc.typeName === 'google.protobuf.FieldMask')
    return fc
      .constantFrom('a', 'a_b.c', 'aB', 'a__b')
      .map((path) => new BinaryWriter().tag(1, WireType.LengthDelimited).string(path).finish())
  if (desc.typeName === 'google.protobuf.Any')
    return fc
      .tuple(
        fc.constantFrom('', 'x/kinds.v1.Inner', 'x/google.protobuf.Int32Value', 'x/none'),
        records(messageOf('Inner'), depth + 1),
      )
      .map(([url, bytes]) => {
        const value = url.endsWith('Value') ? new BinaryWriter().tag(1, WireType.Varint).int32(5).finish() : bytes
        return new BinaryWriter()
          .tag(1, WireType.LengthDelimited)
          .string(url)
          .tag(2, WireType.LengthDelimited)
          .bytes(value)
          .finish()
      })
  const sorted = desc.fields.toSorted((a, b) => a.number - b.number)
  const few = Math.min(desc.fields.length, depth === 0 ? 5 : 2)
  const unknown: Part = fc.constantFrom(
    (w: BinaryWriter) => w.tag(999, WireType.Varint).int32(1),
    (w: BinaryWriter) => w.tag(998, WireType.LengthDelimited).string('x'),
    (w: BinaryWriter) => w.tag(997, WireType.Bit64).double(1).tag(996, WireType.Bit32).float(1),
  )
  const set = fc
    .subarray(sorted, { maxLength: few })
    .chain((fields) => fc.tuple(...fields.map((f) => field(f, depth)), ...(depth === 0 ? [unknown] : [])))
  return set.map((parts) => parts.reduce((w, part) => part(w), new BinaryWriter()).finish())
}

const variants: JsonOptions[] = [
  standardJson,
  { ...standardJson, emitDefaults: true },
  { ...standardJson, enumsAsNumbers: true, protoNames: true },
]

/** What protobuf-es makes of the bytes, or undefined for what it refuses. */
function expected(desc: DescMessage, bytes: Uint8Array, options: JsonOptions): unknown {
  try {
    const written = toJson(desc, fromBinary(desc, bytes), {
      registry,
      alwaysEmitImplicit: options.emitDefaults,
      enumAsInteger: options.enumsAsNumbers,
      useProtoFieldName: options.protoNames,
    })
    return JSON.parse(JSON.stringify(written))
  } catch {
    return undefined
  }
}

function agrees(desc: DescMessage, bytes: Uint8Array, options: JsonOptions): void {
  const wanted = expected(desc, bytes, options)
  const codec = new MessageCodec(desc, registry, options)
  if (wanted === undefined) {
    assert.throws(
      () => codec.toText(bytes),
      (thrown) => thrown instanceof Fault && thrown.code === 'service-nonsense',
    )
    return
  }
  const text = codec.toText(bytes)
  // Refuses members that stand there twice, which JSON.parse would not tell.
  parseJson(text)
  assert.deepEqual(JSON.parse(text), wanted)
}

const names = ['Scalars', 'Lists', 'Maps', 'Known', 'Choices', 'Wide', 'Wider', 'Old', 'Strict']

const known = (no: number, inner: Uint8Array): Uint8Array =>
  new BinaryWriter().tag(no, WireType.LengthDelimited).bytes(inner).finish()

suite('messages written as JSON text', () => {
  for (const name of names) {
    const desc = messageOf(name)
    test(`${name}: as protobuf-es has it`, () => {
      fc.assert(
        fc.property(records(desc, 0), fc.constantFrom(...variants), (bytes, options) => agrees(desc, bytes, options)),
        { numRuns: 400 },
      )
    })

    test(`${name}: bytes in any order, twice, changed or cut off come to the same`, () => {
      const parts = fc.array(records(desc, 0), { minLength: 1, maxLength: 3 })
      const change = fc.option(fc.tuple(fc.nat(200), fc.nat(255)))
      const cut = fc.oneof(fc.constant(0), fc.constant(0), fc.nat(10))
      fc.assert(
        fc.property(parts, change, cut, fc.constantFrom(...variants), (all, changed, cutBytes, options) => {
          const joined = Buffer.concat(all)
          if (changed !== null && changed[0] < joined.length) joined[changed[0]] = changed[1]
          agrees(desc, joined.subarray(0, Math.max(0, joined.length - cutBytes)), options)
        }),
        { numRuns: 600 },
      )
    })
  }

  test('nesting is bounded as elsewhere', () => {
    const inner = messageOf('Inner')
    let bytes: Uint8Array = new Uint8Array()
    for (let depth = 1; depth <= 102; depth++) {
      agrees(inner, bytes, standardJson)
      bytes = new BinaryWriter().tag(3, WireType.LengthDelimited).bytes(bytes).finish()
    }
    let value: Uint8Array = new BinaryWriter().tag(1, WireType.Varint).int32(0).finish()
    for (let depth = 1; depth <= 52; depth++) {
      agrees(registry.getMessage('google.protobuf.Value')!, value, standardJson)
      const list = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(value).finish()
      value = new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(list).finish()
    }
  })

  const short = new MessageText({ registry, ...standardJson })
  const isShort = (name: string, bytes: Uint8Array): boolean => short.write(messageOf(name), Buffer.from(bytes)) !== undefined

  test('what services usually send needs no message to be made', () => {
    for (const name of ['Scalars', 'Lists'])
      fc.assert(fc.property(records(messageOf(name), 0), (bytes) => assert.ok(isShort(name, bytes))))
    assert.ok(isShort('Known', known(1, new BinaryWriter().tag(1, WireType.Varint).int64(1n).finish())))
    assert.ok(isShort('Known', known(8, new Uint8Array())))
    assert.ok(isShort('Known', known(4, new Uint8Array())))
    assert.ok(isShort('Wide', new BinaryWriter().tag(60, WireType.Varint).int32(1).tag(3, WireType.Varint).int32(1).finish()))
  })

  test('what is set twice, or in two ways, or has a tag that is too long is not for the short way', () => {
    const twice = new BinaryWriter().tag(1, WireType.LengthDelimited).string('a').tag(1, WireType.LengthDelimited).string('b')
    assert.ok(!isShort('Inner', twice.finish()))
    const both = new BinaryWriter().tag(1, WireType.LengthDelimited).string('a').tag(2, WireType.Varint).uint64(1n)
    assert.ok(!isShort('Choices', both.finish()))
    const wide = new BinaryWriter().tag(70, WireType.LengthDelimited).string('a').tag(300, WireType.Varint).bool(true)
    assert.ok(!isShort('Wide', wide.finish()))
    assert.ok(!isShort('Strict', new Uint8Array()))
    const long = Uint8Array.of(0x90, 0x80, 0x80, 0x80, 0x80, 0x00, 1)
    assert.ok(!isShort('Inner', long))
    agrees(messageOf('Inner'), long, standardJson)
    assert.ok(isShort('Inner', Uint8Array.of(0x90, 0x80, 0x00, 1)))
  })
})
