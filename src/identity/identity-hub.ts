import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import { Lasting } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { IdentitySpec, TrustedIssuerSpec } from './identity-spec.ts'
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

/**
 * Main's part of identity: keeps the keys that the configuration being served needs, and those of one that is being
 * prepared. Without `commit` and `discard` nothing is let go of before `close`.
 */
export interface IdentityHub extends Closable {
  /** Begins to keep the keys of a configuration; key files are read anew. Resolves, never rejects, when each was tried. */
  prepare(model: { readonly identity: IdentitySpec }): Promise<void>
  /** The configuration prepared last is being served: keys that only earlier ones needed are let go of. */
  commit(): void
  /** The configuration prepared last will not be served. */
  discard(): void
}

/** Keeps the keys of foreign issuers for all workers of a node and answers what they ask (see `keyTopic`). */
export function attachIdentityToHub(hub: Hub, env: IdentityHubEnv): IdentityHub {
  return new KeyHub(hub, env)
}

class KeyHub implements IdentityHub {
  readonly #hub: Hub
  readonly #env: IdentityHubEnv
  readonly #lasting = new Lasting()
  readonly #kept = new Map<string, KeptKeys>()
  readonly #stopAnswering: () => void
  /** One hold for each configuration, the one prepared last at the end. */
  #holds: Closable[] = []
  #version = 0

  constructor(hub: Hub, env: IdentityHubEnv) {
    this.#hub = hub
    this.#env = env
    this.#stopAnswering = hub.answer(keyTopic, (message): Promise<KeyAnswer> => {
      const { source, kid } = message as KeyQuestion
      const keys = this.#kept.get(source)
      if (keys === undefined) throw new Error('no configuration in use has this source of keys')
      return keys.answer(kid)
    })
  }

  async prepare({ identity }: { readonly identity: IdentitySpec }): Promise<void> {
    const hold = this.#lasting.hold()
    this.#holds.push(hold)
    const wanted = identity.trustedIssuers.map((issuer) => {
      const source = keySourceName(issuer)
      this.#kept.get(source)?.refresh()
      hold.take(source, () => this.#keep(source, issuer))
      return this.#kept.get(source)!
    })
    await Promise.all(wanted.map((keys) => keys.tried()))
  }

  commit(): void {
    for (const hold of this.#holds.splice(0, this.#holds.length - 1)) hold.close()
  }

  discard(): void {
    this.#holds.pop()?.close()
  }

  close(): void {
    this.#stopAnswering()
    for (const hold of this.#holds.splice(0)) hold.close()
  }

  #keep(source: string, issuer: TrustedIssuerSpec): Closable {
    const { clock, log, meter, fetch = globalThis.fetch } = this.#env
    const loads = (result: string): Count =>
      meter.counter('velum_jwks_loads_total', 'Attempts to load the keys of a trusted issuer.', { issuer: issuer.name, result })
    const keys = new KeptKeys(source, keyOrigin(issuer, fetch, clock), {
      clock,
      log,
      nextVersion: () => ++this.#version,
      changed: (state) => this.#hub.tellAll(keyTopic, state),
      loaded: loads('ok'),
      failed: loads('failed'),
    })
    this.#kept.set(source, keys)
    return {
      close: () => {
        keys.close()
        this.#kept.delete(source)
      },
    }
  }
}
