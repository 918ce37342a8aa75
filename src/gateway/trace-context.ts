const pattern = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?$/

/**
 * Whether a `traceparent` may be passed on (W3C Trace Context §3.2). A malformed one is dropped together with its
 * `tracestate`, as the recommendation asks.
 */
export function isTraceparent(value: string): boolean {
  if (!pattern.test(value)) return false
  return !value.startsWith('00') || value.length === 55
}
