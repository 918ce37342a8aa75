import { amountText, parseAmount } from './unit-error.ts'

// From small to large: `amountText` takes the last one that divides.
const units = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

/** What a duration looks like, for schemas of editors. */
export const durationPattern = '^[0-9]+(ms|s|m|h|d)$'

/** Milliseconds of `250ms`, `5s`, `10m`, `12h`, `30d`. Throws UnitError. */
export function parseDuration(text: string): number {
  return parseAmount(text, 'duration', '250ms, 5s, 10m, 12h or 30d', units)
}

/** The shortest exact spelling: 90000 → `90s`, 3600000 → `1h`, Infinity → `unlimited`. */
export function durationText(ms: number): string {
  return ms === Infinity ? 'unlimited' : amountText(ms, units)
}
