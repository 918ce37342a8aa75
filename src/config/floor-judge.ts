import type { CheckContext } from './check-context.ts'
import type { ConfigPath } from './finding.ts'
import { pathText } from './finding.ts'
import type { RouteModel } from './model.ts'
import type { Fields } from './reading.ts'
import type { floorSchema } from './schema/floor.ts'

/** A floor as it was read: each part by itself, so that a fault in one leaves the others standing. */
export type Floor = Fields<typeof floorSchema>

/** What a policy of the route came to; undefined where it has none. */
export function optionsOf(route: RouteModel, policy: string): unknown {
  return route.policies.find((use) => use.policy === policy)?.options
}

/** Where a gateway is looser than its floor: collected with the place in the gateway, and the floor's in the message. */
export class FloorJudge {
  readonly #context: CheckContext
  readonly #said = new Set<string>()

  constructor(context: CheckContext) {
    this.#context = context
  }

  /** `what` stands at `path`, and `of`, a path into the floor, asks for something else. Said once, however many routes inherit it. */
  loosened(path: ConfigPath, of: ConfigPath, what: string, asked: string, remedy: string): void {
    const message = `${what}, and ${pathText(['floor', ...of])} ${asked}`
    const key = `${pathText(path)} ${message}`
    if (this.#said.has(key)) return
    this.#said.add(key)
    this.#context.findings.error(path, message, remedy)
  }

  at(path: ConfigPath): unknown {
    return this.#context.reading.at(path)
  }

  /** Where a value of a route stands: on the route, else in `defaults`, as deep as it was written; else where it would belong. */
  placeOf({ source }: RouteModel, ...path: ConfigPath): ConfigPath {
    const own: ConfigPath = ['routes', Number(/\d+/.exec(source)?.[0])]
    for (let depth = path.length; depth > 0; depth--) {
      for (const base of [own, ['defaults']]) {
        const place = [...base, ...path.slice(0, depth)]
        if (this.at(place) !== undefined) return place
      }
    }
    return [...own, ...path]
  }

  /** Where a route names a limit; undefined when it does not. */
  placeOfUse(route: RouteModel, limit: string): ConfigPath | undefined {
    const [section, index] = this.placeOf(route, 'name')
    for (const list of [
      [section, index, 'limits', 'only'],
      [section, index, 'limits'],
      ['defaults', 'limits'],
    ]) {
      const uses = this.at(list)
      if (!Array.isArray(uses)) continue
      const k = uses.findIndex((use: unknown) => use === limit || (use as { use?: unknown } | null)?.use === limit)
      if (k !== -1) return [...list, k]
    }
    return undefined
  }
}
