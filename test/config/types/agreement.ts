// The types that a configuration is written with and the schemas that check it know the same names, at every depth.
import type { z } from 'zod'
import type { gatewaySchema } from '../../../src/config/schema/gateway.ts'
import type { ownDefaultsSchema, ownRouteSchema } from '../../../src/config/schema/routes.ts'
import type { DefaultsInput, GatewayInput, PoliciesInput, RouteInput } from '../../../src/index.ts'

type Plain = string | number | boolean | null | undefined

/** Every path into a type: `listeners.*.tls.certificates.cert`. Lists add no step, names that a user chooses are `*`. */
type Paths<T> = T extends Plain
  ? never
  : T extends readonly (infer Item)[]
    ? Paths<Item>
    : { [K in keyof T & string]-?: Step<K> | `${Step<K>}.${Paths<T[K]>}` }[keyof T & string]
type Step<K extends string> = string extends K ? '*' : K

/** The paths that only one of two types has; never when they agree. */
type Difference<A, B> = Exclude<Paths<A>, Paths<B>> | Exclude<Paths<B>, Paths<A>>

type Composed = 'routes' | 'defaults'
type Policy = keyof PoliciesInput

/** Does not compile for anything but never. */
type Agree<T extends never> = T

/**
 * Compiles as long as they agree.
 *
 * @public
 */
export type Agreements = [
  Agree<Difference<Omit<GatewayInput, Composed>, Omit<z.input<typeof gatewaySchema>, Composed | '$schema'>>>,
  Agree<Difference<Omit<DefaultsInput, Policy>, z.input<typeof ownDefaultsSchema>>>,
  Agree<Difference<Omit<RouteInput, Policy>, z.input<typeof ownRouteSchema>>>,
]

/** The policies that the types know; `types.test.ts` compares them with the list. */
export const policies: Record<Policy, true> = {
  auth: true,
  addresses: true,
  cors: true,
  csrf: true,
  headers: true,
  body: true,
  policies: true,
  cache: true,
  compress: true,
}
