import type { Chunk, End } from '../../core/body.ts'
import { END, StreamBody } from '../../core/body.ts'
import type { Clock } from '../../core/clock.ts'
import type { Fault } from '../../core/fault.ts'
import { eventText, heartbeatMs, heartbeatText } from '../sse/event-text.ts'
import { orQuiet } from '../sse/quiet.ts'
import type { GraphqlResponse } from './answer.ts'
import type { Responses } from './responses.ts'

/** The end of an operation; the empty data makes browsers deliver the event. */
const completeText = 'event: complete\ndata:\n\n'

/**
 * The responses to one operation as events, `next` for each and `complete` at the end (the protocol of graphql-sse, distinct
 * connections). Pulled, so that a service waits for a slow caller; how a stream failed is the last response.
 */
export class EventStream extends StreamBody {
  readonly #responses: Responses
  readonly #clock: Clock
  #ahead: Promise<GraphqlResponse | End> | undefined = undefined
  #isOver = false

  constructor(responses: Responses, clock: Clock) {
    super(undefined)
    this.#responses = responses
    this.#clock = clock
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): Promise<Chunk> | End {
    if (this.#isOver) return END
    const next = this.#ahead ?? this.#responses.next()
    this.#ahead = undefined
    return orQuiet(next, this.#clock, heartbeatMs).then((response) => {
      if (response === undefined) {
        this.#ahead = next
        return Buffer.from(heartbeatText)
      }
      if (response !== END) return Buffer.from(eventText(JSON.stringify(response), 'next'))
      this.#isOver = true
      return Buffer.from(completeText)
    })
  }

  protected stop(why: Fault): void {
    this.#isOver = true
    this.#responses.cancel(why)
  }
}
