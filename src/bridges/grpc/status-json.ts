import { fromBinary, toJson } from '@bufbuild/protobuf'
import type { JsonValue, Registry } from '@bufbuild/protobuf'
import { retryInfoType, statusType } from '../descriptors/built-in.ts'
import type { GrpcStatus } from './grpc-status.ts'

/** A detail of an error: google.protobuf.Any. */
export interface StatusDetail {
  readonly typeUrl: string
  readonly value: Uint8Array
}

/** A status as `google.rpc.Status` in JSON. Details of types that are not known stand there as base64. */
export function statusJson(status: GrpcStatus, registry: Registry): { readonly [name: string]: JsonValue } {
  const details = statusDetails(status).map((any) => detailJson(any, registry))
  const { code, message } = status
  return details.length === 0 ? { code, message } : { code, message, details }
}

function detailJson({ typeUrl, value }: StatusDetail, registry: Registry): JsonValue {
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

/** The details of a status (`grpc-status-details-bin`); none when it has none or they cannot be read. */
export function statusDetails({ details }: GrpcStatus): readonly StatusDetail[] {
  if (details === undefined) return []
  try {
    return (fromBinary(statusType, details) as unknown as { details: StatusDetail[] }).details
  } catch {
    return []
  }
}

/** Whole seconds that a status asks its caller to wait (`google.rpc.RetryInfo`), at least 1; undefined when it does not. */
export function retryAfterSeconds(status: GrpcStatus): number | undefined {
  const info = statusDetails(status).find(({ typeUrl }) => typeUrl.endsWith('/google.rpc.RetryInfo'))
  if (info === undefined) return undefined
  try {
    const { retryDelay } = fromBinary(retryInfoType, info.value) as unknown as { retryDelay?: { seconds: bigint; nanos: number } }
    if (retryDelay === undefined) return undefined
    return Math.max(1, Number(retryDelay.seconds) + (retryDelay.nanos > 0 ? 1 : 0))
  } catch {
    return undefined
  }
}
