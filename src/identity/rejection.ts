/**
 * Why a credential proves nobody. Made once per reason and shared; the reason is for the operator only, since what
 * exactly is wrong with a forged credential is no business of its bearer.
 */
export class Rejection {
  /** Stable and kebab-case: `expired`, `bad-signature`, `unknown-key` … */
  readonly reason: string
  /** The reason in a sentence. */
  readonly words: string
  /** True when the credential could not be judged, which must not look like a bad credential. */
  readonly isUndecided: boolean

  constructor(reason: string, words: string, isUndecided = false) {
    this.reason = reason
    this.words = words
    this.isUndecided = isUndecided
  }
}
