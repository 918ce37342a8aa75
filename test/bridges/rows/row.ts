import type { Ask } from '../../support/flow-service.ts'

/** The kinds of methods, by their names in `flow.proto`. */
export const kinds = ['One', 'Out', 'In', 'Both'] as const
export type Kind = (typeof kinds)[number]

/** What becomes of a call. */
export const fates = ['ok', 'refuse', 'break', 'deadline', 'leave', 'slow'] as const
export type Fate = (typeof fates)[number]

/** How a call ended: by a code of gRPC, or broken off so that nobody takes it for complete. */
export type Ending = number | 'broken'

/** A call under way. */
export interface Opened {
  /** The text of the next message, pulled: nothing is taken from the gateway before; undefined when the call is over. */
  next(): Promise<string | undefined>
  /** Known once `next` gave undefined. */
  ending(): Ending
  /** The caller goes away. */
  leave(): void
}

export interface CallSpec {
  readonly kind: Kind
  readonly asks: readonly Ask[]
  /** Whether the caller says that it has sent everything. */
  readonly isComplete: boolean
  /** A short deadline, said as the protocol can say it. */
  readonly isShort: boolean
}

/** One protocol of the edge, spoken by a client of its own. */
export interface Row {
  readonly name: string
  /** Why this cell does not exist; undefined: it does. */
  absent(kind: Kind, fate: Fate): string | undefined
  /** How the call should end; undefined: with the code that the service or its deadline has. */
  ending?(kind: Kind, fate: Fate): Ending | undefined
  open(spec: CallSpec): Opened
  close?(): void
}

/** What rows are made with. */
export interface RowEnv {
  readonly url: string
}

/** The callers' deadline in milliseconds. */
export const shortMs = 250

/** An Opened over an async source of texts whose failure says how it ended. */
export function openedBy(texts: AsyncIterator<string>, endingOf: (failure: unknown) => Ending, leave: () => void): Opened {
  let ending: Ending | undefined
  return {
    async next() {
      if (ending !== undefined) return undefined
      try {
        const { done, value } = await texts.next()
        if (done !== true) return value
        ending = 0
      } catch (failure) {
        ending = endingOf(failure)
      }
      return undefined
    },
    ending() {
      if (ending === undefined) throw new Error('the call is not over')
      return ending
    },
    leave,
  }
}

/** What a source of texts throws when it knows how its call ended. */
export class CallEnded extends Error {
  readonly ending: Ending

  constructor(ending: Ending) {
    super(String(ending))
    this.ending = ending
  }
}

/** The ending that a failure tells; whatever else it is, it is no end that anybody takes for complete. */
export function brokenOr(failure: unknown): Ending {
  return failure instanceof CallEnded ? failure.ending : 'broken'
}
