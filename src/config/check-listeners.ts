import { z } from 'zod'
import { canonicalAddress } from '../lib/address.ts'
import { isLoopbackHost } from '../lib/loopback.ts'
import type { EdgeBounds } from '../limits/edge-limits.ts'
import { checkPlainForAcme } from './check-acme.ts'
import type { CheckContext } from './check-context.ts'
import { checkedNames, namesOf } from './check-context.ts'
import { checkEdge } from './check-edge.ts'
import type { CheckedLimit } from './check-limits.ts'
import { adminTlsModel, tlsModel } from './check-tls.ts'
import type { ConfigPath } from './finding.ts'
import type { AdminModel, EdgeLimitUse, ListenerModel, WireLimits } from './model.ts'
import type { Fields } from './reading.ts'
import { adminSchema, listenerSchema, probesSchema } from './schema/listeners.ts'
import { checkName } from './unknown-name.ts'
import { isObject } from '../lib/is-object.ts'

/** A listener's TLS is read for itself, so that one fault hides no other. */
const listenerFields = listenerSchema.extend({ tls: z.unknown() })
const adminFields = adminSchema.extend({ tls: z.unknown() })
type Listener = Fields<typeof listenerFields>

/** What a listener's bounds are when its configuration does not say. */
export const defaultWireLimits: WireLimits = {
  maxHeadBytes: 16 * 1024,
  maxHeaderCount: 100,
  maxTargetBytes: 8 * 1024,
  maxRequests: 10_000,
  maxConnections: 20_000,
  headMs: 10_000,
  bodyMs: 30_000,
  minBodyRate: 240,
  idleMs: 60_000,
  writeMs: 30_000,
}

/** The ports: listeners, admin and probes, and that no two of them are the same. */
export function checkListeners(
  context: CheckContext,
  limits: ReadonlyMap<string, CheckedLimit>,
): {
  listeners: ListenerModel[]
  admin: AdminModel | undefined
  probes: { host: string; port: number } | undefined
} {
  const { reading, findings } = context
  const names = checkedNames(context, ['listeners'])
  if (namesOf(context, ['listeners']).length === 0 && isObjectOrMissing(reading.at(['listeners']))) {
    findings.error(
      ['listeners'],
      'there is no listener, so nobody could reach the gateway',
      'add one: listeners: { plain: { port: 8080 } }',
    )
  }
  const read = new Map<string, Listener>()
  for (const name of names) {
    const listener = reading.readFields(listenerFields, ['listeners', name])
    if (listener !== undefined) read.set(name, listener)
  }
  const secure = secureNames(context, names)
  const listeners = [...read].map(([name, listener]) => listenerModel({ context, limits, secure, all: read }, name, listener))
  checkPlainForAcme(context, listeners)
  const admin = checkAdmin(context)
  const probes = reading.at(['probes']) === undefined ? undefined : reading.readFields(probesSchema, ['probes'])
  const probesModel = probes === undefined ? undefined : { host: probes.host ?? '0.0.0.0', port: probes.port ?? 0 }
  checkPorts(context, [
    ...listeners.map((listener): Port => ({
      path: ['listeners', listener.name, 'port'],
      host: listener.host,
      port: listener.port,
    })),
    ...(admin === undefined ? [] : [{ path: ['admin', 'port'], host: admin.host, port: admin.port }]),
    ...(probesModel === undefined ? [] : [{ path: ['probes', 'port'], host: probesModel.host, port: probesModel.port }]),
  ])
  return { listeners, admin, probes: probesModel }
}

/** Listeners with TLS, as written: one that is faulty elsewhere still counts as a redirect's aim. */
function secureNames(context: CheckContext, names: readonly string[]): string[] {
  return names.filter((name) => context.reading.at(['listeners', name, 'tls']) !== undefined)
}

interface Around {
  readonly context: CheckContext
  readonly limits: ReadonlyMap<string, CheckedLimit>
  /** Names of the listeners that have TLS. */
  readonly secure: readonly string[]
  readonly all: ReadonlyMap<string, Listener>
}

function listenerModel({ context, limits, secure, all }: Around, name: string, listener: Listener): ListenerModel {
  const { findings } = context
  const path: ConfigPath = ['listeners', name]
  const { timeouts } = listener
  if (listener.proxyProtocol === true && hasNoProxies(context.reading.at(['trustedProxies']))) {
    findings.warn(
      [...path, 'proxyProtocol'],
      'whoever reaches this port can choose his own address',
      'name your load balancers in trustedProxies, or see to it that nobody else reaches the port',
    )
  }
  let redirectTo: string | undefined
  if (listener.redirect !== undefined) {
    if (secure.includes(name)) {
      findings.error([...path, 'redirect'], 'a listener with TLS cannot redirect to https', 'remove redirect, or remove tls')
    } else if (secure.length === 0) {
      findings.error(
        [...path, 'redirect'],
        'no listener has TLS, so there is nothing to redirect to',
        'add a listener with tls, such as { port: 8443, tls: { dev: true } }',
      )
    } else {
      // The usual port, where several would do: that is what a client means by https.
      redirectTo = secure.find((other) => all.get(other)?.port === 443) ?? secure[0]
    }
  }
  return {
    name,
    host: listener.host ?? '0.0.0.0',
    port: listener.port ?? 0,
    wire: listener.wire ?? 'velum',
    http2: listener.http2 ?? true,
    proxyProtocol: listener.proxyProtocol ?? false,
    redirectPort: redirectTo === undefined ? undefined : (all.get(redirectTo)?.port ?? 443),
    redirectListener: redirectTo,
    tls: listener.tls === undefined ? undefined : tlsModel(context, [...path, 'tls']),
    limits: {
      maxHeadBytes: listener.maxHeadBytes ?? defaultWireLimits.maxHeadBytes,
      maxHeaderCount: listener.maxHeaderCount ?? defaultWireLimits.maxHeaderCount,
      maxTargetBytes: listener.maxTargetBytes ?? defaultWireLimits.maxTargetBytes,
      maxRequests: listener.maxRequests ?? defaultWireLimits.maxRequests,
      maxConnections: listener.maxConnections ?? defaultWireLimits.maxConnections,
      headMs: timeouts?.head ?? defaultWireLimits.headMs,
      bodyMs: timeouts?.body ?? defaultWireLimits.bodyMs,
      minBodyRate: listener.minBodyRate ?? defaultWireLimits.minBodyRate,
      idleMs: timeouts?.idle ?? defaultWireLimits.idleMs,
      writeMs: timeouts?.write ?? defaultWireLimits.writeMs,
    },
    edgeLimits: edgeLimits(context, limits, path, listener),
    edge: edgeBounds(context, path, listener),
  }
}

function edgeBounds(context: CheckContext, path: ConfigPath, listener: Listener): EdgeBounds | undefined {
  const { connectionsPerAddress, connectionRate, handshakeRate } = listener.edge ?? {}
  if (connectionsPerAddress === undefined && connectionRate === undefined && handshakeRate === undefined) return undefined
  checkEdge(context, [...path, 'edge'], {
    connectionsPerAddress,
    connectionRate,
    handshakeRate,
    maxConnections: listener.maxConnections ?? defaultWireLimits.maxConnections,
    isTls: listener.tls !== undefined,
  })
  return { connectionsPerAddress, connectionRate, handshakeRate }
}

function edgeLimits(
  context: CheckContext,
  checked: ReadonlyMap<string, CheckedLimit>,
  path: ConfigPath,
  listener: Listener,
): EdgeLimitUse[] {
  const { findings, reading } = context
  const limits = namesOf(context, ['limits'])
  const uses: EdgeLimitUse[] = []
  for (const [i, use] of (listener.edge?.limits ?? []).entries()) {
    const at = [...path, 'edge', 'limits', i]
    if (!checkName(findings, at, 'limit', use, limits)) continue
    if (uses.some((other) => other.use === use)) {
      findings.error(at, `the limit "${use}" stands here twice`, 'keep one of the two')
      continue
    }
    const per = reading.at(['limits', use, 'per']) ?? []
    if (Array.isArray(per) && per.some((part) => part !== 'address')) {
      findings.error(
        at,
        `the limit "${use}" counts by more than addresses, and at the edge nothing else is known of a request`,
        `use a limit with per: ['address'] here, and this one on routes`,
      )
      continue
    }
    const { cost = 1, settle } = checked.get(use) ?? {}
    uses.push({ use, cost, settle, source: `listeners.${path[1]}.edge.limits[${i}]` })
  }
  return uses
}

function checkAdmin(context: CheckContext): AdminModel | undefined {
  const { reading, findings } = context
  if (reading.at(['admin']) === undefined) return undefined
  const admin = reading.readFields(adminFields, ['admin'])
  if (admin === undefined) return undefined
  const host = admin.host ?? '127.0.0.1'
  const tls = admin.tls === undefined ? undefined : adminTlsModel(context, ['admin', 'tls'])
  if (!isLoopbackHost(host) && admin.tls === undefined) {
    findings.error(
      ['admin', 'host'],
      `the admin server would be open to others on ${host}, without TLS`,
      'use 127.0.0.1, or give it tls: { certificates: [{ cert, key }] }; for an orchestrator open `probes`',
    )
  }
  return { host, port: admin.port ?? 0, names: (admin.names ?? []).map((name) => name.toLowerCase()), tls }
}

interface Port {
  readonly path: ConfigPath
  readonly host: string
  readonly port: number
}

function checkPorts(context: CheckContext, ports: readonly Port[]): void {
  for (const [i, one] of ports.entries()) {
    if (one.port === 0) continue
    const other = ports.slice(0, i).find((earlier) => earlier.port === one.port && meet(earlier.host, one.host))
    if (other === undefined) continue
    const owner = other.path.slice(0, -1).join('.')
    context.findings.error(one.path, `port ${one.port} is taken by ${owner} already`, 'choose another port, or another host')
  }
}

/** Whether two sockets on these addresses would want the same port. */
function meet(a: string, b: string): boolean {
  return everyAddress.has(a) || everyAddress.has(b) || canonicalHost(a) === canonicalHost(b)
}

const everyAddress = new Set(['0.0.0.0', '::'])

function canonicalHost(host: string): string {
  return canonicalAddress(host) ?? (host.toLowerCase() === 'localhost' ? '127.0.0.1' : host)
}

function hasNoProxies(proxies: unknown): boolean {
  return proxies === undefined || (Array.isArray(proxies) && proxies.length === 0)
}

function isObjectOrMissing(value: unknown): boolean {
  return value === undefined || isObject(value)
}
