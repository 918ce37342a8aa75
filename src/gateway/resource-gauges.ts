import { getHeapStatistics } from 'node:v8'
import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Level, Meter } from '../core/meter.ts'

/** What a thread holds: memory in bytes, and what keeps its event loop alive, one word of Node.js for each. */
export interface HeldResources {
  readonly heapBytes: number
  readonly externalBytes: number
  readonly kinds: readonly string[]
}

export interface ResourceGaugesOptions {
  readonly meter: Meter
  readonly clock: Clock
  /** The label: `main`, or the number of a worker. */
  readonly thread: string
  /** What this thread holds now. */
  readonly held?: () => HeldResources
  /** Exchanges under way in this thread, and how many Generations before the current one still have some; absent where there are none. */
  readonly exchanges?: () => { readonly active: number; readonly retired: number }
}

/** With ten thousand connections a reading takes under a millisecond. */
const everyMs = 5000

/** Reads every five seconds what the thread that it runs in holds, and shows it as gauges. */
export function createResourceGauges({ meter, clock, thread, held = heldNow, exchanges }: ResourceGaugesOptions): Closable {
  const active =
    exchanges && new Shown(meter.gauge('velum_exchanges', 'Requests whose response has not ended, streams and upgrades included.'))
  const retired =
    exchanges &&
    new Shown(
      meter.gauge(
        'velum_generations_retired',
        'Configurations before the current one that still have requests, summed over workers.',
      ),
    )
  const heap = new Shown(meter.gauge('velum_heap_bytes', 'Memory that the JavaScript heap of a thread uses.', { thread }))
  const external = new Shown(
    meter.gauge('velum_external_bytes', 'Memory outside of the JavaScript heap that belongs to objects of a thread.', { thread }),
  )
  const kinds = new Map<string, Shown>()
  const read = (): void => {
    const { heapBytes, externalBytes, kinds: present } = held()
    heap.show(heapBytes)
    external.show(externalBytes)
    if (exchanges !== undefined) {
      const under = exchanges()
      active?.show(under.active)
      retired?.show(under.retired)
    }
    const counts = new Map<string, number>()
    for (const kind of present) counts.set(kind, (counts.get(kind) ?? 0) + 1)
    for (const kind of counts.keys()) {
      if (kinds.has(kind)) continue
      const help = 'What keeps the event loop of a thread alive, by the kind that Node.js calls it.'
      kinds.set(kind, new Shown(meter.gauge('velum_active_resources', help, { thread, kind })))
    }
    for (const [kind, shown] of kinds) shown.show(counts.get(kind) ?? 0)
    timer = clock.after(everyMs, read)
  }
  let timer = clock.after(everyMs, read)
  return { close: () => timer.cancel() }
}

/** A gauge that is set rather than moved. */
class Shown {
  readonly #level: Level
  #value = 0

  constructor(level: Level) {
    this.#level = level
  }

  show(value: number): void {
    this.#level.add(value - this.#value)
    this.#value = value
  }
}

function heldNow(): HeldResources {
  const { used_heap_size: heapBytes, external_memory: externalBytes } = getHeapStatistics()
  return { heapBytes, externalBytes, kinds: process.getActiveResourcesInfo() }
}
