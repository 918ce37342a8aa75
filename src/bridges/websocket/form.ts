import type { Registry } from '@bufbuild/protobuf'
import { Fault } from '../../core/fault.ts'
import type { Headers } from '../../core/headers.ts'
import type { GrpcStatus } from '../grpc/grpc-status.ts'
import { callersCode } from '../grpc/grpc-status.ts'
import { eachTrailer } from '../grpc/metadata.ts'
import { statusJson } from '../grpc/status-json.ts'
import type { Json } from '../json/json-text.ts'
import { ExactNumber } from '../json/json-text.ts'
import { parseJsonBytes } from '../json/message-codec.ts'
import type { MethodCodecs } from '../json/method-codecs.ts'

/** A frame that is no message: the caller will send no more of them. */
export const HALF_CLOSE = Symbol('half-close')

/** How the messages of a call travel in the frames of a WebSocket. Control frames are text in both forms. */
export interface WebSocketForm {
  /** A frame of the caller as the bytes of a message. Throws `malformed` and `unfit-message`. */
  read(frame: Buffer, isBinary: boolean): Uint8Array | typeof HALF_CLOSE
  /** A message of the service as a frame: text for a string. Throws `service-nonsense`. */
  write(message: Buffer): string | Buffer
}

/** Subprotocol `velum.grpc.json.v1`: each message is the JSON of a text frame. */
export function jsonForm({ input, output }: MethodCodecs): WebSocketForm {
  return {
    read(frame, isBinary) {
      if (isBinary) throw new Fault('malformed', 'a message must be text')
      const { value, hasExact } = parsed(frame)
      return isHalfClose(value) ? HALF_CLOSE : input.bytesOf(input.fromJson(value, hasExact))
    },
    write: (message) => output.toText(message),
  }
}

/** Subprotocol `velum.grpc.proto.v1`: each message is the bytes of a binary frame, as it goes to the service. */
export const protoForm: WebSocketForm = {
  read(frame, isBinary) {
    if (isBinary) return frame
    if (isHalfClose(parsed(frame).value)) return HALF_CLOSE
    throw new Fault('malformed', 'a message must be binary')
  },
  write: (message) => message,
}

/** The last frame of a call: how it ended. */
export function statusFrame(status: GrpcStatus, trailers: Headers, registry: Registry): string {
  const metadata = new Map<string, string>()
  eachTrailer(trailers, (name, value) => {
    const before = metadata.get(name)
    metadata.set(name, before === undefined ? value : `${before}, ${value}`)
  })
  const said = { ...statusJson(status, registry), code: callersCode(status) }
  return JSON.stringify({ $status: said, $trailers: Object.fromEntries(metadata) })
}

function parsed(frame: Buffer): ReturnType<typeof parseJsonBytes> {
  try {
    return parseJsonBytes(frame)
  } catch (thrown) {
    if (!(thrown instanceof Fault)) throw thrown
    throw new Fault('malformed', thrown.message.replace('the content', 'a frame'))
  }
}

/** `{"$end":true}`: no message has such a member, since field names have no "$". */
function isHalfClose(value: Json): boolean {
  if (value === null || typeof value !== 'object' || Array.isArray(value) || value instanceof ExactNumber) return false
  return value['$end'] === true && Object.keys(value).length === 1
}
