import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { Handler } from '../core/handler.ts'
import { H } from '../core/header-names.ts'
import type { DropTable, Headers } from '../core/headers.ts'
import type { RequestEdit } from '../core/request-edits.ts'
import type { Call, Service } from '../core/service.ts'
import { trimSpace } from '../lib/trim-space.ts'
import { callerTimeoutMs, passTimeout } from './deadline.ts'
import { forwardingLines } from './forwarded.ts'
import type { Mirror } from './mirror.ts'

/** How one service receives its calls. */
export interface Upstream {
  readonly name: string
  readonly weight: number
  /** The service behind its own policies. */
  readonly service: Service
  /** Lines of the request that this service must not see: hop-by-hop, ours, and protected ones. */
  readonly drop: DropTable
  /** Attaches who is calling, in the form this service wants. */
  readonly attachIdentity: RequestEdit | undefined
}

export interface ForwardOptions {
  readonly upstreams: readonly Upstream[]
  /** Draws one of the upstreams for an exchange; absent when there is only one. */
  readonly draw: ((x: Exchange) => Upstream) | undefined
  /** The path that the service gets; absent: the exchange's own. */
  readonly rewritePath: ((x: Exchange) => string) | undefined
  /** The query that the service gets; absent: the client's. */
  readonly rewriteQuery?: ((x: Exchange) => string | undefined) | undefined
  /** The Host that the service gets; absent: the client's. */
  readonly host: string | undefined
  readonly edits: readonly RequestEdit[]
  readonly timeoutMs: number
  readonly clock: Clock
  /** Gets a copy of each call; absent: nobody does. */
  readonly mirror: Mirror | undefined
}

/** The end of an ordinary route: makes a Call of the exchange and lets the service answer it. */
export function createForward(options: ForwardOptions): Handler {
  const { draw, rewritePath, rewriteQuery, host, edits, timeoutMs, clock, mirror } = options
  const only = options.upstreams[0]
  return (x) => {
    const upstream = draw === undefined ? only : draw(x)
    const path = rewritePath === undefined ? x.path : rewritePath(x)
    const query = rewriteQuery === undefined ? x.query : rewriteQuery(x)
    const callerMs = callerTimeoutMs(x)
    const headers = callHeaders(x, upstream, edits)
    if (callerMs !== Infinity) {
      const leftMs = x.startedMono + callerMs - clock.monotonic()
      if (leftMs <= 0) throw new Fault('service-timeout', 'the time that the caller gave has passed')
      passTimeout(headers, x, leftMs)
    }
    const call: Call = {
      method: x.method,
      target: query === undefined ? path : `${path}?${query}`,
      authority: host ?? (x.authority === '' ? undefined : x.authority),
      headers,
      body: x.body,
      upgrade: x.upgrade,
      headBy: x.startedMono + Math.min(timeoutMs, callerMs),
      isCallersDeadline: callerMs < timeoutMs,
    }
    x.service = upstream.name
    mirror?.copy(call, x)
    if (x.upgrade === undefined) return upstream.service(call, x)
    return upstream.service({ ...call, renew: (derived) => callHeaders(derived, upstream, edits) }, x)
  }
}

/** What a service sees of an exchange's headers. */
export function callHeaders(x: Exchange, upstream: Upstream, edits: readonly RequestEdit[]): Headers {
  const headers = x.headers.derive(upstream.drop)
  const options = x.headers.single(H.connection)
  if (options !== undefined) removeNominated(headers, options ?? x.headers.get('connection')!)
  for (const edit of edits) edit(headers, x)
  headers.putLines(hopLines(x))
  upstream.attachIdentity?.(headers, x)
  return headers
}

/** What a service is told of the way that a request has come. */
export function hopLines(x: Exchange): string {
  let lines = `${forwardingLines(x, x.isProxied)}Via: ${x.version === '2' ? '2.0' : x.version} velum\r\nX-Request-Id: ${x.id}\r\n`
  if (x.traceparent !== undefined) {
    // Each try of one that is traced says its own.
    if (x.trace === undefined) lines += `Traceparent: ${x.traceparent}\r\n`
    if (x.headers.first(H.tracestate) !== undefined && isContinued(x.headers.first(H.traceparent), x.traceparent))
      lines += `Tracestate: ${x.headers.get('tracestate')}\r\n`
  }
  return lines
}

/** Whether two values of `traceparent` are of the same trace: the state of another one says nothing of this. */
function isContinued(came: string | undefined, ours: string): boolean {
  return came !== undefined && came.slice(3, 35) === ours.slice(3, 35)
}

/**
 * Removes the fields that `Connection` nominates as hop-by-hop (RFC 9110 §7.6.1). Done before anything of ours is set,
 * so a client cannot nominate away what the gateway adds.
 */
function removeNominated(headers: Headers, options: string): void {
  if (options === 'keep-alive' || options === 'close' || options === 'Upgrade') return
  for (const option of options.split(',')) {
    const name = trimSpace(option).toLowerCase()
    if (name !== '' && name !== 'close' && name !== 'keep-alive' && name !== 'upgrade') headers.remove(name)
  }
}
