import type { Identity } from '../core/identity.ts'

/**
 * What is revoked, as this thread knows it: everything that is alive was loaded before the first request, and every
 * change is heard within a second. Never keyed by a token's text.
 */
export interface Revocations {
  /** Changes with everything heard. What was found good at one epoch needs no other look while it stands. */
  readonly epoch: number
  /** Whether the identity, or the key that proved it, is revoked. Some look-ups in maps. */
  isRevoked(identity: Identity, keyId: string | undefined): boolean
  /** The generation below which everything of an own subject is void. */
  generationOf(subject: string): number
  /**
   * Whether what is known is fresh enough to accept anybody: heard up to a moment no longer ago than the bound, or than
   * `staleMs` where a route accepts that. False while the store is known to be down, unless `staleMs` bridges it.
   */
  isKnown(staleMs: number): boolean
  /**
   * Resolves when everything was heard that has reached this thread by now. Who finds too little known looks again after
   * it: a thread that was busy must not take itself for one that is cut off.
   */
  heard(): Promise<void>
  /** Makes known at once, on this thread, that a session or family has ended; others hear it from the store. */
  learnEnd(id: string, keepUntil: number): void
  /** Calls `run` after something was heard. Returns how to stop. */
  whenChanged(run: () => void): () => void
}

/** Something to revoke. Kept for nodes that start later until `keepUntil` (milliseconds since 1970). */
export type Revocation =
  /** One token of any issuer. */
  | { readonly kind: 'token'; readonly issuer: string; readonly id: string; readonly keepUntil: number }
  /** A session or a token family, without ending its record: `Sessions.end` does both. */
  | { readonly kind: 'session'; readonly id: string; readonly keepUntil: number }
  /** Everything issued to an own subject until now. */
  | { readonly kind: 'subject'; readonly subject: string; readonly keepUntil: number }
  /** Everything of an OAuth client, an API key, until the time is up. */
  | { readonly kind: 'client'; readonly client: string; readonly keepUntil: number }
  /** Everything that a signing key has signed. */
  | { readonly kind: 'key'; readonly keyId: string; readonly keepUntil: number }
