import { readdirSync, readFileSync } from 'node:fs'
import type { Family, SummedSeries } from './meter-totals.ts'

/** A reading of one series: its labels and its value now. */
export type Reading = readonly [labels: Readonly<Record<string, string>>, value: number]

/** A family of values that are read when somebody asks, instead of being counted. */
export function readFamily(kind: 'counter' | 'gauge', name: string, help: string, readings: readonly Reading[]): Family {
  const series = new Map<string, SummedSeries>()
  for (const [labels, value] of readings) {
    series.set(JSON.stringify(labels), { labels: Object.entries(labels), values: Float64Array.of(value) })
  }
  return { name, help, kind, bounds: [], series }
}

/** Whose process it is, and what Prometheus' client libraries call the process metrics. */
export function processFamilies(startedAt: number, gateway: string): Family[] {
  const { user, system } = process.cpuUsage()
  return [
    readFamily('gauge', 'velum_gateway_info', 'Always 1; the label is the name of the gateway that this process runs.', [
      [{ name: gateway }, 1],
    ]),
    readFamily('counter', 'process_cpu_seconds_total', 'CPU time of the process, all threads.', [[{}, (user + system) / 1e6]]),
    readFamily('gauge', 'process_resident_memory_bytes', 'Memory of the process that is in RAM.', [
      [{}, process.memoryUsage.rss()],
    ]),
    readFamily('gauge', 'process_start_time_seconds', 'When the process started, in seconds since 1970.', [[{}, startedAt / 1000]]),
    ...fileFamilies(),
  ]
}

/** Nothing where the system has no /proc. */
function fileFamilies(): Family[] {
  try {
    // The one that reads the folder is among them.
    const open = readdirSync('/proc/self/fd').length - 1
    const most = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
    return [
      readFamily('gauge', 'process_open_fds', 'File descriptors that the process has open, sockets among them.', [[{}, open]]),
      readFamily('gauge', 'process_max_fds', 'File descriptors that the process may have open.', [[{}, most]]),
    ]
  } catch {
    return []
  }
}
