import { silentLog } from '../../src/core/log.ts'
import { Lasting } from '../../src/core/lasting.ts'
import type { Link } from '../../src/core/link.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import type { Labels, Meter } from '../../src/core/meter.ts'
import { Sweeper } from '../../src/core/sweeper.ts'
import type { PolicyEnv } from '../../src/policies/policy-kind.ts'

/** Counts in memory, by name and label values: `velum_auth_total bearer valid`. */
export class CountingMeter implements Meter {
  readonly counts = new Map<string, number>()

  counter(name: string, _help: string, labels: Labels = {}): { add(n?: number): void } {
    const key = [name, ...Object.values(labels)].join(' ')
    return { add: (n = 1) => void this.counts.set(key, (this.counts.get(key) ?? 0) + n) }
  }

  gauge(name: string, help: string, labels?: Labels): { add(n: number): void } {
    return this.counter(name, help, labels)
  }

  histogram(name: string, help: string, labels?: Labels): { observe(value: number): void } {
    const count = this.counter(name, help, labels)
    return { observe: () => count.add() }
  }
}

const noLink: Link = {
  ask: () => Promise.reject(new Error('there is no main thread')),
  tell() {},
  hear: () => () => undefined,
}

/** What a policy is built with, in a test of that policy alone. */
export function policyEnv(parts: Partial<PolicyEnv> = {}): PolicyEnv {
  const clock = parts.clock ?? new ManualClock()
  return {
    clock,
    sweeper: new Sweeper(clock),
    log: silentLog,
    meter: new CountingMeter(),
    hold: new Lasting().hold(),
    link: noLink,
    shared: { limits: new SharedArrayBuffer(0), metrics: new SharedArrayBuffer(0) },
    worker: 0,
    workers: 1,
    source: 'routes[0].test',
    route: { name: 'test', index: 0 },
    authenticators: {},
    ...parts,
  }
}
