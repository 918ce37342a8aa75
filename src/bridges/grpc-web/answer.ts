import { Answer } from '../../core/answer.ts'
import { BytesBody } from '../../core/body.ts'
import { Headers } from '../../core/headers.ts'
import type { Problem } from '../../core/problem.ts'
import { FramedStream } from '../grpc/framed-stream.ts'
import { framed } from '../grpc/frames.ts'
import type { GrpcAnswer } from '../grpc/grpc-call.ts'
import type { GrpcStatus } from '../grpc/grpc-status.ts'
import { fromMetadata } from '../grpc/metadata.ts'
import { problemStatus } from '../grpc/problem-status.ts'
import type { WebForm } from './content-type.ts'
import { trailersFrame } from './trailers-frame.ts'

/** The answer to a call: its messages framed, and a frame of trailers that says how it ended, whatever happened. */
export function webAnswer(answer: GrpcAnswer, form: WebForm): Answer {
  const { status, trailers } = answer
  // Of an answer of headers alone these are its trailers; they go into the frame.
  const headers = status === undefined ? fromMetadata(answer.metadata) : new Headers()
  headers.set('content-type', form.type)
  if (status !== undefined) return new Answer(200, headers, new BytesBody(encoded(trailersFrame(status, trailers), form)))
  const frames = {
    message: framed,
    end: (ended: GrpcStatus) => trailersFrame(ended, answer.trailers),
    encoded: (bytes: Buffer) => encoded(bytes, form),
  }
  return new Answer(200, headers, new FramedStream(answer, frames))
}

/** A problem as callers of gRPC-Web understand it. What HTTP would say in a field stands in the head. */
export function webProblem(problem: Problem, form: WebForm): Answer {
  const headers = new Headers()
  if (problem.headers !== undefined) headers.put(problem.headers)
  headers.set('content-type', form.type)
  return new Answer(200, headers, new BytesBody(encoded(trailersFrame(problemStatus(problem)), form)))
}

function encoded(bytes: Buffer, { isText }: WebForm): Buffer {
  return isText ? Buffer.from(bytes.toString('base64'), 'latin1') : bytes
}
