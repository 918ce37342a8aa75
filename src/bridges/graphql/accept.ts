import { trimSpace } from '../../lib/trim-space.ts'
import { acceptRanges } from '../accept-ranges.ts'

/** The forms in which a caller takes its answer. */
export interface Accepted {
  /** The media type of an answer in one piece; undefined: none is accepted. */
  readonly single: ResponseType | undefined
  /** Whether events are accepted, which subscriptions need. */
  readonly events: boolean
}

export type ResponseType = 'application/graphql-response+json' | 'application/json'

/**
 * What an `Accept` asks for, by quality and then by its order. Whoever takes anything gets `usual`.
 */
export function readAccept(accept: string | undefined, usual: ResponseType): Accepted {
  if (accept === undefined || trimSpace(accept) === '') return { single: usual, events: false }
  let single: ResponseType | undefined
  let best = 0
  let events = false
  for (const { type, quality } of acceptRanges(accept)) {
    if (!(quality > 0)) continue
    if (type === 'text/event-stream') events = true
    const offered = type === '*/*' || type === 'application/*' ? usual : responseType(type)
    if (offered === undefined || quality <= best) continue
    single = offered
    best = quality
  }
  return { single, events }
}

function responseType(type: string): ResponseType | undefined {
  return type === 'application/graphql-response+json' || type === 'application/json' ? type : undefined
}

/** Whether a content type is JSON in UTF-8, which is the only form that requests have. */
export function isJsonRequest(contentType: string | undefined): boolean {
  if (contentType === undefined) return false
  const [type, ...parameters] = contentType.split(';').map((part) => trimSpace(part).toLowerCase())
  const charset = parameters.find((parameter) => parameter.startsWith('charset='))
  return type === 'application/json' && (charset === undefined || /^charset="?utf-8"?$/.test(charset))
}
