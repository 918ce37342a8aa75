import type { AlgorithmKind } from './algorithm.ts'
import { TokenBucket } from './token-bucket.ts'

/**
 * Leaky bucket as a meter: the level rises by each request's cost, sinks at the leak rate, and may not pass the
 * capacity. The mirror image of a token bucket: level = capacity - tokens.
 */
export class LeakyMeter extends TokenBucket {
  override readonly kind: AlgorithmKind = 'leaky-meter'
}
