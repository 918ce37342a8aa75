import { create } from '@bufbuild/protobuf'
import type { DescField, Message } from '@bufbuild/protobuf'
import { Fault } from '../../core/fault.ts'
import type { Json } from '../json/json-text.ts'
import { ExactNumber } from '../json/json-text.ts'
import { parseJsonBytes } from '../json/message-codec.ts'
import type { ParsedJson } from '../json/json-text.ts'
import type { Binding } from './binding.ts'
import type { FieldPath } from './field-path.ts'
import { maskPaths } from './field-mask.ts'
import { decodeVariable } from './path-template.ts'
import { eachParameter } from './query.ts'

/** The content of a request that becomes (a part of) a message. */
export interface RequestContent {
  readonly bytes: Buffer
  /** The media type as it was given. */
  readonly type: string | undefined
}

type JsonObject = { [name: string]: Json }

/**
 * The message of a request: content, then query, then path, which wins. Throws `malformed` and `unfit-message`, whose
 * words name the parameter or member at fault.
 */
export function requestMessage(
  binding: Binding,
  variables: readonly string[],
  query: string | undefined,
  content: RequestContent | undefined,
  ignoresUnknown: boolean,
): Message {
  const parsed = content === undefined ? undefined : contentJson(binding, content)
  return joinedMessage(binding, variables, query, parsed, ignoresUnknown)
}

/** The same for content that has been parsed: one message of a stream. */
export function joinedMessage(
  binding: Binding,
  variables: readonly string[],
  query: string | undefined,
  parsed: ParsedJson | undefined,
  ignoresUnknown: boolean,
): Message {
  const { body, input, maskField } = binding
  let json: Json = parsed === undefined ? {} : parsed.value
  // Before the path adds its fields: a mask says what the content holds.
  const mask = maskField === undefined || parsed === undefined ? undefined : maskPaths((body as DescField).message!, parsed.value)
  if (body !== '*') {
    json = body === undefined || parsed === undefined ? {} : { [body.jsonName]: parsed.value }
    if (query !== undefined) setParameters(binding, json, query, ignoresUnknown)
  } else if (query !== undefined && query !== '' && !ignoresUnknown) {
    throw new Fault('unfit-message', 'the query must be empty: the content is the whole request')
  }
  if (binding.variables.length > 0) {
    if (!isObject(json)) throw new Fault('unfit-message', 'the content must be an object')
    for (const [i, path] of binding.variables.entries()) {
      const { fieldPath, isMulti } = binding.template.variables[i]
      setField(json, path, readParameter(path, fieldPath.join('.'), decodeVariable(variables[i], isMulti)), false)
    }
  }
  const message = input.fromJson(json, parsed?.hasExact)
  if (mask !== undefined) fillMask(message, maskField!, mask)
  return message
}

/** The content as JSON; bytes of any type become the JSON of the HttpBody that takes them. */
function contentJson({ isRawBody }: Binding, { bytes, type }: RequestContent): ParsedJson | undefined {
  if (isRawBody) return { value: { contentType: type ?? '', data: bytes.toString('base64') }, hasExact: false }
  return bytes.length === 0 ? undefined : parseJsonBytes(bytes)
}

function setParameters(binding: Binding, json: JsonObject, query: string, ignoresUnknown: boolean): void {
  const seen = new Set<DescField>()
  eachParameter(query, (name, text) => {
    const path = binding.parameter(name)
    if (path === undefined) {
      if (ignoresUnknown) return
      throw new Fault('unfit-message', `there is no parameter ${JSON.stringify(name.slice(0, 100))}`)
    }
    const isTaken = path.fields[0] === binding.body || binding.variables.some((variable) => isSame(variable, path))
    if (isTaken) throw new Fault('unfit-message', `${name}: is given by the path or the content, not by the query`)
    setField(json, path, readParameter(path, name, text), true, () => {
      throw new Fault('unfit-message', `${name}: must be given once`)
    })
    seen.add(path.leaf)
  })
}

function isSame(a: FieldPath, b: FieldPath): boolean {
  return a.leaf === b.leaf && a.fields.length === b.fields.length && a.fields.every((field, i) => field === b.fields[i])
}

function readParameter(path: FieldPath, name: string, text: string): Json {
  try {
    return path.read(text)
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown
    throw new Fault('unfit-message', `${name}: ${thrown.message}`)
  }
}

/** Sets a field inside of `json`, making the messages on the way. `twice` is called when a single value is there already. */
function setField(
  json: JsonObject,
  { fields, leaf, isRepeated }: FieldPath,
  value: Json,
  isQuery: boolean,
  twice?: () => never,
): void {
  let here = json
  for (let i = 0; i < fields.length - 1; i++) {
    const { name, jsonName } = fields[i]
    const key = name !== jsonName && Object.hasOwn(here, name) ? name : jsonName
    const inner = Object.hasOwn(here, key) ? here[key] : undefined
    if (inner === undefined || inner === null) here = here[key] = {}
    else if (isObject(inner)) here = inner
    else throw new Fault('unfit-message', `${key}: must be an object`)
  }
  const { name, jsonName } = leaf
  if (isRepeated) {
    const list = Object.hasOwn(here, jsonName) ? here[jsonName] : undefined
    if (Array.isArray(list)) list.push(value)
    else here[jsonName] = [value]
    return
  }
  if (isQuery && Object.hasOwn(here, jsonName)) twice?.()
  // The path wins over the content, however the content spells the field.
  if (name !== jsonName) delete here[name]
  here[jsonName] = value
}

function isObject(json: Json): json is JsonObject {
  return json !== null && typeof json === 'object' && !Array.isArray(json) && !(json instanceof ExactNumber)
}

function fillMask(message: Message, maskField: DescField, paths: readonly string[]): void {
  const fields = message as unknown as Record<string, unknown>
  if (fields[maskField.localName] === undefined) fields[maskField.localName] = create(maskField.message!, { paths })
}
