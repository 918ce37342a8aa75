/** How to reach a Redis that main has looked at already. Holds its password: never to be printed. */
export interface RedisDirect {
  readonly url: string
  readonly isCluster: boolean
  /** How long an answer may take, as main itself waits. */
  readonly answerMs: number
}
