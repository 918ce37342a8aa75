import type { JsonValue, Registry } from '@bufbuild/protobuf'
import type { GrpcStatus } from '../grpc/grpc-status.ts'
import { callersCode } from '../grpc/grpc-status.ts'
import { statusDetails, statusJson } from '../grpc/status-json.ts'

const names: readonly string[] = [
  'unknown', // OK is never an error
  'canceled',
  'unknown',
  'invalid_argument',
  'deadline_exceeded',
  'not_found',
  'already_exists',
  'permission_denied',
  'resource_exhausted',
  'failed_precondition',
  'aborted',
  'out_of_range',
  'unimplemented',
  'internal',
  'unavailable',
  'data_loss',
  'unauthenticated',
]

/** An error as Connect writes it in JSON. `registry` knows the types of details; without it they are bytes alone. */
export function errorJson(status: GrpcStatus, registry: Registry | undefined): { readonly [name: string]: JsonValue } {
  const code = names[callersCode(status)]
  const { message } = status
  const details = statusDetails(status)
  const words = message === '' ? { code } : { code, message }
  if (details.length === 0) return words
  const read = registry === undefined ? undefined : (statusJson(status, registry)['details'] as { [name: string]: JsonValue }[])
  const written = details.map(({ typeUrl, value }, i): { [name: string]: JsonValue } => {
    const type = typeUrl.slice(typeUrl.lastIndexOf('/') + 1)
    const detail: { [name: string]: JsonValue } = { type, value: Buffer.from(value).toString('base64').replace(/=+$/, '') }
    const { '@type': _, ...debug } = read?.[i] ?? {}
    if (registry?.getMessage(type) !== undefined) detail['debug'] = debug
    return detail
  })
  return { ...words, details: written }
}
