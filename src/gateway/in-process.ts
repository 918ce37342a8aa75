import { purgeTopic } from '../cache/cache.ts'
import type { GatewayModel } from '../config/model.ts'
import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Log } from '../core/log.ts'
import { silentLog } from '../core/log.ts'
import { silentMeter } from '../core/meter.ts'
import type { Stores } from '../core/stores.ts'
import { Sweeper } from '../core/sweeper.ts'
import { attachIdentityToHub } from '../identity/identity-hub.ts'
import type { IdentityHub } from '../identity/identity-hub.ts'
import type { Fetch } from '../identity/key-origins.ts'
import { PenaltyBox } from '../limits/penalty-box.ts'
import { compileGeneration } from './compile.ts'
import { loneWorkerEnv } from './lone-worker.ts'
import type { Generation } from './generation.ts'
import { MainHub, WorkerLink } from './link.ts'
import { NodeAddressFiles } from './node-address-files.ts'
import { withPolicies } from './policy-modules.ts'
import type { GenerationEnv } from './worker.ts'

export interface InProcessOptions {
  readonly model: GatewayModel
  readonly clock: Clock
  /** Default: says nothing. */
  readonly log?: Log | undefined
  /** Absent: there is none, as if it did not answer. */
  readonly store?: { readonly stores: Stores; readonly secrets: readonly string[] } | undefined
  /** How keys of foreign issuers are had; absent: not at all, but for those in files. */
  readonly fetch?: Fetch | undefined
  /** What stands behind; absent: the services of the configuration. */
  readonly createService?: GenerationEnv['createService']
  readonly recognise?: GenerationEnv['recognise']
  /** Keys of limits that may be counted at one time. Default: 64. */
  readonly maxKeys?: number | undefined
}

/**
 * A Generation and what it needs of main in one thread: without ports, other threads and probes. For explaining, testing
 * and replaying a configuration.
 */
export interface InProcess extends Closable {
  readonly generation: Generation
  readonly penalties: PenaltyBox
  readonly identity: IdentityHub
}

const noFetch: Fetch = () => Promise.reject(new Error('nothing is fetched here'))

/** Throws, or rejects, with what keeps the configuration from being served. */
export async function openInProcess(options: InProcessOptions): Promise<InProcess> {
  const { clock, log = silentLog, store, fetch = noFetch } = options
  // Its budgets are those of one process: no fleet is joined.
  const model: GatewayModel = { ...options.model, store: { kind: 'embedded', path: '.velum' } }
  const meter = silentMeter
  const hub = new MainHub((topic, error) => log.error('a message could not be handled', { topic, error }))
  const link = new WorkerLink({ post: (message) => void hub.receive(message, 0) })
  hub.join(0, { post: (message) => void link.receive(message) })
  // Nothing is being purged, which a cache must know before it finds anything.
  hub.answer(purgeTopic, () => [])
  const sweeper = new Sweeper(clock)
  const identity = attachIdentityToHub(hub, { clock, log, meter, fetch, store: () => store })
  const penalties = new PenaltyBox(hub, { clock, log, meter, store: () => undefined })
  const addressFiles = new NodeAddressFiles(hub, clock, log)
  const close = (): void => {
    addressFiles.close()
    penalties.close()
    identity.close()
    link.close()
    sweeper.close()
  }
  try {
    const { own, ...foreign } = model.identity
    await identity.prepare({ identity: store === undefined ? foreign : model.identity })
    identity.commit()
    await penalties.prepare(model.penalties ?? [])
    penalties.commit(model.penalties ?? [], own?.issuer)
    const env = await withPolicies(model, {
      ...loneWorkerEnv({ clock, sweeper, link, log, maxKeys: options.maxKeys }),
      stores: store?.stores,
      fetch,
      createService: options.createService,
      recognise: options.recognise,
    })
    const generation = compileGeneration(model, env)
    return {
      generation,
      penalties,
      identity,
      close() {
        generation.close()
        close()
      },
    }
  } catch (thrown) {
    close()
    throw thrown
  }
}
