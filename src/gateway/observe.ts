import type { Answer } from '../core/answer.ts'
import type { Connection, Exchange } from '../core/exchange.ts'
import type { Fault } from '../core/fault.ts'
import { faultFrom } from '../core/fault.ts'
import type { Handler, MaybePromise } from '../core/handler.ts'
import { isPromise } from '../core/handler.ts'
import { H } from '../core/header-names.ts'
import type { Log } from '../core/log.ts'
import type { Count, Meter, Spread } from '../core/meter.ts'
import type { Outcome, Policy } from '../core/policy.ts'
import { httpProblem, problemOf } from '../core/problem.ts'
import type { Verdict } from '../core/verdict.ts'
import type { ReadyRoute } from './compile-routes.ts'
import { createRequestIds } from './request-id.ts'
import type { RequestRecorder } from './request-notes.ts'
import type { Traces } from './traces.ts'
import type { Served } from '../wire/server-wire.ts'

/** Where finished exchanges are written down; never blocks. */
export interface AccessLog {
  write(x: Exchange, outcome: Outcome): void
  /** A message that never became an exchange. */
  refused(id: string, fault: Fault, connection: Connection, status: number): void
}

export interface ObserveOptions {
  readonly listener: string
  readonly handler: Handler
  /** Tells the policies that the exchange met how it ended. */
  readonly finish: (x: Exchange, outcome: Outcome) => void
  /** The series of the routes; shared by all listeners. */
  readonly meters: RouteMeters
  readonly meter: Meter
  readonly accessLog: AccessLog
  /** Keeps requests for operators; absent: nobody does. */
  readonly requests?: RequestRecorder | undefined
  /** Takes the exchanges that are traced; absent: none is. */
  readonly traces?: Traces | undefined
  readonly log: Log
}

/** The series of one route, opened when the Generation is compiled. */
interface RouteMeter {
  /** By first digit of the status; 0 when no head was sent. */
  readonly byClass: readonly Count[]
  readonly seconds: Spread
}

/** The series of all routes that a meter ever had: they outlive Generations, so most are there already when one is compiled. */
export class RouteMeters {
  static readonly #byMeter = new WeakMap<Meter, RouteMeters>()
  readonly #meter: Meter
  readonly #byRoute = new Map<string, RouteMeter>()
  /** Of exchanges that found no route. */
  readonly #unrouted: RouteMeter

  private constructor(meter: Meter) {
    this.#meter = meter
    this.#unrouted = this.#opened('')
  }

  static in(meter: Meter): RouteMeters {
    const known = RouteMeters.#byMeter.get(meter)
    if (known !== undefined) return known
    const made = new RouteMeters(meter)
    RouteMeters.#byMeter.set(meter, made)
    return made
  }

  open(route: string): void {
    if (!this.#byRoute.has(route)) this.#byRoute.set(route, this.#opened(route))
  }

  of(route: string | undefined): RouteMeter {
    return route === undefined ? this.#unrouted : (this.#byRoute.get(route) ?? this.#unrouted)
  }

  #opened(route: string): RouteMeter {
    const [none, ...others] = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'].map((status) =>
      this.#meter.counter('velum_requests_total', 'Exchanges that ended, by route and class of status.', { route, status }),
    )
    const serverErrors = others[4]
    return {
      byClass: [none, ...others, serverErrors, serverErrors, serverErrors, serverErrors],
      seconds: this.#meter.histogram(
        'velum_request_duration_seconds',
        'From the first byte of a request to the end of its response.',
        { route },
      ),
    }
  }
}

/**
 * The outermost layer of a listener: a fault that got here becomes a problem, every answer carries its request id, and
 * at the end everything that is known goes to metrics and log, once.
 */
export function createObserve(options: ObserveOptions): Served {
  const { handler, finish, meters, accessLog, requests, traces, log } = options
  const refusals = createRefusalCounts(options.meter, options.listener)
  const nextId = createRequestIds()

  const leave = (x: Exchange, answer: Answer): Answer => {
    requests?.left(x, answer, outlinesOf(x))
    return stamped(x, answer)
  }
  const fail = (x: Exchange, thrown: unknown): Answer => leave(x, failed(x, thrown))
  return {
    handle(x): MaybePromise<Answer> {
      try {
        const answer = handler(x)
        if (!isPromise(answer)) return leave(x, answer)
        return answer.then(
          (a) => leave(x, a),
          (thrown: unknown) => fail(x, thrown),
        )
      } catch (thrown) {
        return fail(x, thrown)
      }
    },
    done(x, outcome): void {
      finish(x, outcome)
      const meter = meters.of(x.route?.name)
      meter.byClass[(outcome.status / 100) | 0].add()
      meter.seconds.observe((outcome.endedAt - x.startedMono) / 1000)
      if (x.refusedBy !== undefined) refusals.refused(x.refusedBy, x.refusal!)
      if (x.fault !== undefined) {
        refusals.failed(x.fault)
        if (x.fault.code === 'internal')
          log.error('a request failed inside the gateway', { request: x.id, route: x.route?.name, error: x.fault.cause ?? x.fault })
      }
      if (x.trace !== undefined) traces?.done(x, x.trace, outcome)
      accessLog.write(x, outcome)
      requests?.done(x, outcome, outlinesOf(x))
    },
    refused(fault, connection): Answer {
      refusals.failed(fault)
      const id = nextId()
      const answer = httpProblem(problemOf(fault), id)
      answer.headers.putLines(`X-Request-Id: ${id}\r\n`)
      accessLog.refused(id, fault, connection, answer.status)
      requests?.refused(id, fault, connection, answer.status)
      return answer
    },
  }
}

/** Of the policies of an exchange's route. */
function outlinesOf({ route }: Exchange): ReadyRoute['outlines'] | undefined {
  return (route as ReadyRoute | undefined)?.outlines
}

/** Every answer carries the id of its request. */
function stamped(x: Exchange, answer: Answer): Answer {
  answer.headers.putLines(`X-Request-Id: ${x.id}\r\n`, H.requestId)
  return answer
}

function failed(x: Exchange, thrown: unknown): Answer {
  const fault = faultFrom(thrown)
  x.fault = fault
  return x.renderProblem(problemOf(fault), x)
}

interface RefusalCounts {
  refused(policy: Policy, verdict: Verdict): void
  failed(fault: Fault): void
}

/** Counts of refusals and faults. All label sets are closed: codes and labels of policies, and the fault table. */
function createRefusalCounts(meter: Meter, listener: string): RefusalCounts {
  const refused = new Map<string, Count>()
  const faults = new Map<string, Count>()
  return {
    refused(policy, { code, label = '' }) {
      const key = `${policy.name} ${code} ${label}`
      let count = refused.get(key)
      if (count === undefined) {
        const help = 'Exchanges refused, by policy, reason, and the label of the refused client.'
        count = meter.counter('velum_refusals_total', help, { policy: policy.name, code, label })
        refused.set(key, count)
      }
      count.add()
    },
    failed(fault) {
      let count = faults.get(fault.code)
      if (count === undefined) {
        count = meter.counter('velum_faults_total', 'Exchanges and messages that failed, by kind of fault.', {
          listener,
          fault: fault.code,
        })
        faults.set(fault.code, count)
      }
      count.add()
    },
  }
}
