import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'

/*
 * The messages of gRPC's server reflection (grpc/reflection/v1/reflection.proto), the same in v1alpha: few enough to be
 * read and written by hand.
 */

/** What is asked: the file that defines a symbol, a file by its name, or which services there are. */
export type ReflectionQuestion = { readonly symbol: string } | { readonly file: string } | 'services'

/** What is answered. */
export type ReflectionReply =
  | { readonly kind: 'files'; readonly files: readonly Uint8Array[] }
  | { readonly kind: 'services'; readonly names: readonly string[] }
  | { readonly kind: 'error'; readonly code: number; readonly message: string }
  | { readonly kind: 'unknown' }

/** A ServerReflectionRequest. */
export function writeQuestion(question: ReflectionQuestion): Uint8Array {
  const writer = new BinaryWriter()
  if (question === 'services') writer.tag(7, 2).string('*')
  else if ('symbol' in question) writer.tag(4, 2).string(question.symbol)
  else writer.tag(3, 2).string(question.file)
  return writer.finish()
}

/** A ServerReflectionResponse. Throws for bytes that are none. */
export function readReply(bytes: Uint8Array): ReflectionReply {
  let reply: ReflectionReply = { kind: 'unknown' }
  eachField(bytes, (field, reader) => {
    if (field === 4) reply = { kind: 'files', files: allOf(reader.bytes(), 1, (inner) => inner.bytes()) }
    else if (field === 6) reply = { kind: 'services', names: allOf(reader.bytes(), 1, (inner) => nameOf(inner.bytes())) }
    else if (field === 7) reply = errorOf(reader.bytes())
    else return false
    return true
  })
  return reply
}

function errorOf(bytes: Uint8Array): ReflectionReply {
  let code = 0
  let message = ''
  eachField(bytes, (field, reader) => {
    if (field === 1) code = reader.int32()
    else if (field === 2) message = reader.string()
    else return false
    return true
  })
  return { kind: 'error', code, message }
}

function nameOf(bytes: Uint8Array): string {
  return allOf(bytes, 1, (reader) => reader.string())[0] ?? ''
}

function allOf<T>(bytes: Uint8Array, wanted: number, read: (reader: BinaryReader) => T): T[] {
  const found: T[] = []
  eachField(bytes, (field, reader) => {
    if (field !== wanted) return false
    found.push(read(reader))
    return true
  })
  return found
}

/** Calls `visit` for each field; what it does not take (false) is skipped. */
function eachField(bytes: Uint8Array, visit: (field: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag()
    if (!visit(field, reader)) reader.skip(wireType, field)
  }
}
