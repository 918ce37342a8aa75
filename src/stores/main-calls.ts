import type { Clock } from '../core/clock.ts'
import { Fault, faultFrom } from '../core/fault.ts'
import type { Link } from '../core/link.ts'
import { Deadlines } from '../core/deadlines.ts'
import type { Wait } from '../core/deadlines.ts'
import { topics, valueOf } from './link-messages.ts'
import type { CallBatch, CallReply } from './link-messages.ts'
import type { StoreCall } from './store-verbs.ts'

/** Longest wait for an answer of main's; its driver gives up earlier. */
const answerMs = 2000

interface Pending {
  readonly call: StoreCall
  readonly resolve: (value: unknown) => void
  readonly reject: (why: Error) => void
}

/** Calls that main answers; those of one turn go in one message. */
export class MainCalls {
  readonly #link: Link
  readonly #deadlines: Deadlines
  #queue: Pending[] = []

  constructor(link: Link, clock: Clock) {
    this.#link = link
    this.#deadlines = new Deadlines(clock, answerMs)
  }

  /** Rejects with the fault that main met, or `store-down`. */
  call(call: StoreCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ call, resolve, reject })
      if (this.#queue.length === 1) queueMicrotask(() => void this.#flush())
    })
  }

  /** Rejects with `store-down` when there is no answer. */
  ask(topic: string, message: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const wait = this.#deadlines.add(() => reject(new Fault('store-down', 'the main thread did not answer in time')))
      this.#link.ask(topic, message).then(
        over(wait, resolve),
        over(wait, (thrown) => reject(asStoreFault(thrown))),
      )
    })
  }

  /** What is under way ends with `store-down`. */
  close(): void {
    this.#deadlines.endAll()
  }

  async #flush(): Promise<void> {
    const batch = this.#queue
    this.#queue = []
    try {
      const message: CallBatch = { calls: batch.map(({ call }) => call) }
      const replies = (await this.ask(topics.call, message)) as readonly CallReply[]
      batch.forEach(({ resolve, reject }, i) => {
        try {
          resolve(valueOf(replies[i]))
        } catch (thrown) {
          reject(thrown as Error)
        }
      })
    } catch (thrown) {
      for (const { reject } of batch) reject(thrown as Error)
    }
  }
}

/** Only while it is waited for. */
function over<T>(wait: Wait, use: (value: T) => void): (value: T) => void {
  return (value) => {
    if (wait.isOver) return
    wait.isOver = true
    use(value)
  }
}

/** Whatever keeps main from answering, the store cannot be asked. A bug stays one. */
function asStoreFault(thrown: unknown): Fault {
  const fault = faultFrom(thrown)
  const isDown = fault.code !== 'internal' || fault.message.startsWith('nobody answers')
  return isDown ? new Fault('store-down', fault.message, { cause: fault }) : fault
}
