import type { z } from 'zod'
import { findLimitFault, largestCostOf } from '../limits/limit-fault.ts'
import { registryCapacity } from '../limits/limit-registry.ts'
import type { KeyPart, LimitSpec } from '../limits/limit-spec.ts'
import type { CheckContext } from './check-context.ts'
import { checkedNames } from './check-context.ts'
import { limitSchema } from './schema/limits.ts'

type Limit = z.output<typeof limitSchema>

// A reload keeps the limits of two configurations apart.
const mostLimits = registryCapacity / 2

/** A limit, and what a request takes of it where its use does not say. */
export interface CheckedLimit {
  readonly spec: LimitSpec
  readonly cost: number
  /** Response header that tells the real cost. */
  readonly settle: string | undefined
}

/** The limits by name. `supported`: the algorithms that this version can run. */
export function checkLimits(context: CheckContext, supported: readonly string[]): Map<string, CheckedLimit> {
  const limits = new Map<string, CheckedLimit>()
  const names = checkedNames(context, ['limits'])
  if (names.length > mostLimits) {
    context.findings.error(
      ['limits'],
      `there are ${names.length} limits`,
      `keep at most ${mostLimits}; one limit counts for any number of keys`,
    )
  }
  for (const name of names) {
    const limit = context.reading.read(limitSchema, ['limits', name])
    if (limit === undefined) continue
    if (!supported.includes(limit.algorithm)) {
      context.findings.error(
        ['limits', name, 'algorithm'],
        `the algorithm "${limit.algorithm}" is not available yet in this version of Velum`,
        `use ${supported.map((algorithm) => `"${algorithm}"`).join(' or ')}`,
      )
      continue
    }
    const spec = limitSpec(name, limit)
    const fault = findLimitFault(spec)
    if (fault !== undefined) {
      context.findings.error(['limits', name], fault, 'choose numbers within these bounds')
      continue
    }
    const cost = costOf(limit.cost ?? 1)
    checkCost(context, ['limits', name, 'cost'], spec, limit.cost)
    limits.set(name, { spec, ...cost })
  }
  return limits
}

/** What is taken, and where its settlement is told. */
export function costOf(written: NonNullable<Limit['cost']>): Omit<CheckedLimit, 'spec'> {
  if (typeof written === 'number') return { cost: written, settle: undefined }
  return { cost: written.reserve, settle: written.settle.slice('response-header:'.length).toLowerCase() }
}

/** Cost that cannot work: more than a budget ever holds refuses every request, and what is held until the end has nothing to settle. */
export function checkCost(
  context: CheckContext,
  path: readonly (string | number)[],
  spec: LimitSpec,
  written: Limit['cost'],
): void {
  if (written === undefined) return
  const { cost, settle } = costOf(written)
  if (settle !== undefined && spec.algorithm === 'concurrency') {
    context.findings.error(
      path,
      `"${spec.name}" counts what is under way, which is given back at the end: there is nothing to settle`,
      'give a number as cost, or use another algorithm',
    )
  }
  const most = largestCostOf(spec)
  if (cost <= most) return
  const what = 'capacity' in spec ? 'capacity' : 'limit'
  context.findings.warn(
    typeof written === 'number' ? path : [...path, 'reserve'],
    `a cost of ${cost} is above the ${what} of "${spec.name}" (${most}): every request would be refused`,
    `use a cost of at most ${most}, or raise the ${what}`,
  )
}

/** A limit as it was read, with its defaults. */
export function limitSpec(name: string, limit: Limit): LimitSpec {
  const common = {
    name,
    per: (limit.per ?? []).map(keyPart),
    missing: limit.missing ?? 'shared',
    shadow: limit.shadow ?? false,
    tolerance: limit.tolerance ?? 0.05,
    onStoreFailure: limit.onStoreFailure ?? 'local',
    fields: limit.fields,
    ...(limit.retryJitter === undefined ? {} : { retryJitterMs: limit.retryJitter }),
  } as const
  switch (limit.algorithm) {
    case 'token-bucket':
      return { ...common, algorithm: limit.algorithm, capacity: limit.capacity, refill: limit.refill }
    case 'leaky-bucket':
      return { ...common, algorithm: limit.algorithm, capacity: limit.capacity, leak: limit.leak, mode: limit.mode ?? 'meter' }
    case 'concurrency':
      return { ...common, algorithm: limit.algorithm, limit: limit.limit }
    case 'quota':
      return { ...common, algorithm: limit.algorithm, limit: limit.limit, period: limit.period }
    case 'fixed-window':
      return { ...common, algorithm: limit.algorithm, limit: limit.limit, windowMs: limit.window, aligned: limit.aligned }
    default:
      return { ...common, algorithm: limit.algorithm, limit: limit.limit, windowMs: limit.window }
  }
}

function keyPart(text: string): KeyPart {
  const colon = text.indexOf(':')
  if (colon === -1) return { kind: text as Exclude<KeyPart['kind'], 'header' | 'claim'> }
  const kind = text.slice(0, colon) as 'header' | 'claim'
  const name = text.slice(colon + 1)
  return { kind, name: kind === 'header' ? name.toLowerCase() : name }
}
