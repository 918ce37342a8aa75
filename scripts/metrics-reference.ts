import type { Metric } from './read-metrics.ts'

const intro = `# Metrics

Generated from the sources by \`node scripts/build-schema.ts\`; do not edit.

The admin server gives them at \`/metrics\`, in Prometheus' text format, summed over the workers of the node, to whoever has the
token \`VELUM_METRICS_TOKEN\` (or \`metrics.token\` in the store's folder). Values of labels come from the configuration or from a
closed set, never from a client. A counter or histogram with the label \`route\` appears with the first thing that it counts.
\`deploy/\` has alert rules and a dashboard for Grafana.

| metric | kind | labels | meaning |
|---|---|---|---|
`

/** The list of metrics, as Markdown. */
export function metricsReference(metrics: readonly Metric[]): string {
  const rows = metrics.map(({ name, kind, labels, help }) => {
    const words = help.endsWith('.') ? help : `${help}.`
    return `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${words} |\n`
  })
  return intro + rows.join('')
}
