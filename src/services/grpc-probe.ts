import type { Answer } from '../core/answer.ts'
import type { Body } from '../core/body.ts'
import { BytesBody, END } from '../core/body.ts'
import type { Clock } from '../core/clock.ts'
import { Fault } from '../core/fault.ts'
import { Headers } from '../core/headers.ts'
import type { ClientWire } from '../wire/client-wire.ts'
import type { Probe } from './prober.ts'
import { probeExchange } from './prober.ts'

const path = '/grpc.health.v1.Health/Check'
/** An answer is seven bytes; whoever sends more than this is asked too much of. */
const maxAnswerBytes = 1024
const headers = [
  ['content-type', 'application/grpc'],
  ['user-agent', 'velum-health'],
] as const

/** `ServingStatus` of grpc.health.v1, by number. */
const servingStatuses = ['unknown', 'serving', 'not-serving', 'service-unknown']

/**
 * Asks grpc.health.v1.Health, by `Check`, whether this service (or with '' the whole target) is serving. A target that
 * does not know the health service or the name is not well: it was meant to. The wire keeps the time.
 */
export function grpcProbe(wire: ClientWire, service: string, clock: Clock): Probe {
  const request = checkRequest(service)
  return async () => {
    const call = {
      method: 'POST',
      target: path,
      authority: undefined,
      headers: Headers.from(headers),
      body: new BytesBody(request),
      upgrade: undefined,
      headBy: Infinity,
    }
    try {
      return await whatIsWrong(await wire.send(call, probeExchange(path, clock)))
    } catch (thrown) {
      return thrown instanceof Fault ? thrown.code : 'internal'
    }
  }
}

async function whatIsWrong({ status, headers: head, body }: Answer): Promise<string> {
  if (status !== 200) {
    body.cancel(new Fault('cancelled', 'a probe reads no further'))
    return `status ${status}`
  }
  const content = await readAll(body)
  const code = body.trailers()?.get('grpc-status') ?? head.get('grpc-status')
  if (code !== '0') return code === undefined ? 'no grpc-status' : `grpc-status ${code}`
  const serving = servingStatus(content)
  return serving === 1 ? '' : (servingStatuses[serving] ?? 'nonsense')
}

/** A length-prefixed `HealthCheckRequest { string service = 1; }`. */
function checkRequest(service: string): Buffer {
  const name = Buffer.from(service)
  // A name of the schema's bound has a length of one byte.
  const message = name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name])
  const prefix = Buffer.alloc(5)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

/** The number in a length-prefixed `HealthCheckResponse { ServingStatus status = 1; }`; -1 for nonsense. */
function servingStatus(content: Buffer): number {
  if (content.length < 5 || content[0] !== 0 || content.readUInt32BE(1) !== content.length - 5) return -1
  const message = content.subarray(5)
  if (message.length === 0) return 0
  return message.length === 2 && message[0] === 0x08 ? message[1] : -1
}

async function readAll(body: Body): Promise<Buffer> {
  if (body.bytes !== undefined) return body.bytes
  const pieces: Buffer[] = []
  let size = 0
  for (;;) {
    const piece = await body.pull()
    if (piece === END) return Buffer.concat(pieces)
    size += piece.length
    if (size > maxAnswerBytes) {
      const why = new Fault('service-nonsense', 'the answer to a health check is too long')
      body.cancel(why)
      throw why
    }
    pieces.push(Buffer.from(piece))
  }
}
