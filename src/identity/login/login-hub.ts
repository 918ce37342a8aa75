import type { Clock } from '../../core/clock.ts'
import type { Hub } from '../../core/link.ts'
import type { Log } from '../../core/log.ts'
import type { Meter } from '../../core/meter.ts'
import type { Stores } from '../../core/stores.ts'
import { createAudit } from '../audit.ts'
import type { OwnIssuerSpec, PasswordSpec } from '../identity-spec.ts'
import { defaultPasswords } from '../identity-spec.ts'
import { deriveKeys } from '../sealing.ts'
import { LoginDesk } from './login-desk.ts'
import { loginTopic } from './login-messages.ts'
import type { LoginAttempt, LoginOutcome } from './login-messages.ts'
import { attachOidcToHub } from '../oidc/oidc-hub.ts'
import { attachPasskeysToHub } from '../passkeys/passkey-hub.ts'
import { PasswordThreads } from './password-threads.ts'
import { UserAdmin } from './user-admin.ts'

export interface LoginHubEnv {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  /** How providers are asked. Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** The store and what it is sealed by; open before `prepare` of an issuer. */
  readonly store: () => { readonly stores: Stores; readonly secrets: readonly string[] } | undefined
}

/** Main's part of logins: judges what workers ask, speaks to providers, and keeps the users. */
export interface LoginHub {
  /** This configuration is being served, its endpoints below `path`. */
  commit(own: OwnIssuerSpec | undefined, path: string): void
  /** Users for operators; undefined while Velum is no issuer. */
  readonly users: UserAdmin | undefined
  close(): Promise<void>
}

/** Answers on `loginTopic`. Threads for hashing start with the first password. */
export function attachLoginToHub(hub: Hub, env: LoginHubEnv): LoginHub {
  let own: OwnIssuerSpec | undefined
  let threads: { readonly spec: PasswordSpec; readonly passwords: PasswordThreads } | undefined
  let desk: LoginDesk | undefined
  const passwords = (): PasswordThreads => {
    const spec = own?.passwords ?? defaultPasswords
    if (threads === undefined || !isSame(threads.spec, spec)) {
      void threads?.passwords.closeWhenIdle()
      threads = { spec, passwords: new PasswordThreads({ clock: env.clock, cost: spec, threads: spec.threads }) }
    }
    return threads.passwords
  }
  const opened = (): { stores: Stores; secrets: readonly string[] } => {
    const store = env.store()
    if (store === undefined) throw new Error('logins need a store')
    return store
  }
  const audit = (stores: Stores): ReturnType<typeof createAudit> => createAudit(stores.audit, env.clock, env.log, env.meter)
  const stopAnswering = hub.answer(loginTopic, (message): Promise<LoginOutcome> => {
    if (desk === undefined) {
      const { stores, secrets } = opened()
      desk = new LoginDesk({ ...env, stores, audit: audit(stores), keys: deriveKeys(secrets), passwords })
    }
    return desk.judge(message as LoginAttempt)
  })
  const oidc = attachOidcToHub(hub, env)
  const passkeys = attachPasskeysToHub(hub, env)
  return {
    commit(spec, path) {
      own = spec
      oidc.commit(spec, path)
      passkeys.commit(spec)
    },
    get users() {
      if (own === undefined) return undefined
      const { stores } = opened()
      return new UserAdmin({ spec: own, stores, clock: env.clock, audit: audit(stores), passwords })
    },
    async close() {
      stopAnswering()
      oidc.close()
      passkeys.close()
      await threads?.passwords.close()
    },
  }
}

function isSame(a: PasswordSpec, b: PasswordSpec): boolean {
  return a.memoryKib === b.memoryKib && a.passes === b.passes && a.lanes === b.lanes && a.threads === b.threads
}
