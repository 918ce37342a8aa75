import type { CallerFacts } from '../core/identity.ts'
import type { NearMiss } from '../routing/near-misses.ts'
import type { TargetStatus } from '../services/node-targets.ts'

/** A request that somebody wants explained; nobody sent it. Plain data. */
export interface ExplainQuestion {
  readonly method: string
  /** A whole URL, or a path on the listener that is asked. */
  readonly url: string
  /** Name and value of each line; a `host` among them stands for that of the URL. */
  readonly headers: readonly (readonly [string, string])[]
  /** The content, for policies that judge it; absent: only its `content-length` is known, if that. */
  readonly body?: string | undefined
  /** Whom it comes by; absent: the one that the URL leads to. */
  readonly listener?: string | undefined
  /** The peer's address; absent: 127.0.0.1. */
  readonly address?: string | undefined
  /** Who calls, without a credential; absent: whoever its credentials prove. */
  readonly caller?: AssumedCaller | undefined
}

/** Somebody whose credential is taken for granted. */
export interface AssumedCaller {
  readonly subject: string
  /** Absent: the first kind that the route takes. */
  readonly kind?: string | undefined
  /** Absent: the gateway's own issuer, or the first trusted one. */
  readonly issuer?: string | undefined
  readonly tenant?: string | undefined
  readonly client?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly roles?: readonly string[] | undefined
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

/** A question that cannot be one; its message is for whoever asked. */
export class QuestionError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'QuestionError'
  }
}

/**
 * What a step would do. `would-refuse`: it is in shadow. `acts`: it decides nothing, it works on what passes. `unknown`:
 * that depends on what was not told.
 */
export type StepDecision = 'passes' | 'refuses' | 'would-refuse' | 'answers' | 'acts' | 'unknown'

/** One policy, or one of the gateway's own steps, and what it would decide. */
export interface ExplainedStep {
  /** `limits`, `auth` …; of the gateway's own: `path`, `host`, `redirect`, `identity`, `routes`, `service`. */
  readonly policy: string
  readonly stage: string
  /** Where in the configuration the rule stands; '' for what is built in. */
  readonly source: string
  readonly decision: StepDecision
  /** Stable, kebab-case, unique within the policy. */
  readonly code: string
  /** The decision in a sentence. */
  readonly words: string
  /** Of the answer, where it refuses, would refuse, or answers. */
  readonly status?: number | undefined
  /** The type of the problem. */
  readonly problem?: string | undefined
  /** Seconds. */
  readonly retryAfter?: number | undefined
  /** Of a refused client. */
  readonly label?: string | undefined
  /** Whether a request would come this far: false behind a refusal. */
  readonly isReached: boolean
}

/** A service that the request would go to, and how it stands. */
export interface ExplainedService {
  readonly name: string
  readonly weight: number
  /** Absent where that is not known. */
  readonly targets?: readonly (TargetStatus & { readonly address: string })[] | undefined
}

/** Everything that there is to say about one request. Plain data. */
export interface Explanation {
  /** `live`: as things stand now. `offline`: as a gateway would decide that has just started. */
  readonly state: 'live' | 'offline'
  /** Hash of the configuration. */
  readonly generation: string
  readonly request: {
    readonly method: string
    readonly scheme: string
    readonly host: string
    /** As routes see it. */
    readonly path: string
    readonly query: string | undefined
    readonly listener: string
    /** The client's, behind trusted proxies. */
    readonly address: string
  }
  /** How it ends, in one sentence: what `velum explain` and the dashboard say. */
  readonly summary: string
  /** The step that ends it; without one the request passes to its service. */
  readonly outcome: ExplainedStep | undefined
  readonly route: { readonly name: string; readonly source: string; readonly params: Readonly<Record<string, string>> } | undefined
  readonly nearMisses: readonly NearMiss[]
  readonly identity: ExplainedIdentity | undefined
  readonly steps: readonly ExplainedStep[]
  /** Where it leads, on this route. */
  readonly services: readonly ExplainedService[]
  /** What should be known when reading the rest. */
  readonly notes: readonly string[]
}

/** Who calls, as far as that is known. */
export interface ExplainedIdentity extends Omit<CallerFacts, 'claims'> {
  readonly isAssumed: boolean
}
