/**
 * Which `Host` values the admin surface answers to: loopback names, the configured ones, with or without a port. A page
 * whose name was rebound to this address sends its own name, and is refused (DNS rebinding).
 */
export function createHostCheck(host: string, names: readonly string[]): (authority: string) => boolean {
  const allowed = new Set(['localhost', '127.0.0.1', '[::1]', ...names.map((name) => name.toLowerCase())])
  allowed.add(host.includes(':') ? `[${host}]` : host.toLowerCase())
  return (authority) => allowed.has(withoutPort(authority))
}

function withoutPort(authority: string): string {
  const end = authority.startsWith('[') ? authority.indexOf(']') + 1 : authority.indexOf(':')
  return end <= 0 ? authority : authority.slice(0, end)
}
