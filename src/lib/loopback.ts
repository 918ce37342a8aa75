import { AddressSet, canonicalAddress } from './address.ts'

const loopback = new AddressSet(['127.0.0.0/8', '::1/128'])

/** Whether secrets may be sent to a URL, and what it says be believed: https, or http that does not leave this machine. */
export function isSafeUrl({ protocol, hostname }: Pick<URL, 'protocol' | 'hostname'>): boolean {
  return protocol === 'https:' || (protocol === 'http:' && isLoopbackHost(hostname))
}

/** Whether a host, as it stands in a configuration or URL, is this machine's loopback: `localhost` or such an address. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
  if (bare.toLowerCase() === 'localhost') return true
  const address = canonicalAddress(bare)
  return address !== undefined && loopback.has(address)
}
