import { lookup, Resolver } from 'node:dns/promises'
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Closable } from '../core/lasting.ts'
import { canonicalAddress } from '../lib/address.ts'
import type { DnsSpec } from './service-spec.ts'

/** What the DNS said, and for how long it may be believed: Infinity where nothing was said of that. */
export interface Found<T> {
  readonly records: readonly T[]
  readonly ttlMs: number
}

/** One line of an SRV answer (RFC 2782). */
export interface SrvRecord {
  readonly host: string
  readonly port: number
  /** Lower ones are used first. */
  readonly priority: number
  readonly weight: number
}

/** Asks for names. Both reject when there is no answer, and when there is nothing in it; the error's `code` says why. */
export interface NameResolver extends Closable {
  /** Addresses of a name in canonical text, each once. */
  addresses(name: string): Promise<Found<string>>
  services(name: string): Promise<Found<SrvRecord>>
}

/** Makes the resolver of a configuration. */
export type CreateResolver = (spec: DnsSpec) => NameResolver

/** The machine's look-up blocks a thread of libuv's pool of four, which files and others need too. */
const maxLookups = 2
const queryTimeoutMs = 2000
const queryTries = 2

/**
 * Asks as the machine does (hosts file, search list; without the TTL), or else the given servers and nobody else. SRV
 * records are asked of DNS servers in either case, for the machine's look-up knows nothing of them.
 */
export const createResolver: CreateResolver = ({ servers, ipv6 }) => {
  const patience = { timeout: queryTimeoutMs, tries: queryTries }
  const resolver = new Resolver(patience)
  if (servers.length > 0) resolver.setServers([...servers])
  const isTaken = (address: string): boolean => isIP(address) !== 6 || (ipv6 ?? (address === '::1' || hasIpv6()))
  const gate = new Gate(maxLookups)

  const looked = async (name: string): Promise<Found<string>> => {
    const found = await gate.pass(() => lookup(name, { all: true, order: 'verbatim' }))
    return { records: found.map(({ address }) => address), ttlMs: Infinity }
  }
  const queried = async (name: string): Promise<Found<string>> => {
    const [four, six] = await Promise.allSettled([
      resolver.resolve4(name, { ttl: true }),
      (ipv6 ?? hasIpv6()) ? resolver.resolve6(name, { ttl: true }) : [],
    ])
    // One family is answer enough, but only if the other has none: a server that fails would halve the targets.
    for (const side of [four, six]) if (side.status === 'rejected' && !isNothing(side.reason)) throw side.reason
    if (four.status === 'rejected' && (six.status === 'rejected' || six.value.length === 0)) throw four.reason
    const records = [four, six].flatMap((side) => (side.status === 'fulfilled' ? side.value : []))
    return {
      records: records.map(({ address }) => address),
      ttlMs: Math.min(Infinity, ...records.map(({ ttl }) => ttl * 1000)),
    }
  }
  return {
    async addresses(name) {
      if (isIP(name) !== 0) return { records: [name], ttlMs: Infinity }
      const { records, ttlMs } = await (servers.length > 0 ? queried(name) : looked(name))
      const addresses = records.filter(isTaken).map((address) => canonicalAddress(address) ?? address)
      if (addresses.length === 0) throw new NoRecords()
      return { records: [...new Set(addresses)], ttlMs }
    },
    async services(name) {
      // The machine's servers are read when a resolver is made, and a machine moves: to another network, for one.
      const found = await (servers.length > 0 ? resolver : new Resolver(patience)).resolveSrv(name)
      // A single "." says that there is decidedly no such service; to us that is an answer with nothing in it.
      const records = found.filter(({ name: host, port }) => host !== '' && host !== '.' && port > 0)
      if (records.length === 0) throw new NoRecords()
      return {
        records: records.map(({ name: host, port, priority, weight }) => ({ host: host.toLowerCase(), port, priority, weight })),
        ttlMs: Infinity,
      }
    },
    close: () => resolver.cancel(),
  }
}

class NoRecords extends Error {
  readonly code = 'ENODATA'

  constructor() {
    super('no records')
  }
}

function isNothing(thrown: unknown): boolean {
  const { code } = thrown as NodeJS.ErrnoException
  return code === 'ENODATA' || code === 'ENOTFOUND'
}

/** Whether the machine has an IPv6 address that leads anywhere. */
function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(({ family, internal, address }) => family === 'IPv6' && !internal && !/^fe[89ab]/i.test(address)),
  )
}

/** Lets so many through at a time. */
class Gate {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(places: number) {
    this.#free = places
  }

  async pass<T>(run: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => void this.#waiting.push(resolve))
    try {
      return await run()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
