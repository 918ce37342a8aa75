import { isLoopbackHost } from './loopback.ts'

/**
 * Whether a text is an origin as browsers write it (RFC 6454 §6.2) that can be trusted to be what it says: https, or
 * http on loopback. A pattern is none.
 */
export function isTrustableOrigin(text: string): boolean {
  const url = URL.parse(text)
  if (url === null || url.origin !== text || text.includes('*')) return false
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackHost(url.hostname))
}

/** How such an origin is written. */
export const originRemedy =
  'write scheme and host, in lower case and with nothing behind: https://app.example.com (http on loopback only)'
