import type { ToAction, RedirectAction, RespondAction } from '../config/model.ts'
import { telling } from '../lib/list-delta.ts'
import type { CompiledRoute } from './generation.ts'
import type { RowsDelta } from './messages.ts'

/** A compiled route as tables show it: for `velum routes` and `/api/routes`. Plain data. */
export interface RouteRow {
  readonly name: string
  /** Where it stands in the configuration: `routes[3]`. */
  readonly source: string
  readonly methods: readonly string[]
  readonly hosts: readonly string[]
  readonly paths: readonly string[]
  /** Names of header and query conditions. */
  readonly conditions: readonly string[]
  /** What it leads to, in a few words. */
  readonly to: string
  readonly auth: 'public' | 'optional' | 'required'
  /** Its policies in the order in which an exchange meets them. */
  readonly policies: readonly { readonly name: string; readonly stage: string; readonly source: string }[]
}

/** The rows of compiled routes, in match order. */
export function routeRows(routes: readonly CompiledRoute[]): RouteRow[] {
  return routes.map(({ model, policies }) => ({
    name: model.name,
    source: model.source,
    methods: model.match.methods,
    hosts: model.match.hosts,
    paths: model.match.paths,
    conditions: [
      ...model.match.headers.map((field) => `header ${field.name}`),
      ...model.match.query.map((field) => `query ${field.name}`),
    ],
    to: destination(model.action),
    auth: model.auth.mode,
    policies: policies.map(({ name, stage, source }) => ({ name, stage, source })),
  }))
}

/** Tells the same by what of it stands in the table of `before`; a step for each part. */
export function describing(
  routes: readonly CompiledRoute[],
  before: readonly CompiledRoute[],
  tell: (part: RowsDelta[number]) => void,
): Generator<void, void, void> {
  return telling(routes, before, routeRows, tell)
}

function destination(action: ToAction | RedirectAction | RespondAction): string {
  if (action.kind === 'redirect') return `redirect ${action.status} ${action.to}`
  if (action.kind === 'respond') return `respond ${action.status}`
  if (action.services.length === 1) return action.services[0].service
  return action.services.map(({ service, weight }) => `${service} (${weight})`).join(', ')
}
