import type { AuthInput } from '../policies/auth.ts'
import type { FloorInput } from './floor-input.ts'
import type { DefaultsInput, GatewayInput, ListenerInput, RouteInput } from './input.ts'
import type { LimitInput } from './limit-input.ts'
import type { ServiceInput } from './service-input.ts'

/** What a platform gives to the gateways of its teams. */
export interface PlatformInput<F extends FloorInput = FloorInput> {
  /** What a team's `defaults` lie on: what a team says replaces it, except `limits` (add) and `headers`, `body` (merged by key). */
  readonly defaults?: DefaultsInput<FloorLimit<NoInfer<F>>> | undefined
  /** What no team may fall short of. Where neither the platform's `defaults` nor a team says anything, it is what holds. */
  readonly floor: F
}

/** The names of a floor's limits; every team may use them. */
export type FloorLimit<F extends FloorInput> = F extends { readonly limits: infer L } ? keyof L & string : never

/** Without what a floor that asks who is calling would refuse. */
export type TeamAuth<F extends FloorInput> = F extends { readonly auth: object | string }
  ? Exclude<AuthInput, string> & { readonly optional?: false | undefined; readonly shadow?: false | undefined }
  : AuthInput

/** A team's gateway: as any other, with the floor's limits among its names, and no floor of its own. */
export interface TeamGatewayInput<F extends FloorInput, S extends string, L extends string> extends Omit<
  GatewayInput,
  'listeners' | 'services' | 'limits' | 'defaults' | 'routes' | 'floor'
> {
  readonly listeners: Readonly<Record<string, ListenerInput<NoInfer<L> | FloorLimit<F>>>>
  readonly services?: Readonly<Record<S, ServiceInput<NoInfer<L> | FloorLimit<F>>>> | undefined
  /** Its own limits; one of the floor's may be defined again, stricter. */
  readonly limits?: Readonly<Record<L, LimitInput>> | undefined
  readonly defaults?: TeamDefaults<F, NoInfer<L>> | undefined
  readonly routes: readonly TeamRoute<F, NoInfer<S>, NoInfer<L>>[]
  readonly floor?: never
}

/** What every route of a team's gateway has. */
export interface TeamDefaults<F extends FloorInput, L extends string> extends Omit<DefaultsInput<L | FloorLimit<F>>, 'auth'> {
  readonly auth?: TeamAuth<F> | undefined
}

/** A route of a team's gateway. */
export interface TeamRoute<F extends FloorInput, S extends string, L extends string> extends Omit<
  RouteInput<S, L | FloorLimit<F>>,
  'auth'
> {
  readonly auth?: TeamAuth<F> | undefined
}
