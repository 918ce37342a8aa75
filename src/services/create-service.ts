import type { BuildEnv } from '../core/build-env.ts'
import { Fault } from '../core/fault.ts'
import type { Closable } from '../core/lasting.ts'
import type { Service } from '../core/service.ts'
import { createHttp1Client } from '../wire/http1/pool.ts'
import { Breaker, uncounted } from './breaker.ts'
import { BreakerBoard } from './breaker-board.ts'
import type { Choice } from './choice.ts'
import { createChoice } from './choice.ts'
import { createHashChoice } from './hash-choice.ts'
import { hashKeyReader } from './hash-key.ts'
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
 * the time of the answer's head on the exchange. Throws the Faults of `ClientWire.send`, `no-target` and `breaker-open`.
 * Closing it closes nothing: the connections belong to `env.hold`.
 */
export function createService(
  spec: ServiceSpec,
  env: BuildEnv,
  createWire: CreateClientWire = createHttp1Client,
  random: () => number = Math.random,
): CompiledService {
  const { clock, hold } = env
  const counts = createServiceCounts(env.meter, spec.name)
  const share = spec.retryBudget ?? 0.2
  const budget = hold.take(`services/retry-budget ${spec.name} ${share}`, () => new RetryBudget(share))
  // A wire may send a call again by itself; that burdens the service like any other further try.
  const mayRepeat = (): boolean => {
    if (!budget.take()) {
      counts.exhausted()
      return false
    }
    counts.stale()
    return true
  }
  const history = hold.take(`services/history ${spec.name}`, () => new History())
  const joinedAt = history.isBegun ? clock.monotonic() : undefined
  const targets = spec.targets.map((target) => createTarget(spec, target, env, createWire, { mayRepeat, joinedAt }))
  history.isBegun = true
  const breaker = breakerOf(spec, env)
  const choice = choiceOf(spec, targets, env, random)
  const tries = new Tries({
    service: spec.name,
    attempts: spec.attempts,
    targets,
    choice,
    budget,
    counts,
    clock,
    random,
    breaker,
    maySpeakGrpc: spec.targets.some(({ protocol }) => protocol !== 'http'),
  })
  return {
    service(call, x) {
      if (breaker !== undefined && !breaker.isClosed) {
        const now = clock.monotonic()
        if (!breaker.mayEnter(now)) throw openBreaker(counts, breaker.leftMs(now))
      }
      const first = choice.first(x)
      if (first === -1) throw noTarget(counts)
      const pass = breaker === undefined ? uncounted : breaker.enter(breaker.isClosed ? 0 : clock.monotonic())
      return tries.begin(call, x, first, pass)
    },
    targets,
    close() {},
  }
}

/** Whether a service was there before: what joins its targets later starts slowly. */
class History implements Closable {
  isBegun = false

  close(): void {}
}

function breakerOf({ name, breaker: spec }: ServiceSpec, { hold, link, workers }: BuildEnv): Breaker | undefined {
  if (spec?.isOfService !== true) return undefined
  const board = hold.take('services/breaker-board', () => new BreakerBoard(link))
  return hold.take(
    `services/breaker ${name} ${JSON.stringify(spec)}`,
    () => new Breaker({ name: { service: name, address: '' }, spec, board, workers }),
  )
}

function choiceOf({ balance }: ServiceSpec, targets: readonly Target[], env: BuildEnv, random: () => number): Choice {
  const { clock } = env
  const weights = targets.map(({ spec }) => spec.weight)
  const rotation = createRotation(weights, env.worker)
  const draw = balance === 'least-requests' && targets.length > 1 ? lessLoaded(targets, rotation) : rotation.next
  const choice = createChoice({ targets, draw, rotation, clock, random })
  return typeof balance === 'string' ? choice : createHashChoice(targets, hashKeyReader(balance.hash), choice, clock)
}

function openBreaker(counts: ServiceCounts, retryAfterMs: number): Fault {
  counts.failed('breaker-open')
  return new Fault('breaker-open', 'the circuit breaker of the service is open', { retryAfterMs })
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
