import { createFileRegistry, createRegistry, fromBinary } from '@bufbuild/protobuf'
import type { DescExtension, DescFile, DescMessage, Registry } from '@bufbuild/protobuf'
import {
  FileDescriptorSetSchema,
  file_google_protobuf_any,
  file_google_protobuf_api,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_type,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt'
import type { FileDescriptorProto } from '@bufbuild/protobuf/wkt'
import { builtInSet } from './built-in-set.ts'

// Each behind its imports.
const wellKnown: readonly DescFile[] = [
  file_google_protobuf_any,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
  file_google_protobuf_type,
  file_google_protobuf_api,
]

const published = fromBinary(FileDescriptorSetSchema, Buffer.from(builtInSet, 'base64')).file

/** By import name: what descriptor sets may leave out (some servers and tools do), and what replaces their own copies. */
export const builtInFiles: ReadonlyMap<string, FileDescriptorProto> = new Map(
  [...wellKnown.map(({ proto }) => proto), ...published].map((file) => [file.name, file]),
)

const registry = createFileRegistry({
  ...fromBinary(FileDescriptorSetSchema, new Uint8Array()),
  file: [...builtInFiles.values()],
})

/** The well-known types, and what google publishes for HTTP rules and errors. */
export const builtInTypes: Registry = createRegistry(...wellKnown, registry)

function extension(name: string): DescExtension {
  const found = registry.getExtension(name)
  if (found === undefined) throw new Error(`${name} is not built in`)
  return found
}

function message(name: string): DescMessage {
  const found = registry.getMessage(name)
  if (found === undefined) throw new Error(`${name} is not built in`)
  return found
}

/** `option (google.api.http)` of a method. */
export const httpOption = extension('google.api.http')
/** `google.rpc.Status`: the form of an error with details. */
export const statusType = message('google.rpc.Status')
/** `google.rpc.RetryInfo`: when to come back. */
export const retryInfoType = message('google.rpc.RetryInfo')
