import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Policy } from '../core/policy.ts'
import type { LiveStreams } from '../identity/live-streams.ts'

/** Binds answers that go on to whoever asked for them, so that they end with the session or the token. */
export class BindStreams implements Policy {
  readonly name = 'auth'
  readonly stage = 'authorise'
  readonly source: string
  readonly #streams: LiveStreams

  constructor(streams: LiveStreams, source: string) {
    this.#streams = streams
    this.source = source
  }

  onHead({ identity }: Exchange, answer: Answer): void {
    if (identity !== undefined) this.#streams.bind(identity, answer)
  }
}
