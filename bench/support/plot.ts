/** One line of a plot. */
export interface Line {
  readonly name: string
  /** In ascending x, all above zero. */
  readonly points: readonly (readonly [x: number, y: number])[]
}

export interface Plot {
  readonly title: string
  readonly x: string
  readonly y: string
  readonly lines: readonly Line[]
}

const width = 640
const height = 320
const left = 64
const right = 16
const top = 52
const bottom = 48
const colours = ['#2563eb', '#d97706', '#059669', '#9333ea']

/** A plot as SVG: x by powers of ten, y from zero. Readable on light and dark pages. */
export function plotSvg({ title, x, y, lines }: Plot): string {
  const points = lines.flatMap((line) => line.points)
  const [low, high] = [Math.min(...points.map(([at]) => at)), Math.max(...points.map(([at]) => at))]
  const most = niceCeiling(Math.max(...points.map(([, value]) => value)))
  const place = (value: number): number => Math.log10(value / low) / Math.max(Math.log10(high / low), Number.EPSILON)
  const xOf = (value: number): number => round(left + place(value) * (width - left - right))
  const yOf = (value: number): number => round(height - bottom - (value / most) * (height - top - bottom))
  const marks = [...new Set(points.map(([at]) => at))].sort((a, b) => a - b)
  const steps = [0, 0.25, 0.5, 0.75, 1].map((part) => part * most)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12">
<rect width="${width}" height="${height}" rx="8" fill="#ffffff"/>
<text x="${left}" y="20" font-size="14" font-weight="600" fill="#111827">${escaped(title)}</text>
${steps.map((value) => grid(yOf(value), short(value))).join('\n')}
${marks.map((value) => `<text x="${xOf(value)}" y="${height - bottom + 18}" text-anchor="middle" fill="#4b5563">${short(value)}</text>`).join('\n')}
<text x="${(left + width - right) / 2}" y="${height - 10}" text-anchor="middle" fill="#4b5563">${escaped(x)}</text>
<text transform="rotate(-90 14 ${(top + height - bottom) / 2})" x="14" y="${(top + height - bottom) / 2}" text-anchor="middle" fill="#4b5563">${escaped(y)}</text>
${lines.map((line, i) => drawn(line, colours[i % colours.length], left + i * 140, xOf, yOf)).join('\n')}
</svg>
`
}

function grid(y: number, label: string): string {
  return `<line x1="${left}" x2="${width - right}" y1="${y}" y2="${y}" stroke="#e5e7eb"/><text x="${left - 8}" y="${y + 4}" text-anchor="end" fill="#4b5563">${label}</text>`
}

function drawn(line: Line, colour: string, keyX: number, xOf: (x: number) => number, yOf: (y: number) => number): string {
  const path = line.points.map(([x, y]) => `${xOf(x)},${yOf(y)}`).join(' ')
  const dots = line.points.map(([x, y]) => `<circle cx="${xOf(x)}" cy="${yOf(y)}" r="3" fill="${colour}"/>`).join('')
  const key = `<rect x="${keyX}" y="32" width="10" height="10" rx="2" fill="${colour}"/><text x="${keyX + 16}" y="41" fill="#111827">${escaped(line.name)}</text>`
  return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>${dots}${key}`
}

/** The next 1, 2, 4 or 5 times a power of ten. */
function niceCeiling(value: number): number {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 4, 5, 10].map((factor) => factor * power).find((nice) => nice >= value)!
}

function short(value: number): string {
  if (value >= 1e6) return `${round(value / 1e6)} M`
  return value >= 1000 ? `${round(value / 1000)} k` : String(round(value))
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
