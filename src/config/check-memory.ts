import { samePlain } from '../lib/same-plain.ts'
import type { RouteMatch } from '../routing/route-match.ts'
import type { CheckContext } from './check-context.ts'
import { pathInFile, pathText } from './finding.ts'
import type { RouteModel } from './model.ts'

/** A route in which an earlier check found nothing wrong, as it was written and what it came to. */
interface KnownRoute {
  readonly written: unknown
  readonly model: RouteModel
}

/** All that the check of a route looks at besides the route itself. */
interface Surroundings {
  readonly file: string
  readonly member: unknown
  /** The configuration but for its routes. */
  readonly written: unknown
  /** What of it came from the environment. */
  readonly expansions: readonly (readonly [path: string, written: string])[]
}

/**
 * What the check before this one came to, for one configuration that is checked again and again. Only what has no findings is
 * kept, so that whatever there is to say is found again, with its place, each time.
 */
export class CheckMemory {
  surroundings: Surroundings | undefined
  routes: readonly (KnownRoute | undefined)[] = []
  /** Under what the routes' matches were in order together. */
  table: { readonly reservedPath: string | undefined; readonly matches: readonly RouteMatch[] } | undefined
}

/** The routes of one check, each of which may be known from the check before. */
export class RouteRound {
  readonly #context: CheckContext
  readonly #memory: CheckMemory | undefined
  readonly #before: CheckMemory['routes']
  readonly #isSurroundedAlike: boolean
  readonly #now: (KnownRoute | undefined)[] = []
  readonly #expanded = new Set<number>()

  constructor(context: CheckContext, memory: CheckMemory | undefined) {
    this.#context = context
    this.#memory = memory
    this.#before = memory?.routes ?? []
    if (memory === undefined) {
      this.#isSurroundedAlike = false
      return
    }
    const surroundings = this.#surroundings()
    this.#isSurroundedAlike = samePlain(surroundings, memory.surroundings)
    memory.surroundings = surroundings
    memory.routes = this.#now
  }

  /** The model that the route at `i` had in the check before; undefined where anything that it depends on is another. */
  known(i: number, written: unknown): RouteModel | undefined {
    const before = this.#before[i]
    if (!this.#isSurroundedAlike || before === undefined || this.#expanded.has(i)) return undefined
    if (!samePlain(written, before.written)) return undefined
    this.#now[i] = before
    return before.model
  }

  /** What `check` makes of the route at `i`; kept for the next check where that depends on nothing but what is written. */
  checked(i: number, written: unknown, check: (context: CheckContext) => RouteModel | undefined): RouteModel | undefined {
    if (this.#memory === undefined) return check(this.#context)
    const watched = new WatchedContext(this.#context)
    const { list } = this.#context.findings
    const found = list.length
    const model = withKnownMatch(check(watched), this.#before[i])
    if (model !== undefined && list.length === found && !watched.isAsked && !this.#expanded.has(i))
      this.#now[i] = { written, model }
    return model
  }

  /** Checks all routes together, unless they are in order as they were: by nothing but their matches. */
  together(models: readonly RouteModel[], reservedPath: string | undefined, check: () => void): void {
    const memory = this.#memory
    const before = memory?.table
    if (before?.reservedPath === reservedPath && before?.matches.length === models.length) {
      if (models.every(({ match }, i) => match === before.matches[i])) return
    }
    const { list } = this.#context.findings
    const found = list.length
    const hadErrors = this.#context.findings.hasErrors
    check()
    if (memory === undefined) return
    const isInOrder = list.length === found && !hadErrors
    memory.table = isInOrder ? { reservedPath, matches: models.map(({ match }) => match) } : undefined
  }

  /** Of what came from the environment: in which routes, and all the rest. */
  #surroundings(): Surroundings {
    const { source } = this.#context.findings
    const prefix = pathText(pathInFile(source, ['routes']))
    const expansions: (readonly [string, string])[] = []
    for (const [path, text] of source.expansions ?? []) {
      const place = path.startsWith(prefix) ? /^\[(\d+)\]/.exec(path.slice(prefix.length)) : null
      if (place === null) expansions.push([path, text])
      else this.#expanded.add(Number(place[1]))
    }
    const { routes: _, ...written } = this.#context.reading.at([]) as Record<string, unknown>
    return { file: source.file, member: source.member, written, expansions }
  }
}

/** Says whether more was looked at than what is written: the time, files, modules. */
class WatchedContext implements CheckContext {
  readonly reading: CheckContext['reading']
  readonly findings: CheckContext['findings']
  isAsked = false
  readonly #context: CheckContext

  constructor(context: CheckContext) {
    this.#context = context
    this.reading = context.reading
    this.findings = context.findings
  }

  get now(): number {
    return this.#asked().now
  }

  get files(): CheckContext['files'] {
    return this.#asked().files
  }

  get descriptors(): CheckContext['descriptors'] {
    return this.#asked().descriptors
  }

  get policies(): CheckContext['policies'] {
    return this.#asked().policies
  }

  get shapes(): CheckContext['shapes'] {
    return this.#asked().shapes
  }

  #asked(): CheckContext {
    this.isAsked = true
    return this.#context
  }
}

/** With the very match that it had, where that is the same: what was made of it need not be made again. */
function withKnownMatch(model: RouteModel | undefined, before: KnownRoute | undefined): RouteModel | undefined {
  if (model === undefined || before === undefined || !samePlain(model.match, before.model.match)) return model
  return { ...model, match: before.model.match }
}
