import type { ConfigPath } from './finding.ts'

const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g

/** What lies deeper is told by what holds it: no configuration is that deep. */
const maxDepth = 64

interface Frame {
  readonly path: ConfigPath
  /** Of the item that is read; undefined in an object. */
  index: number | undefined
  isBeforeName: boolean
}

/**
 * Where every member's name and every item of a list begins in a JSON text that JSON.parse takes: offsets by their path as
 * JSON. Of a member that stands twice the last counts.
 */
export function jsonPlaces(text: string): Map<string, number> {
  const places = new Map<string, number>()
  const frames: Frame[] = []
  let path: ConfigPath = []
  for (const match of text.matchAll(token)) {
    const [found] = match
    const frame = frames.at(-1)
    if (found === '}' || found === ']') frames.pop()
    else if (found === ',') {
      if (frame?.index === undefined) frame!.isBeforeName = true
      else frame.index++
    } else if (found !== ':') {
      if (frame?.isBeforeName === true) {
        frame.isBeforeName = false
        if (frames.length > maxDepth) continue
        path = [...frame.path, JSON.parse(found) as string]
        places.set(JSON.stringify(path), match.index)
        continue
      }
      if (frame?.index !== undefined && frames.length <= maxDepth) {
        path = [...frame.path, frame.index]
        places.set(JSON.stringify(path), match.index)
      }
      if (found === '{') frames.push({ path, index: undefined, isBeforeName: true })
      else if (found === '[') frames.push({ path, index: 0, isBeforeName: false })
    }
  }
  return places
}

/** Whether a member stands twice in one object of the text, of which JSON.parse made `value`. */
export function hasRepeatedMember(text: string, value: unknown): boolean {
  return memberCount(value) !== colonCount(text)
}

function memberCount(value: unknown): number {
  let count = 0
  const left = [value]
  for (let next = left.pop(); left.length > 0 || next !== undefined; next = left.pop()) {
    if (typeof next !== 'object' || next === null) continue
    const members = Object.values(next)
    if (!Array.isArray(next)) count += members.length
    for (const member of members) if (typeof member === 'object' && member !== null) left.push(member)
  }
  return count
}

/** Colons outside of strings: one for each member. */
function colonCount(text: string): number {
  let count = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x3a) count++
    else if (code === 0x22) i = endOfString(text, i)
  }
  return count
}

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0
  while (text.charCodeAt(at - 1 - backslashes) === 0x5c) backslashes++
  return backslashes % 2 === 1
}
