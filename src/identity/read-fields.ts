import { isUtf8 } from 'node:buffer'
import { readAll } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { H } from '../core/header-names.ts'
import type { Problem } from '../core/problem.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import { mediaTypeOf } from '../lib/media-type.ts'
import { isObject } from '../lib/is-object.ts'

const maxBytes = 16 * 1024
const maxFields = 50
/** Keys and signatures that quantum computers do not break are thousands of bytes long. */
const maxJsonBytes = 32 * 1024

/** The fields of a posted form, each of one text. */
export type PostedFields = ReadonlyMap<string, string>

/**
 * Reads a small form: urlencoded, or a JSON object of texts. Gives a problem for other types (415), for what is no such
 * form, and for a field that is there twice (RFC 6749 §3.2): nobody could tell which one counts. Without content: no fields.
 */
export async function readFields(x: Exchange): Promise<PostedFields | Problem> {
  const bytes = await readAll(x.body, maxBytes)
  if (bytes.length === 0) return new Map()
  const type = typeOf(x)
  if (type === 'application/json') return jsonFields(bytes) ?? malformed
  if (type === 'application/x-www-form-urlencoded') return formFields(bytes) ?? malformed
  return { name: 'unsupported-type', detail: 'Send application/json or application/x-www-form-urlencoded.' }
}

/** Reads a JSON object of which there can be only one reading; a problem for other types (415) and for anything else. */
export async function readJson(x: Exchange): Promise<{ readonly json: JsonObject } | { readonly problem: Problem }> {
  const bytes = await readAll(x.body, maxJsonBytes)
  if (typeOf(x) !== 'application/json') return { problem: { name: 'unsupported-type', detail: 'Send application/json.' } }
  const value = parseStrictJson(bytes)
  if (isObject(value)) return { json: value }
  return { problem: { name: 'malformed', detail: 'The body is not a JSON object.' } }
}

/** The type of the content; undefined without one, and of two. */
export function typeOf(x: Exchange): string | undefined {
  const value = x.headers.single(H.contentType)
  return typeof value === 'string' ? mediaTypeOf(value) : undefined
}

type JsonObject = Readonly<Record<string, unknown>>

/** Whether fields were read. */
export function areFields(read: PostedFields | Problem): read is PostedFields {
  return read instanceof Map
}

const malformed: Problem = {
  name: 'malformed',
  detail: 'The body is not a form: an object of texts, or urlencoded, with each field once.',
}

function jsonFields(bytes: Buffer): PostedFields | undefined {
  const value = parseStrictJson(bytes)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const entries = Object.entries(value as Record<string, unknown>)
  if (entries.length > maxFields || !entries.every(([, text]) => typeof text === 'string')) return undefined
  return new Map(entries as [string, string][])
}

function formFields(bytes: Buffer): PostedFields | undefined {
  if (!isUtf8(bytes)) return undefined
  const fields = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(bytes.toString('utf8'))) {
    if (fields.has(name) || fields.size === maxFields) return undefined
    fields.set(name, value)
  }
  return fields
}
