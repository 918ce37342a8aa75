/** What honest clients and attackers need to know of the gateway under attack; goes to them as a message. */
export interface Target {
  /** Ports of the listeners: HTTP/1.1 and 2 without TLS, and with it. */
  readonly plainPort: number
  readonly tlsPort: number
  /** The service behind, and one like it on the gateway's core: both are asked without the gateway. */
  readonly straightPorts: readonly number[]
  /** PEM of the authority behind the certificate. */
  readonly authority: string
  /** A good bearer token. */
  readonly token: string
}

/** Addresses that honest clients come from: so many that none has much under way, also on a machine that stalls for a second. */
export const honestAddresses: readonly string[] = Array.from({ length: 40 }, (_, i) => `127.0.9.${i + 1}`)

/** One of many addresses that an attacker has; the first is the usual one. */
export function attackingAddress(index: number): string {
  return index === 0 ? '127.0.0.1' : `127.1.${(index >> 8) & 255}.${index & 255}`
}
