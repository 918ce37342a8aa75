import { Answer } from '../../src/core/answer.ts'
import { emptyBody } from '../../src/core/body.ts'
import type { BuildEnv } from '../../src/core/build-env.ts'
import { Fault } from '../../src/core/fault.ts'
import type { FaultCode } from '../../src/core/fault.ts'
import { Headers } from '../../src/core/headers.ts'
import { Lasting } from '../../src/core/lasting.ts'
import { silentLog } from '../../src/core/log.ts'
import { ManualClock } from '../../src/core/manual-clock.ts'
import type { Labels, Meter } from '../../src/core/meter.ts'
import type { Call } from '../../src/core/service.ts'
import { Sweeper } from '../../src/core/sweeper.ts'
import { NodeTargets } from '../../src/services/node-targets.ts'
import type { BreakerSpec, ServiceSpec, TargetSpec } from '../../src/services/service-spec.ts'
import type { CreateClientWire } from '../../src/services/target.ts'
import type { ClientWireOptions } from '../../src/wire/client-wire.ts'
import { LocalHub } from './local-hub.ts'

/** Counts by name and labels, as text. */
export class TallyMeter implements Meter {
  readonly counts = new Map<string, number>()

  readonly counter = (name: string, _help: string, labels: Labels = {}): { add(n?: number): void } => {
    const key = [name, ...Object.values(labels)].join(' ')
    return { add: (n = 1) => void this.counts.set(key, (this.counts.get(key) ?? 0) + n) }
  }
  readonly gauge = this.counter
  readonly observed: [name: string, value: number][] = []
  readonly histogram = (name: string): { observe(value: number): void } => ({
    observe: (value) => void this.observed.push([name, value]),
  })
}

/** What a target does with a call. */
export type Behaviour = (call: Call) => Promise<Answer>

/** A node's main and its workers in one thread, before targets that do as they are told. */
export interface ServiceWorld {
  readonly clock: ManualClock
  readonly hub: LocalHub
  readonly main: NodeTargets
  readonly meter: TallyMeter
  readonly lasting: Lasting
  /** A worker's parts for one more Generation. */
  env(worker?: number, workers?: number): BuildEnv
  /** Options of every wire that was made. */
  readonly made: ClientWireOptions[]
  /** Ports of the targets that were sent to, in order, and the calls. */
  readonly sent: number[]
  readonly calls: Call[]
  /** How many wires were closed. */
  closed: number
  /** What a target does, by port; others answer 200. */
  readonly behave: Map<number, Behaviour>
  /** Calls that a target seems to have under way, by port. */
  readonly busy: Map<number, number>
  readonly createWire: CreateClientWire
}

export function serviceWorld(): ServiceWorld {
  const clock = new ManualClock()
  clock.advance(1)
  const hub = new LocalHub()
  const meter = new TallyMeter()
  const lastings = new Map<number, Lasting>()
  const lastingOf = (worker: number): Lasting => {
    const lasting = lastings.get(worker) ?? new Lasting()
    lastings.set(worker, lasting)
    return lasting
  }
  const world: ServiceWorld = {
    clock,
    hub,
    meter,
    main: new NodeTargets(hub, { clock, log: silentLog, meter }),
    lasting: lastingOf(0),
    env: (worker = 0, workers = 1) => ({
      clock,
      sweeper: new Sweeper(clock),
      log: silentLog,
      meter,
      hold: lastingOf(worker).hold(),
      link: hub.link(worker),
      shared: { limits: new SharedArrayBuffer(8), metrics: new SharedArrayBuffer(8) },
      worker,
      workers,
    }),
    made: [],
    sent: [],
    calls: [],
    closed: 0,
    behave: new Map(),
    busy: new Map(),
    createWire(options) {
      world.made.push(options)
      return {
        send(call) {
          world.sent.push(options.port)
          world.calls.push(call)
          return (world.behave.get(options.port) ?? good)(call)
        },
        open: 0,
        get busy() {
          return world.busy.get(options.port) ?? 0
        },
        queued: 0,
        close: () => void world.closed++,
      }
    },
  }
  return world
}

export const good: Behaviour = async () => new Answer(200, new Headers(), emptyBody)

export const answers =
  (status: number, ...fields: (readonly [string, string])[]): Behaviour =>
  async () =>
    new Answer(status, Headers.from(fields), emptyBody)

export const fails =
  (code: FaultCode, unsent = false): Behaviour =>
  async () => {
    throw new Fault(code, code, { unsent })
  }

export const isFault = (code: FaultCode) => (thrown: unknown) => thrown instanceof Fault && thrown.code === code

export function targetOf(port: number, parts: Partial<TargetSpec> = {}): TargetSpec {
  return { url: `http://10.0.0.1:${port}`, protocol: 'http', tls: false, host: '10.0.0.1', port, weight: 1, ...parts }
}

export function specOf(ports: readonly number[], parts: Partial<ServiceSpec> = {}): ServiceSpec {
  return {
    name: 'orders',
    targets: ports.map((port) => targetOf(port)),
    balance: 'round-robin',
    timeoutMs: 5000,
    connectTimeoutMs: 1000,
    idleMs: 60_000,
    maxConnections: 100,
    attempts: 1,
    identity: 'none',
    audience: 'orders',
    ...parts,
  }
}

/** Half of ten calls in ten seconds; open for five seconds, then two probes. */
export function breakerOf(parts: Partial<BreakerSpec> = {}): BreakerSpec {
  return {
    failureRatio: 0.5,
    slowRatio: 0.5,
    slowMs: Infinity,
    windowMs: 10_000,
    minCalls: 10,
    openMs: 5000,
    probes: 2,
    isOfService: true,
    ...parts,
  }
}

export function callOf(parts: Partial<Call> = {}): Call {
  return {
    method: 'GET',
    target: '/',
    authority: undefined,
    headers: new Headers(),
    body: emptyBody,
    upgrade: undefined,
    headBy: Infinity,
    ...parts,
  }
}
