import { parseAuthority } from './authority.ts'

/**
 * 1 for bytes that may stand in a request target: visible ASCII without `"`, `#`, `<` and `>`, which no URL holds
 * unescaped. Laxer than RFC 3986 only in what browsers send raw in a query, such as `|` and `{`.
 */
export const targetByte = new Uint8Array(256)
for (let byte = 33; byte < 127; byte++) targetByte[byte] = 1
for (const c of '"#<>') targetByte[c.charCodeAt(0)] = 0

const slash = 47

/** A request target in absolute form, taken apart (RFC 9112 §3.2.2). */
export interface AbsoluteTarget {
  /** In lower case; must be the one in Host, or two readings of the request exist. */
  readonly authority: string
  /** What remains: origin form, or `*` for OPTIONS without a path. */
  readonly target: string
}

/** Whether `target` is complete as it stands: origin form, or `*` with OPTIONS. Its bytes are known to be allowed. */
export function isOriginForm(method: string, target: string): boolean {
  return target.charCodeAt(0) === slash || (target === '*' && method === 'OPTIONS')
}

const absolute = /^https?:\/\/([^/?]*)(.*)$/i

/** Takes `http://authority/path` apart; undefined when it is anything else. */
export function parseAbsoluteTarget(method: string, target: string): AbsoluteTarget | undefined {
  const parts = absolute.exec(target)
  if (parts === null) return undefined
  const authority = parseAuthority(parts[1])
  if (authority === undefined) return undefined
  const rest = parts[2]
  if (rest === '') return { authority, target: method === 'OPTIONS' ? '*' : '/' }
  return { authority, target: rest.charCodeAt(0) === slash ? rest : `/${rest}` }
}
