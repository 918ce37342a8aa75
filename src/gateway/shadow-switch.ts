import { modelHash } from '../config/model-hash.ts'
import type { GatewayModel, LimitUse } from '../config/model.ts'
import type { Clock, Timer } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Log } from '../core/log.ts'
import { durationText } from '../lib/duration.ts'
import type { Gateway } from './gateway.ts'

/** What an operator wants: a limit or a penalty decides and reports only, or refuses in earnest, whatever the file says. */
export interface ShadowOrder {
  readonly kind: 'limit' | 'penalty'
  readonly name: string
  /** Of a limit: only where this route names it; absent: wherever it is named. */
  readonly route?: string | undefined
  readonly shadow: boolean
  /** Milliseconds after which the configuration's own word holds again; at most `longestShadowMs`. */
  readonly forMs: number
}

/** An order that is in force. */
export interface ShadowOverride extends Omit<ShadowOrder, 'forMs'> {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly until: number
}

/** Longer belongs into the configuration, where others see it. */
export const longestShadowMs = 86_400_000

/** An order that cannot be followed; its message is for whoever gave it. */
export class ShadowOrderError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ShadowOrderError'
  }
}

export interface ShadowSwitchEnv {
  readonly gateway: Pick<Gateway, 'model' | 'replace'>
  readonly clock: Clock
  readonly log: Log
}

/**
 * Shadow on and off while the gateway runs. Each change is a Generation like any other, made of the configuration and the
 * overrides, so all workers serve it before a call returns, and budgets, connections and streams live on. A reload that
 * brings another configuration ends all overrides: then the file is the last word.
 */
export class ShadowSwitch implements Closable {
  readonly #env: ShadowSwitchEnv
  /** The configuration without overrides, and the hash of what was made of it; undefined: there are none. */
  #base: { readonly model: GatewayModel; readonly hash: string } | undefined
  #overrides: readonly ShadowOverride[] = []
  #timer: Timer | undefined
  #lastId = 0

  constructor(env: ShadowSwitchEnv) {
    this.#env = env
  }

  /** Those in force, the latest last. */
  list(): readonly ShadowOverride[] {
    this.#notice(this.#env.gateway.model)
    return this.#overrides
  }

  /** Rejects with a ShadowOrderError; otherwise all workers serve it. A second order for the same thing replaces the first. */
  async set(order: ShadowOrder): Promise<ShadowOverride> {
    const at = this.#env.clock.now()
    const { kind, name, route, shadow, forMs } = order
    const override: ShadowOverride = {
      id: `s${++this.#lastId}`,
      kind,
      name,
      ...(route === undefined ? {} : { route }),
      shadow,
      at,
      until: at + forMs,
    }
    await this.#change((model, overrides) => {
      refuseOrder(model, order)
      return [...overrides.filter((one) => one.kind !== kind || one.name !== name || one.route !== route), override]
    })
    this.#env.log.warn('shadow was switched by an operator', { ...override, by: 'admin', for: durationText(forMs) })
    return override
  }

  /** Ends one before its time; undefined when there is none of this id. */
  async end(id: string): Promise<ShadowOverride | undefined> {
    const found = this.list().find((one) => one.id === id)
    if (found === undefined) return undefined
    await this.#change((_, overrides) => overrides.filter((one) => one.id !== id))
    this.#env.log.warn('a switched shadow was switched back by an operator', { ...found, by: 'admin' })
    return found
  }

  close(): void {
    this.#timer?.cancel()
  }

  async #change(next: (model: GatewayModel, overrides: readonly ShadowOverride[]) => readonly ShadowOverride[]): Promise<void> {
    let made: GatewayModel | undefined
    let base: GatewayModel | undefined
    let wanted: readonly ShadowOverride[] = []
    await this.#env.gateway.replace((current) => {
      this.#notice(current)
      base = this.#base?.model ?? current
      wanted = next(base, this.#overrides)
      made = withShadows(base, wanted)
      return made
    })
    this.#overrides = wanted
    this.#base = wanted.length === 0 ? undefined : { model: base!, hash: made!.hash }
    this.#await()
  }

  /** Another configuration than ours is served: a reload brought it. */
  #notice(current: GatewayModel): void {
    if (this.#base === undefined || current.hash === this.#base.hash) return
    this.#env.log.warn('switched shadows ended with a change of the configuration', { shadows: this.#overrides })
    this.#base = undefined
    this.#overrides = []
    this.#timer?.cancel()
  }

  #await(): void {
    this.#timer?.cancel()
    if (this.#overrides.length === 0) return
    const { clock } = this.#env
    const first = Math.min(...this.#overrides.map(({ until }) => until))
    this.#timer = clock.after(Math.max(0, first - clock.now()), () => void this.#expire())
  }

  async #expire(): Promise<void> {
    const now = this.#env.clock.now()
    const over = this.list().filter(({ until }) => until <= now)
    if (over.length === 0) return
    try {
      await this.#change((_, overrides) => overrides.filter(({ until }) => until > now))
      this.#env.log.warn('switched shadows ended: their time was over', { shadows: over })
    } catch (error) {
      // The gateway is stopping, or a worker is: what could not be taken back is tried again.
      this.#env.log.error('switched shadows could not be ended', { error })
      this.#timer = this.#env.clock.after(retryMs, () => void this.#expire())
    }
  }
}

const retryMs = 1000

function refuseOrder(model: GatewayModel, { kind, name, route, shadow, forMs }: ShadowOrder): void {
  if (!(forMs >= 1000 && forMs <= longestShadowMs))
    throw new ShadowOrderError('It lasts a second at least and 24 hours at most; what is to stay belongs into the configuration')
  if (kind === 'penalty') {
    if (route !== undefined) throw new ShadowOrderError('A penalty holds on all routes: leave the route out')
    if (!(model.penalties ?? []).some((spec) => spec.name === name)) throw new ShadowOrderError(`There is no penalty "${name}"`)
    return
  }
  if (!model.limits.some((spec) => spec.name === name)) throw new ShadowOrderError(`There is no limit "${name}"`)
  if (shadow && model.floorLimits?.includes(name) === true)
    throw new ShadowOrderError(`floor.limits.${name} asks for it in earnest: a platform's floor is not loosened by hand`)
  if (route === undefined) return
  const found = model.routes.find((one) => one.name === route)
  if (found === undefined) throw new ShadowOrderError(`There is no route "${route}"`)
  if (!found.limits.some(({ use }) => use === name))
    throw new ShadowOrderError(`The route "${route}" does not name the limit "${name}"`)
}

/** The configuration as it stands with these overrides; the same one where there are none. */
function withShadows(model: GatewayModel, overrides: readonly ShadowOverride[]): GatewayModel {
  if (overrides.length === 0) return model
  let changed = model
  // Whoever speaks of one route is heard after who speaks of all.
  for (const one of overrides.toSorted((a, b) => Number(a.route !== undefined) - Number(b.route !== undefined)))
    changed = one.kind === 'penalty' ? withPenalty(changed, one) : withLimit(changed, one)
  const { hash: _, ...rest } = changed
  return { ...rest, hash: modelHash(rest) }
}

function withPenalty(model: GatewayModel, { name, shadow }: ShadowOverride): GatewayModel {
  const penalties = (model.penalties ?? []).map((spec) => (spec.name === name ? Object.assign({ ...spec }, { shadow }) : spec))
  return { ...model, penalties }
}

function withLimit(model: GatewayModel, { name, route, shadow }: ShadowOverride): GatewayModel {
  const switched = (uses: readonly LimitUse[]): readonly LimitUse[] =>
    uses.some(({ use }) => use === name) ? uses.map((one) => (one.use === name ? { ...one, shadow } : one)) : uses
  const routes = model.routes.map((one) =>
    route === undefined || route === one.name ? { ...one, limits: switched(one.limits) } : one,
  )
  if (route !== undefined) return { ...model, routes }
  return {
    ...model,
    routes,
    limits: model.limits.map((spec) => (spec.name === name ? { ...spec, shadow } : spec)),
    services: model.services.map((one) => (one.limits === undefined ? one : { ...one, limits: switched(one.limits) })),
  }
}

/** What of the overrides should be known when a request is explained. */
export function shadowNotes(overrides: readonly ShadowOverride[]): string[] {
  return overrides.map(
    ({ kind, name, route, shadow, until }) =>
      `By an operator's hand, not by the configuration, the ${kind} "${name}"${route === undefined ? '' : ` on route "${route}"`} ${
        shadow ? 'is in shadow' : 'counts in earnest'
      } until ${new Date(until).toISOString()}.`,
  )
}
