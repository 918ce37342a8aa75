import type { Headers } from '../core/headers.ts'
import { trimSpace } from '../lib/trim-space.ts'

const token = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/

/** The names in `Vary`, lower case, sorted, each once; undefined for `*` and for what is no list of names: nothing matches. */
export function parseVary(value: string | undefined): readonly string[] | undefined {
  if (value === undefined) return none
  const names = new Set<string>()
  for (const part of value.split(',')) {
    const name = trimSpace(part).toLowerCase()
    if (name === '') continue
    if (name === '*' || !token.test(name)) return undefined
    names.add(name)
  }
  return [...names].toSorted()
}

const none: readonly string[] = []

/** Both lists in one, sorted. */
export function joinVary(one: readonly string[], other: readonly string[]): readonly string[] {
  return [...new Set([...one, ...other])].toSorted()
}

/**
 * What a request says in the fields of `names`, as one text that two requests share only when the same answer serves both
 * (RFC 9111 §4.1). A value holds no line feed, so no value can pass for another field.
 */
export function variantOf(names: readonly string[], headers: Headers): string {
  let text = ''
  for (const name of names) text += `\n${name}:${normalised(name, headers.get(name))}`
  return text
}

function normalised(name: string, value: string | undefined): string {
  if (value === undefined) return ''
  if (name === 'accept-encoding') return codings(value)
  if (name === 'accept' || name === 'accept-language') return `=${value.toLowerCase().replaceAll(/[ \t]+/g, '')}`
  return `=${trimSpace(value)}`
}

/** The codings that matter: those that services and Velum itself use. */
const known = ['br', 'gzip', 'identity', 'zstd'] as const

/**
 * `Accept-Encoding` as the set of codings it lets pass, so that the many spellings of the same browsers meet. A coding
 * that is asked for and is none of the known ones is kept by name: an answer in it must reach only who asked. What is both
 * asked for and refused is refused.
 */
function codings(value: string): string {
  const accepted = new Set<string>()
  const refused = new Set<string>()
  let hasStar = false
  for (const part of value.toLowerCase().split(',')) {
    const [coding, ...parameters] = part.split(';').map(trimSpace)
    if (coding === '') continue
    const isRefused = parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter))
    const name = coding === 'x-gzip' ? 'gzip' : coding
    if (isRefused) refused.add(name)
    else if (name === '*') hasStar = true
    else accepted.add(name)
  }
  if (!refused.has('identity') && !refused.has('*')) accepted.add('identity')
  if (refused.has('*')) hasStar = false
  if (hasStar) for (const coding of known) if (!refused.has(coding)) accepted.add(coding)
  const list = [...accepted].filter((coding) => !refused.has(coding)).toSorted()
  return `=${list.join(',')}${hasStar ? ',*' : ''}`
}
