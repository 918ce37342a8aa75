/** The topic on which workers hand spans to main. */
export const spanTopic = 'traces/spans'

export type SpanValue = string | number

/** A finished span as it goes from a worker to main: plain, and without a secret in it. */
export interface SpanRow {
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
