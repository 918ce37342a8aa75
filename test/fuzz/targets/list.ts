import type { FuzzTarget } from '../fuzz-target.ts'
import { pathTargets } from './paths.ts'

/** Every parser that is fuzzed; HTTP/1.1 requests have a run of their own, against other servers (`compare.ts`). */
export const fuzzTargets: readonly FuzzTarget[] = [...pathTargets]
