import type { TrustedIssuerSpec } from './identity-spec.ts'
import type { PublicKey } from './jwk-set.ts'

/**
 * The topic on which workers ask main for the keys of foreign issuers (`KeyQuestion` → `KeyAnswer`), and on which main
 * tells all of them when keys change (`KeyState`).
 */
export const keyTopic = 'identity.keys'

/** Asks for the keys of a source; with a `kid` that the worker does not know, main looks whether there is a new key. */
export interface KeyQuestion {
  readonly source: string
  readonly kid: string | undefined
}

/** What main has of a source. */
export interface KeyState {
  readonly source: string
  /** Grows with every change of any source, so that messages that overtook each other are told apart. */
  readonly version: number
  /** Empty while none could be had. */
  readonly keys: readonly PublicKey[]
  /** Whether the latest attempt to load them failed: a `kid` that is not among them may be a new one. */
  readonly isFailing: boolean
  /** Milliseconds for which asking again leads to nothing new. */
  readonly quietMs: number
}

export interface KeyAnswer extends KeyState {
  /** Whether the issuer was found not to have the key that was asked for. */
  readonly isMissing: boolean
}

/** Names a source of keys by everything that it depends on. */
export function keySourceName(spec: TrustedIssuerSpec): string {
  return JSON.stringify([spec.issuer, spec.jwksUri ?? '', spec.jwksFile ?? '', spec.algorithms])
}
