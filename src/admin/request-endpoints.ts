import { Answer, jsonAnswer } from '../core/answer.ts'
import { readAll } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import { systemClock } from '../core/clock.ts'
import { H } from '../core/header-names.ts'
import { headerBlock, Headers } from '../core/headers.ts'
import { httpProblem } from '../core/problem.ts'
import type { Problem } from '../core/problem.ts'
import { longestPassMs, passHeader } from '../gateway/explain-pass.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { answeredWords } from '../gateway/outcome-words.ts'
import type { RequestRow } from '../gateway/request-row.ts'
import { parseDuration } from '../lib/duration.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import { UnitError } from '../lib/unit-error.ts'
import type { Endpoint } from './endpoint.ts'
import { pathOf, queryOf } from './endpoint.ts'
import { EventBody } from './event-body.ts'
import type { RequestFilter } from './request-filter.ts'
import { FilterError, parseFilter } from './request-filter.ts'

/** What of a gateway these addresses tell. */
export type RequestSource = Pick<Gateway, 'requests'>

const mostStreams = 16
const maxBodyBytes = 1024
const defaultPassMs = 600_000
const eventStream = headerBlock([
  ['content-type', 'text/event-stream'],
  // Proxies in front would otherwise keep events until there is enough of them.
  ['x-accel-buffering', 'no'],
])
const tooMany: Problem = { name: 'reduced-capacity', detail: `No more than ${mostStreams} streams at a time.` }

/** A request as operators read it, with its time in ISO 8601 and how it ended in one sentence. */
export type RequestDocument = Omit<RequestRow, 'at'> & { readonly at: string; readonly summary: string }

/** See `RequestDocument`. */
export function requestDocument(row: RequestRow): RequestDocument {
  return { ...row, at: new Date(row.at).toISOString(), summary: answeredWords(row) }
}

/**
 * The latest requests with what was decided about them: those that are kept, as JSON, or what comes from now on as a stream
 * of server-sent events (`Accept: text/event-stream`), as many as somebody can follow, with how many others there were; one by its id; and passes for `x-velum-explain`.
 */
export function requestEndpoints(gateway: RequestSource, clock: Clock = systemClock): readonly Endpoint[] {
  const roles = ['admin'] as const
  let streams = 0
  return [
    {
      method: 'GET',
      path: '/api/requests',
      roles,
      async handle(x) {
        let filter: RequestFilter
        try {
          filter = parseFilter(queryOf(x))
        } catch (thrown) {
          if (!(thrown instanceof FilterError)) throw thrown
          return httpProblem({ name: 'invalid-argument', detail: `${thrown.message}.` }, x.id)
        }
        if (x.headers.first(H.accept)?.includes('text/event-stream') !== true) {
          const rows = (await gateway.requests.list()).filter((row) => filter.has(row))
          return jsonAnswer(200, { requests: rows.slice(0, filter.limit).map(requestDocument) })
        }
        if (streams >= mostStreams) return httpProblem(tooMany, x.id)
        streams++
        const body = new EventBody(clock, () => {
          streams--
          stop()
        })
        const stop = gateway.requests.watch(({ rows, missed }) => {
          for (const row of rows) if (filter.has(row)) body.send(requestDocument(row))
          // What was never put into words cannot be held against a filter.
          body.miss(missed)
        })
        x.whenLeft((why) => body.cancel(why))
        const headers = new Headers()
        headers.put(eventStream)
        return new Answer(200, headers, body)
      },
    },
    {
      method: 'GET',
      path: '/api/requests/{id}',
      roles,
      async handle(x) {
        const row = await gateway.requests.find(pathOf(x).split('/').at(-1)!)
        return row === undefined ? httpProblem(notKept, x.id) : jsonAnswer(200, requestDocument(row))
      },
    },
    {
      method: 'POST',
      path: '/api/explain/passes',
      roles,
      async handle(x) {
        const forMs = passMs(await readAll(x.body, maxBodyBytes))
        if (typeof forMs === 'string') return httpProblem({ name: 'invalid-content', detail: forMs }, x.id)
        const { pass, until } = gateway.requests.sign(forMs)
        return jsonAnswer(200, { header: passHeader, value: pass, until: new Date(until).toISOString() })
      },
    },
  ]
}

const notKept: Problem = {
  name: 'no-route',
  detail: 'No such request is kept: those that were refused or failed and some of the others are, and only the latest.',
}

/** How long a pass is wanted for; what is wrong, for what is none. */
function passMs(bytes: Buffer): number | string {
  if (bytes.length === 0) return defaultPassMs
  const value = parseStrictJson(bytes)
  const wrong = 'Send nothing, or { "for": "10m" }; an hour at most.'
  if (typeof value !== 'object' || value === null || Object.keys(value).some((name) => name !== 'for')) return wrong
  const { for: lasting } = value as { for?: unknown }
  if (lasting === undefined) return defaultPassMs
  if (typeof lasting !== 'string') return wrong
  try {
    const ms = parseDuration(lasting)
    return ms >= 1000 && ms <= longestPassMs ? ms : wrong
  } catch (thrown) {
    if (thrown instanceof UnitError) return wrong
    throw thrown
  }
}
