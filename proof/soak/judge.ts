import { table } from '../../bench/support/table.ts'
import { resets } from './callers.ts'
import type { Promised } from '../support/promises.ts'
import type { GatewayProcess } from './gateway-process.ts'
import { passed } from './http-activities.ts'
import type { Ledger } from './ledger.ts'
import type { Operator } from './operator.ts'
import { ended, revokedWithinMs } from './people-activities.ts'
import type { Sample } from './samples.ts'
import { cuts } from './socket-activities.ts'
import { floorsOf, isFlat, mediansOf, trendOf } from './trend.ts'
import type { Point } from './trend.ts'

/** What a run came to. */
export interface Run {
  readonly minutes: number
  readonly samples: readonly Sample[]
  readonly ledger: Ledger
  readonly operator: Operator
  readonly gateway: GatewayProcess
  /** Read when the clients had ended. */
  readonly after: Sample
  readonly exitCode: number | null
}

const mib = 1_048_576
/** The share of a run that is not judged: pools fill, code is compiled, sessions reach the age at which they end. */
const warmUp = 1 / 3
/** Runs below this many minutes say nothing of slow growth. */
const judgedFrom = 10
const spans = 20

/** Less than this many minutes of readings say nothing of what settles late. */
const leastJudged = 5

/**
 * What must be flat: its most growth per hour, read as floors or as medians; `settledAfter` is the minute from which on it can
 * be. What is left of memory is what threads hold after a collection of all garbage, which they make once a minute.
 */
const flat: readonly { name: string; most: number; unit: 'MiB' | ''; by: 'floor' | 'median'; settledAfter?: number }[] = [
  { name: 'resident memory', most: 24 * mib, unit: 'MiB', by: 'median' },
  { name: 'heap left of workers', most: 8 * mib, unit: 'MiB', by: 'median' },
  { name: 'heap left of main', most: 4 * mib, unit: 'MiB', by: 'median' },
  { name: 'external memory left of workers', most: 8 * mib, unit: 'MiB', by: 'median' },
  { name: 'external memory left of main', most: 4 * mib, unit: 'MiB', by: 'median' },
  { name: 'files: sockets', most: 10, unit: '', by: 'floor' },
  { name: 'files: others', most: 2, unit: '', by: 'median' },
  { name: 'threads', most: 0.5, unit: '', by: 'median' },
  { name: 'active Timeout of workers', most: 10, unit: '', by: 'floor' },
  { name: 'active Timeout of main', most: 2, unit: '', by: 'floor' },
  { name: 'active TCPSocketWrap of workers', most: 10, unit: '', by: 'floor' },
  { name: 'velum_connections', most: 10, unit: '', by: 'floor' },
  { name: 'velum_service_connections', most: 10, unit: '', by: 'floor' },
  // Newcomers fill their tenth of the cache (3.5 MiB of 32) before the first of them is written over.
  { name: 'velum_cache_bytes', most: 4 * mib, unit: 'MiB', by: 'median', settledAfter: 15 },
  // Series of rare events begin when one first happens, and of kinds of handles when a reading first meets one.
  { name: 'metrics: lines', most: 10, unit: '', by: 'median', settledAfter: 15 },
  // Families of refresh tokens live for ten minutes, and what lists them by person for an hour more: a key for each of 20
  // people in each of 16 parts of the store, nearly all of which are there after twenty minutes.
  { name: 'store: keys', most: 100, unit: '', by: 'floor', settledAfter: 20 },
]

/** The promises of a run, with what was seen. */
export function judge(run: Run): Promised[] {
  const { ledger, operator, gateway, samples, after, exitCode } = run
  const accepted = after['velum_requests_total']
  const all = [...ledger.tallies.values()]
  const total = (of: (tally: (typeof all)[number]) => number): number => all.reduce((sum, tally) => sum + of(tally), 0)
  const withoutStore = ledger.judgeUnavailable(gateway.storeEvents)
  const wrong = [...ledger.wrong.values()].reduce((sum, count) => sum + count, 0)
  const last = samples.at(-1) ?? {}
  const operated = Object.entries(operator.done).map(([what, count]) => `${count} ${what}`)
  const failed = Object.entries(operator.failed).filter(([, count]) => count > 0)
  const lines: Promised[] = [
    {
      done: `${total(({ sent }) => sent).toLocaleString('en')} requests, calls and sockets`,
      promised: 'none lost, none twice',
      seen: `${ledger.lost} lost, ${ledger.doubled} twice, ${ledger.open} without an end, ${ledger.strangers} of nobody; ${total(({ retries }) => retries)} further tries where allowed, ${resets.count} sent again since an idle connection ended`,
      holds: ledger.lost === 0 && ledger.doubled === 0 && ledger.open === 0 && ledger.strangers === 0,
    },
    {
      done: `${(total(({ bytes }) => bytes) / mib).toFixed(0)} MiB and ${total(({ messages }) => messages).toLocaleString('en')} messages compared`,
      promised: 'whole, in order, with the status that is due, which is 503 only without a store',
      seen: `${wrong === 0 ? 'nothing else' : `${wrong} times otherwise`}; ${withoutStore} times 503 while the store did not answer in time`,
      holds: wrong === 0,
    },
    {
      done: `${ledger.tally('WebSocket for a minute').sent} sockets over reloads`,
      promised: 'live on',
      seen: `${cuts.count} cut`,
      holds: cuts.count === 0,
    },
    {
      done: operated.join(', '),
      promised: 'each comes to pass',
      seen: failed.length === 0 ? 'all' : failed.map(([what, count]) => `${count} ${what} did not`).join(', '),
      holds: failed.length === 0 && Object.values(operator.done).every((count) => count > 0),
    },
    {
      done: `${ended.asked} requests ${revokedWithinMs} ms after logout or revocation`,
      promised: 'none admitted',
      seen: `${ended.admitted} admitted`,
      holds: ended.admitted === 0 && ended.asked > 0,
    },
    limitsKept(after),
    {
      done: `${accepted.toLocaleString('en')} requests counted by the gateway`,
      promised: 'a line in the access log for each',
      seen: `${gateway.accessLines().toLocaleString('en')} lines, ${last['velum_log_dropped_total'] ?? 0} dropped`,
      holds: gateway.accessLines() === accepted && (last['velum_log_dropped_total'] ?? 0) === 0,
    },
    {
      done: 'every client ends',
      promised: 'no request is left, and no configuration but the current one',
      seen: `${after['velum_exchanges']} requests, ${after['velum_generations_retired']} configurations`,
      holds: after['velum_exchanges'] === 0 && after['velum_generations_retired'] === 0,
    },
    {
      done: 'two workers, then SIGTERM',
      promised: 'none lost, no error that nobody caught, exit 0',
      seen: `${last['velum_worker_losses_total'] ?? 0} lost, ${last['velum_uncaught_errors_total'] ?? 0} uncaught, exit ${exitCode}`,
      holds: (last['velum_worker_losses_total'] ?? 0) === 0 && (last['velum_uncaught_errors_total'] ?? 0) === 0 && exitCode === 0,
    },
  ]
  for (const [words, count] of ledger.wrong) console.log(`wrong, ${count} times: ${words}`)
  for (const [words, { count, line }] of gateway.complaints)
    console.log(`the gateway complained ${count} times: ${words}\n  ${line.slice(0, 400)}`)
  if (run.minutes < judgedFrom) console.log(`\nfrom ${judgedFrom} minutes on, what grows is judged too`)
  else lines.push(...growth(samples))
  return lines
}

/** What was decided without the store, because it did not answer within its milliseconds, each node counts for itself. */
function limitsKept(after: Sample): Promised {
  const keys = [...passed.values()]
  const count = keys.reduce((sum, key) => sum + key.count, 0)
  const most = Math.floor(keys.reduce((sum, key) => sum + key.most, 0))
  const without = after['perKey without the store'] ?? 0
  return {
    done: `a limit for ${keys.length} keys, each of which asks for three times as much`,
    promised: 'no more pass than may, but for what the store was not there to decide',
    seen: `${count} of ${most}; ${without} without the store`,
    holds: count <= most + without,
  }
}

function growth(samples: readonly Sample[]): Promised[] {
  const end = samples.at(-1)?.['seconds'] ?? 0
  return flat.flatMap(({ name, most, unit, by, settledAfter = 0 }) => {
    const from = Math.max(end * warmUp, settledAfter * 60)
    const points = samples
      .filter((each) => each['seconds'] >= from && each[name] !== undefined)
      .map((each): Point => [each['seconds'], each[name]])
    if (settledAfter > 0 && end - from < leastJudged * 60) {
      console.log(`${name}: judged in runs of ${settledAfter + leastJudged} minutes and more`)
      return []
    }
    if (points.length === 0) return []
    const trend = trendOf(by === 'floor' ? floorsOf(points, spans) : mediansOf(points, spans))
    const shown = (value: number): string => (unit === 'MiB' ? `${(value / mib).toFixed(1)} MiB` : value.toFixed(1))
    return {
      done: `${name}, ${((end - points[0][0]) / 60).toFixed(0)} min, ${points.length} readings`,
      promised: `grows by less than ${shown(most)} an hour, or by no more than chance`,
      seen: `${shown(points[0][1])} → ${shown(points.at(-1)![1])}; ${shown(trend.slope)} an hour, noise ${shown(trend.noise)}`,
      holds: isFlat(trend, most),
    }
  })
}

/** What was done, by activity. */
export function tallyTable({ tallies }: Ledger): string {
  const rows = [...tallies].map(([name, { sent, good, refused, messages, retries, bytes }]) => [
    name,
    String(sent),
    String(good),
    String(refused),
    String(messages),
    String(retries),
    (bytes / mib).toFixed(1),
  ])
  return table(['activity', 'sent', 'good', 'refused', 'messages', 'further tries', 'MiB'], rows)
}
