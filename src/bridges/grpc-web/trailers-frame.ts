import { grpcMessage } from '../../core/grpc-status.ts'
import type { Headers } from '../../core/headers.ts'
import type { GrpcStatus } from '../grpc/grpc-status.ts'
import { framed } from '../grpc/frames.ts'
import { eachTrailer } from '../grpc/metadata.ts'

const trailersFlag = 0x80

/**
 * The last frame of an answer: status and trailing metadata as lines of HTTP/1, names in lower case. Never compressed:
 * some clients cannot read that (connect-go #535).
 */
export function trailersFrame(status: Pick<GrpcStatus, 'code' | 'message' | 'details'>, trailers?: Headers): Buffer {
  let text = `grpc-status: ${status.code}\r\n`
  if (status.message !== '') text += `grpc-message: ${grpcMessage(status.message)}\r\n`
  if (status.details !== undefined) text += `grpc-status-details-bin: ${status.details.toString('base64')}\r\n`
  if (trailers !== undefined)
    eachTrailer(trailers, (name, value) => {
      text += `${name}: ${value}\r\n`
    })
  return framed(Buffer.from(text, 'latin1'), trailersFlag)
}
