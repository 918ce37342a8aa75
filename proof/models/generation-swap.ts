import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { syncBuiltinESMExports } from 'node:module'
import threads from 'node:worker_threads'
import { silentLog } from '../../src/core/log.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import { silentMeter } from '../../src/core/meter.ts'
import { MainHub } from '../../src/gateway/link.ts'
import type { GenerationOrder, ToWorker } from '../../src/gateway/messages.ts'
import { metricsBytes } from '../../src/gateway/meter-row.ts'
import { MeterTotals } from '../../src/gateway/meter-totals.ts'
import { Supervisor, workerNumbers } from '../../src/gateway/supervisor.ts'
import { gatewayModel } from '../../test/support/gateway-model.ts'
import { everyInterleaving } from '../../test/support/interleavings.ts'
import type { Steps } from '../../test/support/interleavings.ts'
import type { Promised } from '../support/promises.ts'
import { caught, holding } from './model.ts'

type Wrong = 'serves-what-it-prepared' | 'keeps-what-it-had'

/** What a schedule does: whether a worker cannot prepare `b`, and whether one dies at some time. */
interface Case {
  readonly name: string
  readonly fails: boolean
  readonly dies: boolean
}

/** The workers of one schedule. */
class Run {
  steps: Steps | undefined
  readonly threads = new Set<FakeThread>()
  /** What was seen that must not be. */
  readonly breaks: string[] = []
  readonly failing: boolean
  readonly wrong: Wrong | undefined

  constructor(failing: boolean, wrong: Wrong | undefined) {
    this.failing = failing
    this.wrong = wrong
  }
}

let current: Run

/** Stands for a worker thread: every answer of it is a step. */
class FakeThread extends EventEmitter {
  readonly number: number
  serving = ''
  prepared = ''
  readonly #run = current
  #tail: Promise<void> = Promise.resolve()

  constructor(_entry: URL, { workerData }: { workerData: { worker: number } }) {
    super()
    this.number = workerData.worker
    this.#run.threads.add(this)
  }

  /** Messages are taken one after the other. */
  postMessage(message: ToWorker): void {
    this.#tail = this.#after(this.#tail, message)
  }

  async #after(before: Promise<void>, message: ToWorker): Promise<void> {
    await before
    if (message.kind === 'prepare' || message.kind === 'commit') await this.#run.steps?.wait()
    if (this.#run.threads.has(this)) this.#take(message)
  }

  async terminate(): Promise<number> {
    this.die()
    return 1
  }

  die(): void {
    if (this.#run.threads.delete(this)) this.emit('exit', 1)
  }

  #take(message: ToWorker): void {
    const { failing, wrong } = this.#run
    if (message.kind === 'discard') this.prepared = ''
    else if (message.kind === 'commit') {
      for (const { prepared, serving, number } of this.#run.threads) {
        const isReady = serving === '' || serving === this.prepared || prepared === this.prepared
        if (!isReady) this.#run.breaks.push(`worker ${number} was not ready when another served ${this.prepared}`)
      }
      if (wrong !== 'keeps-what-it-had' || this.number !== 1 || this.serving === '') this.serving = this.prepared
      this.emit('message', { kind: 'committed', id: message.id })
    } else if (message.kind === 'prepare') {
      this.prepared = [...message.order.tls.keys()][0]
      if (failing && this.number === 1 && this.prepared === 'b') {
        this.emit('message', { kind: 'failed', id: message.id, message: 'it cannot' })
        return
      }
      if (wrong === 'serves-what-it-prepared') this.serving = this.prepared
      this.emit('message', { kind: 'prepared', id: message.id })
    }
  }
}

function orderOf(name: string): GenerationOrder {
  const model = gatewayModel({ store: { kind: 'embedded', path: '/nowhere' } })
  return { model, tls: new Map([[name, {} as never]]), ticketKeys: new Uint8Array(48) }
}

function supervisorOf(clock: ManualClock): Supervisor {
  const numbers = workerNumbers(2)
  return new Supervisor({
    workers: 2,
    entry: new URL('file:///none'),
    shared: { limits: new SharedArrayBuffer(8), metrics: new SharedArrayBuffer(metricsBytes(numbers)) },
    reusePort: true,
    clock,
    log: silentLog,
    meter: silentMeter,
    totals: new MeterTotals(),
    hub: new MainHub(() => {}),
    lines: (_bytes, settled) => settled(),
    gone() {},
  })
}

async function explored({ name, fails, dies }: Case, wrong?: Wrong): Promise<string> {
  const { Worker } = threads
  Object.assign(threads, { Worker: FakeThread })
  syncBuiltinESMExports()
  try {
    const count = await everyInterleaving(async (steps) => {
      const run = new Run(fails, wrong)
      current = run
      const supervisor = supervisorOf(new ManualClock())
      await supervisor.start(orderOf('a'))
      run.steps = steps
      let live = 'a'
      const reload = (generation: string) => async (): Promise<void> => {
        try {
          await supervisor.reload(orderOf(generation))
          live = generation
        } catch {
          for (const { serving } of run.threads) if (serving === generation) run.breaks.push('a failed prepare changes nothing')
        }
      }
      const death = async (): Promise<void> => {
        await steps.wait()
        for (const thread of run.threads) if (thread.number === 0) thread.die()
      }
      await steps.run([reload('b'), reload('c'), ...(dies ? [death] : [])])
      run.steps = undefined
      for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve))
      assert.deepEqual(run.breaks, [], run.breaks[0])
      const serving = [...run.threads].map((thread) => thread.serving)
      assert.deepEqual(serving, [live, live], `two workers serve ${live}, not ${serving.join(' and ')}`)
      await supervisor.close()
    })
    return `${count} interleavings of ${name}`
  } finally {
    Object.assign(threads, { Worker })
    syncBuiltinESMExports()
  }
}

const failing: Case = { name: 'two reloads, of which the first fails in one of two workers', fails: true, dies: false }
const cases: readonly Case[] = [
  { name: 'two reloads of two workers', fails: false, dies: false },
  failing,
  { name: 'two reloads of two workers, of which one dies', fails: false, dies: true },
  { name: 'two reloads, of which the first fails in a worker, while the other dies', fails: true, dies: true },
]

/** The supervisor, with threads that answer when the schedule says so. */
export async function generationSwap(): Promise<readonly Promised[]> {
  const promised = 'never committed before all are ready; a failed prepare changes nothing; in the end all serve the last good one'
  const lines: Promised[] = []
  for (const each of cases) lines.push(await holding(each.name, promised, () => explored(each)))
  lines.push(
    await caught('serves what it has only prepared', () => explored(failing, 'serves-what-it-prepared')),
    await caught('says that it committed and goes on as before', () => explored(cases[0], 'keeps-what-it-had')),
  )
  return lines
}
