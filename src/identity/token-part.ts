import { decodeBase64url } from '../lib/base64url.ts'
import { isObject } from '../lib/is-object.ts'
import { parseStrictJson } from '../lib/strict-json.ts'

/** What stands in a part of a token: a JSON object in base64url. Undefined where it is anything else. */
export function objectIn(part: string): Readonly<Record<string, unknown>> | undefined {
  const bytes = decodeBase64url(part)
  const value = bytes === undefined ? undefined : parseStrictJson(bytes)
  return isObject(value) ? value : undefined
}
