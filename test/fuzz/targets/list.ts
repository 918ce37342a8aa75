import type { FuzzTarget } from '../fuzz-target.ts'
import { bridgeStreamTargets } from './bridge-streams.ts'
import { cacheTargets } from './cache-fields.ts'
import { graphqlTargets } from './graphql.ts'
import { grpcFrameTargets } from './grpc-frames.ts'
import { httpRuleTargets } from './http-rules.ts'
import { messageJsonTargets } from './message-json.ts'
import { configurationTargets } from './configurations.ts'
import { descriptionTargets } from './descriptions.ts'
import { limitFieldTargets } from './limit-fields.ts'
import { pathTargets } from './paths.ts'
import { requestFieldTargets } from './request-fields.ts'
import { tokenTargets } from './tokens.ts'
import { unitTargets } from './units.ts'
import { wireTargets } from './wires.ts'

/** Every parser that is fuzzed; HTTP/1.1 requests have a run of their own, against other servers (`compare.ts`). */
export const fuzzTargets: readonly FuzzTarget[] = [
  ...pathTargets,
  ...cacheTargets,
  ...requestFieldTargets,
  ...configurationTargets,
  ...descriptionTargets,
  ...limitFieldTargets,
  ...tokenTargets,
  ...unitTargets,
  ...wireTargets,
  ...messageJsonTargets,
  ...httpRuleTargets,
  ...graphqlTargets,
  ...grpcFrameTargets,
  ...bridgeStreamTargets,
]
