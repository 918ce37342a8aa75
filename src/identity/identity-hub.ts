import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import { Lasting } from '../core/lasting.ts'
import type { Hold } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { Stores } from '../core/stores.ts'
import { ApiKeyAdmin } from './api-key-admin.ts'
import { createAudit } from './audit.ts'
import { believedIssuers } from './believed-issuers.ts'
import { IdentityAdmin } from './identity-admin.ts'
import type { IdentitySpec, OwnIssuerSpec, TrustedIssuerSpec } from './identity-spec.ts'
import { KeptKeys } from './kept-keys.ts'
import type { KeyOrigin } from './kept-keys.ts'
import { keySourceName, keyTopic } from './key-messages.ts'
import type { KeyAnswer, KeyQuestion } from './key-messages.ts'
import { keyOrigin } from './key-origins.ts'
import type { Fetch } from './key-origins.ts'
import { serviceTokenMs } from './own-tokens.ts'
import { RevocationLag } from './revocation-lag.ts'
import { deriveKeys } from './sealing.ts'
import type { DerivedKeys } from './sealing.ts'
import { signingTopic } from './signer.ts'
import type { SignerState } from './signer.ts'
import { SigningKeys } from './signing-keys.ts'

/** How often the own keys are looked at anew, apart from changes that are heard of. */
const ownRefreshMs = 60_000

export interface IdentityHubEnv {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  /** Default: the platform's. */
  readonly fetch?: Fetch
  /** Where Velum's own keys are kept, and by what they are sealed (current, previous); open before `prepare` of an issuer. */
  readonly store?: () => { readonly stores: Stores; readonly secrets: readonly string[] } | undefined
}

/**
 * Main's part of identity: keeps the keys that the configuration being served needs, and those of one that is being
 * prepared. Without `commit` and `discard` nothing is let go of before `close`.
 */
export interface IdentityHub extends Closable {
  /**
   * Begins to keep the keys of a configuration; key files are read anew. Resolves when each was tried; rejects only when
   * the configuration makes Velum an issuer and its own keys cannot be had (`store-down`).
   */
  prepare(model: { readonly identity: IdentitySpec }): Promise<void>
  /** The configuration prepared last is being served: keys that only earlier ones needed are let go of. */
  commit(): void
  /** The configuration prepared last will not be served. */
  discard(): void
  /** Makes a new signing key of the configuration being served. Gives its id; rejects when Velum is no issuer. */
  rotateKeys(): Promise<string>
  /** Sessions, revocations and the audit log for operators; undefined while Velum is no issuer. */
  readonly admin: IdentityAdmin | undefined
  /** API keys for operators; undefined while Velum is no issuer. */
  readonly apiKeys: ApiKeyAdmin | undefined
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
  /** Velum's own keys by issuer: those of the configuration prepared last. */
  #signing: ReadonlyMap<string, SigningKeys> = new Map()
  /** Those of the configuration before, in case this one is discarded. */
  #signingBefore: ReadonlyMap<string, SigningKeys> = new Map()
  #admin: IdentityAdmin | undefined
  #preparedAdmin: IdentityAdmin | undefined
  #apiKeys: ApiKeyAdmin | undefined
  #preparedApiKeys: ApiKeyAdmin | undefined
  #secrets: DerivedKeys = { seal: [], mac: [], pepper: [] }

  constructor(hub: Hub, env: IdentityHubEnv) {
    this.#hub = hub
    this.#env = env
    const stopSigning = hub.answer(signingTopic, (issuer) => this.#signerState(issuer as string))
    const stopKeys = hub.answer(keyTopic, (message): Promise<KeyAnswer> => {
      const { source, kid } = message as KeyQuestion
      const keys = this.#kept.get(source)
      if (keys === undefined) throw new Error('no configuration in use has this source of keys')
      return keys.answer(kid)
    })
    this.#stopAnswering = () => {
      stopSigning()
      stopKeys()
    }
  }

  async prepare({ identity }: { readonly identity: IdentitySpec }): Promise<void> {
    const hold = this.#lasting.hold()
    this.#holds.push(hold)
    this.#signingBefore = this.#signing
    this.#preparedAdmin = undefined
    this.#preparedApiKeys = undefined
    if (identity.own !== undefined) await this.#openSigning(identity.own, hold, identity.apiKeys)
    const wanted = believedIssuers(identity).map((issuer) => {
      const source = keySourceName(issuer)
      this.#kept.get(source)?.refresh()
      hold.take(source, () => this.#keep(source, issuer))
      return this.#kept.get(source)!
    })
    await Promise.all(wanted.map((keys) => keys.tried()))
  }

  commit(): void {
    this.#admin = this.#preparedAdmin
    this.#apiKeys = this.#preparedApiKeys
    for (const hold of this.#holds.splice(0, this.#holds.length - 1)) hold.close()
  }

  discard(): void {
    this.#signing = this.#signingBefore
    this.#holds.pop()?.close()
  }

  get admin(): IdentityAdmin | undefined {
    return this.#admin
  }

  get apiKeys(): ApiKeyAdmin | undefined {
    return this.#apiKeys
  }

  async rotateKeys(): Promise<string> {
    const [keys] = this.#signing.values()
    if (keys === undefined) throw new Error('the configuration names no issuer: there are no keys to rotate')
    return keys.rotate()
  }

  close(): void {
    this.#stopAnswering()
    for (const hold of this.#holds.splice(0)) hold.close()
  }

  /** Opens Velum's own keys, unless an earlier configuration has them open already. */
  async #openSigning(own: OwnIssuerSpec, hold: Hold, apiKeys: IdentitySpec['apiKeys']): Promise<void> {
    const { clock, log, meter } = this.#env
    const { issuer, tokens } = own
    const longestTtlMs = Math.max(tokens.accessMs, serviceTokenMs)
    const store = this.#env.store?.()
    if (store === undefined || store.secrets.length === 0) throw new Error('an issuer needs a store and a secret')
    const { stores } = store
    if (this.#secrets.seal.length === 0) this.#secrets = deriveKeys(store.secrets)
    let made: SigningKeys | undefined
    const keys = hold.take(JSON.stringify(['signing', issuer, tokens.algorithm, longestTtlMs]), () => {
      made = new SigningKeys({
        stores,
        clock,
        log,
        audit: createAudit(stores.audit, clock, log, meter),
        secrets: this.#secrets,
        algorithm: tokens.algorithm,
        longestTtlMs,
        nextVersion: () => ++this.#version,
        changed: () => this.#signingChanged(issuer),
      })
      return made
    })
    if (made !== undefined) await made.open()
    hold.take('revocation lag', () => new RevocationLag(stores.bus, clock, meter))
    this.#signing = new Map([[issuer, keys]])
    const audit = createAudit(stores.audit, clock, log, meter)
    this.#preparedAdmin = new IdentityAdmin({ spec: own, stores, clock, audit })
    const configured = apiKeys.map(({ id }) => id)
    this.#preparedApiKeys = new ApiKeyAdmin({ stores, clock, audit, keys: this.#secrets, configured })
  }

  #signingChanged(issuer: string): void {
    if (!this.#signing.has(issuer)) return
    this.#hub.tellAll(signingTopic, this.#signerState(issuer))
    for (const [source, keys] of this.#kept) if (source.startsWith(`[${JSON.stringify(issuer)},"",""`)) keys.refresh()
  }

  #signerState(issuer: string): SignerState {
    const keys = this.#signing.get(issuer)
    if (keys === undefined) throw new Error('no configuration in use has this issuer')
    return { ...keys.state, issuer, secrets: this.#secrets }
  }

  /** Velum's own public keys as a source like any other, so that workers verify its tokens like any other's. */
  #ownOrigin(issuer: string): KeyOrigin {
    return {
      load: async () => {
        const keys = this.#signing.get(issuer)
        if (keys === undefined) throw new Error('no configuration in use has this issuer')
        await keys.refresh()
        return { keys: keys.state.published, refreshMs: ownRefreshMs }
      },
      cooldownMs: 1000,
      longestRetryMs: ownRefreshMs,
      // They cannot become wrong while the store is down: only nodes that reach it make new ones.
      staleMs: Infinity,
    }
  }

  #keep(source: string, issuer: TrustedIssuerSpec): Closable {
    const { clock, log, meter, fetch = globalThis.fetch } = this.#env
    const loads = (result: string): Count =>
      meter.counter('velum_jwks_loads_total', 'Attempts to load the keys of a trusted issuer.', { issuer: issuer.name, result })
    const origin = issuer.isOwn === true ? this.#ownOrigin(issuer.issuer) : keyOrigin(issuer, fetch, clock)
    const keys = new KeptKeys(source, origin, {
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
