import type { Target } from './target.ts'

/** What honest clients saw of one kind of traffic within a window. */
export interface Seen {
  readonly requests: number
  /** Requests without a whole good answer within five seconds. */
  readonly lost: number
  /** Why, the commonest first. */
  readonly reasons: readonly string[]
  /** Milliseconds from the moment each request was due. */
  readonly p50: number
  readonly p99: number
}

/** What honest clients saw within a window: through the gateway, on connections made for it, and straight from the service. */
export interface WindowSeen {
  readonly gateway: Seen
  readonly fresh: Seen
  readonly straight: Seen
}

/** Said to the process of honest clients. */
export type HonestOrder =
  | { readonly kind: 'start'; readonly target: Target; readonly perSecond: number }
  | { readonly kind: 'open' | 'close' }

/** Said by it: it is at work; a window is over and all its requests are done. */
export type HonestWord = { readonly kind: 'started' } | { readonly kind: 'window'; readonly seen: WindowSeen }

/** Said to the process of an attacker. */
export type AttackOrder =
  | { readonly kind: 'prepare'; readonly target: Target; readonly name: string }
  | { readonly kind: 'go' | 'stop' }

/** Said by it: it is prepared; it has stopped, having done so much. */
export type AttackWord =
  | { readonly kind: 'prepared' }
  | { readonly kind: 'stopped'; readonly count: number; readonly cutOff: number }
  | { readonly kind: 'failed'; readonly why: string }
