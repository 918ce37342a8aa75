import { emptyAnswer } from '../../core/answer.ts'
import type { Clock } from '../../core/clock.ts'
import { Headers } from '../../core/headers.ts'
import type { AnyPolicy, PolicyHost } from './define-policy.ts'
import { defaultRecordBytes, readOptions } from './define-policy.ts'
import { AnswerView } from './header-changes.ts'
import { madeUpRequest } from './made-up-requests.ts'
import { WorkerRecords } from './records.ts'

/** What came of the calls of one function of a policy with made-up requests. */
export interface PartTrial {
  readonly part: Part
  readonly calls: number
  /** Of the worker's time that a call took, the middle one. What runs after an `await` is not in it, as at run time. */
  readonly medianMs: number
  /** What it threw, or rejected with, in one line, where every call did. */
  readonly thrown: string | undefined
}

type Part = 'decide' | 'onHead' | 'onDone'

/** So long, and so often, is a policy tried: whichever comes first ends it, but never within a call. */
const trialMs = 100
const maxRounds = 200

const outcome = { end: 'complete', status: 200, receivedBytes: 0, sentBytes: 512, durationMs: 12 } as const

/**
 * Calls the functions of a policy with requests that nobody sent, for a tenth of a second, with each of these options in
 * turn. Its records are in memory and go with the trial; what it logs goes nowhere. A call that never returns never
 * returns here either: this is for a thread that can be ended.
 */
export async function tryPolicy(definition: AnyPolicy, options: readonly unknown[], clock: Clock): Promise<PartTrial[]> {
  const records = new WorkerRecords(clock, definition.maxRecordBytes ?? defaultRecordBytes)
  const hosts = options.map((written): PolicyHost<unknown> => {
    const log = { info() {}, warn() {} }
    return { options: readOptions(definition, written), now: () => clock.now(), records, log, isPeek: false }
  })
  const parts = (['decide', 'onHead', 'onDone'] as const)
    .filter((part) => definition[part] !== undefined)
    .map((part) => new PartCalls(part, clock))
  const end = clock.monotonic() + trialMs
  for (let round = 0; hosts.length > 0 && round < maxRounds && (round === 0 || clock.monotonic() < end); round++) {
    const request = madeUpRequest(round)
    const host = hosts[round % hosts.length]
    for (const calls of parts) {
      calls.make(() => {
        if (calls.part === 'decide') return definition.decide!(request, host)
        if (calls.part === 'onDone') return definition.onDone!(request, outcome, host)
        const answer = emptyAnswer(200, Headers.from([['content-type', 'application/json']]))
        return definition.onHead!(request, new AnswerView(answer), host)
      })
    }
  }
  // What has been rejected by now was never waited for.
  await new Promise((resolve) => setImmediate(resolve))
  return parts.filter(({ tookMs }) => tookMs.length > 0).map((calls) => calls.told())
}

class PartCalls {
  readonly part: Part
  readonly tookMs: number[] = []
  readonly #clock: Clock
  #failures = 0
  #thrown: unknown

  constructor(part: Part, clock: Clock) {
    this.part = part
    this.#clock = clock
  }

  make(call: () => unknown): void {
    const failed = (thrown: unknown): void => {
      this.#failures++
      this.#thrown = thrown
    }
    const startedAt = this.#clock.monotonic()
    try {
      const given = call()
      if (given instanceof Promise) given.then(undefined, failed)
    } catch (thrown) {
      failed(thrown)
    }
    this.tookMs.push(this.#clock.monotonic() - startedAt)
  }

  told(): PartTrial {
    const { part, tookMs } = this
    const sorted = tookMs.toSorted((a, b) => a - b)
    const calls = tookMs.length
    const medianMs = sorted[Math.floor(calls / 2)]
    return { part, calls, medianMs, thrown: this.#failures < calls ? undefined : oneLine(this.#thrown) }
  }
}

function oneLine(thrown: unknown): string {
  return String(thrown).split('\n')[0].slice(0, 300)
}
