import { sep } from 'node:path'
import { stableJson } from '../lib/stable-json.ts'
import type { GatewayModel, RouteModel } from './model.ts'
import { matchOrderChanges, routeTakenFrom } from './diff-matching.ts'
import type { OrderChange } from './diff-matching.ts'
import { isObject } from '../lib/is-object.ts'

/** One value that is another now; undefined where there is none. Secrets are shown as such. */
export interface ValueChange {
  /** Below the thing that it belongs to, as it stands in the checked configuration: `auth.scopes`. */
  readonly path: string
  readonly before: unknown
  readonly after: unknown
}

/** A route that is there only before, or only after. */
export interface RouteOnOneSide {
  readonly name: string
  readonly source: string
  /**
   * Of an added one: the route that had requests of this form before. Of a removed one: the route that has them now.
   * Undefined: nothing answered them, or does.
   */
  readonly other: string | undefined
}

/** A route that is another now. */
export interface RouteChange {
  readonly name: string
  readonly source: string
  readonly changes: readonly ValueChange[]
  /** Limits and services that it uses and that are others now: `limits.perTenant`. */
  readonly through: readonly string[]
  /** The route that had requests of its new form before, where that was another one. */
  readonly takesFrom: string | undefined
}

/** Something with a name besides routes: `services`, `limits`, `listeners`, `penalties`; or a part without one. */
export interface PartChange {
  /** `services.orders`, `identity`. */
  readonly part: string
  readonly kind: 'added' | 'removed' | 'altered'
  readonly changes: readonly ValueChange[]
}

/** What a change of the configuration comes to. Plain data. */
export interface ConfigDiff {
  readonly isEmpty: boolean
  readonly routes: {
    readonly added: readonly RouteOnOneSide[]
    readonly removed: readonly RouteOnOneSide[]
    readonly altered: readonly RouteChange[]
    /** Routes that neither side changed, of which the other one is tried first now. */
    readonly order: readonly OrderChange[]
  }
  readonly parts: readonly PartChange[]
}

/** What two checked configurations differ in, route by route, with what defaults and platform give them. */
export function diffModels(before: GatewayModel, after: GatewayModel): ConfigDiff {
  const parts = partChanges(before, after)
  const touched = new Set(parts.filter(({ kind }) => kind === 'altered').map(({ part }) => part))
  const old = byKey(before.routes)
  const now = byKey(after.routes)
  const added: RouteOnOneSide[] = []
  const altered: RouteChange[] = []
  for (const [key, route] of now) {
    const was = old.get(key)
    if (was === undefined) added.push({ ...named(route), other: routeTakenFrom(route, before.routes)?.name })
    else {
      const changes = valueChanges(comparable(was), comparable(route))
      const through = usesOf(route).filter((part) => touched.has(part))
      if (changes.length === 0 && through.length === 0) continue
      const taken = stableJson(was.match) === stableJson(route.match) ? undefined : routeTakenFrom(route, before.routes)
      altered.push({ ...named(route), changes, through, takesFrom: taken === undefined || taken === was ? undefined : taken.name })
    }
  }
  const removed = [...old].flatMap(([key, route]) =>
    now.has(key) ? [] : [{ ...named(route), other: routeTakenFrom(route, after.routes)?.name }],
  )
  const order = matchOrderChanges(before.routes, after.routes, keyOf)
  const isEmpty = added.length + removed.length + altered.length + order.length + parts.length === 0
  return { isEmpty, routes: { added, removed, altered, order }, parts }
}

/** By its name; one without is known by what it matches. */
function keyOf({ name, match }: RouteModel): string {
  return name === '' ? stableJson(match) : name
}

function byKey(routes: readonly RouteModel[]): Map<string, RouteModel> {
  return new Map(routes.map((route) => [keyOf(route), route]))
}

function named(route: RouteModel): { name: string; source: string } {
  return { name: route.name === '' ? route.match.paths.join(' ') : route.name, source: route.source }
}

/** A route without what only says where it stands, its policies by their names. */
function comparable({ name: _name, source: _source, maxBodyBytes: _ofBody, policies, auth, ...route }: RouteModel): unknown {
  return withoutSources({ ...route, auth, ...Object.fromEntries(policies.map(({ policy, options }) => [policy, options])) })
}

function withoutSources(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSources)
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'source')
      .map(([key, item]) => [key, withoutSources(item)]),
  )
}

function usesOf({ limits, action }: RouteModel): string[] {
  const services = action.kind === 'to' ? action.services.map(({ service }) => `services.${service}`) : []
  return [...limits.map(({ use }) => `limits.${use}`), ...services]
}

const namedParts = ['listeners', 'services', 'limits', 'penalties'] as const

function partChanges(before: GatewayModel, after: GatewayModel): PartChange[] {
  const changes: PartChange[] = []
  for (const part of namedParts) {
    const old = new Map((before[part] ?? []).map((item) => [item.name, item]))
    const now = new Map((after[part] ?? []).map((item) => [item.name, item]))
    for (const [name, item] of now) {
      const was = old.get(name)
      if (was === undefined) changes.push({ part: `${part}.${name}`, kind: 'added', changes: [] })
      else noteAltered(changes, `${part}.${name}`, was, item)
    }
    for (const name of old.keys()) if (!now.has(name)) changes.push({ part: `${part}.${name}`, kind: 'removed', changes: [] })
  }
  const old = new Map(Object.entries(unnamedParts(before)))
  const now = new Map(Object.entries(unnamedParts(after)))
  for (const part of new Set([...old.keys(), ...now.keys()])) noteAltered(changes, part, old.get(part), now.get(part))
  return changes
}

/** Of everything else there is one. */
function unnamedParts({
  hash: _hash,
  routes: _routes,
  listeners: _listeners,
  services: _services,
  limits: _limits,
  penalties: _penalties,
  ...others
}: GatewayModel): object {
  return others
}

function noteAltered(changes: PartChange[], part: string, before: unknown, after: unknown): void {
  const found = valueChanges(withoutSources(before), withoutSources(after), [], isSecret(part))
  if (found.length > 0) changes.push({ part, kind: 'altered', changes: found })
}

/** Every place where two values differ, as deep as both are objects. Lists are compared whole. */
function valueChanges(before: unknown, after: unknown, at: readonly string[] = [], isHidden = false): ValueChange[] {
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys.flatMap((key) => valueChanges(before[key], after[key], [...at, key], isHidden || isSecret(key)))
  }
  if (stableJson(before) === stableJson(after)) return []
  const shown = (value: unknown): unknown => (value === undefined ? undefined : isHidden ? '(secret)' : hideIn(value))
  return [{ path: at.join('.'), before: shown(before), after: shown(after) }]
}

function hideIn(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(hideIn)
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, isSecret(key) ? '(secret)' : hideIn(item)]))
}

/** The same with paths below a folder told from there, so that two copies of one configuration are alike. */
export function relativeTo<T>(value: T, folder: string): T {
  const told = (item: unknown): unknown => {
    if (typeof item === 'string') return item.startsWith(folder + sep) ? `.${item.slice(folder.length)}` : item
    if (Array.isArray(item)) return item.map(told)
    return isObject(item) ? Object.fromEntries(Object.entries(item).map(([key, member]) => [key, told(member)])) : item
  }
  return told(value) as T
}

function isSecret(key: string): boolean {
  return /secret|sha256|password/i.test(key)
}
