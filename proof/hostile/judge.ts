import { median } from '../../bench/support/table.ts'
import type { Promised } from '../support/promises.ts'
import type { WindowSeen } from './messages.ts'
import type { Reading } from './readings.ts'

/** Everything measured around one attack; windows in turn: calm, attacked, calm, attacked … */
export interface Measured {
  readonly does: string
  readonly unit: string
  readonly maxGrowthMib: number
  readonly calm: readonly WindowSeen[]
  readonly attacked: readonly WindowSeen[]
  /** Units of the attack, connections that the gateway ended, and CPU milliseconds it used, in the attacked windows and in the calm ones. */
  readonly count: number
  readonly cutOff: number
  readonly attackedCpuMs: number
  readonly calmCpuMs: number
  readonly before: Reading
  readonly after: Reading
  readonly peakMib: number
  /** What is wrong with the process afterwards: gone, workers lost, errors uncaught. Empty: nothing. */
  readonly damage: string
}

/** A calm p99 counts as at least this: below it, twice of it is what one slice of the scheduler takes. */
export const leastCalmMs = 3
/** Connections to services are kept for later; so many more than before are no leak. */
export const spareHandles = 80

/**
 * One line of the table. The p99 of attacked windows may be twice that of calm ones or, where the machine itself was slower in
 * the attacked ones, twice what requests met there that did not go through the gateway. All are medians over the windows.
 */
export function judge(measured: Measured): Promised {
  const { calm, attacked, before, after, peakMib, maxGrowthMib, damage } = measured
  const [calmMs, attackedMs] = [p99(calm, 'gateway'), p99(attacked, 'gateway')]
  const [straightMs, straightAttackedMs] = [p99(calm, 'straight'), p99(attacked, 'straight')]
  const allowedMs = 2 * Math.max(calmMs, straightAttackedMs, leastCalmMs)
  const windows = [...calm, ...attacked].flatMap(({ gateway, fresh }) => [gateway, fresh])
  const lost = sum(windows.map((seen) => seen.lost))
  const requests = sum(windows.map((seen) => seen.requests))
  const reasons = windows.flatMap((seen) => seen.reasons).slice(0, 2)
  const growthMib = after.rssMib - before.rssMib
  const perUnit = measured.count === 0 ? 0 : ((measured.attackedCpuMs - measured.calmCpuMs) * 1000) / measured.count

  const parts: readonly (readonly [holds: boolean, seen: string])[] = [
    [
      attackedMs <= allowedMs,
      `p99 ${calmMs.toFixed(1)} → ${attackedMs.toFixed(1)} ms (straight ${straightMs.toFixed(1)} → ${straightAttackedMs.toFixed(1)})`,
    ],
    [lost === 0 && requests > 0, `${lost} of ${requests} lost${lost > 0 ? ` (${reasons.join(', ')})` : ''}`],
    [growthMib <= maxGrowthMib, `RSS ${signed(growthMib)} MiB, at most ${signed(peakMib - before.rssMib)}`],
    [after.strangers <= before.strangers, `strangers ${before.strangers} → ${after.strangers}`],
    [after.handles <= before.handles + spareHandles, `handles ${before.handles} → ${after.handles}`],
    [
      measured.count > 0,
      `${measured.count} ${measured.unit}, ${Math.max(0, perUnit).toFixed(0)} µs each, ${measured.cutOff} cut off`,
    ],
    [damage === '', damage],
  ]
  return {
    done: measured.does,
    promised: `p99 ≤ ${allowedMs.toFixed(1)} ms, none lost, RSS ≤ +${maxGrowthMib} MiB, all let go`,
    seen: parts
      .filter(([, text]) => text !== '')
      .map(([holds, text]) => (holds ? text : `!! ${text}`))
      .join(' · '),
    holds: parts.every(([holds]) => holds),
  }
}

function p99(windows: readonly WindowSeen[], kind: 'gateway' | 'straight'): number {
  return median(windows.map((window) => window[kind].p99))
}

function signed(mib: number): string {
  return `${mib < 0 ? '−' : '+'}${Math.abs(mib).toFixed(0)}`
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
