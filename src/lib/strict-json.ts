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
    return hasOneReading(text) ? value : undefined
  } catch {
    return undefined
  }
}

/** Whether every object's members are told apart. The text has been parsed already, so its syntax is right. */
function hasOneReading(text: string): boolean {
  /** Members seen of each open object; undefined for an array. */
  const open: (Set<string> | undefined)[] = []
  let isNameNext = false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === quote) {
      const end = endOfString(text, i)
      if (isNameNext) {
        const written = text.slice(i, end)
        const name = written.includes('\\') ? (JSON.parse(written) as string) : written.slice(1, -1)
        const members = open[open.length - 1]!
        if (name === '__proto__' || members.has(name)) return false
        members.add(name)
        isNameNext = false
      }
      i = end - 1
    } else if (code === openBrace || code === openBracket) {
      if (open.length === maxDepth) return false
      open.push(code === openBrace ? new Set() : undefined)
      isNameNext = code === openBrace
    } else if (code === closeBrace || code === closeBracket) {
      open.pop()
      isNameNext = false
    } else if (code === comma) {
      isNameNext = open[open.length - 1] !== undefined
    }
  }
  return true
}

const quote = 34
const backslash = 92
const comma = 44
const openBrace = 123
const closeBrace = 125
const openBracket = 91
const closeBracket = 93

/** The index behind the string that begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let i = start + 1; ; i++) {
    const code = text.charCodeAt(i)
    if (code === backslash) i++
    else if (code === quote) return i + 1
  }
}
