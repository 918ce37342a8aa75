import type { Answer } from '../core/answer.ts'
import type { Body } from '../core/body.ts'
import { readAll } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import type { Exchange } from '../core/exchange.ts'
import type { Log } from '../core/log.ts'
import type { Count } from '../core/meter.ts'
import type { Policy } from '../core/policy.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import { contentOf, formOf, isPlain } from './content-form.ts'
import type { PolicyEnv } from './policy-kind.ts'
import type { CompiledContent, CompiledShape } from './shapes/compiled-shape.ts'

/** What an answer turned out to be. `unchecked`: too long, in a coding, no JSON, broken off. */
type Result = 'valid' | 'invalid' | 'unchecked'

const maxAnswerBytes = 1024 * 1024
const maxJsonDepth = 64
/** No more than one line of the log in so long, for each route and worker. */
const logEveryMs = 1000

/**
 * Checks what a service answers against the description of its operation, beside the answer that goes on: nothing is refused,
 * changed or waited for. Counts, and tells the log of what does not fit.
 */
export class AnswerValidation implements Policy {
  readonly name = 'body'
  readonly stage = 'shape'
  readonly source: string
  readonly #shape: CompiledShape
  readonly #log: Log
  readonly #clock: Clock
  readonly #route: string
  readonly #counts: Readonly<Record<Result, Count>>
  #loggedAt = -Infinity
  #unlogged = 0

  constructor({ source, log, clock, meter, route }: PolicyEnv, shape: CompiledShape) {
    this.source = source
    this.#shape = shape
    this.#log = log
    this.#clock = clock
    this.#route = route.name
    const count = (result: Result): Count =>
      meter.counter('velum_answer_checks_total', 'Answers of services checked against their description.', {
        route: route.name,
        result,
      })
    this.#counts = { valid: count('valid'), invalid: count('invalid'), unchecked: count('unchecked') }
  }

  onHead(x: Exchange, answer: Answer): void {
    // What the gateway says itself, or gives from its cache, no service has just answered.
    if (x.serviceHeadAt === 0 || x.fault !== undefined || x.refusal !== undefined || answer.tunnel !== undefined) return
    const found = this.#shape.find(x)
    if (found.kind !== 'expected') return
    const { answers } = found.expectation
    if (answers.size === 0) return
    const list = answers.get(String(answer.status)) ?? answers.get(`${Math.floor(answer.status / 100)}XX`) ?? answers.get('default')
    if (list === undefined) return this.#tell(x, answer.status, 'the status is not described')
    const isBodiless = x.method === 'HEAD' || answer.status === 204 || answer.status === 304 || answer.body.size === 0
    if (list.length === 0 || isBodiless) return this.#counts.valid.add()
    const content = contentOf(answer.headers, list)
    if (content === undefined) return this.#tell(x, answer.status, 'the content type is not described')
    const { size } = answer.body
    if (formOf(answer.headers) !== 'json' || !isPlain(answer.headers) || (size !== undefined && size > maxAnswerBytes)) {
      return this.#counts.unchecked.add()
    }
    void this.#check(x, answer.status, content, answer.body.fork(maxAnswerBytes))
  }

  async #check(x: Exchange, status: number, content: CompiledContent, copy: Body): Promise<void> {
    let bytes: Buffer
    try {
      bytes = await readAll(copy, maxAnswerBytes)
    } catch {
      return this.#counts.unchecked.add()
    }
    const value = parseStrictJson(bytes, maxJsonDepth)
    if (value === undefined) return this.#tell(x, status, 'the body is not JSON of one reading')
    const [first] = content.check(value, bytes.length) ?? []
    if (first === undefined) this.#counts.valid.add()
    else this.#tell(x, status, `${first.pointer} ${first.detail}`)
  }

  #tell(x: Exchange, status: number, misfit: string): void {
    this.#counts.invalid.add()
    const now = this.#clock.monotonic()
    if (now - this.#loggedAt < logEveryMs) {
      this.#unlogged++
      return
    }
    const also = this.#unlogged
    this.#loggedAt = now
    this.#unlogged = 0
    const fields = { route: this.#route, service: x.service, request: x.id, method: x.method, status, misfit }
    this.#log.warn('an answer does not fit its description', also === 0 ? fields : { ...fields, notTold: also })
  }
}
