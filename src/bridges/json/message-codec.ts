import { fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import type { DescField, DescMessage, JsonValue, Message, Registry } from '@bufbuild/protobuf'
import { isUtf8 } from 'node:buffer'
import { Fault } from '../../core/fault.ts'
import { explainJson } from './explain-json.ts'
import type { Json, ParsedJson } from './json-text.ts'
import { JsonTextError, parseJson } from './json-text.ts'
import { MessageText } from './message-text.ts'
import { settleNumbers } from './settle-numbers.ts'

/** How messages are written as JSON, and how strictly they are read. */
export interface JsonOptions {
  /** Members that a message does not have: refused, or passed over (unknown enum names too). */
  readonly unknownFields: 'refuse' | 'ignore'
  /** Writes fields that have their default value too. */
  readonly emitDefaults: boolean
  /** Writes enum values as numbers. */
  readonly enumsAsNumbers: boolean
  /** Writes fields by the names of the `.proto` (snake_case). */
  readonly protoNames: boolean
}

/** As proto3's JSON mapping has it. */
export const standardJson: JsonOptions = { unknownFields: 'refuse', emitDefaults: false, enumsAsNumbers: false, protoNames: false }

/** One message type between JSON and its bytes. Made once for each method; whatever can be looked up is. */
export class MessageCodec {
  readonly desc: DescMessage
  readonly #registry: Registry
  readonly #read: { readonly registry: Registry; readonly ignoreUnknownFields: boolean }
  readonly #write: Parameters<typeof toJson>[2]
  readonly #protoNames: boolean
  readonly #text: MessageText

  constructor(desc: DescMessage, registry: Registry, options: JsonOptions = standardJson) {
    this.desc = desc
    this.#registry = registry
    this.#protoNames = options.protoNames
    this.#read = { registry, ignoreUnknownFields: options.unknownFields === 'ignore' }
    this.#write = {
      registry,
      alwaysEmitImplicit: options.emitDefaults,
      enumAsInteger: options.enumsAsNumbers,
      useProtoFieldName: options.protoNames,
    }
    this.#text = new MessageText({ registry, ...options })
  }

  /** The name under which `toJson` writes a field. */
  nameOf(field: DescField): string {
    return this.#protoNames ? field.name : field.jsonName
  }

  /** A message of JSON. Throws the Fault `unfit-message`, whose words name the member at fault. */
  fromJson(json: Json, hasExact = false): Message {
    const value = hasExact ? settleNumbers(this.desc, json, this.#registry) : (json as JsonValue)
    try {
      return fromJson(this.desc, value, this.#read)
    } catch {
      throw new Fault('unfit-message', explainJson(this.desc, value, this.#read))
    }
  }

  /** The bytes of a message written as JSON text. Throws `unfit-message`, and `malformed` for what is no JSON. */
  toBytes(text: Buffer): Uint8Array {
    const { value, hasExact } = parseJsonBytes(text)
    return this.bytesOf(this.fromJson(value, hasExact))
  }

  /** A message as it travels. */
  bytesOf(message: Message): Uint8Array {
    return toBinary(this.desc, message)
  }

  /** A message of its bytes. Throws the Fault `service-nonsense`. */
  fromBytes(bytes: Uint8Array): Message {
    try {
      return fromBinary(this.desc, bytes)
    } catch (cause) {
      throw new Fault('service-nonsense', `a message is no ${this.desc.typeName}`, { cause })
    }
  }

  /** A message as JSON. Throws the Fault `service-nonsense` for what has no JSON form (an Any of an unknown type). */
  toJson(message: Message): JsonValue {
    try {
      return toJson(this.desc, message, this.#write)
    } catch (cause) {
      throw new Fault('service-nonsense', `a ${this.desc.typeName} has no JSON form: ${(cause as Error).message}`, { cause })
    }
  }

  /** The JSON text of a message given by its bytes. Throws the Fault `service-nonsense`, as `fromBytes` and `toJson` do. */
  toText(bytes: Uint8Array): string {
    const plain = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    return this.#text.write(this.desc, plain) ?? JSON.stringify(this.toJson(this.fromBytes(bytes)))
  }
}

/** Parses JSON as it came from a caller. Throws the Fault `malformed`. */
export function parseJsonBytes(bytes: Buffer): ParsedJson {
  if (!isUtf8(bytes)) throw new Fault('malformed', 'the content is not UTF-8')
  try {
    return parseJson(bytes.toString('utf8'))
  } catch (thrown) {
    if (!(thrown instanceof JsonTextError)) throw thrown
    throw new Fault('malformed', `the content is not JSON: ${thrown.message} (at character ${thrown.at + 1})`)
  }
}
