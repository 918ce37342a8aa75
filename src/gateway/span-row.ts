/** The topic on which workers hand spans to main. */
export const spanTopic = 'traces/spans'

export type SpanValue = string | number

/** A finished span: plain, and without a secret in it. */
export interface SpanRow {
  /** In lower-case hex, as the other ids. */
  readonly traceId: string
  readonly spanId: string
  readonly parentId: string | undefined
  /** Whether the parent is of another process. */
  readonly hasRemoteParent: boolean
  readonly name: string
  readonly kind: 'server' | 'client' | 'internal'
  /** Milliseconds since 1970, with a fraction. */
  readonly beganAt: number
  readonly endedAt: number
  readonly isError: boolean
  /** Of a server's span: the route's name. */
  readonly route?: string | undefined
  /** Name, value, name, value …; names are ours. */
  readonly attributes: readonly SpanValue[]
}

/** Spans as they go from a worker to main, and from there to the collector. */
export interface SpanBatch {
  readonly count: number
  /** One field of OTLP's `ScopeSpans` behind the other. */
  readonly bytes: Uint8Array
  /** Of each server's span what examples are made of: route, trace id, span id, milliseconds since 1970 of its begin and its end. */
  readonly served: readonly SpanValue[]
}
