import { deserialize, serialize } from 'node:v8'
import type { GatewayModel, RouteModel } from './model.ts'

/**
 * A model on its way between threads, in pieces: a message is taken apart in one go, and thousands of routes would keep
 * a thread's requests waiting meanwhile.
 */
export interface PackedModel {
  /** All but the routes. */
  readonly frame: Uint8Array
  readonly routes: readonly Uint8Array[]
}

const routesPerPiece = 32
/** Of routes that came packed and will be packed again. */
const packedRoutes = new WeakMap<readonly RouteModel[], readonly Uint8Array[]>()

/** Packs a model; a step for each piece. */
export function* packing({ routes, ...frame }: GatewayModel): Generator<void, PackedModel, void> {
  const known = packedRoutes.get(routes)
  if (known !== undefined) return { frame: serialize(frame), routes: known }
  const pieces: Uint8Array[] = []
  for (let from = 0; from < routes.length; from += routesPerPiece) {
    pieces.push(serialize(routes.slice(from, from + routesPerPiece)))
    yield
  }
  return { frame: serialize(frame), routes: pieces }
}

/** The model that was packed; a step for each piece. */
export function* unpacking({ frame, routes: pieces }: PackedModel): Generator<void, GatewayModel, void> {
  const routes: RouteModel[] = []
  for (const piece of pieces) {
    for (const route of deserialize(piece) as RouteModel[]) routes.push(route)
    yield
  }
  return { ...(deserialize(frame) as Omit<GatewayModel, 'routes'>), routes }
}

/** Says that this model was packed so: its routes, unchanged, need not be packed again. */
export function rememberPacked({ routes }: GatewayModel, packed: PackedModel): void {
  packedRoutes.set(routes, packed.routes)
}
