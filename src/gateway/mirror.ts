import type { Answer } from '../core/answer.ts'
import { END, releaseChunk } from '../core/body.ts'
import type { Body } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import { derivedExchange } from '../core/derived-exchange.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault, faultFrom } from '../core/fault.ts'
import { isPromise } from '../core/handler.ts'
import type { Headers } from '../core/headers.ts'
import type { Count, Meter } from '../core/meter.ts'
import type { Call } from '../core/service.ts'
import type { Upstream } from './forward.ts'
import type { CopyOutcome } from './spans.ts'
import type { Traces } from './traces.ts'

/** Copies of one route on their way at one time, per worker; further ones are not sent. */
const maxUnderWay = 64
/** How far the shadow may be behind the service with a request's body; beyond it the copy breaks off. */
const maxBehindBytes = 262_144
/** What is read of a shadow's answer, so that its connection can be kept; a longer one ends it. */
const maxAnswerBytes = 1_048_576

export interface MirrorOptions {
  readonly route: string
  readonly upstream: Upstream
  /** The headers of a call to this upstream. */
  readonly headersOf: (x: Exchange, upstream: Upstream) => Headers
  readonly timeoutMs: number
  readonly clock: Clock
  readonly meter: Meter
  /** Takes the copies of exchanges that are traced; absent: none is. */
  readonly traces?: Pick<Traces, 'copied'> | undefined
}

/**
 * Sends a copy of what a route's service gets to another one, and forgets its answer. Best effort: bounded in number and
 * bytes, it never waits, never slows the service and never fails the exchange. Nobody's limits are charged. The shadow
 * is told of callers what its own configuration says, and can tell copies by `X-Velum-Mirror`, which no client can set.
 */
export class Mirror {
  readonly #options: MirrorOptions
  readonly #line: string
  readonly #counts: Readonly<Record<CopyOutcome, Count>>
  #underWay = 0

  constructor(options: MirrorOptions) {
    const { route, upstream, meter } = options
    const count = (outcome: CopyOutcome): Count =>
      meter.counter('velum_mirror_requests_total', 'Copies of requests for another service, by what became of them.', {
        route,
        service: upstream.name,
        outcome,
      })
    this.#options = options
    this.#line = `X-Velum-Mirror: ${route}\r\n`
    this.#counts = { sent: count('sent'), failed: count('failed'), dropped: count('dropped') }
  }

  /** To be said before the first pull of the call's body. Upgrades are not copied: a tunnel is a conversation. */
  copy(call: Call, x: Exchange): void {
    if (call.upgrade !== undefined) return
    if (this.#underWay >= maxUnderWay) {
      this.#counts.dropped.add()
      return
    }
    this.#underWay++
    void this.#send(call, x)
  }

  async #send({ method, target, authority, body: original }: Call, x: Exchange): Promise<void> {
    const { route, upstream, headersOf, timeoutMs, clock, traces } = this.#options
    const trace = x.trace?.ofCopy()
    const beganAt = trace?.now() ?? 0
    let outcome: CopyOutcome = 'sent'
    let fault: Fault | undefined
    let body: Body | undefined
    try {
      let shadow: Exchange | undefined
      // A shadow that stopped reading would otherwise hold its place until its own timeouts.
      body = original.fork(maxBehindBytes, (why) => shadow?.leave(why))
      shadow = derivedExchange(x, { body })
      shadow.trace = trace
      const headers = headersOf(x, upstream)
      headers.putLines(this.#line)
      const headBy = clock.monotonic() + timeoutMs
      const answer = await upstream.service({ method, target, authority, headers, body, upgrade: undefined, headBy }, shadow)
      this.#counts.sent.add()
      await passOver(answer)
    } catch (thrown) {
      fault = faultFrom(thrown)
      // A copy that could not keep up was given up by us.
      outcome = fault.code === 'fork-lagged' || hasLagged(fault) ? 'dropped' : 'failed'
      this.#counts[outcome].add()
      body?.cancel(fault)
    } finally {
      this.#underWay--
      if (trace !== undefined) traces?.copied(x, trace, { route, service: upstream.name, outcome, fault: fault?.code, beganAt })
    }
  }
}

function hasLagged({ cause }: Fault): boolean {
  return cause instanceof Fault && cause.code === 'fork-lagged'
}

/** Reads an answer to its end and keeps nothing. One that breaks off or goes on and on is the shadow's own affair. */
async function passOver({ body }: Answer): Promise<void> {
  try {
    for (let total = 0; total <= maxAnswerBytes;) {
      const next = body.pull()
      const chunk = isPromise(next) ? await next : next
      if (chunk === END) return
      total += chunk.length
      releaseChunk(body, chunk)
    }
    body.cancel(new Fault('cancelled', 'nobody reads the answer of a shadow'))
  } catch {
    // The request was sent; its answer would have been dropped anyway.
  }
}
