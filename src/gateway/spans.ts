import type { Exchange } from '../core/exchange.ts'
import type { FaultCode } from '../core/fault.ts'
import { isGrpcType } from '../core/grpc-status.ts'
import { H } from '../core/header-names.ts'
import type { Outcome } from '../core/policy.ts'
import type { Trace, TracedAttempt, TracedStep } from '../core/trace.ts'
import type { ReadyRoute } from './compile-routes.ts'
import { redactQuery, withoutQuery } from './redact.ts'
import { decisionOf } from './request-row.ts'
import type { SpanSender } from './span-sender.ts'
import type { SpanValue } from './span-row.ts'

/** What became of a copy of a request. */
export type CopyOutcome = 'sent' | 'failed' | 'dropped'

/** What is known of a copy that is over. */
export interface CopyFacts {
  readonly route: string
  readonly service: string
  readonly outcome: CopyOutcome
  /** Why it was not sent, or not whole. */
  readonly fault: FaultCode | undefined
  /** Monotonic milliseconds. */
  readonly beganAt: number
}

/** Longest text of a client's or a service's making in an attribute. */
const maxTextLength = 1024

const knownMethods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'QUERY',
])

/**
 * The spans of a traced exchange, by OpenTelemetry's conventions for HTTP and RPC: one of the server, one for each policy
 * that was asked, and one of the client for each try at a service. Nothing of headers, cookies and bodies stands in them;
 * queries are redacted as in the log.
 */
export function addSpans(sender: Pick<SpanSender, 'add'>, gateway: string, x: Exchange, trace: Trace, outcome: Outcome): void {
  const wall = x.startedAt - x.startedMono
  const { traceId } = trace
  for (const step of trace.steps) {
    sender.add({
      traceId,
      spanId: step.spanId,
      parentId: step.parentId,
      hasRemoteParent: false,
      name: `policy ${step.policy.name}`,
      kind: 'internal',
      beganAt: wall + step.beganAt,
      endedAt: wall + (step.endedAt === 0 ? outcome.endedAt : step.endedAt),
      isError: step.fault !== undefined,
      attributes: stepAttributes(step),
    })
  }
  addAttempts(sender, trace, wall, outcome.endedAt)
  const route = x.route as ReadyRoute | undefined
  const pattern = route?.match.paths.length === 1 ? route.match.paths[0] : undefined
  const about = pattern ?? route?.name
  sender.add({
    traceId,
    spanId: trace.spanId,
    parentId: trace.parentId,
    hasRemoteParent: trace.parentId !== undefined,
    name: about === undefined ? methodOf(x.method) : `${methodOf(x.method)} ${about}`,
    kind: 'server',
    route: x.route?.name,
    beganAt: x.startedAt,
    endedAt: wall + outcome.endedAt,
    isError: outcome.status >= 500 || (outcome.status === 0 && outcome.end !== 'client-left') || brokeOff(outcome),
    attributes: serverAttributes(gateway, x, outcome, pattern),
  })
}

/**
 * The spans of a copy that was sent to another service: one of its own, a part of the request's, which may end long before,
 * and one for each try.
 */
export function addCopySpans(sender: Pick<SpanSender, 'add'>, gateway: string, x: Exchange, trace: Trace, copy: CopyFacts): void {
  const wall = x.startedAt - x.startedMono
  const endedAt = trace.now()
  const { route, service, outcome, fault, beganAt } = copy
  addAttempts(sender, trace, wall, endedAt)
  const attributes: SpanValue[] = ['velum.gateway', gateway, 'velum.request_id', x.id, 'velum.route', route]
  attributes.push('velum.service', service, 'velum.mirror', outcome)
  if (fault !== undefined) attributes.push('velum.fault', fault)
  if (outcome === 'failed') attributes.push('error.type', fault ?? 'internal')
  sender.add({
    traceId: trace.traceId,
    spanId: trace.spanId,
    parentId: trace.parentId,
    hasRemoteParent: false,
    name: `mirror ${service}`,
    kind: 'internal',
    beganAt: wall + beganAt,
    endedAt: wall + endedAt,
    isError: outcome === 'failed',
    attributes,
  })
}

function addAttempts(sender: Pick<SpanSender, 'add'>, trace: Trace, wall: number, overAt: number): void {
  for (const attempt of trace.attempts) {
    const { fault, answer, endedAt } = attempt
    sender.add({
      traceId: trace.traceId,
      spanId: attempt.spanId,
      parentId: attempt.parentId,
      hasRemoteParent: false,
      name: attempt.isGrpc ? withoutQuery(attempt.target).slice(1) : `${methodOf(attempt.method)} ${attempt.service}`,
      kind: 'client',
      beganAt: wall + attempt.beganAt,
      endedAt: wall + (endedAt === 0 ? overAt : endedAt),
      isError: fault !== undefined || answer === undefined || answer.status >= 400 || (grpcStatusOf(attempt) ?? 0) !== 0,
      attributes: attemptAttributes(attempt),
    })
  }
}

/** The answer did not come whole, and not because the client left. */
function brokeOff({ end }: Outcome): boolean {
  return end === 'service-failed' || end === 'timeout'
}

function serverAttributes(gateway: string, x: Exchange, outcome: Outcome, pattern: string | undefined): SpanValue[] {
  const { status, end } = outcome
  const { connection, refusal, refusedBy, identity } = x
  const list: SpanValue[] = ['http.request.method', methodOf(x.method)]
  if (!knownMethods.has(x.method)) list.push('http.request.method_original', cut(x.method))
  list.push('url.scheme', x.scheme, 'url.path', cut(x.path === '' ? withoutQuery(x.target) : x.path))
  if (x.query !== undefined) list.push('url.query', cut(redactQuery(x.query)))
  if (pattern !== undefined) list.push('http.route', pattern)
  if (status !== 0) list.push('http.response.status_code', status)
  addHost(list, x.authority)
  list.push(
    'client.address',
    x.clientAddress,
    'network.peer.address',
    connection.remoteAddress,
    'network.peer.port',
    connection.remotePort,
  )
  list.push('network.protocol.version', x.version)
  const agent = x.headers.first(H.userAgent)
  if (agent !== undefined) list.push('user_agent.original', cut(agent))
  const type = x.headers.first(H.contentType)
  if (type !== undefined && isGrpcType(type)) addRpc(list, x.path)
  list.push('velum.gateway', gateway, 'velum.listener', connection.listener, 'velum.request_id', x.id, 'velum.end', end)
  if (x.route !== undefined) list.push('velum.route', x.route.name)
  if (x.service !== '') list.push('velum.service', x.service, 'velum.attempts', x.attempts)
  if (identity?.tenant !== undefined) list.push('velum.tenant', cut(identity.tenant))
  if (refusedBy !== undefined) list.push('velum.refused_by', refusedBy.name)
  if (refusal !== undefined) {
    list.push('velum.verdict', refusal.code)
    if (refusal.label !== undefined) list.push('velum.label', refusal.label)
  }
  const fault = x.fault ?? outcome.fault
  if (fault !== undefined) list.push('velum.fault', fault.code)
  if (fault !== undefined && end !== 'client-left') list.push('error.type', fault.code)
  else if (status >= 500) list.push('error.type', String(status))
  return list
}

function stepAttributes({ policy, verdict, cacheResult, fault }: TracedStep): SpanValue[] {
  const list: SpanValue[] = ['velum.policy', policy.name, 'velum.policy.stage', policy.stage]
  list.push('velum.policy.source', verdict?.rule ?? policy.source)
  if (verdict !== undefined) list.push('velum.verdict', verdict.code, 'velum.decision', decisionOf(verdict))
  if (cacheResult !== undefined) list.push('velum.cache', cacheResult)
  if (fault !== undefined) list.push('velum.fault', fault, 'error.type', fault)
  return list
}

function attemptAttributes(attempt: TracedAttempt): SpanValue[] {
  const { method, target, address, isTls, service, resend, fault, answer } = attempt
  const end = target.indexOf('?')
  const query = end === -1 ? '' : `?${redactQuery(target.slice(end + 1))}`
  const list: SpanValue[] = ['http.request.method', methodOf(method)]
  list.push('url.full', cut(`${isTls ? 'https' : 'http'}://${address}${withoutQuery(target)}${query}`))
  addHost(list, address)
  list.push('velum.service', service)
  if (resend > 0) list.push('http.request.resend_count', resend)
  if (attempt.isGrpc) addRpc(list, withoutQuery(target))
  if (answer !== undefined) {
    list.push('http.response.status_code', answer.status)
    const status = grpcStatusOf(attempt)
    if (status !== undefined) list.push('rpc.grpc.status_code', status)
    if (answer.status >= 400) list.push('error.type', String(answer.status))
    else if (status !== undefined && status !== 0) list.push('error.type', String(status))
  } else list.push('error.type', fault ?? 'cancelled')
  return list
}

/** What a gRPC call came to: in the trailers, or in the head of an answer without content. */
function grpcStatusOf({ isGrpc, answer }: TracedAttempt): number | undefined {
  if (!isGrpc || answer === undefined) return undefined
  const text = answer.headers.get('grpc-status') ?? answer.body.trailers()?.get('grpc-status')
  return text === undefined || !/^\d{1,3}$/.test(text) ? undefined : Number(text)
}

/** A gRPC method: the last two segments of its path. */
function addRpc(list: SpanValue[], path: string): void {
  const at = path.lastIndexOf('/')
  list.push(
    'rpc.system',
    'grpc',
    'rpc.service',
    cut(path.slice(path.lastIndexOf('/', at - 1) + 1, at)),
    'rpc.method',
    cut(path.slice(at + 1)),
  )
}

/** `host:port`, `[::1]:80` or a host alone. */
function addHost(list: SpanValue[], authority: string): void {
  if (authority === '') return
  const port = /:(\d+)$/.exec(authority)
  list.push('server.address', cut(port === null ? authority : authority.slice(0, port.index)))
  if (port !== null) list.push('server.port', Number(port[1]))
}

/** Methods are few in OpenTelemetry, so that they may name series. */
function methodOf(method: string): string {
  return knownMethods.has(method) ? method : '_OTHER'
}

function cut(text: string): string {
  return text.length > maxTextLength ? text.slice(0, maxTextLength) : text
}
