import { addresses } from './addresses.ts'
import { auth } from './auth.ts'
import { body } from './body.ts'
import { cache } from './cache.ts'
import { compress } from './compress.ts'
import { cors } from './cors.ts'
import { csrf } from './csrf.ts'
import { custom } from './custom.ts'
import { headers } from './headers.ts'
import type { PolicyKind } from './policy-kind.ts'

/** Every policy that a route can carry under its own key, in the order of the reference manual. */
export const policyKinds: readonly PolicyKind[] = [auth, addresses, cors, csrf, headers, body, custom, cache, compress]

/** The kind of that name, or undefined. */
export function policyKind(name: string): PolicyKind | undefined {
  return policyKinds.find((kind) => kind.name === name)
}
