import type { BuildEnv } from '../core/build-env.ts'
import { Fault } from '../core/fault.ts'
import type { Closable } from '../core/lasting.ts'
import type { Service } from '../core/service.ts'
import { createHttp1Client } from '../wire/http1/pool.ts'
import { createChoice } from './choice.ts'
import { RetryBudget } from './retry-budget.ts'
import type { Rotation } from './round-robin.ts'
import { createRotation } from './round-robin.ts'
import type { ServiceCounts } from './service-counts.ts'
import { createServiceCounts } from './service-counts.ts'
import type { ServiceSpec } from './service-spec.ts'
import type { CreateClientWire, Target } from './target.ts'
import { createTarget } from './target.ts'
import { Tries } from './tries.ts'

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
export function createService(
  spec: ServiceSpec,
  env: BuildEnv,
  createWire: CreateClientWire = createHttp1Client,
  random: () => number = Math.random,
): CompiledService {
  const counts = createServiceCounts(env.meter, spec.name)
  const targets = spec.targets.map((target) => createTarget(spec, target, env, createWire))
  const rotation = createRotation(
    spec.targets.map(({ weight }) => weight),
    env.worker,
  )
  const draw = spec.balance === 'least-requests' && targets.length > 1 ? lessLoaded(targets, rotation) : rotation.next
  const choice = createChoice(targets, draw, rotation, env.clock)
  const share = spec.retryBudget ?? 0.2
  const budget = env.hold.take(`services/retry-budget ${spec.name} ${share}`, () => new RetryBudget(share))
  const tries = new Tries({ attempts: spec.attempts, targets, choice, budget, counts, clock: env.clock, random })
  return {
    service(call, x) {
      const first = choice.first()
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
