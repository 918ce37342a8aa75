import type { VNode } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { Column } from '../documents.ts'

/** One line of a chart; `color` is the name of a custom property. */
export interface ChartLine {
  readonly label: string
  readonly color: string
  readonly values: Column
  readonly isFilled?: boolean
}

export interface ChartProps {
  readonly title: string
  /** Milliseconds since 1970. */
  readonly at: readonly number[]
  readonly lines: readonly ChartLine[]
  readonly text: (value: number | null | undefined) => string
}

const heightPx = 150
/** The cursor of all charts of a page is one. */
const sync = UPlot.sync('velum')

/** Lines over the last minutes, with the latest values in words. */
export function Chart({ title, at, lines, text }: ChartProps): VNode {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot>(undefined)
  useEffect(() => {
    const element = place.current!
    const scheme = matchMedia('(prefers-color-scheme: dark)')
    const draw = (): void => {
      plot.current?.destroy()
      plot.current = new UPlot(optionsOf(element, lines, text), columnsOf(at, lines), element)
    }
    draw()
    const watcher = new ResizeObserver(() => plot.current?.setSize({ width: element.clientWidth, height: heightPx }))
    watcher.observe(element)
    scheme.addEventListener('change', draw)
    return () => {
      watcher.disconnect()
      scheme.removeEventListener('change', draw)
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [])
  useEffect(() => plot.current?.setData(columnsOf(at, lines)), [at, lines])
  return (
    <figure class="chart" aria-label={`${title}: ${lines.map((line) => `${line.label} ${text(line.values.at(-1))}`).join(', ')}`}>
      <figcaption>
        <span>{title}</span>
        <span class="legend">
          {lines.map((line) => (
            <span key={line.label}>
              <i class={`key ${line.color}`} />
              {line.label} <b>{text(line.values.at(-1))}</b>
            </span>
          ))}
        </span>
      </figcaption>
      <div ref={place} class="plot" aria-hidden="true" />
    </figure>
  )
}

function columnsOf(at: readonly number[], lines: readonly ChartLine[]): UPlot.AlignedData {
  return [at.map((ms) => ms / 1000), ...lines.map(({ values }) => [...values])]
}

function optionsOf(element: HTMLElement, lines: readonly ChartLine[], text: (value: number) => string): UPlot.Options {
  const style = getComputedStyle(element)
  const color = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  const axis: UPlot.Axis = {
    stroke: color('muted'),
    grid: { stroke: color('line'), width: 1 },
    ticks: { show: false },
    font: `11px ${style.fontFamily}`,
  }
  return {
    width: Math.max(element.clientWidth, 100),
    height: heightPx,
    padding: [8, 26, 0, 0],
    cursor: { sync: { key: sync.key }, points: { size: 6 }, y: false, drag: { setScale: false, x: false, y: false } },
    legend: { show: false },
    scales: { y: { range: (_plot, _low, high) => [0, Number.isFinite(high) && high > 0 ? high * 1.15 : 1] } },
    axes: [
      { ...axis, grid: { show: false }, size: 26, space: 80, values: '{HH}:{mm}:{ss}' },
      { ...axis, size: 56, space: 36, values: (_plot, values) => values.map((value) => text(value)) },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: color(line.color),
        width: 1.75,
        points: { show: false },
        ...(line.isFilled === true ? { fill: `${color(line.color)}22` } : {}),
      })),
    ],
  }
}
