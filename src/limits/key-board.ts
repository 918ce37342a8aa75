import type { Clock } from '../core/clock.ts'
import type { Hub } from '../core/link.ts'
import { keyReportTopic, reportEveryMs } from './key-reporter.ts'
import type { KeyReport } from './key-reporter.ts'
import type { KeyCount } from './key-sketch.ts'

/** The keys of a limit that were seen most lately, over all workers: charges per second, roughly. */
export interface LimitKeys {
  readonly busiest: readonly KeyCount[]
  readonly refused: readonly KeyCount[]
}

interface Report {
  readonly reports: readonly KeyReport[]
  readonly at: number
}

/** Reports older than this are of a worker that is gone, or has nothing more to tell. */
const staleMs = 3 * reportEveryMs

/** Main's view of busy and refused keys, for the admin surface. Keys are operators' business: tenants, addresses, subjects. */
export interface KeyBoard {
  keys(limit: string): LimitKeys
  close(): void
}

/** Hears what workers report and sums it up. */
export function createKeyBoard(hub: Hub, clock: Clock): KeyBoard {
  const latest = new Map<number, Report>()
  const stop = hub.hear(keyReportTopic, (message, worker) => {
    latest.set(worker, { reports: message as readonly KeyReport[], at: clock.monotonic() })
  })
  return {
    keys(limit) {
      const fresh = [...latest.values()].filter(({ at }) => clock.monotonic() - at < staleMs)
      const of = fresh.flatMap(({ reports }) => reports.filter((report) => report.limit === limit))
      return { busiest: summed(of.map(({ busiest }) => busiest)), refused: summed(of.map(({ refused }) => refused)) }
    },
    close: stop,
  }
}

function summed(lists: readonly (readonly KeyCount[])[]): KeyCount[] {
  const counts = new Map<string, number>()
  for (const list of lists) for (const { key, count } of list) counts.set(key, (counts.get(key) ?? 0) + count)
  return [...counts].map(([key, count]) => ({ key, count })).toSorted((a, b) => b.count - a.count)
}
