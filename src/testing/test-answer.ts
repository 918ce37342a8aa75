import type { Answer } from '../core/answer.ts'
import type { Exchange } from '../core/exchange.ts'
import { webHeaders } from './fake-service.ts'

/** What a client of a test got, and why. */
export class TestAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: Buffer
  /** The route that took the request; undefined when none did. */
  readonly route: string | undefined
  /** The service that was called; undefined when none was. */
  readonly service: string | undefined
  /**
   * The policy that refused, why (`over-limit`), where the rule stands in the configuration (`routes[0].limits[0]`), the
   * client's label, and the whole in words; undefined when none did.
   */
  readonly refused:
    | {
        readonly policy: string
        readonly code: string
        readonly source: string
        readonly label: string | undefined
        readonly words: string
      }
    | undefined
  /** What failed: `service-timeout`, `no-target` …; undefined when nothing did. */
  readonly fault: string | undefined
  /** `x-request-id`. */
  readonly id: string

  constructor(x: Exchange, answer: Answer, body: Buffer) {
    this.status = answer.status
    this.headers = webHeaders(answer.headers)
    this.body = body
    this.route = x.route?.name
    this.service = x.attempts === 0 ? undefined : x.service
    const { refusal, refusedBy } = x
    this.refused =
      refusal === undefined || refusedBy === undefined
        ? undefined
        : {
            policy: refusedBy.name,
            code: refusal.code,
            source: refusal.rule ?? refusedBy.source,
            label: refusal.label,
            words: refusal.words?.() ?? refusal.code,
          }
    this.fault = x.fault?.code
    this.id = x.id
  }

  text(): string {
    return this.body.toString()
  }

  /** The body, parsed. Throws on what is no JSON. */
  json(): unknown {
    return JSON.parse(this.text())
  }
}
