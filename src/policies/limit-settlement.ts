import type { Answer } from '../core/answer.ts'
import type { Charge, Counters } from '../core/counters.ts'
import { isPromise } from '../core/handler.ts'
import { largestAmount } from '../limits/limit-fault.ts'
import type { Entry, Ledger } from './limit-ledger.ts'

/**
 * Settles what was reserved for costs that the service knows best (tokens, rows, bytes): what the answer says was used
 * less is given back, what was used more is debited, into debt if need be. An answer that says nothing, or no number,
 * leaves the reservation as the cost. Nothing has to be undone if this never happens: what was reserved was charged.
 */
export function settleLedger(ledger: Ledger, answer: Answer, counters: Counters, failed: (thrown: unknown) => void): void {
  for (const entry of ledger.levels) {
    if (entry.settle === undefined || !entry.isTaken || entry.isSettled) continue
    const actual = costIn(answer.headers.get(entry.settle))
    if (actual === undefined) continue
    entry.isSettled = true
    const { limit, key, cost: reserved } = entry.charge
    entry.charge = { limit, key, cost: actual }
    if (actual === reserved) continue
    const difference: Charge[] = [{ limit, key, cost: Math.abs(actual - reserved) }]
    correct(entry, actual < reserved ? 'credit' : 'debit', difference, counters, failed)
  }
}

function correct(
  entry: Entry,
  how: 'credit' | 'debit',
  difference: readonly Charge[],
  counters: Counters,
  failed: (thrown: unknown) => void,
): void {
  try {
    const done = counters[how](difference)
    if (isPromise(done)) {
      done.catch(failed)
      return
    }
    // What the header fields tell is how the budget stands now, where that is known without waiting.
    const peeked = counters.peek([{ limit: entry.charge.limit, key: entry.charge.key, cost: 0 }])
    if (isPromise(peeked)) peeked.catch(failed)
    else entry.state = peeked.levels[0]
  } catch (thrown) {
    failed(thrown)
  }
}

/** A whole number of units, or undefined for anything else. */
function costIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,13}$/.test(text) ? Math.min(Number(text), largestAmount) : undefined
}
