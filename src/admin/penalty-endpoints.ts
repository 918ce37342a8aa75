import { jsonAnswer } from '../core/answer.ts'
import { readAll } from '../core/body.ts'
import type { Exchange } from '../core/exchange.ts'
import { httpProblem } from '../core/problem.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { durationText, parseDuration } from '../lib/duration.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import { UnitError } from '../lib/unit-error.ts'
import type { PenaltyOrder } from '../limits/penalty-order.ts'
import { PenaltyOrderError } from '../limits/penalty-order.ts'
import type { Penalty, PenaltySpec } from '../limits/penalty-spec.ts'
import { partName, thresholdText } from '../limits/penalty-spec.ts'
import type { Endpoint } from './endpoint.ts'
import { pathOf } from './endpoint.ts'
import { isObject } from '../lib/is-object.ts'

/** What of a gateway these addresses tell and change. */
export interface PenaltySource extends Pick<Gateway, 'penalties'> {
  readonly model: { readonly penalties?: readonly PenaltySpec[] | undefined }
}

const maxBodyBytes = 32_768

/** The addresses of the penalty box: who is in it and why, who shall be, and who shall not. */
export function penaltyEndpoints(gateway: PenaltySource): readonly Endpoint[] {
  const roles = ['admin'] as const
  return [
    {
      method: 'GET',
      path: '/api/penalties',
      roles,
      handle() {
        const boxed = gateway.penalties.list()
        return jsonAnswer(200, {
          rules: (gateway.model.penalties ?? []).map((spec) => ruleDocument(spec, boxed)),
          penalties: boxed.map(penaltyDocument),
        })
      },
    },
    {
      method: 'PUT',
      path: '/api/penalties',
      roles,
      async handle(x) {
        try {
          const { penalty, isStored } = await gateway.penalties.add(await orderOf(x))
          return jsonAnswer(200, { ...penaltyDocument(penalty), stored: isStored })
        } catch (thrown) {
          if (!(thrown instanceof PenaltyOrderError)) throw thrown
          return httpProblem({ name: 'invalid-content', detail: `${thrown.message}.` }, x.id)
        }
      },
    },
    {
      method: 'DELETE',
      path: '/api/penalties/{id}',
      roles,
      async handle(x) {
        const done = await gateway.penalties.lift(pathOf(x).split('/').at(-1)!)
        if (done === undefined) return httpProblem({ name: 'no-route', detail: 'Nobody is boxed under this id.' }, x.id)
        return jsonAnswer(200, { ...penaltyDocument(done.penalty), stored: done.isStored })
      },
    },
  ]
}

/** A penalty as operators read it, with times in ISO 8601. */
export interface PenaltyDocument {
  readonly id: string
  readonly penalty: string
  readonly label: string
  readonly who: Readonly<Record<string, string>>
  readonly by: Penalty['by']
  readonly reason: string
  readonly at: string
  readonly until: string
  readonly evidence?: Readonly<Record<string, unknown>> | undefined
}

/** See `PenaltyDocument`. */
export function penaltyDocument({ id, penalty, who, by, reason, at, until, evidence }: Penalty): PenaltyDocument {
  return {
    id,
    penalty,
    label: `penalty:${penalty}`,
    who,
    by,
    reason,
    at: new Date(at).toISOString(),
    until: new Date(until).toISOString(),
    evidence: evidence === undefined ? undefined : { ...evidence, since: new Date(evidence.since).toISOString() },
  }
}

function ruleDocument({ name, after, forMs, per, answer, shadow }: PenaltySpec, boxed: readonly Penalty[]): unknown {
  return {
    name,
    after: after === undefined ? undefined : thresholdText(after),
    for: durationText(forMs),
    per: per.map(partName),
    answer,
    shadow,
    boxed: boxed.filter(({ penalty }) => penalty === name).length,
  }
}

async function orderOf(x: Exchange): Promise<PenaltyOrder> {
  const value = parseStrictJson(await readAll(x.body, maxBodyBytes))
  if (!isObject(value)) throw new PenaltyOrderError('the body is no JSON object')
  const { penalty, who, for: lasting, reason = '', ...further } = value
  const [odd] = Object.keys(further)
  if (odd !== undefined) throw new PenaltyOrderError(`${JSON.stringify(odd)} is not known here: use penalty, who, for and reason`)
  if (typeof penalty !== 'string') throw new PenaltyOrderError('"penalty" is missing, or no text')
  if (typeof reason !== 'string') throw new PenaltyOrderError('"reason" is no text')
  if (!isObject(who) || !Object.values(who).every(isPlain)) {
    throw new PenaltyOrderError('"who" is no object of texts, such as { "address": "192.0.2.7" }')
  }
  return { penalty, who: who as PenaltyOrder['who'], forMs: lastingMs(lasting), reason }
}

function lastingMs(value: unknown): number | undefined {
  if (value === undefined) return undefined
  try {
    if (typeof value === 'string') return parseDuration(value)
  } catch (thrown) {
    if (thrown instanceof UnitError) throw new PenaltyOrderError(`"for": ${thrown.message}; ${thrown.remedy}`)
    throw thrown
  }
  throw new PenaltyOrderError('"for" is no text, such as "10m"')
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
}
