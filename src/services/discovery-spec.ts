import { isIP } from 'node:net'
import type { ServiceSpec, TargetSpec } from './service-spec.ts'

/** Main tells workers on this topic where names lead, and answers it with all that it knows. */
export const namesTopic = 'services/names'

/** Where a name leads. Of those of an SRV answer the lowest `rank` is used first; 0 for addresses. */
export interface Endpoint {
  readonly host: string
  /** Undefined: the target's own. */
  readonly port: number | undefined
  readonly rank: number
  readonly weight: number
}

/** What main knows of a name that has ever been resolved. */
export interface NameMessage {
  readonly key: string
  readonly endpoints: readonly Endpoint[]
}

/** A target at a known address. */
export interface RankedTarget {
  readonly rank: number
  readonly spec: TargetSpec
}

/** What a target's name is asked for under; undefined for an address, and for loopback names, which lead nowhere else. */
export function nameKey({ host, srv }: TargetSpec): string | undefined {
  if (srv === true) return `SRV ${host}`
  return isIP(host) !== 0 || host === 'localhost' || host.endsWith('.localhost') ? undefined : host
}

/** Whether a service has targets that are known by name. */
export function hasNames({ targets }: ServiceSpec): boolean {
  return targets.some((target) => nameKey(target) !== undefined)
}

/** The targets of a service at the addresses that are known, each once; those without a name as they are. */
export function locate(targets: readonly TargetSpec[], endpointsOf: (key: string) => readonly Endpoint[]): RankedTarget[] {
  const located = new Map<string, RankedTarget>()
  for (const target of targets) {
    const key = nameKey(target)
    const endpoints = key === undefined ? [here] : endpointsOf(key)
    for (const { host = target.host, port = target.port, rank, weight } of endpoints) {
      const place = `${host} ${port}`
      const before = located.get(place)
      // Two names of one address are one target with the weight of both.
      const sum = target.weight * weight + (before?.spec.weight ?? 0)
      located.set(place, {
        rank: Math.min(rank, before?.rank ?? rank),
        spec: key === undefined ? { ...target, weight: sum } : at(target, host, port, sum),
      })
    }
  }
  return [...located.values()]
}

const here = { host: undefined, port: undefined, rank: 0, weight: 1 }

function at({ srv, ...target }: TargetSpec, host: string, port: number, weight: number): TargetSpec {
  // An SRV answer is not to be believed about whom to trust: the certificate is for the domain that was asked (RFC 6125 §1.7.2).
  const name = srv === true ? target.host.replace(/^(?:_[^.]*\.)+/, '') : target.host
  return { ...target, host, port, name, weight }
}
