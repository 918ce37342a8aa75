import type { Registry } from '@bufbuild/protobuf'
import { Answer } from '../../core/answer.ts'
import { BytesBody, textBody } from '../../core/body.ts'
import { grpcCodes } from '../../core/grpc-status.ts'
import { Headers, headerBlock } from '../../core/headers.ts'
import type { Problem } from '../../core/problem.ts'
import { problemOf, problems } from '../../core/problem.ts'
import { FramedStream } from '../grpc/framed-stream.ts'
import { framed } from '../grpc/frames.ts'
import type { GrpcAnswer, UnaryEnd } from '../grpc/grpc-call.ts'
import type { GrpcStatus } from '../grpc/grpc-status.ts'
import { callersCode, httpStatusOf } from '../grpc/grpc-status.ts'
import { eachTrailer, fromMetadata } from '../grpc/metadata.ts'
import { problemStatus } from '../grpc/problem-status.ts'
import { retryAfterSeconds } from '../grpc/status-json.ts'
import type { ConnectForm } from './content-type.ts'
import { errorJson } from './error-json.ts'

/** A message of the service as the caller wants it. */
export type Encode = (message: Buffer) => Buffer

const endFlag = 2

const errorBlock = headerBlock([
  ['content-type', 'application/json'],
  ['cache-control', 'no-store'],
])

/** The answer to a call of one message each way: plain HTTP, trailers as fields with a prefix. */
export function unaryAnswer(
  { message, status, metadata, trailers }: UnaryEnd,
  form: ConnectForm,
  encode: Encode,
  registry: Registry,
): Answer {
  // Of an answer of headers alone these are its trailers.
  const headers = metadata === trailers ? new Headers() : fromMetadata(metadata)
  eachTrailer(trailers, (lower, value) => {
    const name = `trailer-${lower}`
    headers.set(name, headers.has(name) ? `${headers.get(name)}, ${value}` : value)
  })
  if (message === undefined) return errorAnswer(status, registry, headers)
  headers.set('content-type', form.type)
  return new Answer(200, headers, new BytesBody(encode(message)))
}

/** The answer to a call that streams: its messages framed, and a frame that says how it ended, whatever happened. */
export function streamAnswer(answer: GrpcAnswer, form: ConnectForm, encode: Encode, registry: Registry): Answer {
  const headers = answer.status === undefined ? fromMetadata(answer.metadata) : new Headers()
  headers.set('content-type', form.type)
  const frames = {
    message: (message: Buffer) => framed(encode(message)),
    end: (status: GrpcStatus) => endFrame(status, answer.trailers, registry),
    encoded: (bytes: Buffer) => bytes,
  }
  return new Answer(200, headers, new FramedStream(answer, frames))
}

/** A problem as callers of Connect understand it. What HTTP would say in a field stands in the head. */
export function connectProblem(problem: Problem, form: ConnectForm): Answer {
  const isMalformed = problem.name === 'malformed'
  const status = isMalformed ? { ...problemStatus(problem), code: grpcCodes['invalid-argument'] } : problemStatus(problem)
  const headers = new Headers()
  if (problem.headers !== undefined) headers.put(problem.headers)
  if (!form.isStream) {
    const answer = errorAnswer(status, undefined, headers)
    // What HTTP itself has a word for is not a matter of the code.
    if (problem.name === 'method-not-allowed' || problem.name === 'unsupported-type') answer.status = problems[problem.name].status
    return answer
  }
  headers.set('content-type', form.type)
  return new Answer(200, headers, new BytesBody(endFrame(status, noHeaders, undefined)))
}

function errorAnswer(status: GrpcStatus, registry: Registry | undefined, headers: Headers): Answer {
  headers.put(errorBlock)
  const wait = status.fault === undefined ? undefined : problemOf(status.fault).headers
  if (wait !== undefined) headers.put(wait)
  const seconds = retryAfterSeconds(status)
  if (seconds !== undefined) headers.set('retry-after', String(seconds))
  // A 401 must carry a challenge (RFC 9110 §11.6.1).
  if (status.code === grpcCodes.unauthenticated && !headers.has('www-authenticate')) headers.set('www-authenticate', 'Bearer')
  return new Answer(httpStatusOf(callersCode(status)), headers, textBody(JSON.stringify(errorJson(status, registry))))
}

function endFrame(status: GrpcStatus, trailers: Headers, registry: Registry | undefined): Buffer {
  const metadata: [string, string[]][] = []
  eachTrailer(trailers, (name, value) => {
    const same = metadata.find(([known]) => known === name)
    if (same === undefined) metadata.push([name, [value]])
    else same[1].push(value)
  })
  const end = {
    error: status.code === grpcCodes.ok ? undefined : errorJson(status, registry),
    metadata: metadata.length === 0 ? undefined : Object.fromEntries(metadata),
  }
  return framed(Buffer.from(JSON.stringify(end)), endFlag)
}

const noHeaders = new Headers()
