import type { AvailableCredential } from '../identity/authenticators.ts'
import type { StoreFailureInput } from './input.ts'
import type { LimitInput } from './limit-input.ts'
import type { Duration, Size } from './unit-input.ts'

/** Header changes that no route may undo. */
export interface HeaderFloorInput {
  /** Headers that every route sets to exactly this value, with no further line of that name. */
  readonly set?: Readonly<Record<string, string>> | undefined
  /** Headers that every route takes out, and none puts in. */
  readonly remove?: readonly string[] | undefined
}

/** What no route and no listener of a gateway may fall short of: each may be stricter, none may be looser. */
export interface FloorInput {
  /** Every route asks who is calling; with `any` these kinds of credentials are the only ones. */
  readonly auth?: 'required' | { readonly any: readonly AvailableCredential[] } | undefined
  /** The longest that a route may believe callers while it cannot be known what has been revoked. */
  readonly onStoreFailure?: StoreFailureInput | undefined
  /** Limits that every route is charged, with the loosest definition that they may have. */
  readonly limits?: Readonly<Record<string, LimitInput>> | undefined
  /** Changes to headers that no route may undo. */
  readonly headers?:
    | {
        /** Every route has `secure` headers, and touches none of them. */
        readonly secure?: true | undefined
        readonly request?: HeaderFloorInput | undefined
        readonly response?: HeaderFloorInput | undefined
      }
    | undefined
  /** Bounds on request bodies, never in shadow. */
  readonly body?:
    | {
        /** The largest request body that a route may take. */
        readonly max?: Size | undefined
      }
    | undefined
  /** Protection from pages of other sites is never in shadow. */
  readonly csrf?:
    | {
        /** The only further origins that may be trusted. Default: none. */
        readonly origins?: readonly string[] | undefined
      }
    | undefined
  /** From where no route may be called, never in shadow. */
  readonly addresses?:
    | {
        /** No route may be called from anywhere else. */
        readonly allow?: readonly string[] | undefined
        /** Every route denies these. */
        readonly deny?: readonly string[] | undefined
      }
    | undefined
  /** The longest `timeout` of a route that leads to a service. */
  readonly timeout?: Duration | undefined
  /** The longest `deadline` of a route that leads to a service. */
  readonly deadline?: Duration | undefined
  /** Every listener terminates TLS, or only redirects to one that does. */
  readonly tls?:
    | {
        /** The oldest version that a listener may speak. Default: `TLSv1.2`. */
        readonly minVersion?: 'TLSv1.2' | 'TLSv1.3' | undefined
      }
    | undefined
  /** The only addresses that may be trusted to say where a request came from. */
  readonly trustedProxies?: readonly string[] | undefined
}
