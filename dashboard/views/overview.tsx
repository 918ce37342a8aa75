import type { VNode } from 'preact'
import { useMemo } from 'preact/hooks'
import type { Overview } from '../documents.ts'
import { Chart } from '../parts/chart.tsx'
import { Panel, ViewHead, Waiting } from '../parts/panel.tsx'
import { Pipeline } from '../parts/pipeline.tsx'
import { Table } from '../parts/table.tsx'
import { usePolled } from '../parts/use-polled.ts'
import { agoText, amountText, rateText, secondsText } from '../words.ts'

const rate = (value: number | null | undefined): string => (value === undefined || value === null ? '–' : rateText(value))

/** The live picture of the node. */
export function OverviewView(): VNode {
  const { value, error } = usePolled<Overview>('/api/overview', 2000)
  const charts = useMemo(() => (value === undefined ? undefined : chartsOf(value)), [value])
  return (
    <>
      <ViewHead
        title="Overview"
        text={
          value !== undefined && (
            <>
              Generation {value.generation.number}, committed {agoText(value.generation.committedAt)} ·{' '}
              {amountText(value.routes, 'route', 'routes')}
              {!value.isReady && ' · not ready'}
            </>
          )
        }
      />
      <Waiting error={error} of={value} />
      {value !== undefined && charts !== undefined && (
        <>
          <Numbers value={value} />
          <Panel title="Pipeline" aside={<span class="muted">{windowText(value)}</span>}>
            <Pipeline steps={value.steps} />
          </Panel>
          <div class="charts">
            <Panel>
              <Chart title="Requests per second" at={value.points.at} lines={charts.rates} text={rate} />
            </Panel>
            <Panel>
              <Chart title="Duration" at={value.points.at} lines={charts.durations} text={secondsText} />
            </Panel>
            <Panel>
              <Chart title="Errors per second" at={value.points.at} lines={charts.errors} text={rate} />
            </Panel>
          </div>
          <Panel title="Services" isFlush aside={<a href="#/services">Targets and breakers</a>}>
            <Table
              label="Services"
              columns={[
                { title: 'Service', isWide: true, cell: ([name]) => <b>{name}</b> },
                { title: 'Tries per second', isNumber: true, cell: ([, flow]) => rateText(flow.rate) },
                {
                  title: 'Failed per second',
                  isNumber: true,
                  cell: ([, flow]) => <span class={flow.failed > 0 ? 'bad' : ''}>{rateText(flow.failed)}</span>,
                },
              ]}
              rows={Object.entries(value.services)}
              keyOf={([name]) => name}
              empty="The configuration names no services."
            />
          </Panel>
        </>
      )}
    </>
  )
}

function windowText({ windowSeconds }: Overview): string {
  return windowSeconds < 0.1 ? 'measuring…' : `rates of the last ${Math.max(1, Math.round(windowSeconds))} s`
}

function Numbers({ value }: { readonly value: Overview }): VNode {
  const { now, workers } = value
  const busiest = Math.max(0, ...workers.map(({ utilization }) => utilization))
  const serving = workers.filter(({ state }) => state === 'serving').length
  const rows: readonly (readonly [string, string, string?])[] = [
    ['Requests', `${rateText(now.requests)}/s`],
    ['p50', secondsText(now.p50)],
    ['p99', secondsText(now.p99)],
    ['Refused', `${rateText(now.refused)}/s`, now.refused > 0 ? 'warn' : ''],
    ['Failed', `${rateText(now.failed)}/s`, now.failed > 0 ? 'bad' : ''],
    ['Workers', `${serving} of ${workers.length}`, serving < workers.length ? 'bad' : ''],
    ['Busiest worker', `${Math.round(busiest * 100)} %`, busiest > 0.9 ? 'warn' : ''],
  ]
  return (
    <dl class="numbers">
      {rows.map(([name, text, tone]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd class={tone ?? ''}>{text}</dd>
        </div>
      ))}
    </dl>
  )
}

function chartsOf({ points }: Overview): Readonly<Record<'rates' | 'durations' | 'errors', Parameters<typeof Chart>[0]['lines']>> {
  return {
    rates: [{ label: 'all', color: 'accent', values: points.requests, isFilled: true }],
    durations: [
      { label: 'p50', color: 'accent', values: points.p50 },
      { label: 'p90', color: 'warn', values: points.p90 },
      { label: 'p99', color: 'bad', values: points.p99 },
    ],
    errors: [
      { label: 'refused', color: 'warn', values: points.refused },
      { label: 'failed', color: 'bad', values: points.failed },
    ],
  }
}
