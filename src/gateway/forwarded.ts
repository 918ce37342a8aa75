import type { Exchange } from '../core/exchange.ts'
import { H } from '../core/header-names.ts'
import { trimSpace } from '../lib/trim-space.ts'

/** Entries of a forwarding chain that are looked at; a longer one is cut at its far end. */
const maxHops = 32

/** What trusted proxies in front say about where a request came from. */
export interface Origin {
  readonly address: string
  readonly scheme: 'http' | 'https'
}

/**
 * The client behind trusted proxies: the chain is walked from the near end, past every trusted hop, to the first
 * address that is not trusted. An entry that is no address ends the walk, since what stands behind it is hearsay.
 * `parse` gives an address in canonical text, or undefined.
 */
export function originBehindProxies(
  x: Exchange,
  isTrusted: (address: string) => boolean,
  parse: (text: string) => string | undefined,
): Origin {
  const chain = x.headers.get('x-forwarded-for')
  const hops =
    chain === undefined
      ? forwardedHops(x.headers.get('forwarded'))
      : chain.split(',').map((text) => ({ for: text, proto: undefined }))
  let address = x.connection.remoteAddress
  let scheme = x.scheme
  const near = chain === undefined ? hops.at(-1)?.proto : x.headers.first(H.xForwardedProto)?.split(',').at(-1)
  const proto = near === undefined ? undefined : trimSpace(near).toLowerCase()
  if (proto === 'http' || proto === 'https') scheme = proto
  for (let i = hops.length - 1, walked = 0; i >= 0 && walked < maxHops && isTrusted(address); i--, walked++) {
    const hop = parse(withoutPort(trimSpace(hops[i].for)))
    if (hop === undefined) break
    address = hop
  }
  return { address, scheme }
}

const withPort = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(?:\d{1,5}|_[\w.-]+))?$/

/** `1.2.3.4:5678` and `[::1]:5678` without port and brackets; a port may be hidden (RFC 7239 §6.2). */
function withoutPort(text: string): string {
  const parts = withPort.exec(text)
  return parts?.[1] ?? parts?.[2] ?? text
}

/** The elements of a `Forwarded` field (RFC 7239): only `for` and `proto` are of use here. */
function forwardedHops(field: string | undefined): { for: string; proto: string | undefined }[] {
  if (field === undefined) return []
  return field.split(',').map((element) => {
    const hop: { for: string; proto: string | undefined } = { for: '', proto: undefined }
    for (const pair of element.split(';')) {
      const equals = pair.indexOf('=')
      if (equals === -1) continue
      const name = trimSpace(pair.slice(0, equals)).toLowerCase()
      const value = trimSpace(pair.slice(equals + 1)).replace(/^"(.*)"$/, '$1')
      if (name === 'for') hop.for = value
      else if (name === 'proto') hop.proto = value
    }
    return hop
  })
}

/**
 * The lines that tell a service where a request came from. A chain is continued only when a trusted proxy sent it;
 * from anyone else it was dropped, and this is its first entry.
 */
export function forwardingLines(x: Exchange, isTrustedPeer: boolean): string {
  const peer = x.connection.remoteAddress
  const node = peer.includes(':') ? `"[${peer}]"` : peer
  const host = x.authority
  const forwarded = host === '' ? `for=${node};proto=${x.scheme}` : `for=${node};host="${host}";proto=${x.scheme}`
  if (!isTrustedPeer) {
    const named = host === '' ? '' : `X-Forwarded-Host: ${host}\r\n`
    return `Forwarded: ${forwarded}\r\nX-Forwarded-For: ${peer}\r\n${named}X-Forwarded-Proto: ${x.scheme}\r\n`
  }
  const chain = x.headers.get('x-forwarded-for')
  const earlier = x.headers.get('forwarded')
  const originalHost = x.headers.first(H.xForwardedHost) ?? host
  const named = originalHost === '' ? '' : `X-Forwarded-Host: ${originalHost}\r\n`
  return (
    `Forwarded: ${earlier === undefined ? '' : `${earlier}, `}${forwarded}\r\n` +
    `X-Forwarded-For: ${chain === undefined ? '' : `${chain}, `}${peer}\r\n${named}X-Forwarded-Proto: ${x.scheme}\r\n`
  )
}
