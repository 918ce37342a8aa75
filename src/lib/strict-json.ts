import { isUtf8 } from 'node:buffer'

/** Deeper nesting than this has no honest use in a token or a key set. */
const maxDepth = 20

/**
 * Parses JSON of which there can be only one reading: UTF-8, no object with a member twice (parsers disagree on which
 * one counts), no member `__proto__`, bounded depth. Undefined for anything else. Never throws.
 */
export function parseStrictJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) return undefined
  const text = bytes.toString('utf8')
  try {
    const value: unknown = JSON.parse(text)
    // Of a member that was there twice the parser kept one: then there are fewer than the text has colons.
    return membersIn(value, 1) === colonsIn(text) ? value : undefined
  } catch {
    return undefined
  }
}

/** How many members all objects have together; NaN with one named `__proto__`, or nested too deep. */
function membersIn(value: unknown, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0
  if (depth > maxDepth) return NaN
  let members = 0
  if (Array.isArray(value)) {
    for (const item of value) members += membersIn(item, depth + 1)
    return members
  }
  if (Object.hasOwn(value, '__proto__')) return NaN
  for (const name of Object.keys(value)) members += 1 + membersIn((value as Readonly<Record<string, unknown>>)[name], depth + 1)
  return members
}

/** How many colons stand outside of strings: one for each member. The text has been parsed, so its syntax is right. */
function colonsIn(text: string): number {
  let colons = 0
  for (let i = 0; ;) {
    const open = text.indexOf('"', i)
    const stop = open === -1 ? text.length : open
    for (; i < stop; i++) if (text.charCodeAt(i) === colon) colons++
    if (open === -1) return colons
    i = endOfString(text, open)
  }
}

const colon = 58
const backslash = 92

/** The index behind the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end + 1
}

/** Whether an odd number of backslashes stands before. */
function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text.charCodeAt(first - 1) === backslash) first--
  return (at - first) % 2 === 1
}
