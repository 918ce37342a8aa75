/** One server-sent event of JSON, which has no line breaks of its own (WHATWG HTML, "Server-sent events"). */
export function eventText(json: string, event?: string): string {
  return event === undefined ? `data: ${json}\n\n` : `event: ${event}\ndata: ${json}\n\n`
}

/** A comment that keeps a quiet stream from being taken for a dead one. */
export const heartbeatText = ': \n\n'

/** How long a stream of events is quiet before a comment is sent. */
export const heartbeatMs = 15_000
