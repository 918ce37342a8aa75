import type { Descriptors } from '../descriptors/descriptors.ts'
import { methodOfTarget } from '../grpc/method-path.ts'
import { headerId, H } from '../../core/header-names.ts'
import type { Headers } from '../../core/headers.ts'
import { mediaTypeOf } from '../../lib/media-type.ts'

/** Ids of the fields that the Connect protocol gives a meaning. */
export const C = {
  protocolVersion: headerId('connect-protocol-version'),
  timeout: headerId('connect-timeout-ms'),
  contentEncoding: headerId('connect-content-encoding'),
} as const

/** A form of Connect: plain HTTP for one message each way (by POST or GET), or frames. */
export interface ConnectForm {
  readonly type: string
  readonly isStream: boolean
  readonly isJson: boolean
  readonly isGet: boolean
}

const posted: ReadonlyMap<string, ConnectForm> = new Map(
  ['application/json', 'application/proto', 'application/connect+json', 'application/connect+proto'].map((type) => {
    const isStream = type.includes('connect+')
    return [type, { type, isStream, isJson: type.endsWith('json'), isGet: false }]
  }),
)
const gotJson: ConnectForm = { type: 'application/json', isStream: false, isJson: true, isGet: true }
const gotProto: ConnectForm = { type: 'application/proto', isStream: false, isJson: false, isGet: true }

/**
 * The form in which a request speaks Connect; undefined when it does not. JSON alone is no sign of it: the request says
 * so (`connect-protocol-version`), or its path names a method. What is not known yet may be one.
 */
export function connectFormOf(
  method: string,
  target: string,
  headers: Headers,
  descriptors: Descriptors | undefined,
): ConnectForm | undefined {
  if (method === 'POST') {
    const form = postedForm(headers.first(H.contentType))
    if (form === undefined || form.type !== 'application/json' || headers.first(C.protocolVersion) !== undefined) return form
    return descriptors === undefined || methodOfTarget(target, descriptors) !== undefined ? form : undefined
  }
  if (method !== 'GET' && method !== 'HEAD') return undefined
  const question = target.indexOf('?')
  if (question === -1) return undefined
  const encoding = /(?:^|&)encoding=([^&]*)/.exec(target.slice(question + 1))?.[1]
  const form = encoding === 'proto' ? gotProto : gotJson
  if (/[?&]connect=v1(?:&|$)/.test(target)) return form
  if (encoding === undefined || descriptors === undefined) return undefined
  return methodOfTarget(target, descriptors) === undefined ? undefined : form
}

function postedForm(contentType: string | undefined): ConnectForm | undefined {
  if (contentType?.startsWith('application/') !== true) return undefined
  const form = posted.get(contentType)
  if (form !== undefined) return form
  const [type, charset] = contentType.split(';', 2)
  // JSON is UTF-8 and nothing else.
  return charset === undefined || /^[ \t]*charset="?utf-8"?[ \t]*$/i.test(charset) ? posted.get(mediaTypeOf(type)) : undefined
}
