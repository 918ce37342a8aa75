import type { Clock } from '../../core/clock.ts'
import type { Hub } from '../../core/link.ts'
import type { Log } from '../../core/log.ts'
import type { Meter } from '../../core/meter.ts'
import type { Stores } from '../../core/stores.ts'
import { createAudit } from '../audit.ts'
import type { OwnIssuerSpec, ProviderSpec } from '../identity-spec.ts'
import { LoginStates } from '../login/login-states.ts'
import { deriveKeys } from '../sealing.ts'
import { StoreSessions } from '../store-sessions.ts'
import { OidcDesk } from './oidc-desk.ts'
import type { OidcAnswer, OidcQuestion } from './oidc-messages.ts'
import { oidcSeenTopic, oidcTopic } from './oidc-messages.ts'
import { Provider } from './provider.ts'
import type { Fetch } from './provider-fetch.ts'
import { ProviderRefresh } from './provider-refresh.ts'

export interface OidcHubEnv {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  /** Default: the platform's. */
  readonly fetch?: Fetch | undefined
  readonly store: () => { readonly stores: Stores; readonly secrets: readonly string[] } | undefined
}

/** Main's part of logins at providers. */
export interface OidcHub {
  /** This configuration is being served, its endpoints below `path`. Providers that stay as they were keep what is known of them. */
  commit(own: OwnIssuerSpec | undefined, path: string): void
  close(): void
}

/** Answers on `oidcTopic`. Nothing is loaded and nobody is asked before the first login. */
export function attachOidcToHub(hub: Hub, env: OidcHubEnv): OidcHub {
  const { clock, log, meter, fetch = globalThis.fetch } = env
  let providers = new Map<string, Provider>()
  let serving: { readonly own: OwnIssuerSpec; readonly path: string } | undefined
  let parts: { readonly desk: OidcDesk; readonly refresh: ProviderRefresh } | undefined
  let states: LoginStates | undefined
  const opened = (): { readonly desk: OidcDesk; readonly refresh: ProviderRefresh } => {
    if (parts !== undefined) return parts
    const store = env.store()
    if (serving === undefined || store === undefined) throw new Error('no configuration in use has providers')
    const { own, path } = serving
    const { stores, secrets } = store
    states ??= new LoginStates(stores, clock)
    const audit = createAudit(stores.audit, clock, log, meter)
    // Main accepts nobody, so nothing has to be known here at once; workers hear it from the store.
    const sessions = new StoreSessions({ spec: own, stores, clock, audit, revocations: { learnEnd() {}, generationOf: () => 0 } })
    const shared = { stores, clock, log, meter, audit, keys: deriveKeys(secrets), sessions, providers }
    parts = {
      desk: new OidcDesk({ ...shared, states, address: `${own.issuer}${path}` }),
      refresh: new ProviderRefresh(shared),
    }
    return parts
  }
  const stopAnswering = hub.answer(oidcTopic, (message): Promise<OidcAnswer> => opened().desk.answer(message as OidcQuestion))
  const stopHearing = hub.hear(oidcSeenTopic, (message) => {
    if (providers.size > 0) void opened().refresh.seen(message as string)
  })
  return {
    commit(own, path) {
      serving = own === undefined ? undefined : { own, path }
      parts = undefined
      const next = new Map<string, Provider>()
      for (const spec of own?.providers ?? []) {
        const before = providers.get(spec.name)
        next.set(
          spec.name,
          before !== undefined && isSame(before.spec, spec) ? before : new Provider(spec, { clock, log, meter, fetch }),
        )
      }
      for (const [name, provider] of providers) if (next.get(name) !== provider) provider.close()
      providers = next
    },
    close() {
      stopAnswering()
      stopHearing()
      for (const provider of providers.values()) provider.close()
    },
  }
}

function isSame(a: ProviderSpec, b: ProviderSpec): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
