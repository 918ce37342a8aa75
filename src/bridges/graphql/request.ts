import { Fault } from '../../core/fault.ts'
import { ExactNumber, exactInteger } from '../json/json-text.ts'
import type { Json } from '../json/json-text.ts'
import { parseJsonBytes } from '../json/message-codec.ts'

/** What a request of GraphQL says. */
export interface GraphqlRequest {
  readonly query: string | undefined
  /** Names a document that is known here. */
  readonly documentId: string | undefined
  readonly operationName: string | undefined
  readonly variables: Readonly<Record<string, unknown>>
}

/** Reads the content of a POST. Throws `malformed`. */
export function readPosted(content: Buffer): GraphqlRequest {
  const { value } = parseJsonBytes(content)
  if (Array.isArray(value)) throw new Fault('malformed', 'a request is one operation: arrays of them are not accepted')
  if (!isObject(value)) throw new Fault('malformed', 'the content must be an object with "query"')
  const extensions = object(member(value, 'extensions'), 'extensions')
  return {
    query: text(member(value, 'query'), 'query'),
    documentId: text(member(value, 'documentId'), 'documentId') ?? apolloId(extensions),
    operationName: text(member(value, 'operationName'), 'operationName'),
    variables: object(member(value, 'variables'), 'variables'),
  }
}

/** Reads what a `subscribe` of graphql-ws asks for; integers beyond a double are bigint already. Throws `malformed`. */
export function readPayload(payload: object): GraphqlRequest {
  const value = payload as JsonObject
  const variables = member(value, 'variables') ?? {}
  if (typeof variables !== 'object' || Array.isArray(variables)) throw new Fault('malformed', '"variables" must be an object')
  const query = text(member(value, 'query'), 'query')
  return {
    // The protocol demands one; it is empty where a document is named.
    query: query === '' ? undefined : query,
    documentId: text(member(value, 'documentId'), 'documentId') ?? apolloId(object(member(value, 'extensions'), 'extensions')),
    operationName: text(member(value, 'operationName'), 'operationName'),
    variables: variables as Readonly<Record<string, unknown>>,
  }
}

/** Reads the query of a GET. Throws `malformed`. */
export function readGot(query: string): GraphqlRequest {
  const parameters = new URLSearchParams(query)
  const only = (name: string): string | undefined => {
    const values = parameters.getAll(name)
    if (values.length > 1) throw new Fault('malformed', `the parameter ${name} is given twice`)
    // An empty parameter is none, as forms write it.
    return values[0] === '' ? undefined : values[0]
  }
  const json = (name: string): Json | undefined => {
    const value = only(name)
    return value === undefined ? undefined : parseJsonBytes(Buffer.from(value)).value
  }
  const extensions = object(json('extensions'), 'extensions')
  return {
    query: only('query'),
    documentId: only('documentId') ?? apolloId(extensions),
    operationName: only('operationName'),
    variables: object(json('variables'), 'variables'),
  }
}

/** What clients of Apollo send in place of `documentId`. */
function apolloId(extensions: Readonly<Record<string, unknown>>): string | undefined {
  const persisted = extensions['persistedQuery'] as { readonly sha256Hash?: unknown } | null | undefined
  const hash = persisted?.sha256Hash
  return typeof hash === 'string' ? `sha256:${hash}` : undefined
}

type JsonObject = { [name: string]: Json }

function member(value: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(value, name) ? value[name] : undefined
}

function text(value: Json | undefined, name: string): string | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new Fault('malformed', `"${name}" must be a string`)
  return value
}

function object(value: Json | undefined, name: string): Readonly<Record<string, unknown>> {
  if (value === undefined || value === null) return {}
  if (!isObject(value)) throw new Fault('malformed', `"${name}" must be an object`)
  return exact(value) as Readonly<Record<string, unknown>>
}

function isObject(value: Json): value is JsonObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value) && !(value instanceof ExactNumber)
}

/** Integers whose digits a double would lose as bigint; all other numbers as doubles. */
function exact(value: Json): unknown {
  if (value instanceof ExactNumber) {
    const integer = exactInteger(value.text)
    return integer === undefined ? Number(value.text) : BigInt(integer)
  }
  if (Array.isArray(value)) return value.map(exact)
  if (value === null || typeof value !== 'object') return value
  const copy: Record<string, unknown> = {}
  for (const [name, inner] of Object.entries(value))
    Object.defineProperty(copy, name, { value: exact(inner), enumerable: true, configurable: true, writable: true })
  return copy
}
