import type { Chunk, End } from '../core/body.ts'
import { END, StreamBody } from '../core/body.ts'
import type { Clock, Timer } from '../core/clock.ts'
import type { MaybePromise } from '../core/handler.ts'
import { eventText, heartbeatMs, heartbeatText } from '../bridges/sse/event-text.ts'

/** Text that waits for a reader; one that falls behind misses events and is told how many. */
const maxWaiting = 512 * 1024

/** A stream of server-sent events that is fed from elsewhere and never ends by itself. */
export class EventBody extends StreamBody {
  readonly #clock: Clock
  readonly #ended: () => void
  #waiting = ''
  #missed = 0
  #reader: ((chunk: Chunk | End) => void) | undefined
  #heartbeat: Timer | undefined
  #isOver = false

  /** `ended` is called once, when nobody reads any more. */
  constructor(clock: Clock, ended: () => void) {
    super(undefined)
    this.#clock = clock
    this.#ended = ended
    // Whoever watches learns at once that it works.
    this.#waiting = heartbeatText
    this.#beatLater()
  }

  /** Sends an event with this value as JSON, unless the reader is too far behind. */
  send(value: unknown, event?: string): void {
    if (this.#isOver) return
    if (this.#waiting.length > maxWaiting) {
      this.#missed++
      return
    }
    this.#give(this.#missedText() + eventText(JSON.stringify(value), event))
  }

  /** There was more than is sent: so much, besides what a reader missed by falling behind. Told once he can follow. */
  miss(count: number): void {
    if (this.#isOver || count === 0) return
    this.#missed += count
    if (this.#waiting.length <= maxWaiting) this.#give(this.#missedText())
  }

  trailers(): undefined {
    return undefined
  }

  protected read(): MaybePromise<Chunk | End> {
    if (this.#isOver) return END
    if (this.#waiting !== '') return this.#take()
    return new Promise((resolve) => {
      this.#reader = resolve
    })
  }

  protected stop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#heartbeat?.cancel()
    this.#reader?.(END)
    this.#ended()
  }

  #missedText(): string {
    if (this.#missed === 0) return ''
    const text = eventText(JSON.stringify({ missed: this.#missed }), 'missed')
    this.#missed = 0
    return text
  }

  #give(text: string): void {
    this.#waiting += text
    const reader = this.#reader
    if (reader === undefined) return
    this.#reader = undefined
    reader(this.#take())
  }

  #take(): Chunk {
    const text = this.#waiting
    this.#waiting = ''
    return Buffer.from(text)
  }

  #beatLater(): void {
    this.#heartbeat = this.#clock.after(heartbeatMs, () => {
      if (this.#waiting === '') this.#give(heartbeatText)
      this.#beatLater()
    })
  }
}
