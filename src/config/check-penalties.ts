import type { PenaltyPart, PenaltySpec } from '../limits/penalty-spec.ts'
import type { CheckContext } from './check-context.ts'
import { checkedNames } from './check-context.ts'
import { penaltySchema } from './schema/penalties.ts'

/** Fewer refusals than this happen to people who do nothing wrong. */
const fewRefusals = 5
const secretHeaders = new Set(['authorization', 'proxy-authorization', 'cookie', 'x-api-key'])
// Each is looked up for every request.
const mostPenalties = 32

/** The penalties by name. */
export function checkPenalties(context: CheckContext): PenaltySpec[] {
  const { findings, reading } = context
  const names = checkedNames(context, ['penalties'])
  if (names.length > mostPenalties) {
    findings.error(
      ['penalties'],
      `there are ${names.length} penalties`,
      `keep at most ${mostPenalties}; one penalty counts for any number of clients`,
    )
  }
  const specs: PenaltySpec[] = []
  for (const name of names) {
    const penalty = reading.read(penaltySchema, ['penalties', name])
    if (penalty === undefined) continue
    const per = (penalty.per ?? ['address']).map(penaltyPart)
    const twice = per.findIndex((part, i) => per.slice(0, i).some((other) => isSame(part, other)))
    if (twice !== -1) findings.error(['penalties', name, 'per', twice], 'this part stands here twice', 'keep one of the two')
    for (const [i, part] of per.entries()) {
      if (part.kind !== 'header' || !secretHeaders.has(part.name)) continue
      findings.error(
        ['penalties', name, 'per', i],
        `what clients send as ${part.name} is secret, and who is boxed stands in the log and in the store`,
        'use subject, client or tenant: they say the same once a credential was checked',
      )
    }
    if (per.every(({ kind }) => kind === 'header')) {
      findings.warn(
        ['penalties', name, 'per'],
        'whoever is boxed only needs to send another header to come out',
        'add address, or a part that is proven: subject, tenant, client or claim:NAME',
      )
    }
    if (penalty.after !== undefined && penalty.after.refusals < fewRefusals) {
      findings.warn(
        ['penalties', name, 'after'],
        'so few refusals happen to people who mistype a password or come with an old token',
        `choose ${fewRefusals} refusals or more`,
      )
    }
    specs.push({
      name,
      after: penalty.after,
      forMs: penalty.for,
      per,
      answer: penalty.answer ?? 429,
      shadow: penalty.shadow ?? false,
    })
  }
  return specs
}

function penaltyPart(text: string): PenaltyPart {
  const colon = text.indexOf(':')
  if (colon === -1) return { kind: text as Exclude<PenaltyPart['kind'], 'header' | 'claim'> }
  const kind = text.slice(0, colon) as 'header' | 'claim'
  const name = text.slice(colon + 1)
  return { kind, name: kind === 'header' ? name.toLowerCase() : name }
}

function isSame(one: PenaltyPart, other: PenaltyPart): boolean {
  return one.kind === other.kind && ('name' in one ? one.name : '') === ('name' in other ? other.name : '')
}
