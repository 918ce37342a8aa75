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
  // Before it is parsed: megabytes of brackets are not worth the objects they would make.
  const colons = colonsIn(bytes, maxDepth)
  if (colons === undefined) return undefined
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    // Of a member that was there twice the parser kept one: then there are fewer than the text has colons.
    return membersIn(value) === colons ? value : undefined
  } catch {
    return undefined
  }
}

/** How many members all objects have together; NaN where one is named `__proto__`, or a number has become Infinity. */
function membersIn(value: unknown): number {
  if (typeof value !== 'object' || value === null) return value === Infinity || value === -Infinity ? NaN : 0
  let members = 0
  if (Array.isArray(value)) {
    for (const item of value) members += membersIn(item)
    return members
  }
  // What has been parsed has no members but its own; `in` finds them without a list.
  for (const name in value) {
    if (name === '__proto__') return NaN
    members += 1 + membersIn((value as Readonly<Record<string, unknown>>)[name])
  }
  return members
}

const quote = 34
const colon = 58
const openBracket = 91
const backslash = 92
const closeBracket = 93
const openBrace = 123
const closeBrace = 125

/**
 * How many colons stand outside of strings, which is one for each member; undefined for what is nested too deep. In UTF-8
 * no byte of a longer character looks like any of these.
 */
function colonsIn(bytes: Buffer, maxDepth: number): number | undefined {
  const { length } = bytes
  let colons = 0
  let depth = 0
  for (let i = 0; i < length; i++) {
    const byte = bytes[i]
    if (byte === quote) {
      for (i++; i < length && bytes[i] !== quote; i++) if (bytes[i] === backslash) i++
    } else if (byte === colon) colons++
    else if (byte === openBrace || byte === openBracket) {
      if (++depth > maxDepth) return undefined
    } else if (byte === closeBrace || byte === closeBracket) depth--
  }
  return colons
}
