import { addressKey, canonicalAddress } from '../lib/address.ts'
import { boundedPart, claimValuePart, keyOfParts, subjectPart } from './limit-key.ts'
import type { Penalty, PenaltyPart, PenaltySpec } from './penalty-spec.ts'
import { partName, penaltyId, perText, whoOf } from './penalty-spec.ts'

/** Who is to be boxed by hand. */
export interface PenaltyOrder {
  /** The name of a penalty of the configuration. */
  readonly penalty: string
  /** A value for each part of its `per`; `issuer` beside `subject`. */
  readonly who: Readonly<Record<string, string | number | boolean>>
  /** Default: the penalty's own. */
  readonly forMs?: number | undefined
  readonly reason: string
}

/** An order that cannot be carried out; the message is for who gave it. */
export class PenaltyOrderError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'PenaltyOrderError'
  }
}

const longestReason = 500
const longestValue = 16_384
/** How long a penalty by hand may last. */
export const longestPenaltyMs = 3650 * 86_400_000

/** The penalty that an order means; `issuer` vouches for subjects where the order does not say who does. Throws PenaltyOrderError. */
export function penaltyOf(order: PenaltyOrder, specs: readonly PenaltySpec[], now: number, issuer: string | undefined): Penalty {
  const spec = specs.find(({ name }) => name === order.penalty)
  if (spec === undefined) {
    const names = specs.map(({ name }) => name).join(', ')
    throw new PenaltyOrderError(
      `there is no penalty named ${JSON.stringify(order.penalty)}; the configuration has ${names === '' ? 'none' : names}`,
    )
  }
  const forMs = order.forMs ?? spec.forMs
  if (!Number.isSafeInteger(forMs) || forMs < 1000 || forMs > longestPenaltyMs) {
    throw new PenaltyOrderError('a penalty lasts from one second to ten years')
  }
  if (order.reason.length > longestReason) throw new PenaltyOrderError(`a reason has at most ${longestReason} characters`)
  const parts = spec.per.map((part) => partOf(part, order, issuer))
  const known = new Set<string>(spec.per.map(partName))
  const further = Object.keys(order.who).find((name) => !known.has(name) && !(name === 'issuer' && known.has('subject')))
  if (further !== undefined) {
    throw new PenaltyOrderError(`${spec.name} is counted per ${[...known].join(' and ')}, not by ${JSON.stringify(further)}`)
  }
  const per = perText(spec.per)
  const key = keyOfParts(parts)
  return {
    id: penaltyId(spec.name, per, key),
    penalty: spec.name,
    who: whoOf(spec.per, parts),
    per,
    key,
    by: 'hand',
    reason: order.reason,
    at: now,
    until: now + forMs,
  }
}

function partOf(part: PenaltyPart, { who, penalty }: PenaltyOrder, issuer: string | undefined): string {
  const name = partName(part)
  const value = Object.hasOwn(who, name) ? who[name] : undefined
  if (value === undefined || value === '') throw new PenaltyOrderError(`${penalty} needs to know the ${name} to box`)
  if (typeof value === 'string' && value.length > longestValue) throw new PenaltyOrderError(`the ${name} is too long`)
  if (part.kind === 'claim') return claimValuePart(value)
  if (typeof value !== 'string') throw new PenaltyOrderError(`the ${name} must be a text`)
  if (part.kind === 'address') return addressPart(value)
  if (part.kind !== 'subject') return boundedPart(value)
  const vouching = Object.hasOwn(who, 'issuer') ? who['issuer'] : issuer
  if (typeof vouching !== 'string' || vouching === '') {
    throw new PenaltyOrderError('a subject is one of an issuer: say which, as issuer')
  }
  return subjectPart(vouching, value)
}

/** An address, or the /64 that IPv6 addresses are counted by. */
function addressPart(text: string): string {
  const address = canonicalAddress(text.endsWith('/64') && text.includes(':') ? text.slice(0, -3) : text)
  if (address === undefined) {
    throw new PenaltyOrderError(`${JSON.stringify(text.slice(0, 60))} is no address: write one such as 192.0.2.7 or 2001:db8::1`)
  }
  return addressKey(address)
}
