import type { Clock } from '../../core/clock.ts'
import type { Hub } from '../../core/link.ts'
import type { Log } from '../../core/log.ts'
import type { Meter } from '../../core/meter.ts'
import type { Stores } from '../../core/stores.ts'
import { createAudit } from '../audit.ts'
import type { OwnIssuerSpec } from '../identity-spec.ts'
import { LoginStates } from '../login/login-states.ts'
import { PasskeyDesk } from './passkey-desk.ts'
import { passkeyTopic } from './passkey-messages.ts'
import type { PasskeyAnswer, PasskeyQuestion } from './passkey-messages.ts'
import { PasskeyStore } from './passkey-store.ts'

export interface PasskeyHubEnv {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  readonly store: () => { readonly stores: Stores } | undefined
}

/** Main's part of passkeys. */
export interface PasskeyHub {
  /** This configuration is being served. */
  commit(own: OwnIssuerSpec | undefined): void
  close(): void
}

/** Answers on `passkeyTopic`. Nothing is loaded before the first ceremony. */
export function attachPasskeysToHub(hub: Hub, { clock, log, meter, store }: PasskeyHubEnv): PasskeyHub {
  let serving: OwnIssuerSpec | undefined
  let desk: PasskeyDesk | undefined
  let states: LoginStates | undefined
  const opened = (spec: NonNullable<OwnIssuerSpec['passkeys']>): PasskeyDesk => {
    if (desk !== undefined) return desk
    const stores = store()?.stores
    if (stores === undefined) throw new Error('passkeys need a store')
    states ??= new LoginStates(stores, clock)
    const issuers = (serving?.providers ?? []).map(({ issuer }) => issuer)
    const audit = createAudit(stores.audit, clock, log, meter)
    desk = new PasskeyDesk({ stores, clock, meter, audit, states, spec, passkeys: new PasskeyStore(stores, clock, issuers) })
    return desk
  }
  const stopAnswering = hub.answer(passkeyTopic, async (message): Promise<PasskeyAnswer> => {
    const spec = serving?.passkeys
    // A reload may have taken them away while somebody was busy with an authenticator.
    return spec === undefined ? { kind: 'off' } : opened(spec).answer(message as PasskeyQuestion)
  })
  return {
    commit(own) {
      serving = own
      desk = undefined
    },
    close: stopAnswering,
  }
}
