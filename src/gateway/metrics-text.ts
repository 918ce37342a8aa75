import { atOnce } from '../core/in-slices.ts'
import type { Family, SummedSeries } from './meter-totals.ts'

/** The media type of `metricsText`. */
export const metricsType = 'text/plain; version=0.0.4; charset=utf-8'

/** Families in Prometheus' text exposition format 0.0.4. */
export function metricsText(families: readonly Family[]): string {
  return atOnce(writing(families))
}

/** The same in steps of some microseconds: main has sessions to look up meanwhile. */
export function* writing(families: readonly Family[]): Generator<void, string, void> {
  let text = ''
  for (const family of families) {
    if (family.series.size === 0) continue
    text += `# HELP ${family.name} ${escapeHelp(family.help)}\n# TYPE ${family.name} ${family.kind}\n`
    const bounds = family.bounds.map((bound) => `le="${number(bound)}"} `)
    for (const series of family.series.values()) {
      text += family.kind === 'histogram' ? histogramLines(family, bounds, series) : plainLine(family.name, series)
      yield
    }
  }
  return text
}

function plainLine(name: string, { labels, values }: SummedSeries): string {
  const list = labelList(labels)
  return `${name}${list === '' ? '' : `{${list}}`} ${number(values[0])}\n`
}

function histogramLines({ name }: Family, bounds: readonly string[], { labels, values }: SummedSeries): string {
  const list = labelList(labels)
  const set = list === '' ? '' : `{${list}}`
  const bucket = list === '' ? `${name}_bucket{` : `${name}_bucket{${list},`
  let text = ''
  let count = 0
  for (let i = 0; i < bounds.length; i++) {
    count += values[i]
    text += `${bucket}${bounds[i]}${number(count)}\n`
  }
  count += values[bounds.length]
  const total = number(count)
  return `${text}${bucket}le="+Inf"} ${total}\n${name}_sum${set} ${number(values[bounds.length + 1])}\n${name}_count${set} ${total}\n`
}

/** What labels come to, as long as somebody has them: the same are written with every reading. */
const written = new WeakMap<SummedSeries['labels'], string>()

/** Labels as both formats write them, without braces. */
export function labelList(labels: SummedSeries['labels']): string {
  let list = written.get(labels)
  if (list === undefined) {
    list = labels.map(([name, value]) => `${name}="${escapeValue(value)}"`).join(',')
    written.set(labels, list)
  }
  return list
}

/** A value as both formats write it. */
export function number(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

/** A label's value, or what OpenMetrics says in help. */
export function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
