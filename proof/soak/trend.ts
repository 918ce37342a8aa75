/** One reading: seconds since the start, and a value. */
export type Point = readonly [seconds: number, value: number]

/** A robust line through readings. */
export interface Trend {
  /** Per hour. */
  readonly slope: number
  /** Median distance of the readings from the line. */
  readonly noise: number
  /** The line at the end less the line at the beginning. */
  readonly rise: number
}

/**
 * The line of Theil and Sen: the median of the slopes between all pairs, which a third of wild readings does not move.
 * Fewer than three readings have no slope: 0.
 */
export function trendOf(points: readonly Point[]): Trend {
  const slopes: number[] = []
  for (let i = 0; i < points.length; i++) {
    for (let j = i + 1; j < points.length; j++) {
      const span = points[j][0] - points[i][0]
      if (span > 0) slopes.push((points[j][1] - points[i][1]) / span)
    }
  }
  if (slopes.length < 3) return { slope: 0, noise: 0, rise: 0 }
  const perSecond = medianOf(slopes)
  const offset = medianOf(points.map(([at, value]) => value - perSecond * at))
  const noise = medianOf(points.map(([at, value]) => Math.abs(value - perSecond * at - offset)))
  return { slope: perSecond * 3600, noise, rise: perSecond * (points.at(-1)![0] - points[0][0]) }
}

/**
 * The lowest reading of each of `count` equal spans: what is left after garbage was collected, which is what leaks show in.
 */
export function floorsOf(points: readonly Point[], count: number): Point[] {
  return spansOf(points, count).map((span) => span.reduce((lowest, point) => (point[1] < lowest[1] ? point : lowest)))
}

/** The median reading of each of `count` equal spans. */
export function mediansOf(points: readonly Point[], count: number): Point[] {
  return spansOf(points, count).map((span) => [span[Math.floor(span.length / 2)][0], medianOf(span.map(([, value]) => value))])
}

/** Whether a trend stays below `most` per hour, or below what could be noise: a rise of less than three times that. */
export function isFlat({ slope, noise, rise }: Trend, most: number): boolean {
  return slope <= most || rise <= 3 * noise
}

function spansOf(points: readonly Point[], count: number): Point[][] {
  if (points.length === 0) return []
  const first = points[0][0]
  const width = (points.at(-1)![0] - first) / count
  const spans: Point[][] = Array.from({ length: count }, () => [])
  for (const point of points) spans[width === 0 ? 0 : Math.min(count - 1, Math.floor((point[0] - first) / width))].push(point)
  return spans.filter((span) => span.length > 0)
}

function medianOf(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
