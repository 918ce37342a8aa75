import type { BreakerSpec, EjectSpec, HealthSpec, ServiceSpec } from '../services/service-spec.ts'
import type { CheckContext } from './check-context.ts'
import type { Service } from './check-services.ts'
import type { ConfigPath } from './finding.ts'

/** How a request finds its target; a written key was checked by the schema. */
export function balanceOf(balance: Service['balance']): ServiceSpec['balance'] {
  if (balance === undefined) return 'round-robin'
  if (typeof balance === 'string') return balance
  const { hash } = balance
  if (hash === 'subject' || hash === 'address') return { hash: { kind: hash } }
  const name = hash.slice(hash.indexOf(':') + 1)
  return { hash: hash.startsWith('cookie:') ? { kind: 'cookie', name } : { kind: 'header', name: name.toLowerCase() } }
}

/** How targets are asked whether they are well. */
export function healthOf(context: CheckContext, path: ConfigPath, service: Service): HealthSpec | undefined {
  const { health } = service
  if (health === undefined) return undefined
  const { grpc, every = 10_000, timeout = 2000, rise = 2, fall = 3 } = health
  if (grpc !== undefined) {
    const at = [...path, 'health', 'grpc']
    const urls = service.url === undefined ? (service.targets ?? []).map(({ url }) => url) : [service.url]
    if (health.path !== undefined) {
      context.findings.error(at, 'a target is asked by HTTP or by gRPC, not by both', 'remove either path or grpc')
    } else if (service.http2 !== true && urls.some((url) => !/^grpcs?:/i.test(url))) {
      context.findings.error(
        at,
        'gRPC needs targets of HTTP/2',
        'give the targets grpc:// or grpcs:// addresses, or set http2: true',
      )
    }
  }
  return { path: health.path, grpc, everyMs: every, timeoutMs: timeout, rise, fall }
}

/** When a target is left out for failures in a row. */
export function ejectOf(eject: Service['eject']): EjectSpec | undefined {
  return eject === false ? undefined : { failures: eject?.failures ?? 5, baseMs: eject?.for ?? 10_000 }
}

/** When circuit breakers open. */
export function breakerOf(context: CheckContext, path: ConfigPath, { breaker, eject }: Service): BreakerSpec | undefined {
  // Who says that targets are never left out means it.
  if (breaker === false || (breaker === undefined && eject === false)) return undefined
  const {
    failureRatio = 0.5,
    slow,
    slowRatio,
    window = 10_000,
    minimumCalls = 20,
    for: openMs = 5000,
    probes = 3,
    service = true,
  } = breaker ?? {}
  if (slow === undefined && slowRatio !== undefined) {
    context.findings.error([...path, 'slowRatio'], 'nothing says from when on a call is slow', 'add `slow`, such as slow: 2s')
  }
  return {
    failureRatio,
    slowRatio: slowRatio ?? 0.5,
    slowMs: slow ?? Infinity,
    windowMs: window,
    minCalls: minimumCalls,
    openMs,
    probes,
    isOfService: breaker !== undefined && service,
  }
}
