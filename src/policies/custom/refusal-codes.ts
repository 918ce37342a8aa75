import type { Closable } from '../../core/lasting.ts'

/** What a policy that names no code refuses with. */
export const plainCode = 'refused'
const maxCodes = 32

/**
 * The codes with which one policy refuses in one worker. They are labels of metrics: a policy that makes them of what
 * clients send gets no more of them than these, and `refused` for all others. Outlives Generations.
 */
export class RefusalCodes implements Closable {
  readonly #known = new Set<string>()

  /** The code itself, or `refused` when there are too many. */
  bounded(code: string): string {
    if (this.#known.has(code)) return code
    if (this.#known.size >= maxCodes) return plainCode
    this.#known.add(code)
    return code
  }

  close(): void {
    this.#known.clear()
  }
}
