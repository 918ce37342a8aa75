// What the admin API answers, as far as the page shows it.

export interface Flow {
  readonly requests: number
  readonly ok: number
  readonly refused: number
  readonly failed: number
  readonly p50?: number
  readonly p90?: number
  readonly p99?: number
}

export interface StepReason {
  readonly policy: string
  readonly code: string
  readonly rate: number
  readonly total: number
}

export interface PipelineStep {
  readonly step: 'client' | 'tls' | 'guard' | 'route' | 'auth' | 'limits' | 'shape' | 'cache' | 'services'
  readonly rate: number
  readonly refused: number
  readonly reasons: readonly StepReason[]
  readonly notes: Readonly<Record<string, number>>
}

export type Column = readonly (number | null)[]

/** Tries at a service per second, by how they ended; seconds until an answer's head. */
export interface ServiceFlow {
  readonly rate: number
  readonly failed: number
  readonly outcomes: Readonly<Record<string, number>>
  readonly p50?: number
  readonly p90?: number
  readonly p99?: number
}

export interface Overview {
  readonly name: string
  readonly isReady: boolean
  readonly generation: { readonly number: number; readonly hash: string; readonly committedAt: string }
  readonly workers: readonly { readonly number: number; readonly state: string; readonly utilization: number }[]
  readonly routes: number
  readonly everyMs: number
  readonly windowSeconds: number
  readonly now: Flow
  readonly points: {
    readonly at: readonly number[]
    readonly requests: Column
    readonly refused: Column
    readonly failed: Column
    readonly p50: Column
    readonly p90: Column
    readonly p99: Column
  }
  readonly steps: readonly PipelineStep[]
  readonly services: Readonly<Record<string, ServiceFlow>>
}

export interface Route {
  readonly name: string
  readonly source: string
  readonly methods: readonly string[]
  readonly hosts: readonly string[]
  readonly paths: readonly string[]
  readonly conditions: readonly string[]
  readonly to: string
  readonly auth: string
  readonly policies: readonly { readonly name: string; readonly stage: string; readonly source: string }[]
  readonly flow: Flow
}

export interface Routes {
  readonly total: number
  readonly found: number
  readonly windowSeconds: number
  readonly routes: readonly Route[]
}

export interface Target {
  readonly url: string
  readonly address: string
  readonly weight: number
  readonly state: 'draining' | 'down' | 'ejected' | 'open' | 'half-open' | 'in'
  readonly out?: { readonly reason: string; readonly forMs: number }
  readonly calls?: number
}

export interface Service {
  readonly name: string
  readonly balance: string
  readonly timeoutMs: number
  readonly attempts: number
  readonly maxConnections: number
  readonly breaker?: { readonly state: string }
  readonly targets: readonly Target[]
  readonly names: readonly { readonly name: string; readonly addresses: readonly string[]; readonly failure?: string }[]
  readonly connections: number
  readonly requests: Readonly<Record<string, number>>
  readonly retries: Readonly<Record<string, number>>
}

interface Rate {
  readonly units: number
  readonly periodMs: number
}

export interface Limit {
  readonly name: string
  readonly algorithm: string
  readonly per: readonly string[]
  readonly decisions: Readonly<Record<string, number>>
  readonly shadow: boolean
  readonly onStoreFailure: string
  readonly capacity?: number
  readonly refill?: Rate
  readonly leak?: Rate
  readonly limit?: number
  readonly windowMs?: number
  readonly period?: string
}

/** A limit or a penalty that an operator switched by hand. */
export interface Shadow {
  readonly id: string
  readonly limit?: string
  readonly penalty?: string
  readonly route?: string
  readonly shadow: boolean
  readonly until: string
}

export interface KeyCount {
  readonly key: string
  readonly count: number
}

/** How one budget stands now. */
export interface Level {
  readonly limit: string
  readonly key: string
  readonly source: 'node' | 'store'
  readonly capacity: number
  readonly remaining: number
  readonly wholeAfterMs: number
  readonly unitAfterMs: number
}

export interface LimitKeys {
  readonly limit: string
  readonly unit: string
  readonly busiest: readonly KeyCount[]
  readonly refused: readonly KeyCount[]
}

export interface Penalty {
  readonly id: string
  readonly penalty: string
  readonly who: Readonly<Record<string, string>>
  readonly by: string
  readonly reason: string
  readonly at: string
  readonly until: string
}

export interface Penalties {
  readonly rules: readonly {
    readonly name: string
    readonly after?: string
    readonly for: string
    readonly per: readonly string[]
    readonly shadow: boolean
    readonly boxed: number
  }[]
  readonly penalties: readonly Penalty[]
}

export interface Session {
  readonly id: string
  /** Absent where one subject's sessions were asked for. */
  readonly subject?: string
  readonly kind: string
  readonly device: string
  readonly address: string
  readonly startedAt: string
  readonly lastSeenAt: string
  readonly expiresAt: string
}

export interface AuditEntry {
  readonly at: string
  readonly event: string
  readonly facts: Readonly<Record<string, unknown>>
}

export interface Cache {
  readonly maxBytes: number
  readonly usedBytes: number
  readonly purges: number
  readonly requests: Readonly<Record<string, Readonly<Record<string, number>>>>
}

export interface Verdict {
  readonly policy: string
  readonly stage: string
  readonly source: string
  readonly code: string
  readonly decision: string
  readonly words: string
  /** False behind a refusal; absent where only what was reached is told. */
  readonly isReached?: boolean
}

/** What the gateway would do with a request that nobody sent. */
export interface Explanation {
  readonly summary: string
  readonly request: {
    readonly method: string
    readonly scheme: string
    readonly host: string
    readonly path: string
    readonly address: string
  }
  readonly outcome?: Verdict
  readonly route?: { readonly name: string; readonly source: string }
  readonly identity?: { readonly subject: string; readonly kind: string; readonly isAssumed: boolean }
  readonly steps: readonly Verdict[]
  readonly nearMisses: readonly { readonly route: string; readonly source: string; readonly why: readonly string[] }[]
  readonly notes: readonly string[]
}

export interface KeptRequest {
  readonly id: string
  readonly at: string
  readonly durationMs: number
  readonly keptFor: string
  readonly listener: string
  readonly version: string
  readonly address: string
  readonly method: string
  readonly host: string
  readonly path: string
  readonly query?: string
  readonly status: number
  readonly end: string
  readonly route?: string
  readonly service?: string
  readonly target?: string
  readonly attempts: number
  readonly caller?: {
    readonly kind: string
    readonly issuer?: string
    readonly subject?: string
    readonly tenant?: string
    readonly client?: string
  }
  readonly refused?: { readonly policy: string; readonly code: string; readonly source: string; readonly label?: string }
  readonly fault?: { readonly code: string; readonly why: string }
  readonly verdicts: readonly Verdict[]
  /** How it ended, in one sentence. */
  readonly summary: string
  readonly worker: number
  readonly generation: string
}

export interface Finding {
  readonly severity: 'error' | 'warning'
  readonly file: string
  readonly path: string
  readonly message: string
  readonly remedy: string
  readonly line?: number
}

export interface Config {
  readonly name: string
  readonly generation: { readonly number: number; readonly hash: string; readonly committedAt: string }
  readonly workers: readonly { readonly number: number; readonly state: string }[]
  readonly listeners: readonly { readonly name: string; readonly host: string; readonly port: number; readonly tls: boolean }[]
  readonly load: {
    readonly at: string
    readonly file: string
    readonly committed: boolean
    readonly failure?: string
    readonly findings: readonly Finding[]
  }
}

/** A certificate that is served, or one that is waited for. */
export interface Certificate {
  readonly place: string
  readonly source: string
  readonly names: readonly string[]
  readonly file?: string
  readonly notAfter?: string
  readonly fingerprint?: string
  readonly acme?: {
    readonly name: string
    readonly state: 'waiting' | 'ordering' | 'issued' | 'failing'
    readonly failures: number
    readonly lastError?: string
    readonly nextOrder?: string
  }
}

/** A service that routes translate for. */
export interface BridgedService {
  readonly service: string
  readonly routes: readonly { readonly route: string; readonly bridges: readonly string[] }[]
  readonly methods?: readonly {
    readonly method: string
    readonly kind: 'unary' | 'server-stream' | 'client-stream' | 'both-stream'
    readonly rest: readonly string[]
    readonly summary?: string
  }[]
}

export interface ValueChange {
  readonly path: string
  readonly before?: unknown
  readonly after?: unknown
}

export interface ConfigDiff {
  readonly from: string
  readonly to: string
  readonly isEmpty: boolean
  readonly routes: {
    readonly added: readonly { readonly name: string; readonly source: string; readonly other?: string }[]
    readonly removed: readonly { readonly name: string; readonly source: string; readonly other?: string }[]
    readonly altered: readonly {
      readonly name: string
      readonly source: string
      readonly changes: readonly ValueChange[]
      readonly through: readonly string[]
    }[]
  }
  readonly parts: readonly { readonly part: string; readonly kind: string; readonly changes: readonly ValueChange[] }[]
}
