import { Answer } from '../../core/answer.ts'
import { BytesBody, textBody } from '../../core/body.ts'
import type { HeaderBlock, Headers } from '../../core/headers.ts'
import { headerBlock } from '../../core/headers.ts'
import type { JsonValue, Message } from '@bufbuild/protobuf'
import type { Binding } from './binding.ts'

const jsonBlock: HeaderBlock = headerBlock([['content-type', 'application/json']])

/** The answer of one message: its JSON, one field of it, or the bytes of an HttpBody as they are. */
export function messageAnswer(binding: Binding, bytes: Buffer, headers: Headers): Answer {
  const { output, responseField, isRawAnswer } = binding
  if (responseField === undefined && !isRawAnswer) {
    headers.put(jsonBlock)
    return new Answer(200, headers, textBody(output.toText(bytes)))
  }
  if (isRawAnswer) {
    const { contentType, data } = rawContent(binding, bytes)
    setContentType(headers, contentType)
    return new Answer(200, headers, new BytesBody(data))
  }
  const json = output.toJson(output.fromBytes(bytes))
  const value = (json as { [name: string]: JsonValue })[output.nameOf(responseField!)]
  headers.put(jsonBlock)
  return new Answer(200, headers, textBody(JSON.stringify(value ?? emptyOf(responseField!.fieldKind))))
}

/** The content of an answer that is, or holds in its `response_body`, an HttpBody. */
export function rawContent(binding: Binding, bytes: Buffer): { readonly contentType: string; readonly data: Buffer } {
  const message = binding.output.fromBytes(bytes)
  const field = binding.responseField
  const raw = field === undefined ? message : fieldOf(message, field.localName)
  const { contentType = '', data = noData } = (raw ?? {}) as { contentType?: string; data?: Uint8Array }
  return { contentType, data: Buffer.from(data.buffer, data.byteOffset, data.length) }
}

/** Sets a type that a service gave; what is none could be guessed at by browsers, so it is bytes. */
export function setContentType(headers: Headers, type: string): void {
  headers.set('content-type', mediaType.test(type) ? type : 'application/octet-stream')
}

const noData = new Uint8Array()
const mediaType = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(?:;[\t\x20-\x7e]*)?$/

function fieldOf(message: Message, localName: string): unknown {
  return (message as unknown as Record<string, unknown>)[localName]
}

function emptyOf(kind: string): JsonValue {
  if (kind === 'list') return []
  return kind === 'map' ? {} : null
}
