import type { Headers } from '../core/headers.ts'
import { trimSpace } from '../lib/trim-space.ts'
import type { CompiledContent } from './shapes/compiled-shape.ts'

/** How content of a type is read: as JSON, as an urlencoded form, or not at all. */
export type ContentForm = 'json' | 'urlencoded' | 'opaque'

/** The form of a message's one content type; `opaque` for one that cannot be looked into, or none. */
export function formOf(headers: Headers): ContentForm {
  const type = /^[^;\s]*/.exec(headers.get('content-type')?.toLowerCase() ?? '')![0]
  if (type === 'application/json' || (type.startsWith('application/') && type.endsWith('+json'))) return 'json'
  return type === 'application/x-www-form-urlencoded' ? 'urlencoded' : 'opaque'
}

/** The first kind of content that takes the message's type, exact types before ranges. */
export function contentOf(headers: Headers, list: readonly CompiledContent[]): CompiledContent | undefined {
  let found: CompiledContent | undefined
  for (const content of list) {
    if (!content.types.accept(headers)) continue
    if (!content.range.includes('*')) return content
    found ??= content
  }
  return found
}

/** Whether a message is in no content coding. */
export function isPlain(headers: Headers): boolean {
  const coding = headers.get('content-encoding')
  return coding === undefined || coding.toLowerCase() === 'identity'
}

/** Whether a message says that its text is in UTF-8, or says nothing of it. */
export function isUtf8Named(headers: Headers): boolean {
  const contentType = headers.get('content-type') ?? ''
  if (!contentType.includes(';')) return true
  // Of several, a service may believe any.
  for (const [, charset] of contentType.matchAll(/;\s*charset\s*=\s*"?([^";]*)/gi))
    if (!/^(?:utf-?8|us-ascii)$/i.test(trimSpace(charset))) return false
  return true
}
