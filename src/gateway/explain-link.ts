import type { Clock } from '../core/clock.ts'
import { Fault } from '../core/fault.ts'
import type { Hub, Link } from '../core/link.ts'
import type { Explain, PartialExplanation } from './explain.ts'
import type { ExplainQuestion } from './explanation.ts'
import { QuestionError } from './explanation.ts'

const askTopic = 'explain/ask'
const answerTopic = 'explain/answer'
/** A worker that does not answer in time is busy, or hangs. */
const withinMs = 5000

interface Asked {
  readonly id: number
  readonly worker: number
  readonly question: ExplainQuestion
}

interface Answered {
  readonly id: number
  readonly explanation?: PartialExplanation
  /** What was wrong; with the question, where `isQuestion`. */
  readonly failure?: string
  readonly isQuestion?: boolean
}

/** A worker's side: explains by the Generation that it serves with when it is asked. */
export function answerExplain(link: Link, worker: number, current: () => Explain | undefined): void {
  const answer = async ({ id, question }: Asked): Promise<Answered> => {
    const explain = current()
    if (explain === undefined) return { id, failure: 'the worker does not serve yet' }
    try {
      return { id, explanation: await explain(question) }
    } catch (thrown) {
      return { id, failure: (thrown as Error).message, isQuestion: thrown instanceof QuestionError }
    }
  }
  link.hear(askTopic, (message) => {
    const asked = message as Asked
    if (asked.worker === worker) void answer(asked).then((told) => link.tell(answerTopic, told))
  })
}

/** Main's side: one worker that serves is asked. */
export class ExplainDesk {
  readonly #hub: Hub
  readonly #clock: Clock
  readonly #serving: () => number | undefined
  readonly #waiting = new Map<number, (told: Answered) => void>()
  #lastId = 0

  /** `serving` gives the number of a worker that serves, if one does. */
  constructor(hub: Hub, clock: Clock, serving: () => number | undefined) {
    this.#hub = hub
    this.#clock = clock
    this.#serving = serving
    hub.hear(answerTopic, (message) => {
      const told = message as Answered
      this.#waiting.get(told.id)?.(told)
    })
  }

  /** Rejects with a QuestionError for what is no question, else with a Fault. */
  ask(question: ExplainQuestion): Promise<PartialExplanation> {
    const worker = this.#serving()
    if (worker === undefined) return Promise.reject(new Fault('overloaded', 'no worker serves at the moment'))
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(withinMs, () => {
        this.#waiting.delete(id)
        reject(new Fault('overloaded', 'the worker that was asked did not answer in time'))
      })
      this.#waiting.set(id, ({ explanation, failure = '', isQuestion }) => {
        timer.cancel()
        this.#waiting.delete(id)
        if (explanation !== undefined) resolve(explanation)
        else reject(isQuestion === true ? new QuestionError(failure) : new Fault('internal', failure))
      })
      this.#hub.tellAll(askTopic, { id, worker, question } satisfies Asked)
    })
  }
}
