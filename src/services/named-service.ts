import type { BuildEnv } from '../core/build-env.ts'
import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault, faultFrom } from '../core/fault.ts'
import type { Hold } from '../core/lasting.ts'
import type { Call } from '../core/service.ts'
import { stableJson } from '../lib/stable-json.ts'
import type { CompiledService } from './create-service.ts'
import { createService } from './create-service.ts'
import { hasNames, locate } from './discovery-spec.ts'
import type { RankedTarget } from './discovery-spec.ts'
import { NameBoard } from './name-board.ts'
import { createServiceCounts } from './service-counts.ts'
import type { ServiceSpec } from './service-spec.ts'

/** A service whose targets may be known by name. */
export interface NamedService extends CompiledService {
  /** Resolves when it is known where the names lead, as far as they can be resolved; absent where there are none. */
  readonly ready?: Promise<void>
}

/**
 * A service whose targets are addresses, or names that lead to them: every address is a target of its own. Without
 * names this is `createService` and nothing more. A name that leads elsewhere changes the targets of calls that begin
 * from then on; a target that is gone finishes what it has. Where no name was ever resolved, throws `no-target` at once.
 */
export function createNamedService(spec: ServiceSpec, env: BuildEnv, create: typeof createService = createService): NamedService {
  if (!hasNames(spec)) return create(spec, env)
  const board = env.hold.take('services/name-board', () => new NameBoard(env.link))
  const counts = createServiceCounts(env.meter, spec.name)
  let edition: Edition = new Edition(spec, env, create, locate(spec.targets, board.endpoints))
  const stop = board.listen(() => {
    const targets = locate(spec.targets, board.endpoints)
    if (stableJson(targets) === stableJson(edition.located)) return
    const before = edition
    try {
      // The new one first: what both use must not be closed in between.
      edition = new Edition(spec, env, create, targets)
    } catch (error) {
      // A certificate that cannot be read any more, for one.
      env.log.error('a service could not follow its names; its targets stay as they were', { service: spec.name, error })
      return
    }
    before.close()
  })
  return {
    service(call, x) {
      const { tiers } = edition
      if (tiers.length === 1) return tiers[0].service(call, x)
      if (tiers.length > 1) return inTurn(tiers, edition.first(env.clock.monotonic()), call, x)
      counts.failed('no-target')
      throw new Fault('no-target', 'no name of the service could be resolved')
    },
    get targets() {
      return edition.tiers.flatMap(({ targets }) => targets)
    },
    ready: board.ready,
    close() {
      stop()
      edition.close()
    },
  }
}

/** A service as its names led for a time: its targets by rank, the first to be used first. */
class Edition {
  readonly located: readonly RankedTarget[]
  readonly tiers: readonly CompiledService[]
  readonly #hold: Hold

  constructor(spec: ServiceSpec, env: BuildEnv, create: typeof createService, located: readonly RankedTarget[]) {
    this.#hold = env.hold.another()
    this.located = located
    const ranks = [...new Set(located.map(({ rank }) => rank))].sort((a, b) => a - b)
    try {
      this.tiers = ranks.map((rank) => {
        const targets = located.filter((target) => target.rank === rank).map((target) => target.spec)
        return create({ ...spec, targets }, { ...env, hold: this.#hold })
      })
    } catch (thrown) {
      this.#hold.close()
      throw thrown
    }
  }

  /** The lowest rank of which a target is well; when none is, the lowest. */
  first(now: number): number {
    const isWell = ({ targets }: CompiledService): boolean =>
      targets.some((target) => target.spec.weight > 0 && target.standing.isUsable(now))
    return Math.max(0, this.tiers.findIndex(isWell))
  }

  close(): void {
    for (const tier of this.tiers) tier.close()
    this.#hold.close()
  }
}

/** The next rank gets a call of which the one before has certainly seen nothing (RFC 2782: the lowest that can be reached). */
async function inTurn(tiers: readonly CompiledService[], index: number, call: Call, x: Exchange): Promise<Answer> {
  try {
    return await tiers[index].service(call, x)
  } catch (thrown) {
    const fault = faultFrom(thrown)
    // A body that is not in hand may have been read for a try that came to nothing.
    const isUntouched = (fault.unsent || fault.code === 'no-target') && call.body.bytes !== undefined
    if (!isUntouched || index + 1 === tiers.length || x.left !== undefined) throw fault
    return inTurn(tiers, index + 1, call, x)
  }
}
