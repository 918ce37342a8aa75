import type { GatewayModel } from '../../config/model.ts'
import { textAnswer } from '../../core/answer.ts'
import type { Clock } from '../../core/clock.ts'
import type { Handler } from '../../core/handler.ts'
import type { AcmeChallenge } from '../../wire/tls/acme-order.ts'

/** Most challenges that are answered at one time; an older one gives way. */
export const mostChallenges = 500

/** A challenge that is to be answered until then, in milliseconds since 1970. Plain data. */
export interface LiveChallenge extends AcmeChallenge {
  readonly until: number
}

/** What a worker answers authorities with. */
export class ChallengeAnswers {
  readonly #clock: Clock
  #live: ReadonlyMap<string, LiveChallenge> = new Map()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** These and no others from now on. */
  replace(live: readonly LiveChallenge[]): void {
    this.#live = new Map(live.map((challenge) => [challenge.token, challenge]))
  }

  of(token: string): string | undefined {
    const found = this.#live.get(token)
    return found === undefined || found.until <= this.#clock.now() ? undefined : found.answer
  }
}

/** Whether a listener of this configuration orders its certificates. */
export function usesAcme({ listeners }: GatewayModel): boolean {
  return listeners.some(({ tls }) => tls?.acme !== undefined)
}

const prefix = '/.well-known/acme-challenge/'

/** Answers the challenges of authorities (RFC 8555 §8.3), before all else; what is none of them goes on as if nothing were. */
export function answeringChallenges(answers: ChallengeAnswers, next: Handler): Handler {
  return (x) => {
    if (!x.path.startsWith(prefix) || (x.method !== 'GET' && x.method !== 'HEAD')) return next(x)
    const answer = answers.of(x.path.slice(prefix.length))
    return answer === undefined ? next(x) : textAnswer(200, answer, 'application/octet-stream')
  }
}
