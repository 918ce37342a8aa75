import type { Answer } from '../core/answer.ts'
import type { BuildEnv } from '../core/build-env.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault, faultFrom } from '../core/fault.ts'
import type { Closable } from '../core/lasting.ts'
import type { Call, Service } from '../core/service.ts'
import { createHttp1Client } from '../wire/http1/pool.ts'
import { isIdempotent } from '../wire/http1/call-head.ts'
import type { Rotation } from './round-robin.ts'
import { createRotation } from './round-robin.ts'
import type { ServiceCounts } from './service-counts.ts'
import { createServiceCounts } from './service-counts.ts'
import type { ServiceSpec } from './service-spec.ts'
import type { CreateClientWire, Target } from './target.ts'
import { createTarget } from './target.ts'

/** A Service compiled from the configuration, for the length of one Generation. */
export interface CompiledService extends Closable {
  readonly service: Service
  readonly targets: readonly Target[]
}

/**
 * What stands behind routes: its targets, how they are drawn, and how often a call is tried. Notes target, tries and
 * the time of the answer's head on the exchange. Throws the Faults of `ClientWire.send`, and `no-target`.
 * Closing it closes nothing: the connections belong to `env.hold`.
 */
export function createService(spec: ServiceSpec, env: BuildEnv, createWire: CreateClientWire = createHttp1Client): CompiledService {
  const counts = createServiceCounts(env.meter, spec.name)
  const targets = spec.targets.map((target) => createTarget(spec, target, env, createWire))
  const rotation = createRotation(
    spec.targets.map(({ weight }) => weight),
    env.worker,
  )
  const draw = spec.balance === 'least-requests' && targets.length > 1 ? lessLoaded(targets, rotation) : rotation.next
  const tries = new Tries(spec, targets, rotation, counts, env)
  return {
    service(call, x) {
      const first = draw()
      if (first === -1) throw noTarget(counts)
      return tries.begin(call, x, first)
    },
    targets,
    close() {},
  }
}

function noTarget(counts: ServiceCounts): Fault {
  counts.failed('no-target')
  return new Fault('no-target', 'the service has no target to send to')
}

/** Of two candidates the one with fewer calls under way for its weight: nearly as even as asking all of them. */
function lessLoaded(targets: readonly Target[], rotation: Rotation): () => number {
  return () => {
    const a = rotation.next()
    if (a === -1) return -1
    const b = rotation.next()
    return load(targets[b]) < load(targets[a]) ? b : a
  }
}

function load({ wire, spec }: Target): number {
  return (wire.busy + wire.queued) / spec.weight
}

/** Carries a call to one target after another, as far as that is safe. */
class Tries {
  readonly #attempts: number
  readonly #targets: readonly Target[]
  readonly #rotation: Rotation
  readonly #counts: ServiceCounts
  readonly #env: BuildEnv

  constructor(spec: ServiceSpec, targets: readonly Target[], rotation: Rotation, counts: ServiceCounts, env: BuildEnv) {
    this.#attempts = spec.attempts
    this.#targets = targets
    this.#rotation = rotation
    this.#counts = counts
    this.#env = env
  }

  begin(call: Call, x: Exchange, index: number): Promise<Answer> {
    return this.#try(call, x, index, undefined)
  }

  #try(call: Call, x: Exchange, index: number, tried: number[] | undefined): Promise<Answer> {
    const target = this.#targets[index]
    x.attempts++
    x.targetAddress = target.address
    return target.wire.send(call, x).then(
      (answer) => {
        x.serviceHeadAt = this.#env.clock.monotonic()
        this.#counts.answered(answer.status)
        return answer
      },
      (thrown: unknown) => {
        const fault = faultFrom(thrown)
        this.#counts.failed(fault.code)
        const failed = tried === undefined ? [index] : [...tried, index]
        const next = this.#next(call, x, fault, index, failed)
        if (next === -1) throw fault
        return this.#try(call, x, next, failed)
      },
    )
  }

  /**
   * Which target comes next; -1: none. While no target has seen anything of the call, moving on costs no try, nor does
   * it where a target cannot be reached any more and the call may be carried out twice. Anything else is a try of those
   * that were configured, and needs such a call.
   */
  #next(call: Call, x: Exchange, fault: Fault, index: number, tried: readonly number[]): number {
    if (x.left !== undefined || this.#env.clock.monotonic() >= call.headBy) return -1
    const mayRepeat = call.body.bytes !== undefined && isIdempotent(call.method)
    const isFree = fault.unsent || (mayRepeat && fault.code === 'service-refused')
    const isTryLeft = tried.length < this.#attempts
    if (!isFree && !(mayRepeat && isTryLeft && fault.code === 'service-reset')) return -1
    const other = this.#rotation.after(index, tried)
    if (other !== -1) return other
    return isTryLeft ? index : -1
  }
}
