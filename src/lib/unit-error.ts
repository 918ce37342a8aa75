/** A text that was meant to be a duration, size or rate and is none. `remedy` says what would be right. */
export class UnitError extends Error {
  readonly remedy: string

  constructor(message: string, remedy: string) {
    super(message)
    this.name = 'UnitError'
    this.remedy = remedy
  }
}

/** The text as it may stand in a message: quoted and short, whatever it holds. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text)
}

/**
 * Reads `<whole number><unit>` by a table of units. Throws UnitError for anything else; a near miss (other case,
 * a fraction, a missing unit) is answered with the spelling that would be right.
 */
export function parseAmount(text: string, kind: string, examples: string, units: ReadonlyMap<string, number>): number {
  const remedy = `write a whole number and a unit, such as ${examples}`
  const match = /^(-?)(\d+)(?:\.(\d+))?\s*([a-zA-Z]*)$/.exec(text.trim())
  if (match === null) throw new UnitError(`${quoted(text)} is not a ${kind}`, remedy)
  const [, sign, whole, fraction, unit] = match
  if (unit === '') throw new UnitError(`${quoted(text)} has no unit`, remedy)
  const factor = units.get(unit.toLowerCase())
  if (factor === undefined) throw new UnitError(`${quoted(text)} is not a ${kind}: the unit "${unit}" is unknown`, remedy)
  if (sign === '-') throw new UnitError(`${quoted(text)} is negative`, remedy)
  if (fraction !== undefined) throw fractional(text, Number(`${whole}.${fraction}`) * factor, units, remedy)
  const amount = Number(whole) * factor
  if (!Number.isSafeInteger(amount)) throw new UnitError(`${quoted(text)} is too large`, `choose a smaller ${kind}`)
  const exact = `${whole}${unit.toLowerCase()}`
  if (text !== exact) throw new UnitError(`${quoted(text)} is not a ${kind}`, `write "${exact}"`)
  return amount
}

function fractional(text: string, amount: number, units: ReadonlyMap<string, number>, remedy: string): UnitError {
  const message = `${quoted(text)} is not a whole number of its unit`
  if (!Number.isSafeInteger(amount)) return new UnitError(message, remedy)
  return new UnitError(message, `write "${amountText(amount, units)}"`)
}

/** The amount in the largest unit that divides it. */
export function amountText(amount: number, units: ReadonlyMap<string, number>): string {
  let best = ''
  for (const [unit, factor] of units) if (best === '' || (amount !== 0 && amount % factor === 0)) best = `${amount / factor}${unit}`
  return best
}
