import { Answer } from '../core/answer.ts'
import { BytesBody, readAll } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import { Fault } from '../core/fault.ts'
import type { FaultCode } from '../core/fault.ts'
import { Headers as GatewayHeaders } from '../core/headers.ts'
import type { Identity } from '../core/identity.ts'
import type { Call } from '../core/service.ts'
import type { CompiledService } from '../services/create-service.ts'
import type { Content } from './message-body.ts'
import { contentBytes } from './message-body.ts'

/** What a service answers, and how it fails: nothing to send to, no answer in time, or a connection that breaks. */
export type FakeAnswer =
  | 'down'
  | 'timeout'
  | 'reset'
  | {
      /** Default: 200. */
      readonly status?: number
      readonly headers?: Readonly<Record<string, string>>
      /** Text, bytes, or a value that is sent as JSON. */
      readonly body?: Content
    }

/** A service of a test: always the same answer, or one for each call. */
export type FakeService = FakeAnswer | ((call: TestCall) => FakeAnswer | Promise<FakeAnswer>)

/** A request as a service got it. */
export interface TestCall {
  readonly service: string
  readonly method: string
  /** Path and query, as the service sees them. */
  readonly target: string
  readonly headers: Headers
  readonly body: Buffer
  /** Who the gateway says is calling; undefined for nobody. */
  readonly caller: Identity | undefined
  /** The body, parsed. Throws on what is no JSON. */
  json(): unknown
}

const faults: Readonly<Record<Extract<FakeAnswer, string>, FaultCode>> = {
  down: 'service-refused',
  timeout: 'service-timeout',
  reset: 'service-reset',
}
const maxBodyBytes = 64 * 1024 ** 2

/** The services of a test gateway: what they answer, and what they were asked. */
export class FakeServices {
  readonly calls: TestCall[] = []
  readonly #clock: Clock
  readonly #fakes = new Map<string, FakeService>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  set(name: string, fake: FakeService): void {
    this.#fakes.set(name, fake)
  }

  /** A service of the configuration, as routes use it. */
  compiled(name: string): CompiledService {
    return {
      service: (call, x) => this.#answer(name, call, x),
      targets: [],
      close() {},
    }
  }

  async #answer(name: string, call: Call, x: Exchange): Promise<Answer> {
    x.targetAddress = 'test'
    x.attempts = 1
    const headers = webHeaders(call.headers)
    if (call.authority !== undefined) headers.set('host', call.authority)
    const body = await readAll(call.body, maxBodyBytes)
    const { method, target } = call
    const seen: TestCall = {
      service: name,
      method,
      target,
      headers,
      body,
      caller: x.identity,
      json: () => JSON.parse(body.toString()),
    }
    this.calls.push(seen)
    const fake = this.#fakes.get(name) ?? {}
    const answer = typeof fake === 'function' ? await fake(seen) : fake
    if (typeof answer === 'string') throw new Fault(faults[answer], `the test's service ${name} is ${answer}`)
    x.serviceHeadAt = this.#clock.monotonic()
    const { bytes, type } = contentBytes(answer.body)
    const lines = GatewayHeaders.received(Object.entries(answer.headers ?? {}).flat())
    if (type !== undefined && !lines.has('content-type')) lines.set('content-type', type)
    return new Answer(answer.status ?? 200, lines, new BytesBody(bytes))
  }
}

/** Header lines as the web has them. */
export function webHeaders(lines: GatewayHeaders): Headers {
  const headers = new Headers()
  lines.forEach((name, value) => headers.append(name, value))
  return headers
}
