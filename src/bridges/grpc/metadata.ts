import { headerId } from '../../core/header-names.ts'
import { H } from '../../core/header-names.ts'
import { dropTable, marksPerLine } from '../../core/headers.ts'
import type { DropTable, Headers } from '../../core/headers.ts'

/** Ids of the fields that gRPC and its kin on the web give a meaning. */
export const G = {
  grpcStatus: headerId('grpc-status'),
  grpcMessage: headerId('grpc-message'),
  grpcStatusDetails: headerId('grpc-status-details-bin'),
  grpcEncoding: headerId('grpc-encoding'),
  grpcAcceptEncoding: headerId('grpc-accept-encoding'),
} as const

/**
 * Fields about the caller's message that say nothing true of ours: its form, its ranges and conditions. Whatever begins
 * with a protocol's prefix is dropped too, so that a caller cannot set what only the bridge may say.
 */
const callerOnly: DropTable = dropTable([
  H.contentType,
  H.contentLength,
  H.contentEncoding,
  H.accept,
  H.acceptEncoding,
  H.te,
  H.grpcTimeout,
  headerId('content-language'),
  headerId('content-location'),
  headerId('content-range'),
  headerId('content-md5'),
  headerId('content-digest'),
  headerId('range'),
  headerId('if-match'),
  headerId('if-none-match'),
  headerId('if-modified-since'),
  headerId('if-unmodified-since'),
  headerId('if-range'),
  headerId('sec-websocket-key'),
  headerId('sec-websocket-version'),
  headerId('sec-websocket-protocol'),
  headerId('sec-websocket-extensions'),
  headerId('x-grpc-web'),
  ...Object.values(G),
])

const protocolPrefixes = ['grpc-', 'connect-', 'trailer-']

/** What every call says of itself; compressed answers are welcome. */
const callLines = 'content-type: application/grpc\r\ngrpc-accept-encoding: gzip\r\n'

/**
 * The metadata of a gRPC call from the headers of a caller's request, without what is about the caller's own message and
 * what only a bridge may say. A list of its own, which leaves the caller's as it is.
 */
export function toMetadata(headers: Headers): Headers {
  const metadata = headers.copy(callerOnly)
  for (const name of unwanted(headers)) metadata.remove(name)
  metadata.putLines(callLines)
  return metadata
}

/** Names among the received lines that no metadata may have: a protocol's own, or with a value beyond ASCII. */
function unwanted(headers: Headers): readonly string[] {
  const { text, marks, lineCount } = headers
  let found: string[] | undefined
  for (let i = 0, at = 0; i < lineCount; i++, at += marksPerLine) {
    if (!hasPrefix(text, marks[at + 1]) && isAscii(text, marks[at + 3], marks[at + 4])) continue
    ;(found ??= []).push(text.slice(marks[at + 1], marks[at + 2]).toLowerCase())
  }
  return found ?? none
}

const none: readonly string[] = []

function hasPrefix(text: string, start: number): boolean {
  // Every prefix begins with one of these letters: most names are told by the first.
  const first = text.charCodeAt(start) | 32
  if (first !== 103 && first !== 99 && first !== 116) return false
  for (const prefix of protocolPrefixes) {
    let i = 0
    // "_" is "-" to many a service.
    while (i < prefix.length && fold(text.charCodeAt(start + i)) === prefix.charCodeAt(i)) i++
    if (i === prefix.length) return true
  }
  return false
}

function fold(code: number): number {
  if (code === 95) return 45
  return code >= 65 && code <= 90 ? code + 32 : code
}

function isAscii(text: string, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (text.charCodeAt(i) > 126) return false
  return true
}

const answerOnly: DropTable = dropTable([H.contentType, H.contentLength, H.contentEncoding, ...Object.values(G)])

/** Makes the metadata that began a service's answer the headers of ours: what is gRPC's own is gone. */
export function fromMetadata(metadata: Headers): Headers {
  metadata.drop(answerOnly)
  return metadata
}

/** Names among the fields that end a call which are no metadata: gRPC's own, and those of a head that was the whole answer. */
const noMetadata = new Set([
  'grpc-status',
  'grpc-message',
  'grpc-status-details-bin',
  'grpc-encoding',
  'grpc-accept-encoding',
  'content-type',
  'content-length',
  'date',
  'server',
])

/** Calls `visit` for the metadata that ended a call, names in lower case. */
export function eachTrailer(trailers: Headers, visit: (name: string, value: string) => void): void {
  trailers.forEach((name, value) => {
    const lower = name.toLowerCase()
    if (!noMetadata.has(lower)) visit(lower, value)
  })
}
