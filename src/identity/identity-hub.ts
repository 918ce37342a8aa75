import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import { Lasting } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import type { IdentitySpec } from './identity-spec.ts'
import { KeptKeys } from './kept-keys.ts'
import { keySourceName, keyTopic } from './key-messages.ts'
import type { KeyAnswer, KeyQuestion } from './key-messages.ts'
import { keyOrigin } from './key-origins.ts'
import type { Fetch } from './key-origins.ts'

export interface IdentityHubEnv {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  /** Default: the platform's. */
  readonly fetch?: Fetch
}

/** Main's part of identity: what exists once per node. */
export interface IdentityHub extends Closable {
  /**
   * Keeps the keys that a configuration needs, from now until the returned hold is closed. To be called before workers
   * prepare that configuration; the hold of the one before is closed after the commit. Key files are read anew.
   */
  use(spec: IdentitySpec): Closable
}

/** Keeps the keys of foreign issuers for all workers of a node and answers what they ask (see `keyTopic`). */
export function attachIdentityToHub(hub: Hub, env: IdentityHubEnv): IdentityHub {
  const { clock, log, meter, fetch = globalThis.fetch } = env
  const lasting = new Lasting()
  const kept = new Map<string, KeptKeys>()
  let version = 0

  const counter = (issuer: string, result: string) =>
    meter.counter('velum_jwks_loads_total', 'Attempts to load the keys of a trusted issuer.', { issuer, result })

  const stopAnswering = hub.answer(keyTopic, (message): Promise<KeyAnswer> => {
    const { source, kid } = message as KeyQuestion
    const keys = kept.get(source)
    if (keys === undefined) throw new Error('no such source of keys in the current configuration')
    return keys.answer(kid)
  })

  return {
    use(spec) {
      const hold = lasting.hold()
      for (const issuer of spec.trustedIssuers) {
        const source = keySourceName(issuer)
        kept.get(source)?.refresh()
        hold.take(source, () => {
          const keys = new KeptKeys(source, keyOrigin(issuer, fetch, clock), {
            clock,
            log,
            nextVersion: () => ++version,
            changed: (state) => hub.tellAll(keyTopic, state),
            loaded: counter(issuer.name, 'ok'),
            failed: counter(issuer.name, 'failed'),
          })
          kept.set(source, keys)
          return {
            close() {
              keys.close()
              kept.delete(source)
            },
          }
        })
      }
      return hold
    },
    close() {
      stopAnswering()
      for (const keys of kept.values()) keys.close()
      kept.clear()
    },
  }
}
