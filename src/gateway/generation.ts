import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { Slot } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { MaybePromise } from '../core/handler.ts'
import type { Outcome, Policy } from '../core/policy.ts'
import { httpProblem, problemOf } from '../core/problem.ts'
import type { Served } from '../wire/server-wire.ts'
import type { RouteModel } from '../config/model.ts'
import type { Explain } from './explain.ts'

/** A route as it stands in the table: its configuration and the policies it was compiled to, in order. */
export interface CompiledRoute {
  readonly model: RouteModel
  readonly policies: readonly Policy[]
}

/** One compiled configuration. Serves until it is retired; then ends its exchanges and lets go of what it held. */
export interface Generation {
  readonly hash: string
  /** Routes in match order. */
  readonly routes: readonly CompiledRoute[]
  /** What one listener does with its exchanges; undefined for a listener it does not have. */
  served(listener: string): Served | undefined
  /** Says what it would do with a request; absent where nobody can ask. */
  readonly explain?: Explain | undefined
  /** Resolves when what it needs of main and the store is there; a worker begins to serve only then. */
  readonly ready?: Promise<void> | undefined
  /** Closes everything that no other Generation holds. To be called once its last exchange is over. */
  close(): void
}

interface Counted {
  readonly generation: Generation
  active: number
  isRetired: boolean
}

const servedBy = new Slot<{ counted: Counted; served: Served }>()

/**
 * Which Generation a worker serves with. Listeners keep talking to this; a commit changes one pointer. An exchange is
 * finished by the Generation that began it, however long it takes, and the last one to finish closes it.
 */
export class CurrentGeneration {
  #current: Counted | undefined
  readonly #retired = new Set<Counted>()

  get generation(): Generation | undefined {
    return this.#current?.generation
  }

  /** Exchanges under way, and how many Generations before this one still have some. */
  get active(): number {
    let active = this.#current?.active ?? 0
    for (const counted of this.#retired) active += counted.active
    return active
  }

  get retired(): number {
    return this.#retired.size
  }

  /** New exchanges go to `next` from now on. */
  commit(next: Generation): void {
    const before = this.#current
    this.#current = { generation: next, active: 0, isRetired: false }
    if (before === undefined) return
    before.isRetired = true
    if (before.active === 0) before.generation.close()
    else this.#retired.add(before)
  }

  /** The lasting face of a listener, for its wire. */
  served(listener: string): Served {
    return {
      handle: (x): MaybePromise<Answer> => {
        const counted = this.#current
        const served = counted?.generation.served(listener)
        // A connection can outlive its listener for the length of a drain.
        if (counted === undefined || served === undefined) return httpProblem({ name: 'unavailable' }, '')
        counted.active++
        servedBy.set(x, { counted, served })
        return served.handle(x)
      },
      done: (x: Exchange, outcome: Outcome): void => {
        const by = servedBy.get(x)
        if (by === undefined) return
        by.served.done(x, outcome)
        const { counted } = by
        counted.active--
        if (counted.isRetired && counted.active === 0 && this.#retired.delete(counted)) counted.generation.close()
      },
      refused: (fault, connection): Answer => {
        const served = this.#current?.generation.served(listener)
        return served === undefined ? httpProblem(problemOf(new Fault('no-target')), '') : served.refused(fault, connection)
      },
    }
  }
}
