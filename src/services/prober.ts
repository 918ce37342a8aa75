import { connect } from 'node:net'
import { emptyBody } from '../core/body.ts'
import type { Clock, Timer } from '../core/clock.ts'
import { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import type { Closable } from '../core/lasting.ts'
import type { ClientWire } from '../wire/client-wire.ts'
import type { HealthSpec, TargetSpec } from './service-spec.ts'

/** Asks once: '' when the target is well, else what is wrong. Never rejects. */
export type Probe = () => Promise<string>

/** A GET that must be answered with 200 to 299. The wire keeps the time. */
export function httpProbe(wire: ClientWire, path: string, clock: Clock): Probe {
  return async () => {
    const headers = Headers.from([['user-agent', 'velum-health']])
    const call = {
      method: 'GET',
      target: path,
      authority: undefined,
      headers,
      body: emptyBody,
      upgrade: undefined,
      headBy: Infinity,
    }
    try {
      const answer = await wire.send(call, probeExchange(path, clock))
      // Each probe shows as well that a connection comes about.
      answer.body.cancel(new Fault('cancelled', 'a probe reads no further'))
      return answer.status >= 200 && answer.status <= 299 ? '' : `status ${answer.status}`
    } catch (thrown) {
      return thrown instanceof Fault ? thrown.code : 'internal'
    }
  }
}

/** A connection that must come about within the time. */
export function tcpProbe({ host, port }: TargetSpec, timeoutMs: number, clock: Clock): Probe {
  return () =>
    new Promise((resolve) => {
      const socket = connect({ host, port })
      const end = (said: string): void => {
        timer.cancel()
        socket.destroy()
        resolve(said)
      }
      const timer = clock.after(timeoutMs, () => end('service-timeout'))
      socket.once('connect', () => end(''))
      socket.once('error', () => end('service-refused'))
    })
}

/**
 * Asks a target again and again. It is well until `fall` probes in a row failed, and then not until `rise` in a row
 * succeeded; `changed` hears of both, with what is wrong or ''.
 */
export class Prober implements Closable {
  readonly #probe: Probe
  readonly #health: HealthSpec
  readonly #clock: Clock
  readonly #changed: (wrong: string) => void
  #isWell = true
  /** Probes in a row that speak against `#isWell`. */
  #against = 0
  #timer: Timer | undefined
  #isClosed = false

  constructor(probe: Probe, health: HealthSpec, clock: Clock, changed: (wrong: string) => void) {
    this.#probe = probe
    this.#health = health
    this.#clock = clock
    this.#changed = changed
    void this.#ask()
  }

  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }

  async #ask(): Promise<void> {
    const wrong = await this.#probe()
    if (this.#isClosed) return
    const { rise, fall, everyMs } = this.#health
    if ((wrong === '') === this.#isWell) this.#against = 0
    else if (++this.#against >= (this.#isWell ? fall : rise)) {
      this.#isWell = !this.#isWell
      this.#against = 0
      this.#changed(wrong)
    }
    this.#timer = this.#clock.after(everyMs, () => void this.#ask())
  }
}

/** An exchange that nobody asked for. */
export function probeExchange(path: string, clock: Clock): Exchange {
  return new Exchange({
    method: 'GET',
    target: path,
    headers: new Headers(),
    version: '1.1',
    authority: '',
    upgrade: undefined,
    connection: { listener: '', remoteAddress: '', remotePort: 0, localPort: 0, tls: undefined },
    link: { inform() {} },
    body: emptyBody,
    startedAt: clock.now(),
    startedMono: clock.monotonic(),
  })
}
