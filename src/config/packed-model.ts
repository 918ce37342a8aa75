import { deserialize, serialize } from 'node:v8'
import type { ListDelta } from '../lib/list-delta.ts'
import { telling, toldBy } from '../lib/list-delta.ts'
import { samePlain } from '../lib/same-plain.ts'
import type { GatewayModel, RouteModel } from './model.ts'
import { membersOf } from './members-of.ts'

/** All that a model says but for its routes. */
export type ModelFrame = Omit<GatewayModel, 'hash' | 'routes'>

/**
 * A model on its way between threads: what of it is another than in a model that both have, in pieces, since a message is taken
 * apart in one go, and thousands of routes would keep a thread's requests waiting meanwhile.
 */
export interface PackedModel {
  readonly hash: string
  /** Undefined: that of the model before. */
  readonly frame: Uint8Array | undefined
  readonly routes: ListDelta<Uint8Array>
}

/** Of routes that came packed as a whole and will be packed again. */
const packedRoutes = new WeakMap<readonly RouteModel[], ListDelta<Uint8Array>>()

/** Packs a model for who has `before`: what is the same object there is not packed. A step for each piece. */
export function* packing(model: GatewayModel, before?: GatewayModel): Generator<void, PackedModel, void> {
  const { hash, routes } = model
  const isKnown = before !== undefined && hasSameFrame(model, before)
  const frame = isKnown ? undefined : serialize(frameOf(model))
  const known = before?.routes === routes ? undefined : packedRoutes.get(routes)
  if (known !== undefined) return { hash, frame, routes: known }
  const delta: ListDelta<Uint8Array>[number][] = []
  yield* telling(routes, before?.routes ?? [], serialize, (part) => delta.push(part))
  return { hash, frame, routes: delta }
}

/** The model that was packed for who has `before`; a step for each piece. */
export function* unpacking(
  { hash, frame, routes: delta }: PackedModel,
  before?: GatewayModel,
): Generator<void, GatewayModel, void> {
  const routes = yield* toldBy(delta, before?.routes ?? [], (piece) => deserialize(piece) as RouteModel[])
  const others = frame === undefined ? frameOf(before!) : (deserialize(frame) as ModelFrame)
  return { ...others, hash, routes }
}

/** Says that this model was packed so: if that was as a whole, its routes need not be packed again. */
export function rememberPacked({ routes }: GatewayModel, packed: PackedModel): void {
  if (packed.routes.every((part) => 'fresh' in part)) packedRoutes.set(routes, packed.routes)
}

/** The model without its routes; it keeps none of them alive. */
export function frameOf({ hash: _hash, routes: _routes, ...frame }: GatewayModel): ModelFrame {
  return frame
}

/** Whether all but the routes are the same objects. */
export function hasSameFrame(model: GatewayModel, before: ModelFrame): boolean {
  const [a, b] = [membersOf(model), membersOf(before)]
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  names.delete('hash')
  names.delete('routes')
  return [...names].every((name) => a[name] === b[name])
}

/** The same model, in which what equals its part of `before`, be it a route at the same place, is that very object. */
export function sharing(model: GatewayModel, before: GatewayModel): GatewayModel {
  const earlier = membersOf(before)
  const frame = Object.fromEntries(Object.entries(frameOf(model)).map(([name, value]) => [name, shared(value, earlier[name])]))
  const routes = model.routes.map((route, i) => shared(route, before.routes[i]))
  return { ...(frame as unknown as ModelFrame), hash: model.hash, routes }
}

function shared<T>(value: T, other: T): T {
  return samePlain(value, other) ? other : value
}
