import { hash } from 'node:crypto'
import type { Exchange } from '../core/exchange.ts'
import { headerId } from '../core/header-names.ts'
import { addressKey } from '../lib/address.ts'
import type { KeyPart } from './limit-spec.ts'

/** What is known where the limit stands; '' where it is not. */
export interface KeyPlace {
  readonly route: string
  /** The one service behind this place; '' when there is none, or it is drawn per request. */
  readonly service: string
  /** Which service is drawn for a request, where several stand behind this place; asked more than once, it says the same. */
  readonly drawn?: ((x: Exchange) => string) | undefined
}

/**
 * Reads whose budget a request belongs to. Undefined: the request lacks a part. Keys are at most some hundred characters
 * long and no two different combinations of parts share one.
 */
export interface KeyReader {
  read(x: Exchange): string
  /** Whether the request lacks a part of the key; those who lack the same parts share a budget. */
  isMissing(x: Exchange): boolean
  /** What `read` puts together. */
  parts(x: Exchange): readonly string[]
}

/** Longer parts stand in a key as their SHA-256. */
const longestPart = 128
const hashMark = 35

type Part = (x: Exchange) => string

/** The reader for these parts. A part that is missing, or empty, reads as ''. */
export function keyReader(parts: readonly KeyPart[], place: KeyPlace): KeyReader {
  const readers = parts.map((part) => partReader(part, place))
  const isMissing = (x: Exchange): boolean => readers.some((read) => read(x) === '')
  const all = (x: Exchange): readonly string[] => readers.map((read) => read(x))
  if (readers.length === 0) return { read: () => '', isMissing, parts: all }
  if (readers.length === 1) return { read: readers[0], isMissing, parts: all }
  return {
    read(x) {
      let key = ''
      for (const read of readers) key += counted(read(x))
      return key
    },
    isMissing,
    parts: all,
  }
}

/** The key of these parts, as a reader of as many puts it together. */
export function keyOfParts(parts: readonly string[]): string {
  return parts.length === 1 ? parts[0] : parts.map(counted).join('')
}

/** With its length in front no part can pretend to be the end of another. */
function counted(part: string): string {
  return `${part.length}:${part}`
}

function partReader(part: KeyPart, place: KeyPlace): Part {
  switch (part.kind) {
    case 'address':
      return (x) => addressPart(x.clientAddress)
    case 'subject':
      return (x) => (x.identity === undefined ? '' : subjectPart(x.identity.issuer, x.identity.subject))
    case 'tenant':
      return (x) => boundedPart(x.identity?.tenant ?? '')
    case 'client':
      return (x) => boundedPart(x.identity?.client ?? '')
    case 'route':
      return () => place.route
    case 'service':
      return place.drawn ?? (place.service === '' ? (x) => x.service : () => place.service)
    case 'header':
      return headerPart(part.name.toLowerCase())
    default:
      return claimPart(part.name)
  }
}

function headerPart(name: string): Part {
  headerId(name)
  return (x) => boundedPart(x.headers.get(name) ?? '')
}

function claimPart(name: string): Part {
  return (x) => {
    const value = x.identity?.claims[name]
    return value === undefined || value === null ? '' : claimValuePart(value)
  }
}

/** The part of a key for who a subject is. */
export function subjectPart(issuer: string, subject: string): string {
  return boundedPart(`${issuer}\0${subject}`)
}

/** The part of a key for the value of a claim: a text and a number that look alike are different claims. */
export function claimValuePart(value: unknown): string {
  return boundedPart(typeof value === 'string' ? `"${value}` : JSON.stringify(value))
}

/** A part as it stands in a key. What begins like a hash is hashed too: nobody can write down another's. */
export function boundedPart(part: string): string {
  return part.length <= longestPart && part.charCodeAt(0) !== hashMark ? part : `#${hash('sha256', part, 'base64url')}`
}

/** Spelling the /64 of an IPv6 address costs microseconds, and callers come back. */
const v6Keys = new Map<string, string>()
const mostV6Keys = 4096

function addressPart(address: string): string {
  if (!address.includes(':')) return address
  let key = v6Keys.get(address)
  if (key === undefined) {
    if (v6Keys.size >= mostV6Keys) v6Keys.clear()
    key = addressKey(address)
    v6Keys.set(address, key)
  }
  return key
}
