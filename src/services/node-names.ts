import type { Clock } from '../core/clock.ts'
import type { Closable } from '../core/lasting.ts'
import type { Hub } from '../core/link.ts'
import type { Log } from '../core/log.ts'
import type { Meter } from '../core/meter.ts'
import { stableJson } from '../lib/stable-json.ts'
import { hasNames, locate, nameKey, namesTopic } from './discovery-spec.ts'
import type { NameMessage } from './discovery-spec.ts'
import { createResolver as createSystemResolver } from './dns-resolver.ts'
import type { CreateResolver, NameResolver } from './dns-resolver.ts'
import { NameWatch } from './name-watch.ts'
import type { DnsSpec, ServiceSpec } from './service-spec.ts'

/** How long a new configuration waits for the names that it brings; those that are not there then are for later. */
const patienceMs = 3000

export interface NodeNamesOptions {
  readonly clock: Clock
  readonly log: Log
  readonly meter: Meter
  /** A name leads elsewhere: `resolved` has changed. */
  readonly changed: () => void
  readonly createResolver?: CreateResolver
}

/** What is known of a name, for the admin surface. */
export interface NameStatus {
  readonly name: string
  /** How many addresses it leads to. */
  readonly addresses: number
  /** Milliseconds since 1970; 0: never. */
  readonly resolvedAt: number
  /** Why it cannot be resolved at the moment; '' when it can. */
  readonly failure: string
}

/** The names of one configuration under watch. */
interface Watched {
  readonly settings: string
  readonly resolver: NameResolver
  readonly watches: Map<string, NameWatch>
}

/** Main's part of names: each is asked for once per node, and all workers are told where it leads. */
export class NodeNames implements Closable {
  readonly #hub: Hub
  readonly #options: NodeNamesOptions
  readonly #stop: () => void
  /** Names whose last question was answered. */
  readonly #resolvable = new Set<string>()
  #current: Watched | undefined
  #next: Watched | undefined

  constructor(hub: Hub, options: NodeNamesOptions) {
    this.#hub = hub
    this.#options = options
    this.#stop = hub.answer(namesTopic, () => this.#messages())
  }

  /** Begins to ask for what these services need, and waits a little for the answers. A failure is for later, not a fault. */
  async prepare(dns: DnsSpec, services: readonly ServiceSpec[]): Promise<void> {
    this.discard()
    const named = services.filter(hasNames)
    if (named.length === 0) return
    const settings = stableJson(dns)
    const current = this.#current
    const isSame = current?.settings === settings
    const next: Watched = {
      settings,
      resolver: isSame ? current.resolver : (this.#options.createResolver ?? createSystemResolver)(dns),
      watches: new Map(),
    }
    this.#next = next
    const asked: Promise<void>[] = []
    for (const { host, srv, key } of named.flatMap(keyed)) {
      if (next.watches.has(key)) continue
      const known = current?.watches.get(key)
      const watch = isSame && known !== undefined ? known : this.#watch(next, key, { host, srv, known, refreshMs: dns.refreshMs })
      next.watches.set(key, watch)
      if (watch.endpoints === undefined) asked.push(watch.asked)
    }
    const { clock } = this.#options
    let timer: { cancel(): void } | undefined
    const late = new Promise<void>((resolve) => {
      timer = clock.after(patienceMs, resolve)
    })
    await Promise.race([Promise.all(asked), late])
    timer?.cancel()
  }

  /** What was prepared is served now; nobody asks for other names any more. */
  commit(): void {
    const [before, next] = [this.#current, this.#next]
    this.#current = next
    this.#next = undefined
    if (before !== undefined) close(before, next)
  }

  /** What was prepared will not be served. */
  discard(): void {
    if (this.#next !== undefined) close(this.#next, this.#current)
    this.#next = undefined
  }

  /** The services with their targets at the addresses that are known at the moment. */
  resolved(services: readonly ServiceSpec[]): readonly ServiceSpec[] {
    return services.map((service) => {
      if (!hasNames(service)) return service
      const targets = locate(service.targets, (key) => this.#current?.watches.get(key)?.endpoints ?? [])
      return { ...service, targets: targets.map(({ spec }) => spec) }
    })
  }

  /** The names of a service. */
  names(service: ServiceSpec): readonly NameStatus[] {
    return keyed(service).flatMap(({ host, key }) => {
      const watch = this.#current?.watches.get(key)
      if (watch === undefined) return []
      const { endpoints = [], resolvedAt, failure } = watch
      const isAsking = resolvedAt === 0 && failure === ''
      return [{ name: host, addresses: endpoints.length, resolvedAt, failure: isAsking ? 'no answer has come yet' : failure }]
    })
  }

  close(): void {
    this.#stop()
    this.discard()
    if (this.#current !== undefined) close(this.#current, undefined)
    this.#current = undefined
  }

  #watch(
    { resolver }: Watched,
    key: string,
    { host, srv, known, refreshMs }: { host: string; srv: boolean; known: NameWatch | undefined; refreshMs: number },
  ): NameWatch {
    return new NameWatch({
      host,
      isSrv: srv,
      resolver,
      refreshMs,
      clock: this.#options.clock,
      known,
      counted: (outcome) => this.#count(outcome),
      changed: (watch) => this.#changed(key, watch),
    })
  }

  #changed(key: string, { host, endpoints = [], failure, resolvedAt }: NameWatch): void {
    const { log, changed } = this.#options
    if (failure !== '') {
      const then = resolvedAt === 0 ? 'nothing is sent there' : 'what was last known is used'
      this.#resolvable.delete(key)
      log.warn(`a name of targets cannot be resolved: ${then}`, { name: host, reason: failure })
    } else {
      // Some answers change each time they are asked for.
      const level = this.#resolvable.has(key) ? 'debug' : 'info'
      this.#resolvable.add(key)
      log[level]('a name of targets was resolved', { name: host, addresses: endpoints.map((endpoint) => endpoint.host) })
      this.#hub.tellAll(namesTopic, [{ key, endpoints }])
    }
    changed()
  }

  #count(outcome: 'answered' | 'failed'): void {
    this.#options.meter
      .counter('velum_dns_lookups_total', 'Names of targets that were asked for, by whether there was an answer.', { outcome })
      .add()
  }

  #messages(): NameMessage[] {
    const watches = new Map([...(this.#current?.watches ?? []), ...(this.#next?.watches ?? [])])
    return [...watches].flatMap(([key, { endpoints }]) => (endpoints === undefined ? [] : [{ key, endpoints }]))
  }
}

/** Ends what no `other` uses. */
function close({ resolver, watches }: Watched, other: Watched | undefined): void {
  for (const [key, watch] of watches) if (other?.watches.get(key) !== watch) watch.close()
  if (other?.resolver !== resolver) resolver.close()
}

function keyed({ targets }: ServiceSpec): { host: string; srv: boolean; key: string }[] {
  return targets.flatMap((target) => {
    const key = nameKey(target)
    return key === undefined ? [] : [{ host: target.host, srv: target.srv === true, key }]
  })
}
