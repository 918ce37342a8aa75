import { isIP } from 'node:net'
import type { DnsSpec } from '../services/service-spec.ts'
import type { CheckContext } from './check-context.ts'
import { dnsSchema } from './schema/gateway.ts'

/** How names are resolved where the configuration says nothing. */
export const defaultDns: DnsSpec = { servers: [], refreshMs: 10_000, ipv6: undefined }

/** How names of targets are resolved. */
export function checkDns(context: CheckContext): DnsSpec {
  const { reading, findings } = context
  const dns = reading.at(['dns']) === undefined ? undefined : reading.readFields(dnsSchema, ['dns'])
  const servers = dns?.servers ?? []
  for (const [i, server] of servers.entries()) {
    if (isServer(server)) continue
    findings.error(
      ['dns', 'servers', i],
      `${JSON.stringify(server.slice(0, 80))} is not the address of a DNS server`,
      'write an address, with a port if need be, such as 10.0.0.53, 10.0.0.53:5353 or [2001:db8::53]:5353',
    )
  }
  return { servers, refreshMs: dns?.refresh ?? defaultDns.refreshMs, ipv6: dns?.ipv6 }
}

function isServer(text: string): boolean {
  if (isIP(text) !== 0) return true
  const [, six, four, port] = /^(?:\[([^\]]*)\]|([\d.]+))(?::(\d{1,5}))?$/.exec(text) ?? []
  return (isIP(six ?? '') === 6 || isIP(four ?? '') === 4) && (port === undefined || (Number(port) > 0 && Number(port) < 65_536))
}
