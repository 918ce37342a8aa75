import type { ServiceTlsSpec, TargetSpec } from '../services/service-spec.ts'
import { checkGrpc } from './check-bridges.ts'
import { checkAuthorities, checkCertificate } from './check-certificate.ts'
import type { CheckContext } from './check-context.ts'
import { absolutePath, checkedNames } from './check-context.ts'
import { checkServiceLimits } from './check-limit-uses.ts'
import type { CheckedLimit } from './check-limits.ts'
import { issuerRemedy } from './check-own-issuer.ts'
import { balanceOf, breakerOf, ejectOf, healthOf } from './check-resilience.ts'
import type { ConfigPath } from './finding.ts'
import type { ServiceModel } from './model.ts'
import type { Fields } from './reading.ts'
import { serviceSchema } from './schema/services.ts'

/** A service as it is written, its parts read. */
export type Service = Fields<typeof serviceSchema>

/** What stands behind the routes. */
export function checkServices(context: CheckContext, limits: ReadonlyMap<string, CheckedLimit>): ServiceModel[] {
  const specs: ServiceModel[] = []
  const hasIssuer = context.reading.at(['identity', 'issuer']) !== undefined
  for (const name of checkedNames(context, ['services'])) {
    const service = context.reading.readFields(serviceSchema, ['services', name])
    if (service === undefined) continue
    if (service.identity === 'jwt' && !hasIssuer) {
      context.findings.error(
        ['services', name, 'identity'],
        'without an issuer there is nobody to sign tokens for the service',
        issuerRemedy,
      )
    }
    const grpc = checkGrpc(context, name, service)
    specs.push({
      name,
      targets: targetsOf(context, ['services', name], service),
      balance: balanceOf(service.balance),
      slowStartMs: service.slowStart,
      timeoutMs: service.timeout ?? 30_000,
      connectTimeoutMs: service.connectTimeout ?? 3_000,
      idleMs: service.idle ?? 60_000,
      maxConnections: service.maxConnections ?? 256,
      attempts: service.retries?.attempts ?? 1,
      retryBudget: service.retries?.budget ?? 0.2,
      health: healthOf(context, ['services', name], service),
      eject: ejectOf(service.eject),
      breaker: breakerOf(context, ['services', name, 'breaker'], service),
      identity: service.identity ?? (hasIssuer ? 'jwt' : 'none'),
      audience: service.audience ?? name,
      tls: tlsOf(context, ['services', name, 'tls'], service.tls),
      concurrency: service.concurrency,
      ...(grpc === undefined ? {} : { grpc }),
      limits: checkServiceLimits(context, limits, name, service.limits ?? []),
    })
  }
  return specs
}

function tlsOf(context: CheckContext, path: ConfigPath, tls: Service['tls']): ServiceTlsSpec | undefined {
  if (tls === undefined) return undefined
  const ca = tls.ca === undefined ? undefined : absolutePath(context, tls.ca)
  if (ca !== undefined) checkAuthorities(context, [...path, 'ca'], ca)
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    context.findings.error(path, 'a certificate and its key belong together', 'give both cert and key, or none of them')
  }
  let client: ServiceTlsSpec['client']
  if (tls.cert !== undefined && tls.key !== undefined) {
    client = { cert: absolutePath(context, tls.cert), key: absolutePath(context, tls.key) }
    checkCertificate(context, path, { ...client, names: [] })
  }
  return { ca, client, serverName: tls.serverName?.toLowerCase() }
}

function targetsOf(context: CheckContext, path: ConfigPath, service: Service): TargetSpec[] {
  const { findings, reading } = context
  const hasUrl = reading.at([...path, 'url']) !== undefined
  if (hasUrl === (reading.at([...path, 'targets']) !== undefined)) {
    const message = hasUrl ? 'the service has both url and targets' : 'the service has no address'
    findings.error(path, message, 'give it either url, or targets: [{ url }, …]')
    return []
  }
  if (service.url !== undefined) {
    const target = targetOf(context, [...path, 'url'], service.url, 1, service.http2)
    return target === undefined ? [] : [target]
  }
  if (service.targets === undefined) return []
  const targets: TargetSpec[] = []
  for (const [i, { url, weight }] of service.targets.entries()) {
    const at = [...path, 'targets', i, 'url']
    const target = targetOf(context, at, url, weight ?? 1, service.http2)
    if (target === undefined) continue
    const same = targets.find((other) => other.host === target.host && other.port === target.port)
    if (same !== undefined)
      findings.error(at, `the target ${url} stands here twice`, 'keep one of the two, with the weight of both')
    if (targets.length > 0 && targets[0].protocol !== target.protocol) {
      findings.error(at, 'the targets of one service speak different protocols', 'make two services of them')
    }
    targets.push(target)
  }
  if (service.targets.every(({ weight }) => weight === 0)) {
    findings.error(
      [...path, 'targets'],
      'every target has weight 0, so none would get a request',
      'give at least one a weight above 0',
    )
  }
  return targets
}

const isSrv = (protocol: string): boolean => protocol.endsWith('+srv:')

const schemes: ReadonlyMap<string, { protocol: 'http' | 'grpc'; tls: boolean; port: number }> = new Map([
  ['http:', { protocol: 'http', tls: false, port: 80 }],
  ['https:', { protocol: 'http', tls: true, port: 443 }],
  ['grpc:', { protocol: 'grpc', tls: false, port: 80 }],
  ['grpcs:', { protocol: 'grpc', tls: true, port: 443 }],
])

function targetOf(
  context: CheckContext,
  path: ConfigPath,
  text: string,
  weight: number,
  http2: boolean | undefined,
): TargetSpec | undefined {
  const wrong = (message: string, remedy: string): undefined => {
    context.findings.error(path, message, remedy)
    return undefined
  }
  const shown = context.reading.show(text, path)
  const url = URL.parse(text)
  const scheme = url === null ? undefined : schemes.get(url.protocol.replace('+srv:', ':'))
  if (url === null || scheme === undefined || !text.startsWith(`${url.protocol}//`)) {
    return wrong(
      `${shown} is not the address of a service`,
      'write scheme, host and port, such as http://127.0.0.1:7002 or https://orders.internal',
    )
  }
  if (url.username !== '' || url.password !== '') {
    return wrong('the address holds a user name or password', 'remove it; set an authorization header on the route instead')
  }
  if (url.hostname === '') return wrong(`${shown} names no host`, 'write scheme, host and port, such as http://127.0.0.1:7002')
  if ((url.pathname !== '' && url.pathname !== '/') || url.search !== '' || url.hash !== '') {
    return wrong(
      `${shown} has a path or query behind its port`,
      'give scheme, host and port only; change paths with `rewrite` on a route',
    )
  }
  const host = (url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname).toLowerCase()
  if (isSrv(url.protocol)) {
    if (url.port !== '') return wrong(`${shown} gives a port, which SRV records tell`, 'remove the port')
    if (!/^_[a-z0-9-]+\._[a-z]+\.[a-z0-9_]/.test(host)) {
      return wrong(
        `${shown} does not name SRV records`,
        'write service, protocol and domain, each of the first two with a leading "_": http+srv://_http._tcp.orders.internal',
      )
    }
  }
  const port = url.port === '' ? scheme.port : Number(url.port)
  if (port === 0) return wrong('port 0 cannot be reached', "give the service's port")
  const protocol = scheme.protocol === 'http' && http2 === true ? 'http2' : scheme.protocol
  return {
    url: text.replace(/\/$/, ''),
    protocol,
    tls: scheme.tls,
    host,
    port,
    weight,
    ...(isSrv(url.protocol) ? { srv: true } : {}),
  }
}
