/** Tries that a service may get before its traffic has earned any, so that a quiet service is retried too. */
const advance = 3
/** Unused tries do not pile up beyond this: a quiet night is no reason for a storm in the morning. */
const most = 20

/**
 * Bounds tries beyond the first to a share of the calls: of n calls at most max(3, share × n) are sent again, however
 * they fail. The advance is paid back by the first calls, so the share holds exactly.
 */
export class RetryBudget {
  readonly #share: number
  #left = advance
  #owed = advance

  constructor(share: number) {
    this.#share = share
  }

  /** A call came. */
  earn(): void {
    if (this.#owed > 0) this.#owed -= this.#share
    else if (this.#left < most) this.#left += this.#share
  }

  /** Takes one try; false when there is none. */
  take(): boolean {
    if (this.#left < 1) return false
    this.#left--
    return true
  }

  close(): void {}
}
