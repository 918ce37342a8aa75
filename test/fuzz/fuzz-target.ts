import fc from 'fast-check'

/** One parser under fuzzing: cases of hostile input, and what holds of each of them. */
export interface FuzzTarget {
  readonly name: string
  /** The promise, in words; `check` throws where it is broken. */
  readonly promise: string
  /** How many cases the short run of `npm test` takes. */
  readonly fewCases: number
  /** Runs so many cases from a seed, and says how the promise was broken, with the smallest case that was found. */
  readonly run: (seed: number, cases: number, onCase?: OnCase) => Promise<string | undefined>
  /** One of those cases, from 0, as `run` writes it. */
  readonly caseOf: (seed: number, index: number) => string
}

/** Is called before each case; while a counterexample is made smaller, they are no longer those of the seed. */
export type OnCase = (isShrinking: boolean) => void

export interface TargetParts<T> {
  readonly name: string
  readonly promise: string
  readonly cases: fc.Arbitrary<T>
  readonly check: (value: T) => void | Promise<void>
  readonly fewCases?: number
}

/** Longest that one case may take: a detector of hangs, wide enough for a busy machine. */
const hangMs = 5000
const fewCases = 300

/** Declares a target. */
export function defineTarget<T>({ name, promise, cases, check, fewCases: few = fewCases }: TargetParts<T>): FuzzTarget {
  const property = (onCase: OnCase): fc.IAsyncProperty<[T]> => {
    let isShrinking = false
    return fc.asyncProperty(cases, async (value) => {
      onCase(isShrinking)
      const startedAt = performance.now()
      try {
        await check(value)
        const tookMs = performance.now() - startedAt
        if (tookMs > hangMs) throw new Error(`one case took ${Math.round(tookMs)} ms`)
      } catch (thrown) {
        isShrinking = true
        throw thrown
      }
    })
  }
  return {
    name,
    promise,
    fewCases: few,
    async run(seed, numRuns, onCase = () => {}) {
      const details = await fc.check(property(onCase), { seed, numRuns, verbose: 0 })
      if (!details.failed) return undefined
      const { counterexample, counterexamplePath, errorInstance } = details
      const why = errorInstance instanceof Error ? (errorInstance.stack ?? errorInstance.message) : String(errorInstance)
      return `case ${fc.stringify(counterexample?.[0])} (seed ${details.seed}, path ${counterexamplePath})\n${why}`
    },
    caseOf: (seed, index) => fc.stringify(fc.sample(cases, { seed, numRuns: index + 1 })[index]),
  }
}
