import type { BudgetCall, BudgetReply, BudgetState } from '../../core/budgets.ts'
import { Fault } from '../../core/fault.ts'

/** Where parts of the data are asked, each on its own: rejects with `store-down` when one cannot be. */
interface Parts {
  partOf(place: string): number
  run(part: number, calls: readonly BudgetCall[]): Promise<readonly BudgetReply[]>
}

/** The levels of a call that lie in one part, by their place in the call. */
interface Share {
  readonly part: number
  readonly indexes: number[]
}

/** A call on its way through the parts. */
class Step {
  readonly call: BudgetCall
  readonly shares: readonly Share[]
  readonly states: BudgetState[] = []
  granted: number
  hasFailed = false
  /** By share: for how many it was charged. */
  readonly charged: number[] = []

  constructor(call: BudgetCall, shares: readonly Share[]) {
    this.call = call
    this.shares = shares
    this.granted = call.count
  }

  /** What is asked of a share when those before it have been; nothing more once one of them has failed. */
  ask(share: number): BudgetCall | undefined {
    if (this.hasFailed) return undefined
    const { verb } = this.call
    const levels = this.shares[share].indexes.map((i) => this.call.levels[i])
    // What was refused before is only looked at, to tell how long it will be.
    if (verb === 'charge' && this.granted === 0) return { verb: 'peek', count: 1, levels }
    return { verb, count: this.granted, levels }
  }

  answer(share: number, asked: BudgetCall, { granted, levels }: BudgetReply): void {
    for (const [i, index] of this.shares[share].indexes.entries()) this.states[index] = levels[i]
    if (asked.verb === 'charge') this.charged[share] = granted
    if (asked.verb !== 'peek' || this.call.verb === 'peek') this.granted = Math.min(this.granted, granted)
  }

  /** What one share took that the others did not. */
  surplus(share: number): BudgetCall | undefined {
    const count = (this.charged[share] ?? 0) - (this.hasFailed ? 0 : this.granted)
    if (count <= 0) return undefined
    return { verb: 'credit', count, levels: this.shares[share].indexes.map((i) => this.call.levels[i]) }
  }
}

/**
 * Carries out calls whose levels lie in several parts. All-or-nothing holds, by two phases: the parts of a step are charged
 * one after the other, the widest budget last, and what one of them refuses the others give back. Until then, for one round
 * trip, the budgets charged first look emptier than they are: somebody else may be refused who would have passed, nobody
 * passes who should not. A node that dies in between leaves that charge behind. Undefined for a call of which a part does
 * not answer: it has taken nothing.
 */
export async function runSpread(parts: Parts, calls: readonly BudgetCall[]): Promise<readonly (BudgetReply | undefined)[]> {
  const steps = calls.map((call) => new Step(call, sharesOf(parts, call)))
  const rounds = Math.max(...steps.map(({ shares }) => shares.length))
  for (let share = 0; share < rounds; share++) {
    await askShares(parts, steps, share)
  }
  // Nobody waits for this: the answer is known.
  giveBack(parts, steps)
  if (steps.every(({ hasFailed }) => hasFailed)) throw new Fault('store-down', 'no part of the store that was asked answers')
  return steps.map(({ hasFailed, granted, states }) => (hasFailed ? undefined : { granted, levels: states }))
}

/** A step's levels by part; what the whole gateway shares comes last, so that who is refused by his own never touches it. */
function sharesOf(parts: Parts, { levels }: BudgetCall): Share[] {
  const shares: Share[] = []
  for (const isWide of [false, true]) {
    for (let i = 0; i < levels.length; i++) {
      const { place } = levels[i]
      if ((place === '') !== isWide) continue
      const part = parts.partOf(place)
      const share = shares.find((one) => one.part === part)
      if (share === undefined) shares.push({ part, indexes: [i] })
      else share.indexes.push(i)
    }
  }
  return shares
}

/** Asks the share of that number of every step: what lies in one part in one message. */
async function askShares(parts: Parts, steps: readonly Step[], share: number): Promise<void> {
  const batches = new Map<number, { step: Step; call: BudgetCall }[]>()
  for (const step of steps) {
    const call = share < step.shares.length ? step.ask(share) : undefined
    if (call === undefined) continue
    const { part } = step.shares[share]
    const batch = batches.get(part)
    if (batch === undefined) batches.set(part, [{ step, call }])
    else batch.push({ step, call })
  }
  await Promise.all(
    Array.from(batches, async ([part, batch]) => {
      try {
        const replies = await parts.run(
          part,
          batch.map(({ call }) => call),
        )
        for (const [i, { step, call }] of batch.entries()) step.answer(share, call, replies[i])
      } catch (thrown) {
        if (!(thrown instanceof Fault)) throw thrown
        for (const { step } of batch) step.hasFailed = true
      }
    }),
  )
}

function giveBack(parts: Parts, steps: readonly Step[]): void {
  const batches = new Map<number, BudgetCall[]>()
  for (const step of steps) {
    for (const [share, { part }] of step.shares.entries()) {
      const credit = step.surplus(share)
      if (credit === undefined) continue
      const batch = batches.get(part)
      if (batch === undefined) batches.set(part, [credit])
      else batch.push(credit)
    }
  }
  for (const [part, batch] of batches) parts.run(part, batch).catch(() => undefined)
}
