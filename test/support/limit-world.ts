import type { Answer } from '../../src/core/answer.ts'
import { textAnswer } from '../../src/core/answer.ts'
import type { Counters } from '../../src/core/counters.ts'
import type { Exchange } from '../../src/core/exchange.ts'
import type { Identity } from '../../src/core/identity.ts'
import type { Log, LogFields } from '../../src/core/log.ts'
import { silentLog } from '../../src/core/log.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import { compose } from '../../src/core/pipeline.ts'
import type { Policy } from '../../src/core/policy.ts'
import type { LimitSpec } from '../../src/limits/limit-spec.ts'
import { allocateLimitTable, createLimitTable } from '../../src/limits/limit-table.ts'
import type { LimitEnv, LimitStep, LimitUse } from '../../src/policies/limits.ts'
import { limitPolicy } from '../../src/policies/limits.ts'
import { exchangeOf } from './exchange.ts'
import { CountingMeter, policyEnv } from './policy-env.ts'

/** What every limit of the tests has. */
export const limitDefaults = { per: [], missing: 'shared', shadow: false, tolerance: 0.05, onStoreFailure: 'local' } as const
/** The picture's limit: ten at once, two more a second. */
export const perTenant = {
  ...limitDefaults,
  name: 'perTenant',
  algorithm: 'token-bucket',
  capacity: 10,
  refill: { units: 2, periodMs: 1000 },
  per: [{ kind: 'tenant' }],
} as const satisfies LimitSpec
/** Twenty at once for each address. */
export const perAddress = {
  ...perTenant,
  name: 'perAddress',
  capacity: 20,
  per: [{ kind: 'address' }],
} as const satisfies LimitSpec
/** Two under way at one time. */
export const exportsLimit = {
  ...limitDefaults,
  name: 'exports',
  algorithm: 'concurrency',
  limit: 2,
  per: [{ kind: 'service' }],
} as const satisfies LimitSpec

/** Limits over a real table, on a clock that stands still, and what they count and say. */
export interface World {
  readonly clock: ManualClock
  readonly meter: CountingMeter
  readonly counters: Counters
  readonly warnings: (string | LogFields | undefined)[]
  readonly step: (kind: LimitStep['kind'], uses: readonly (string | Partial<LimitUse>)[]) => Policy
}

/** `other` may stand before the table's counters. */
export function world(limits: readonly LimitSpec[], other?: (counters: Counters) => Counters): World {
  const clock = new ManualClock()
  const meter = new CountingMeter()
  const warnings: (string | LogFields | undefined)[] = []
  const log: Log = { ...silentLog, warn: (message, fields) => void warnings.push(message, fields) }
  const table = createLimitTable(allocateLimitTable({ maxKeys: 1000, workers: 1 }, clock), 0, clock)
  const local = table.open(limits)
  const counters = other?.(local) ?? local
  const { link, hold } = policyEnv({ clock })
  const env: LimitEnv = { clock, meter, log, link, hold, limits, counters }
  return {
    clock,
    meter,
    counters,
    warnings,
    step(kind, uses) {
      const full = uses.map((use, i): LimitUse => {
        const source = `${kind}.limits[${i}]`
        return typeof use === 'string'
          ? { use, cost: 1, shadow: false, source }
          : { use: '', cost: 1, shadow: false, source, ...use }
      })
      const service = kind === 'edge' ? '' : 'shop'
      return limitPolicy({ kind, uses: full, source: `${kind}.limits`, route: kind === 'edge' ? '' : 'orders', service }, env)!
    },
  }
}

function identity(tenant: string | undefined): Identity {
  return {
    kind: 'bearer',
    issuer: 'https://issuer.example',
    subject: 'ann',
    tenant,
    client: undefined,
    scopes: [],
    roles: [],
    claims: {},
    expiresAt: Infinity,
    session: undefined,
    credentialId: undefined,
  }
}

/** A request of a caller of this tenant; undefined: of nobody. */
export function from(tenant: string | undefined, remoteAddress = '192.0.2.1'): Exchange {
  const x = exchangeOf({ remoteAddress })
  if (tenant !== undefined) x.identity = identity(tenant)
  return x
}

/** Sends an exchange through policies to a service that answers 200. */
export async function send(policies: readonly Policy[], x: Exchange): Promise<Answer> {
  return compose(policies, () => textAnswer(200, 'ok'))(x)
}

/** The exchange is over. */
export function end(policies: readonly Policy[], x: Exchange): void {
  const outcome = { end: 'complete', status: 200, fault: undefined, receivedBytes: 0, sentBytes: 0, endedAt: 0 } as const
  for (const policy of policies) policy.onDone?.(x, outcome)
}

/** The statuses of that many requests, one after the other. */
export async function statuses(policies: readonly Policy[], count: number, make = (): Exchange => from('acme')): Promise<number[]> {
  const seen: number[] = []
  for (let i = 0; i < count; i++) seen.push((await send(policies, make())).status)
  return seen
}

/** The problem document of an answer. */
export async function problemOf(answer: Answer): Promise<Record<string, unknown>> {
  return JSON.parse(String(await answer.body.pull())) as Record<string, unknown>
}
