import type { Fault } from '../../core/fault.ts'
import { Fault as FaultError } from '../../core/fault.ts'
import { grpcCodeOf, grpcCodes } from '../../core/grpc-status.ts'
import type { GrpcCode } from '../../core/grpc-status.ts'
import type { Headers } from '../../core/headers.ts'
import { problemOf, problems } from '../../core/problem.ts'

/** How a gRPC call ended. */
export interface GrpcStatus {
  readonly code: GrpcCode
  /** The service's words, meant for the caller; '' for none. */
  readonly message: string
  /** A serialised google.rpc.Status with details, when the service sent one. */
  readonly details: Buffer | undefined
  /** Set when the status is our finding and not the service's word: a broken stream, nonsense, time that ran out. */
  readonly fault: Fault | undefined
}

/** The end of a call that went well. */
export const okStatus: GrpcStatus = { code: grpcCodes.ok, message: '', details: undefined, fault: undefined }

/** What callers are told when a call failed here rather than at the service. */
export function statusOfFault(fault: Fault): GrpcStatus {
  const problem = problemOf(fault)
  return { code: grpcCodeOf(problem.name), message: problem.detail ?? problems[problem.name].title, details: undefined, fault }
}

/** The code for callers who write messages anew. What cannot be read is their mistake, where gRPC itself says INTERNAL. */
export function callersCode({ code, fault }: GrpcStatus): GrpcCode {
  return fault?.code === 'malformed' ? grpcCodes['invalid-argument'] : code
}

/** The service broke the protocol. */
export function nonsense(words: string, code: GrpcCode = grpcCodes.internal): GrpcStatus {
  return { code, message: 'the service broke the protocol', details: undefined, fault: new FaultError('service-nonsense', words) }
}

/** The status in trailers, or in the head of an answer of headers alone; undefined when it has none. */
export function readStatus(headers: Headers): GrpcStatus | undefined {
  const text = headers.get('grpc-status')
  if (text === undefined) return undefined
  if (!/^\d{1,3}$/.test(text)) return nonsense(`grpc-status is ${JSON.stringify(text.slice(0, 40))}`, grpcCodes.unknown)
  const number = Number(text)
  if (number === 0) return okStatus
  const details = headers.get('grpc-status-details-bin')
  return {
    code: number <= 16 ? (number as GrpcCode) : grpcCodes.unknown,
    message: readGrpcMessage(headers.get('grpc-message') ?? ''),
    details: details === undefined ? undefined : Buffer.from(details, 'base64'),
    fault: undefined,
  }
}

/** `grpc-message` as text: percent-decoded, leniently, since it is only words (the specification forbids to fail). */
export function readGrpcMessage(text: string): string {
  if (!text.includes('%')) return text
  const bytes: number[] = []
  for (let i = 0; i < text.length; i++) {
    const hex = text[i] === '%' ? text.slice(i + 1, i + 3) : ''
    if (/^[0-9A-Fa-f]{2}$/.test(hex)) {
      bytes.push(Number.parseInt(hex, 16))
      i += 2
    } else bytes.push(text.charCodeAt(i) & 0xff)
  }
  return Buffer.from(bytes).toString('utf8')
}

/** The code for an answer that is not gRPC, by its HTTP status (gRPC's http-grpc-status-mapping). */
export function codeOfHttpStatus(status: number): GrpcCode {
  switch (status) {
    case 400:
      return grpcCodes.internal
    case 401:
      return grpcCodes.unauthenticated
    case 403:
      return grpcCodes['permission-denied']
    case 404:
      return grpcCodes.unimplemented
    case 429:
    case 502:
    case 503:
    case 504:
      return grpcCodes.unavailable
    default:
      return grpcCodes.unknown
  }
}

const httpByCode: readonly number[] = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]

/** The HTTP status for a gRPC code, as google.rpc.Code has it: 499 for CANCELLED, 400 for FAILED_PRECONDITION. */
export function httpStatusOf(code: GrpcCode): number {
  return httpByCode[code]
}
