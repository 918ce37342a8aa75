import { trimSpace } from '../../lib/trim-space.ts'
import { acceptRanges } from '../accept-ranges.ts'
import { heartbeatMs, heartbeatText, eventText } from '../sse/event-text.ts'

/** One way to write a stream of messages to a client of HTTP. */
export interface StreamForm {
  readonly type: string
  /** Each message as it goes out; `isFirst` for the first one. */
  message(json: string, isFirst: boolean): string
  /** Behind the last message when all went well; `isEmpty` when there was none. */
  ended(isEmpty: boolean): string
  /** The service's status when it is an error; undefined where the form has no place for one: the answer is broken off. */
  failed(status: string): string | undefined
  /** What is sent when nothing was for so long; undefined: nothing. */
  readonly heartbeat: { readonly text: string; readonly afterMs: number } | undefined
}

/** Server-sent events: data as they come, at the end `event: end`, or `event: error` with a google.rpc.Status. */
export const eventForm: StreamForm = {
  type: 'text/event-stream',
  message: (json) => eventText(json),
  ended: () => eventText('{}', 'end'),
  failed: (status) => eventText(status, 'error'),
  heartbeat: { text: heartbeatText, afterMs: heartbeatMs },
}

/** One message a line; an error is a last line of its own, `{"$status":{…}}`: no message has such a member. */
export const lineForm: StreamForm = {
  type: 'application/x-ndjson',
  message: (json) => `${json}\n`,
  ended: () => '',
  failed: (status) => `{"$status":${status}}\n`,
  heartbeat: undefined,
}

/** A JSON array. It has no place for an error, so the answer is broken off and its bracket never closed. */
export const arrayForm: StreamForm = {
  type: 'application/json',
  message: (json, isFirst) => (isFirst ? `[${json}` : `,\n${json}`),
  ended: (isEmpty) => (isEmpty ? '[]' : ']'),
  failed: () => undefined,
  heartbeat: undefined,
}

const byType: ReadonlyMap<string, StreamForm> = new Map([
  ['text/event-stream', eventForm],
  ['application/x-ndjson', lineForm],
  ['application/ndjson', lineForm],
  ['application/jsonl', lineForm],
  ['application/json', arrayForm],
  ['application/*', lineForm],
  ['*/*', lineForm],
])

/**
 * The form that an `Accept` asks for, by quality and then by its order; lines where it says nothing, undefined when
 * none of them is acceptable.
 */
export function acceptedForm(accept: string | undefined): StreamForm | undefined {
  if (accept === undefined || trimSpace(accept) === '') return lineForm
  let best: StreamForm | undefined
  let bestQuality = 0
  for (const { type, quality } of acceptRanges(accept)) {
    const form = byType.get(type)
    if (form !== undefined && quality > bestQuality) {
      best = form
      bestQuality = quality
    }
  }
  return best
}
