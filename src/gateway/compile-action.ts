import type { Bridge } from '../bridges/bridge.ts'
import { bridged, guarded, speaking } from '../bridges/bridged.ts'
import type { RedirectAction, RespondAction, RouteModel, ServiceModel, ToAction } from '../config/model.ts'
import { Answer, emptyAnswer } from '../core/answer.ts'
import { BytesBody } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Handler } from '../core/handler.ts'
import { H } from '../core/header-names.ts'
import { dropTable, headerBlock, Headers } from '../core/headers.ts'
import type { Meter } from '../core/meter.ts'
import type { Policy } from '../core/policy.ts'
import type { RequestEdit } from '../core/request-edits.ts'
import type { Service } from '../core/service.ts'
import type { Sweeper } from '../core/sweeper.ts'
import { protectedHeaderIds, withoutOwnCookies } from '../identity/protected-headers.ts'
import { lazily } from '../lib/lazily.ts'
import { compileRedirect, compileRewrite } from '../routing/rewrite.ts'
import { compileQueryRewrite } from '../routing/rewrite-query.ts'
import type { ServiceSpec } from '../services/service-spec.ts'
import type { LimitedUpstream } from './drawn-limits.ts'
import { drawnPolicy, remembering } from './drawn-limits.ts'
import { callHeaders, createForward } from './forward.ts'
import type { Upstream } from './forward.ts'
import { identityHeaders } from '../identity/identity-headers.ts'
import { Mirror } from './mirror.ts'
import { createDraw } from './split.ts'
import type { Traces } from './traces.ts'
import { withinDeadline } from './within-deadline.ts'
import type * as GraphqlGuardModule from '../bridges/graphql/guard.ts'

const graphqlGuard = lazily<typeof GraphqlGuardModule>(import.meta.url, '../bridges/graphql/guard')

/** A service as routes use it. */
export interface CompiledService {
  readonly spec: ServiceModel
  /** Behind the service's own policies. */
  readonly service: Service
}

export interface ActionEnv {
  readonly clock: Clock
  readonly sweeper: Sweeper
  readonly meter: Meter
  readonly services: ReadonlyMap<string, CompiledService>
  readonly edits: readonly RequestEdit[]
  readonly hasApiKeys: boolean
  /** How a service of an audience is told by a token who is calling; absent without an issuer. */
  readonly tokenEdit?: ((audience: string) => RequestEdit) | undefined
  readonly random: () => number
  /** The bridges of a route to a service, in the order of the configuration; absent: there are none. */
  readonly bridgesTo?: ((action: ToAction, service: ServiceModel) => readonly Bridge[]) | undefined
  /** The limits of a service, for this route. */
  readonly limitsOf: (service: ServiceModel) => Policy | undefined
  /** What lets this route's requests to a service, or sheds them. */
  readonly capacityOf: (service: ServiceModel) => Policy | undefined
  /** Whether something on the way asks which service is drawn; absent: nothing does. */
  readonly asksDrawn?: boolean | undefined
  /** Takes traced copies for a shadow; absent: none is traced. */
  readonly traces?: Pick<Traces, 'copied'> | undefined
}

/** The end of a route. */
export interface RouteEnd {
  readonly end: Handler
  /** What the service behind it limits, then its capacity; they decide right in front of it. */
  readonly policies: readonly Policy[]
  /** Which service is drawn for an exchange, and stays drawn; set where there are several and somebody asks. */
  readonly drawn?: ((x: Exchange) => string) | undefined
  /** Gives an exchange the words of its caller's protocol; absent: it has them already. */
  readonly speak?: ((x: Exchange) => void) | undefined
}

/** Fields that belong to one connection or that the gateway writes itself; no service gets the client's. */
const notForwarded = [
  H.host,
  H.connection,
  H.keepAlive,
  H.proxyConnection,
  H.proxyAuthenticate,
  H.proxyAuthorization,
  H.transferEncoding,
  H.contentLength,
  H.te,
  H.trailer,
  H.upgrade,
  H.http2Settings,
  H.expect,
  H.forwarded,
  H.xForwardedFor,
  H.xForwardedProto,
  H.xForwardedHost,
  H.xForwardedPort,
  H.xForwardedPrefix,
  H.xForwardedServer,
  H.xRealIp,
  H.requestId,
  H.mirror,
  H.explain,
  H.traceparent,
  H.tracestate,
  H.requestTimeout,
]

/** What stands at the end of a route's policies. */
export function compileAction(route: RouteModel, env: ActionEnv): RouteEnd {
  if (route.action.kind === 'redirect') return { end: redirecting(route, route.action), policies: [] }
  if (route.action.kind === 'respond') return { end: responding(route.action), policies: [] }
  return forwarding(route, route.action, env)
}

function forwarding(route: RouteModel, action: ToAction, env: ActionEnv): RouteEnd {
  const edits = [withoutOwnCookies, ...env.edits]
  let speak: RouteEnd['speak']
  const guard = action.graphql === undefined ? undefined : graphqlGuard().createGraphqlGuard(action.graphql)
  const upstreams = action.services.map(({ service, weight }): LimitedUpstream => {
    const { spec } = compiledOf(route, service, env)
    const upstream = upstreamOf(route, service, weight, env)
    const bridges = env.bridgesTo?.(action, spec) ?? []
    speak ??= speaking(guard === undefined ? bridges : [guard])
    const through = bridges.length === 0 ? guarded(guard, upstream.service) : bridged(bridges, upstream.service)
    return { ...upstream, service: through, limits: env.limitsOf(spec), capacity: env.capacityOf(spec) }
  })
  const rewrite = action.rewrite?.path === undefined ? undefined : compileRewrite(action.rewrite.path, route.match)
  const query = action.rewrite?.query === undefined ? undefined : compileQueryRewrite(action.rewrite.query, route.match)
  const drawn = upstreams.length === 1 ? undefined : createDraw(upstreams, action.split, env.random)
  const kinds = (['limits', 'capacity'] as const).filter((kind) => upstreams.some((upstream) => upstream[kind] !== undefined))
  const draw = drawn === undefined || (kinds.length === 0 && env.asksDrawn !== true) ? drawn : remembering(drawn)
  const policies = kinds.map((kind) => (draw === undefined ? upstreams[0][kind]! : drawnPolicy(route, draw, kind)))
  const { deadlineMs = Infinity } = route
  const forward = createForward({
    upstreams,
    draw,
    rewritePath: rewrite === undefined ? undefined : (x) => rewrite(x.params),
    rewriteQuery: query === undefined ? undefined : (x) => query(x.query, x.params),
    host: action.rewrite?.host,
    edits,
    timeoutMs: Math.min(route.timeoutMs, deadlineMs),
    clock: env.clock,
    mirror: action.mirror === undefined ? undefined : mirrorOf(route, action.mirror, edits, env),
  })
  const end = deadlineMs === Infinity ? forward : withinDeadline(forward, deadlineMs, env)
  return { end, policies, drawn: draw === undefined || env.asksDrawn !== true ? undefined : (x) => draw(x).name, speak }
}

function compiledOf(route: RouteModel, name: string, { services }: ActionEnv): CompiledService {
  const compiled = services.get(name)
  if (compiled === undefined) throw new Error(`${route.source}.to: there is no service ${JSON.stringify(name)}`)
  return compiled
}

function upstreamOf(route: RouteModel, name: string, weight: number, env: ActionEnv): Upstream {
  const { spec, service } = compiledOf(route, name, env)
  const drop = dropTable([...notForwarded, ...protectedHeaderIds({ identity: spec.identity, hasApiKeys: env.hasApiKeys })])
  return { name, weight, service, drop, attachIdentity: attaching(spec, env) }
}

function mirrorOf(route: RouteModel, service: string, edits: readonly RequestEdit[], env: ActionEnv): Mirror {
  return new Mirror({
    route: route.name,
    upstream: upstreamOf(route, service, 1, env),
    headersOf: (x, upstream) => callHeaders(x, upstream, edits),
    timeoutMs: route.timeoutMs,
    clock: env.clock,
    meter: env.meter,
    traces: env.traces,
  })
}

/** How a service is told who is calling. */
export function attaching(spec: ServiceSpec, { tokenEdit }: Pick<ActionEnv, 'tokenEdit'>): RequestEdit | undefined {
  if (spec.identity === 'headers') return identityHeaders
  if (spec.identity !== 'jwt') return undefined
  // A service that waits for tokens must not be reached without by an oversight.
  if (tokenEdit === undefined) throw new Error(`services.${spec.name}.identity: there is no issuer to sign tokens for it`)
  return tokenEdit(spec.audience)
}

function redirecting(route: RouteModel, action: RedirectAction): Handler {
  const locate = compileRedirect(action.to, route.match)
  return (x) => {
    const answer = emptyAnswer(action.status)
    answer.headers.set('location', locate(x.params, x.query))
    return answer
  }
}

function responding(action: RespondAction): Handler {
  const block = headerBlock(action.headers)
  const bytes = Buffer.from(action.body)
  return () => {
    const headers = new Headers()
    headers.put(block)
    return new Answer(action.status, headers, new BytesBody(bytes))
  }
}

/** The Handler of a listener that only leads to another scheme: same host and target, on the port of https. */
export function redirectingToHttps(port: number): Handler {
  return (x) => {
    const host = x.authority.replace(/:\d*$/, '')
    if (host === '') return emptyAnswer(400)
    const answer = emptyAnswer(308)
    answer.headers.set(
      'location',
      `https://${host}${port === 443 ? '' : `:${port}`}${x.path}${x.query === undefined ? '' : `?${x.query}`}`,
    )
    return answer
  }
}
