import { isIPv6 } from 'node:net'

// A strict subset of RFC 3986 §3.2.2: names of letters, digits, "-", "." and "_" (which container networks use), IPv4
// as such a name, IPv6 in brackets. Percent-encoding and sub-delims mean nothing in DNS and different things to peers.
const hostByte = new Uint8Array(128)
for (const c of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._') hostByte[c.charCodeAt(0)] = 1

const maxHostLength = 255
const colon = 58
const openBracket = 91

/**
 * The authority of a Host field, an absolute target or `:authority`, in lower case: `host`, `host:port` or `[ipv6]:port`.
 * Undefined for everything else, userinfo and an empty host or port among it.
 */
export function parseAuthority(text: string): string | undefined {
  const length = text.length
  let at = 0
  let isUpper = false
  if (text.charCodeAt(0) === openBracket) {
    at = text.indexOf(']')
    if (at === -1 || text.includes('%') || !isIPv6(text.slice(1, at))) return undefined
    at++
    isUpper = true
  } else {
    for (; at < length; at++) {
      const code = text.charCodeAt(at)
      if (code > 127 || hostByte[code] === 0) break
      if (code >= 65 && code <= 90) isUpper = true
    }
    if (at === 0) return undefined
  }
  if (at > maxHostLength) return undefined
  if (at < length && (text.charCodeAt(at) !== colon || !isPort(text, at + 1))) return undefined
  return isUpper ? text.toLowerCase() : text
}

/** Decimal digits to the end, 1 to 65535, without leading zeros: so that equal ports are equal text. */
function isPort(text: string, start: number): boolean {
  const digits = text.length - start
  if (digits < 1 || digits > 5 || text.charCodeAt(start) === 48) return false
  let port = 0
  for (let i = start; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return false
    port = port * 10 + digit
  }
  return port <= 65_535
}
