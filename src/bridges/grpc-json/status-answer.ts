import { fromBinary, toJson } from '@bufbuild/protobuf'
import type { JsonValue, Registry } from '@bufbuild/protobuf'
import { Answer } from '../../core/answer.ts'
import { textBody } from '../../core/body.ts'
import { grpcCodes } from '../../core/grpc-status.ts'
import { headerBlock, Headers } from '../../core/headers.ts'
import { retryInfoType, statusType } from '../descriptors/built-in.ts'
import type { GrpcStatus } from '../grpc/grpc-status.ts'
import { httpStatusOf } from '../grpc/grpc-status.ts'

interface AnyMessage {
  readonly typeUrl: string
  readonly value: Uint8Array
}

/** A status as `google.rpc.Status` in JSON. Details of types that are not known stand there as base64. */
export function statusJson(status: GrpcStatus, registry: Registry): { readonly [name: string]: JsonValue } {
  const details = detailsOf(status).map((any) => detailJson(any, registry))
  const { code, message } = status
  return details.length === 0 ? { code, message } : { code, message, details }
}

function detailJson({ typeUrl, value }: AnyMessage, registry: Registry): JsonValue {
  const desc = registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf('/') + 1))
  if (desc !== undefined) {
    try {
      const json = toJson(desc, fromBinary(desc, value), { registry })
      const isObject = json !== null && typeof json === 'object' && !Array.isArray(json)
      if (isObject && !desc.typeName.startsWith('google.protobuf.')) return { '@type': typeUrl, ...json }
      return { '@type': typeUrl, value: json }
    } catch {
      // An error whose details cannot be read is still that error.
    }
  }
  return { '@type': typeUrl, value: Buffer.from(value).toString('base64') }
}

function detailsOf({ details }: GrpcStatus): readonly AnyMessage[] {
  if (details === undefined) return []
  try {
    return (fromBinary(statusType, details) as unknown as { details: AnyMessage[] }).details
  } catch {
    return []
  }
}

/** Whole seconds that a status asks its caller to wait (`google.rpc.RetryInfo`), at least 1; undefined when it does not. */
export function retryAfterSeconds(status: GrpcStatus): number | undefined {
  const info = detailsOf(status).find(({ typeUrl }) => typeUrl.endsWith('/google.rpc.RetryInfo'))
  if (info === undefined) return undefined
  try {
    const { retryDelay } = fromBinary(retryInfoType, info.value) as unknown as { retryDelay?: { seconds: bigint; nanos: number } }
    if (retryDelay === undefined) return undefined
    return Math.max(1, Number(retryDelay.seconds) + (retryDelay.nanos > 0 ? 1 : 0))
  } catch {
    return undefined
  }
}

const errorBlock = headerBlock([
  ['content-type', 'application/json'],
  ['cache-control', 'no-store'],
])

/** The answer to a call that the service ended with an error: its status in HTTP's codes and in JSON. */
export function statusAnswer(status: GrpcStatus, registry: Registry, headers = new Headers()): Answer {
  headers.put(errorBlock)
  const seconds = retryAfterSeconds(status)
  if (seconds !== undefined) headers.set('retry-after', String(seconds))
  // A 401 must carry a challenge (RFC 9110 §11.6.1); the service's words are none.
  if (status.code === grpcCodes.unauthenticated && !headers.has('www-authenticate')) headers.set('www-authenticate', 'Bearer')
  return new Answer(httpStatusOf(status.code), headers, textBody(JSON.stringify(statusJson(status, registry))))
}
