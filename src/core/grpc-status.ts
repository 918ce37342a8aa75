import { Answer } from './answer.ts'
import { emptyBody } from './body.ts'
import { Headers, headerBlock } from './headers.ts'
import type { ProblemName, ProblemRenderer } from './problem.ts'
import { problems } from './problem.ts'

/** The status codes of gRPC, by name. */
export const grpcCodes = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  'invalid-argument': 3,
  'deadline-exceeded': 4,
  'not-found': 5,
  'already-exists': 6,
  'permission-denied': 7,
  'resource-exhausted': 8,
  'failed-precondition': 9,
  aborted: 10,
  'out-of-range': 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  'data-loss': 15,
  unauthenticated: 16,
} as const

export type GrpcCode = (typeof grpcCodes)[keyof typeof grpcCodes]

/*
 * gRPC's own table for answers that do not speak gRPC (doc/http-grpc-status-mapping.md: 400 internal, 401, 403, 404
 * unimplemented, 429 and 502 to 504 unavailable) is for peers that know nothing but the status. We know the reason, so
 * the code says it: what a client may try again is `unavailable`, what it has too much of is `resource-exhausted`.
 */
const byProblem: Record<ProblemName, GrpcCode> = {
  malformed: grpcCodes.internal,
  'invalid-argument': grpcCodes['invalid-argument'],
  'duplicate-credential': grpcCodes.unauthenticated,
  unauthenticated: grpcCodes.unauthenticated,
  'invalid-credential': grpcCodes.unauthenticated,
  forbidden: grpcCodes['permission-denied'],
  'address-denied': grpcCodes['permission-denied'],
  'cross-site': grpcCodes['permission-denied'],
  'no-route': grpcCodes.unimplemented,
  'method-not-allowed': grpcCodes.unimplemented,
  'not-acceptable': grpcCodes.unimplemented,
  'request-timeout': grpcCodes.cancelled,
  'body-too-large': grpcCodes['resource-exhausted'],
  'target-too-long': grpcCodes.internal,
  'unsupported-type': grpcCodes.unimplemented,
  'expectation-failed': grpcCodes.internal,
  misdirected: grpcCodes.unavailable,
  'invalid-content': grpcCodes['invalid-argument'],
  'upgrade-required': grpcCodes.unimplemented,
  'quota-exceeded': grpcCodes['resource-exhausted'],
  'abnormal-usage': grpcCodes['resource-exhausted'],
  'abnormal-usage-denied': grpcCodes['permission-denied'],
  'head-too-large': grpcCodes['resource-exhausted'],
  internal: grpcCodes.internal,
  'not-implemented': grpcCodes.unimplemented,
  'bad-service': grpcCodes.unavailable,
  'reduced-capacity': grpcCodes.unavailable,
  unavailable: grpcCodes.unavailable,
  'service-timeout': grpcCodes['deadline-exceeded'],
  'version-not-supported': grpcCodes.internal,
}

/** The gRPC status that a caller gets for a problem. */
export function grpcCodeOf(problem: ProblemName): GrpcCode {
  return byProblem[problem]
}

/** Whether a media type is gRPC's: `application/grpc`, with a suffix (`+proto`) or parameters. Never gRPC-Web's. */
export function isGrpcType(type: string): boolean {
  if (!type.startsWith(grpcType)) return false
  const next = type.charCodeAt(grpcType.length)
  return type.length === grpcType.length || next === plus || next === semicolon || next === space
}

const grpcType = 'application/grpc'
const plus = 43
const semicolon = 59
const space = 32

const typeBlock = headerBlock([['content-type', grpcType]])

/**
 * Plain gRPC: a problem as an answer of headers alone ("trailers-only"), status in `grpc-status`, words in
 * `grpc-message`. What HTTP would say in a field (`retry-after`, `www-authenticate`) stands beside it.
 */
export const renderGrpcProblem: ProblemRenderer = (problem) => {
  const headers = new Headers()
  headers.put(typeBlock)
  if (problem.headers !== undefined) headers.put(problem.headers)
  headers.set('grpc-status', String(byProblem[problem.name]))
  headers.set('grpc-message', grpcMessage(problem.detail ?? problems[problem.name].title))
  return new Answer(200, headers, emptyBody)
}

/** Text as `grpc-message` carries it: UTF-8, percent-encoded outside of visible ASCII and space. */
export function grpcMessage(text: string): string {
  let out = ''
  for (const byte of Buffer.from(text)) {
    const isPlain = byte > 32 ? byte < 127 && byte !== 37 : byte === 32 && out !== ''
    out += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return out.endsWith(' ') ? `${out.slice(0, -1)}%20` : out
}

const unitMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000_001 }
const timeoutForm = /^(\d{1,8})([HMSmun])$/

/** A `grpc-timeout` in milliseconds; undefined when it is none. */
export function parseGrpcTimeout(text: string): number | undefined {
  const parts = timeoutForm.exec(text)
  return parts === null ? undefined : Number(parts[1]) * unitMs[parts[2]]
}

/** So many milliseconds as a `grpc-timeout`, rounded down, at least one microsecond: never longer than what is left. */
export function grpcTimeoutOf(ms: number): string {
  if (ms < 100_000) return `${Math.max(1, Math.floor(ms * 1000))}u`
  if (ms < 100_000_000) return `${Math.floor(ms)}m`
  return `${Math.min(99_999_999, Math.floor(ms / 1000))}S`
}
