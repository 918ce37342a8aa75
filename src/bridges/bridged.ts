import { isGrpcType } from '../core/grpc-status.ts'
import { H } from '../core/header-names.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Problem } from '../core/problem.ts'
import type { Call, Service } from '../core/service.ts'
import type { Bridge } from './bridge.ts'

const unclaimed: Problem = { name: 'unsupported-type', detail: 'No protocol that is spoken here has a request like this one.' }

/**
 * A service as callers of other protocols see it: a call goes to the bridge that claims it, in the order given. gRPC
 * itself passes as it is; what nobody claims is refused, since a service of gRPC could make nothing of it.
 */
export function bridged(bridges: readonly Bridge[], upstream: Service): Service {
  return (call, x) => {
    if (isPlainGrpc(call)) return upstream(call, x)
    for (const bridge of bridges) if (bridge.claims(call, x)) return bridge.answer(call, x, upstream)
    return x.renderProblem(unclaimed, x)
  }
}

/** A service behind a bridge that takes every call, whatever it looks like. */
export function guarded(guard: Bridge | undefined, upstream: Service): Service {
  return guard === undefined ? upstream : (call, x) => guard.answer(call, x, upstream)
}

function isPlainGrpc({ method, headers }: Call): boolean {
  if (method !== 'POST') return false
  const type = headers.first(H.contentType)
  return type !== undefined && isGrpcType(type)
}

/** Gives an exchange the words of its caller's protocol; see `Bridge.renderer`. Undefined when no bridge has its own. */
export function speaking(bridges: readonly Bridge[]): ((x: Exchange) => void) | undefined {
  const speakers = bridges.filter((bridge) => bridge.renderer !== undefined)
  if (speakers.length === 0) return undefined
  return (x) => {
    for (const bridge of speakers) {
      const renderer = bridge.renderer!(x)
      if (renderer === undefined) continue
      x.renderProblem = renderer
      return
    }
  }
}
