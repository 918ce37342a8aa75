import { quoted, UnitError } from './unit-error.ts'

/** A whole number of units per period. */
export interface UnitRate {
  readonly units: number
  readonly periodMs: number
}

const periods = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

/** What a rate looks like, for schemas of editors. */
export const ratePattern = '^[1-9][0-9]*/(s|m|h|d)$'

const remedy = 'write a whole number per s, m, h or d, such as 2/s, 100/m, 5000/h or 100000/d'

/** `2/s`, `100/m`, `5000/h`, `100000/d`; at least one unit per period. Throws UnitError. */
export function parseRate(text: string): UnitRate {
  const match = /^(-?)(\d+)(?:\.(\d+))?\s*(?:\/|per)?\s*([a-zA-Z]*)$/.exec(text.trim())
  if (match === null) throw new UnitError(`${quoted(text)} is not a rate`, remedy)
  const [, sign, whole, fraction, periodName] = match
  const periodMs = periods.get(periodName.toLowerCase())
  if (periodMs === undefined) throw new UnitError(`${quoted(text)} is not a rate: it does not say per what`, remedy)
  if (sign === '-') throw new UnitError(`${quoted(text)} is negative`, remedy)
  if (fraction !== undefined) throw fractional(text, Number(`${whole}.${fraction}`), periodMs)
  const amount = Number(whole)
  if (amount === 0) throw new UnitError(`${quoted(text)} never gives anything`, remedy)
  if (!Number.isSafeInteger(amount)) throw new UnitError(`${quoted(text)} is too large`, 'choose a smaller rate')
  const exact = `${whole}/${periodName.toLowerCase()}`
  if (text !== exact) throw new UnitError(`${quoted(text)} is not a rate`, `write "${exact}"`)
  return { units: amount, periodMs }
}

/** A fraction per period is a whole number per some longer one: 0.5/s is 30/m. */
function fractional(text: string, amount: number, periodMs: number): UnitError {
  const message = `${quoted(text)} is not a whole number per period`
  for (const [name, longerMs] of periods) {
    const units = (amount * longerMs) / periodMs
    if (longerMs > periodMs && Number.isSafeInteger(units) && units > 0) return new UnitError(message, `write "${units}/${name}"`)
  }
  return new UnitError(message, remedy)
}

/** `2/s`; a period that is none of the four is written in milliseconds. */
export function rateText(rate: UnitRate): string {
  for (const [name, ms] of periods) if (ms === rate.periodMs) return `${rate.units}/${name}`
  return `${rate.units}/${rate.periodMs}ms`
}
