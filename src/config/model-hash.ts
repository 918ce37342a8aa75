import { createHash } from 'node:crypto'
import { stableJson } from '../lib/stable-json.ts'
import type { GatewayModel, RouteModel } from './model.ts'

/** Of routes that are in several models, one after the other. */
const texts = new WeakMap<RouteModel, string>()

/** SHA-256, in hex, of everything a model says: equal exactly when two configurations mean the same. */
export function modelHash({ routes, ...frame }: Omit<GatewayModel, 'hash'>): string {
  // As the text of the whole model would be; those of routes, which are most of it, are kept.
  const members = Object.entries(frame).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, stableJson(value)] as const],
  )
  members.push(['routes', `[${routes.map(routeText).join(',')}]`])
  members.sort(([a], [b]) => (a < b ? -1 : 1))
  const text = members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')
  return createHash('sha256').update(`{${text}}`).digest('hex')
}

function routeText(route: RouteModel): string {
  let text = texts.get(route)
  if (text === undefined) texts.set(route, (text = stableJson(route)))
  return text
}
