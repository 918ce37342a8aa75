import type { Family, SummedSeries } from './meter-totals.ts'

/** The media type of `metricsText`. */
export const metricsType = 'text/plain; version=0.0.4; charset=utf-8'

/** Families in Prometheus' text exposition format 0.0.4. */
export function metricsText(families: readonly Family[]): string {
  let text = ''
  for (const family of families) {
    if (family.series.size === 0) continue
    text += `# HELP ${family.name} ${escapeHelp(family.help)}\n# TYPE ${family.name} ${family.kind}\n`
    for (const series of family.series.values()) {
      text += family.kind === 'histogram' ? histogramLines(family, series) : plainLine(family.name, series)
    }
  }
  return text
}

function plainLine(name: string, { labels, values }: SummedSeries): string {
  return `${name}${labelSet(labels)} ${number(values[0])}\n`
}

function histogramLines({ name, bounds }: Family, { labels, values }: SummedSeries): string {
  let text = ''
  let count = 0
  for (let i = 0; i <= bounds.length; i++) {
    count += values[i]
    text += `${name}_bucket${labelSet([...labels, ['le', number(bounds[i] ?? Infinity)]])} ${number(count)}\n`
  }
  return `${text}${name}_sum${labelSet(labels)} ${number(values[bounds.length + 1])}\n${name}_count${labelSet(labels)} ${number(count)}\n`
}

function labelSet(labels: SummedSeries['labels']): string {
  if (labels.length === 0) return ''
  return `{${labels.map(([name, value]) => `${name}="${escapeValue(value)}"`).join(',')}}`
}

function number(value: number): string {
  if (value === Infinity) return '+Inf'
  return value === -Infinity ? '-Inf' : String(value)
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
}

function escapeValue(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"')
}
