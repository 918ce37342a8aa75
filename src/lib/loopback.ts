import { AddressSet, canonicalAddress } from './address.ts'

const loopback = new AddressSet(['127.0.0.0/8', '::1/128'])

/** Whether a host, as it stands in a configuration or URL, is this machine's loopback: `localhost` or such an address. */
export function isLoopbackHost(host: string): boolean {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
  if (bare.toLowerCase() === 'localhost') return true
  const address = canonicalAddress(bare)
  return address !== undefined && loopback.has(address)
}
