import { hash } from 'node:crypto'
import { durationText } from '../lib/duration.ts'
import type { KeyPart } from './limit-spec.ts'

/** Why a penalty is imposed without anybody's doing: so many refusals within a time. */
export interface PenaltyThreshold {
  readonly refusals: number
  readonly windowMs: number
}

/** A part of the key that a penalty belongs to: what tells one caller from another. */
export type PenaltyPart = Exclude<KeyPart, { readonly kind: 'route' | 'service' }>

/** A penalty of the configuration after it was checked. */
export interface PenaltySpec {
  readonly name: string
  /** Absent: it is imposed by hand only. */
  readonly after: PenaltyThreshold | undefined
  readonly forMs: number
  /** At least one; a request that lacks one of them is not concerned. */
  readonly per: readonly PenaltyPart[]
  readonly answer: 429 | 403
  readonly shadow: boolean
}

/** A client in the box: under which penalty, who it is, why, and until when. Plain data. */
export interface Penalty {
  /** Names it in the whole fleet, in commands and addresses of the admin API: a new one on the same client replaces it. */
  readonly id: string
  /** The penalty's name in the configuration. */
  readonly penalty: string
  /** Who it is: by key part (`address`, `header:x-app`), a subject with its `issuer`. What was long is a hash. */
  readonly who: Readonly<Record<string, string>>
  /** The parts that were asked for, and the key that they read as: what requests are compared with. */
  readonly per: string
  readonly key: string
  readonly by: 'rule' | 'hand'
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly until: number
  readonly evidence?: PenaltyEvidence | undefined
}

/** What was seen of a client before a rule boxed it. */
export interface PenaltyEvidence {
  /** Within the rule's window. */
  readonly refusals: number
  readonly since: number
  /** By label of the refusal (`limited:perTenant`), the first few of them. */
  readonly by: Readonly<Record<string, number>>
  /** Id of the last request that was refused. */
  readonly request: string
}

/** The parts of a key as one text, as configurations write them. */
export function perText(per: readonly PenaltyPart[]): string {
  return per.map(partName).join(' ')
}

/** `address`, `header:x-app`. */
export function partName(part: PenaltyPart): string {
  return 'name' in part ? `${part.kind}:${part.name}` : part.kind
}

/** The id of a penalty on a key: letters that need no escaping in a path. */
export function penaltyId(name: string, per: string, key: string): string {
  return `${name}.${hash('sha256', `${per}\0${key}`, 'base64url').slice(0, 22)}`
}

/** The parts of a key as people read them; `parts` as a key reader gives them. */
export function whoOf(per: readonly PenaltyPart[], parts: readonly string[]): Record<string, string> {
  const who: Record<string, string> = {}
  for (const [i, part] of per.entries()) {
    const text = parts[i] ?? ''
    const split = part.kind === 'subject' ? text.indexOf('\0') : -1
    if (split !== -1) {
      who['issuer'] = text.slice(0, split)
      who['subject'] = text.slice(split + 1)
    } else who[partName(part)] = part.kind === 'claim' && text.startsWith('"') ? text.slice(1) : text
  }
  return who
}

/** A threshold as a configuration writes it: `50 refusals in 1m`. */
export function thresholdText({ refusals, windowMs }: PenaltyThreshold): string {
  return `${refusals} ${refusals === 1 ? 'refusal' : 'refusals'} in ${durationText(windowMs)}`
}

/** Whether a part of the key is known before anybody is authenticated. */
export function isEarlyPart({ kind }: PenaltyPart): boolean {
  return kind === 'address' || kind === 'header'
}
