import { Answer } from './answer.ts'
import { textBody } from './body.ts'
import type { Exchange } from './exchange.ts'
import type { Fault, FaultCode } from './fault.ts'
import { Headers, headerBlock } from './headers.ts'
import type { HeaderBlock } from './headers.ts'

/** One row of the problem table: what a client may learn of a kind of error (RFC 9457). */
export interface ProblemKind {
  readonly status: number
  /** A URI that names the kind for programs; `about:blank` is never used, so that kinds can be told apart. */
  readonly type: string
  readonly title: string
}

const own = (status: number, code: string, title: string): ProblemKind => ({ status, type: `urn:velum:problem:${code}`, title })
const iana = (status: number, code: string, title: string): ProblemKind => ({
  status,
  type: `https://iana.org/assignments/http-problem-types#${code}`,
  title,
})

/** Every error answer there is. Refusals and faults name a row; nothing else makes a problem. */
export const problems = {
  malformed: own(400, 'malformed-request', 'The request is malformed'),
  'invalid-argument': own(400, 'invalid-argument', 'The request does not fit the method'),
  'duplicate-credential': own(400, 'duplicate-credential', 'A credential is given more than once'),
  unauthenticated: own(401, 'unauthenticated', 'Authentication is required'),
  'invalid-credential': own(401, 'invalid-credential', 'The credential is not valid'),
  forbidden: own(403, 'forbidden', 'This is not allowed'),
  'address-denied': own(403, 'address-denied', 'This address is not allowed'),
  'cross-site': own(403, 'cross-site-request', 'The request comes from another site'),
  'no-route': own(404, 'no-route', 'Nothing answers at this address'),
  'method-not-allowed': own(405, 'method-not-allowed', 'This method is not allowed here'),
  'not-acceptable': own(406, 'not-acceptable', 'No acceptable form of the answer exists'),
  'request-timeout': own(408, 'request-timeout', 'The request did not arrive in time'),
  'body-too-large': own(413, 'body-too-large', 'The request body is too large'),
  'target-too-long': own(414, 'target-too-long', 'The request target is too long'),
  'unsupported-type': own(415, 'unsupported-media-type', 'The type of the request body is not accepted'),
  'expectation-failed': own(417, 'expectation-failed', 'The expectation cannot be met'),
  misdirected: own(421, 'misdirected-request', 'This connection does not serve that host'),
  'invalid-content': own(422, 'invalid-content', 'The request does not have the expected form'),
  'upgrade-required': own(426, 'upgrade-required', 'This endpoint needs a protocol upgrade'),
  'quota-exceeded': iana(429, 'quota-exceeded', 'Too many requests'),
  'abnormal-usage': iana(429, 'abnormal-usage-detected', 'Too many refused requests'),
  'abnormal-usage-denied': iana(403, 'abnormal-usage-detected', 'Too many refused requests'),
  'head-too-large': own(431, 'head-too-large', 'The request head is too large'),
  internal: own(500, 'internal-error', 'The gateway failed'),
  'not-implemented': own(501, 'not-implemented', 'This method is not supported'),
  'bad-service': own(502, 'bad-gateway', 'The service behind the gateway failed'),
  'reduced-capacity': iana(503, 'temporary-reduced-capacity', 'The service is short of capacity'),
  unavailable: own(503, 'unavailable', 'The service is not available'),
  'service-timeout': own(504, 'gateway-timeout', 'The service behind the gateway did not answer in time'),
  'version-not-supported': own(505, 'version-not-supported', 'This version of HTTP is not supported'),
} as const satisfies Record<string, ProblemKind>

export type ProblemName = keyof typeof problems

/** An error as a client sees it: a row of the table and what is particular this time. Never internals. */
export interface Problem {
  readonly name: ProblemName
  /** One sentence that helps the caller; made of constants or validated values only. */
  readonly detail?: string | undefined
  /** The name of the policy that refused. */
  readonly policy?: string | undefined
  /** Header lines of this problem: `www-authenticate`, `retry-after`, `allow` … */
  readonly headers?: HeaderBlock | undefined
  /** Further members of the problem document, such as the failing paths of a 422. */
  readonly members?: Readonly<Record<string, unknown>> | undefined
}

/** Turns a Problem into the answer of one protocol. Routes carry the one that fits their callers. */
export type ProblemRenderer = (problem: Problem, x: Exchange) => Answer

const problemType = headerBlock([
  ['content-type', 'application/problem+json'],
  ['cache-control', 'no-store'],
])

/** Plain HTTP: an `application/problem+json` answer; `instance` is the request id, '' where there is none. */
export function httpProblem(problem: Problem, instance: string): Answer {
  const { type, title, status } = problems[problem.name]
  const document = {
    type,
    title,
    status,
    detail: problem.detail,
    instance: instance === '' ? undefined : instance,
    policy: problem.policy,
    ...problem.members,
  }
  const headers = new Headers()
  headers.put(problemType)
  if (problem.headers !== undefined) headers.put(problem.headers)
  return new Answer(status, headers, textBody(JSON.stringify(document)))
}

/** The renderer of routes that speak plain HTTP. */
export const renderHttpProblem: ProblemRenderer = (problem, x) => httpProblem(problem, x.id)

const retrySoon = headerBlock([['retry-after', '1']])

const byFault: Record<FaultCode, Problem> = {
  malformed: { name: 'malformed' },
  'unfit-message': { name: 'invalid-argument' },
  'head-too-large': { name: 'head-too-large' },
  'target-too-long': { name: 'target-too-long' },
  'body-too-large': { name: 'body-too-large' },
  'expectation-failed': { name: 'expectation-failed' },
  'method-not-supported': { name: 'not-implemented' },
  'version-not-supported': { name: 'version-not-supported' },
  'head-timeout': { name: 'request-timeout' },
  'body-timeout': { name: 'request-timeout' },
  misdirected: { name: 'misdirected' },
  'client-left': { name: 'malformed' }, // nobody will read it
  'write-timeout': { name: 'request-timeout' },
  'no-target': { name: 'unavailable', headers: retrySoon },
  'breaker-open': { name: 'unavailable', headers: retrySoon },
  overloaded: { name: 'reduced-capacity', headers: retrySoon },
  'service-refused': { name: 'unavailable', headers: retrySoon },
  'service-reset': { name: 'bad-service' },
  'service-truncated': { name: 'bad-service' },
  'service-nonsense': { name: 'bad-service' },
  'service-timeout': { name: 'service-timeout' },
  'store-down': { name: 'unavailable', headers: retrySoon },
  'fork-lagged': { name: 'internal' },
  cancelled: { name: 'internal' },
  internal: { name: 'internal' },
}

/** The problem that a client sees for a fault. The fault's words stay in the log; whoever sent a faulty request is told why. */
export function problemOf(fault: Fault): Problem {
  const problem = byFault[fault.code]
  if (fault.retryAfterMs !== undefined && fault.retryAfterMs > 1000) {
    return { ...problem, headers: headerBlock([['retry-after', String(Math.ceil(fault.retryAfterMs / 1000))]]) }
  }
  const isTold = (fault.code === 'malformed' || fault.code === 'unfit-message') && fault.message !== fault.code
  return isTold ? { ...problem, detail: fault.message } : problem
}
