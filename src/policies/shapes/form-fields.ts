import type { SchemaKinds } from './schema-kinds.ts'
import type { Content, Writing } from './shape.ts'
import { emptyObject, gatherPairs, readPairs, typed, unreadable } from './text-values.ts'

const formWriting: Writing = { style: 'form', isExploded: true, isJson: false }

/**
 * The value of an urlencoded form, as its schema and `encoding` group its fields; what they do not name stands as it came.
 * Undefined when it cannot be decoded or read.
 */
export function readForm(text: string, { schema, writings }: Content, kinds: SchemaKinds): Record<string, unknown> | undefined {
  const pairs = readPairs(text)
  if (pairs === undefined) return undefined
  const fields = emptyObject()
  const taken = new Set<string>()
  for (const name of kinds.memberNames(schema)) {
    const writing = Object.hasOwn(writings, name) ? writings[name] : formWriting
    const member = kinds.member(schema, name)
    const raw = gatherPairs(pairs, name, member, writing, kinds)
    if (raw === undefined) continue
    const value = raw !== unreadable && writing.isJson ? parsed(raw as string) : raw
    if (value === unreadable) return undefined
    fields[name] = writing.isJson ? value : typed(value, member, kinds)
    taken.add(name)
    if (kinds.kindsOf(member).object) for (const inner of kinds.memberNames(member)) taken.add(inner)
  }
  for (const [key, value] of pairs) {
    const bracket = key.indexOf('[')
    if (taken.has(key) || (bracket !== -1 && taken.has(key.slice(0, bracket)))) continue
    const before = fields[key]
    fields[key] = before === undefined ? value : [before, value].flat()
  }
  return fields
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return unreadable
  }
}
