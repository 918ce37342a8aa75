import { trimSpace } from '../lib/trim-space.ts'
import type { Exemplar, Family, SummedSeries } from './meter-totals.ts'
import { escapeValue, labelList, number } from './metrics-text.ts'

/** The media type of `writingOpenMetrics`. */
export const openMetricsType = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/**
 * Families in OpenMetrics 1.0, in steps of some microseconds. Besides what the text format says, buckets of histograms carry
 * the latest traced request that is in them.
 */
export function* writingOpenMetrics(families: readonly Family[]): Generator<void, string, void> {
  let text = ''
  for (const family of families) {
    if (family.series.size === 0) continue
    const { name, kind } = family
    // A counter's family has no suffix, and its samples always have one; a name without cannot be a counter here.
    const isCounter = kind === 'counter' && name.endsWith('_total')
    const metric = isCounter ? name.slice(0, -'_total'.length) : name
    const type = kind === 'counter' && !isCounter ? 'unknown' : kind
    text += `# TYPE ${metric} ${type}\n# HELP ${metric} ${escapeValue(family.help)}\n`
    for (const [key, series] of family.series) {
      text += kind === 'histogram' ? histogramLines(family, key, series) : sampleLine(name, series)
      yield
    }
  }
  return `${text}# EOF\n`
}

/**
 * Whether a reader wants OpenMetrics rather than the text format: by the weights of its Accept field (RFC 9110 §12.5.1). Who
 * does not say gets the text format.
 */
export function wantsOpenMetrics(accept: string): boolean {
  let open = 0
  let plain = 0
  for (const range of accept.toLowerCase().split(',')) {
    const [type, ...parameters] = range.split(';').map(trimSpace)
    const of = (name: string): string | undefined =>
      parameters.find((parameter) => parameter.startsWith(`${name}=`))?.slice(name.length + 1)
    const given = of('q')
    const weight = given === undefined ? 1 : /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(given) ? Number(given) : 0
    const version = of('version')
    if (type === 'application/openmetrics-text' && (version === undefined || version === '1.0.0')) open = Math.max(open, weight)
    else if (type === 'text/plain') plain = Math.max(plain, weight)
  }
  return open > 0 && open >= plain
}

function sampleLine(name: string, { labels, values }: SummedSeries): string {
  const list = labelList(labels)
  return `${name}${list === '' ? '' : `{${list}}`} ${number(values[0])}\n`
}

function histogramLines({ name, bounds, exemplars }: Family, key: string, { labels, values }: SummedSeries): string {
  const list = labelList(labels)
  const set = list === '' ? '' : `{${list}}`
  const begin = list === '' ? '' : `${list},`
  const examples = exemplars?.get(key)
  let text = ''
  let count = 0
  for (let i = 0; i <= bounds.length; i++) {
    count += values[i]
    const le = i === bounds.length ? '+Inf' : float(bounds[i])
    text += `${name}_bucket{${begin}le="${le}"} ${number(count)}${exampleText(examples?.[i])}\n`
  }
  return `${text}${name}_count${set} ${number(count)}\n${name}_sum${set} ${number(values[bounds.length + 1])}\n`
}

function exampleText(example: Exemplar | undefined): string {
  if (example === undefined) return ''
  return ` # {trace_id="${example.traceId}",span_id="${example.spanId}"} ${number(example.value)} ${(example.at / 1000).toFixed(3)}`
}

/** A bound is a float, also where it is whole. */
function float(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}
