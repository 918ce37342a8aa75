import type { Exchange } from '../core/exchange.ts'
import { H, headerId } from '../core/header-names.ts'
import { trimSpace } from '../lib/trim-space.ts'
import type { HashKey } from './service-spec.ts'

/** What a request has of a key; undefined when it lacks it. */
export type ReadHashKey = (x: Exchange) => string | undefined

/** How requests are told apart for consistent hashing. A subject is one only together with its issuer. */
export function hashKeyReader(key: HashKey): ReadHashKey {
  if (!('name' in key)) return key.kind === 'address' ? addressOf : subjectOf
  const { name } = key
  if (key.kind === 'header') {
    const id = headerId(name)
    return ({ headers }) => {
      const value = headers.single(id)
      // Several lines of one name are one list (RFC 9110 §5.3).
      return valued(value === null ? headers.get(name) : value)
    }
  }
  return ({ headers }) => {
    const value = headers.single(H.cookie)
    // HTTP/2 may give each cookie a line of its own (RFC 9113 §8.2.3).
    const text = value === null ? headers.all('cookie').join('; ') : value
    return text === undefined ? undefined : cookieValue(text, name)
  }
}

function addressOf({ clientAddress }: Exchange): string | undefined {
  return valued(clientAddress)
}

function subjectOf({ identity }: Exchange): string | undefined {
  return identity === undefined ? undefined : `${identity.issuer}\0${identity.subject}`
}

function valued(text: string | undefined): string | undefined {
  return text === '' ? undefined : text
}

/** The first value of the name in a Cookie field (RFC 6265 §4.2), as it stands; undefined when it is empty or not there. */
function cookieValue(text: string, name: string): string | undefined {
  for (let at = 0; at < text.length;) {
    while (text.charCodeAt(at) === space) at++
    let end = text.indexOf(';', at)
    if (end === -1) end = text.length
    if (text.startsWith(name, at) && text.charCodeAt(at + name.length) === equals) {
      return valued(trimSpace(text.slice(at + name.length + 1, end)))
    }
    at = end + 1
  }
  return undefined
}

const space = 32
const equals = 61
