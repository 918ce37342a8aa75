import { z } from 'zod'
import { changesForService, CustomPolicy } from './custom/custom-policy.ts'
import type { AnyPolicy } from './custom/define-policy.ts'
import { readOptions } from './custom/define-policy.ts'
import { applyChanges } from './custom/header-changes.ts'
import { shadowing } from './in-shadow.ts'
import { mergePolicies } from './merge-options.ts'
import type { PolicyKind } from './policy-kind.ts'

/** A custom policy on a route: its name under `policies`, or with options. */
export type CustomUseInput =
  | string
  | {
      /** The name under `policies`. */
      readonly use: string
      /** What the policy is told; what it may be is the policy's own. */
      readonly options?: unknown
      /** It decides and reports, but never refuses. Default: false. */
      readonly shadow?: boolean | undefined
    }

/** A custom policy on a route, checked. */
export interface CustomUse {
  readonly use: string
  readonly options?: unknown
  readonly shadow: boolean
  /** Where it stands; filled in by the check. */
  readonly source: string
  /** Of its module and what that imports; filled in by the check. */
  readonly digest: string
}

/** What the modules of custom policies export, by the name in the configuration. */
export type CustomPolicies = ReadonlyMap<string, AnyPolicy>

const options: z.ZodType<readonly CustomUse[], readonly CustomUseInput[]> = z
  .array(
    z.union([
      z.string().describe('The name of a policy under `policies`.'),
      z.strictObject({
        use: z.string().describe('The name of a policy under `policies`.'),
        options: z.unknown().optional().describe('What the policy is told; what it may be is the policy’s own.'),
        shadow: z.boolean().optional().describe('It decides and reports, but never refuses. Default: false.'),
      }),
    ]),
  )
  .readonly()
  .transform((uses) =>
    uses.map((written): CustomUse => {
      if (typeof written === 'string') return { use: written, shadow: false, source: '', digest: '' }
      const { use, options: told, shadow = false } = written
      return { use, ...(told === undefined ? {} : { options: told }), shadow, source: '', digest: '' }
    }),
  )

/** Policies of one's own, by the names under which the configuration has their modules. */
export const custom: PolicyKind<readonly CustomUse[], readonly CustomUseInput[]> = {
  name: 'policies',
  stage: 'custom',
  doc: 'Policies of your own, in their order: names under `policies`, or { use, options, shadow }. They run after authentication, authorisation, limits and the checks of the body, and before the cache. Those of `defaults` come first; a route that names one of them again gives it other options.',
  options,
  merge: mergePolicies,
  build(uses, env) {
    if (uses.length === 0) return undefined
    const policies = uses.flatMap(({ use, options: written, shadow, source }) => {
      const definition = env.customPolicies?.get(use)
      // A policy that is silently left out could be the one that keeps strangers away.
      if (definition === undefined) throw new Error(`${source}: the module of the policy ${JSON.stringify(use)} was not loaded`)
      const parts = { name: use, source, definition, options: readOptions(definition, written) }
      return shadowing(shadow, [new CustomPolicy(parts, env)], env)
    })
    return {
      policies,
      requestEdit: (to, x) => {
        const changes = changesForService(x)
        if (changes !== undefined) applyChanges(to, changes)
      },
    }
  },
}
