import type { Account } from '../accounts.ts'

/** The topic on which workers ask main for everything about passkeys (`PasskeyQuestion` → `PasskeyAnswer`). */
export const passkeyTopic = 'identity.passkey'

/** Who asks, for logs and locks. */
export interface PasskeyAsker {
  /** Hash of the secret in the browser's cookie; undefined when there is none. */
  readonly browser: string | undefined
  readonly address: string
  /** Of the request, for the audit log. */
  readonly request: string
}

/** Asks for what `navigator.credentials.get` is to be called with. */
export interface PasskeyLoginBegin extends PasskeyAsker {
  readonly kind: 'begin-login'
}

/** What `navigator.credentials.get` gave, as it came. */
export interface PasskeyLoginFinish extends PasskeyAsker {
  readonly kind: 'finish-login'
  readonly credential: unknown
}

/** Asks for what `navigator.credentials.create` is to be called with. */
export interface PasskeyRegistrationBegin extends PasskeyAsker {
  readonly kind: 'begin-registration'
  readonly subject: string
  readonly session: string
}

/** What `navigator.credentials.create` gave, as it came. */
export interface PasskeyRegistrationFinish extends PasskeyAsker {
  readonly kind: 'finish-registration'
  readonly subject: string
  readonly session: string
  /** The generation of the subject when the session began. */
  readonly generation: number
  readonly credential: unknown
  /** What its owner calls it, in its form (`passkeyName`). */
  readonly name: string
}

export type PasskeyQuestion = PasskeyLoginBegin | PasskeyLoginFinish | PasskeyRegistrationBegin | PasskeyRegistrationFinish

/**
 * `refused` does not say why, except to who is logged in already. `locked`: too many failures. `full`: the person has as many
 * as one may have. `elsewhere`: a provider vouches for the person, so they log in there. `taken`: it is registered already.
 */
export type PasskeyAnswer =
  | { readonly kind: 'options'; readonly publicKey: unknown }
  | {
      readonly kind: 'proved'
      readonly account: Account
      readonly generation: number
      readonly methods: readonly string[]
    }
  | { readonly kind: 'registered'; readonly passkey: PasskeyRow }
  | { readonly kind: 'refused' | 'full' | 'elsewhere' | 'taken' | 'off' }
  | { readonly kind: 'locked'; readonly retryAfterMs: number }

/** A passkey as its owner sees it. Its id is no secret: nothing can be done with it but naming the passkey. */
export interface PasskeyRow {
  readonly id: string
  readonly name: string
  readonly createdAt: number
  /** Undefined: never. */
  readonly usedAt: number | undefined
  /** Whether the person's other devices have it too, by a service that keeps passkeys. */
  readonly isSynced: boolean
  /** Its counter went back: there may be a copy of it. It is refused from then on. */
  readonly isBlocked: boolean
}
