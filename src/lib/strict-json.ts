import { isUtf8 } from 'node:buffer'

/** Deeper nesting than this has no honest use in a token or a key set. */
const tokenDepth = 20

/**
 * Parses JSON of which there can be only one reading: UTF-8 without a byte order mark, no object with a member twice
 * (parsers disagree on which one counts), no member `__proto__`, no number beyond what a double holds, bounded depth.
 * Undefined for anything else. Never throws.
 */
export function parseStrictJson(bytes: Buffer, maxDepth = tokenDepth): unknown {
  if (!isUtf8(bytes)) return undefined
  const text = bytes.toString('utf8')
  // Before it is parsed: megabytes of brackets are not worth the objects they would make.
  const colons = colonsIn(text, maxDepth)
  if (colons === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    // Of a member that was there twice the parser kept one: then there are fewer than the text has colons.
    return membersIn(value) === colons ? value : undefined
  } catch {
    return undefined
  }
}

/** How many members all objects have together; NaN where one is named `__proto__` or a number has become Infinity. */
function membersIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return value === Infinity || value === -Infinity ? NaN : 0
  let members = 0
  if (Array.isArray(value)) {
    for (const item of value) members += membersIn(item)
    return members
  }
  if (Object.hasOwn(value, '__proto__')) return NaN
  for (const name of Object.keys(value)) members += 1 + membersIn((value as Readonly<Record<string, unknown>>)[name])
  return members
}

/** How many colons stand outside of strings, which is one for each member; undefined for what is nested too deep. */
function colonsIn(text: string, maxDepth: number): number | undefined {
  let colons = 0
  let depth = 0
  for (let i = 0; ;) {
    const open = text.indexOf('"', i)
    const stop = open === -1 ? text.length : open
    for (; i < stop; i++) {
      const code = text.charCodeAt(i)
      if (code === colon) colons++
      else if (code === openBrace || code === openBracket) {
        if (++depth > maxDepth) return undefined
      } else if (code === closeBrace || code === closeBracket) depth--
    }
    if (open === -1) return colons
    i = endOfString(text, open)
  }
}

const colon = 58
const backslash = 92
const openBrace = 123
const closeBrace = 125
const openBracket = 91
const closeBracket = 93

/** The index behind the string that begins at `start`; the end of a text in which it does not end. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end === -1 ? text.length : end + 1
}

/** Whether an odd number of backslashes stands before. */
function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text.charCodeAt(first - 1) === backslash) first--
  return (at - first) % 2 === 1
}
