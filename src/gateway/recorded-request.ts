import type { CallerFacts } from '../core/identity.ts'
import { parseStrictJson } from '../lib/strict-json.ts'
import { isObject } from '../lib/is-object.ts'

/** A line of the access log, as far as deciding again needs it. */
export interface RecordedRequest {
  /** Milliseconds since 1970 of its first byte. */
  readonly at: number
  readonly durationMs: number
  readonly id: string
  readonly method: string
  readonly host: string
  readonly path: string
  readonly query: string | undefined
  readonly status: number
  readonly listener: string
  readonly isTls: boolean
  readonly address: string
  readonly route: string | undefined
  readonly refused: { readonly policy: string; readonly code: string } | undefined
  readonly caller: CallerFacts | undefined
  readonly contentType: string | undefined
  /** Declared, or received; 0: no content. */
  readonly length: number
  /** Header lines that are known: those by which the configuration of then decided, and those of CORS and CSRF. */
  readonly headers: readonly (readonly [string, string])[]
  /** Hash of the configuration that served it, shortened. */
  readonly generation: string
}

/**
 * What a line is: a request; something of the log that is none (`other`); a request in one of Apache's formats, which tell
 * too little (`terse`); or no line of an access log at all.
 */
export type ReadLine = RecordedRequest | 'other' | 'terse' | 'broken'

const commonFormat = /^\S+ \S+ \S+ \[\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "/

const maxLineLength = 65_536
/** What a line was written between: before the first, and after the last, no gateway wrote one. */
const earliest = Date.UTC(2020, 0, 1)
const latest = Date.UTC(2100, 0, 1)

/** Reads one line. Never throws: logs are cut off, mixed and written by others. */
export function readRecordedLine(line: string): ReadLine {
  if (line.length > maxLineLength) return 'broken'
  if (!line.startsWith('{') && commonFormat.test(line)) return 'terse'
  const value = parseStrictJson(Buffer.from(line))
  if (!isObject(value)) return 'broken'
  if (value['msg'] !== 'access') return typeof value['msg'] === 'string' ? 'other' : 'broken'
  const { time, durationMs, id, method, host, path, status, listener, address } = value
  const isWhole =
    isNumber(time) &&
    time >= earliest &&
    time < latest &&
    isNumber(durationMs) &&
    isNumber(status) &&
    isText(id) &&
    isText(method) &&
    isText(host) &&
    isText(path) &&
    isText(listener) &&
    isText(address) &&
    path.startsWith('/')
  if (!isWhole) return 'broken'
  return {
    at: time,
    durationMs,
    id,
    method,
    host,
    path,
    query: optional(value['query']),
    status,
    listener,
    isTls: isText(value['tls']),
    address,
    route: optional(value['route']),
    refused:
      isText(value['refusedBy']) && isText(value['verdict']) ? { policy: value['refusedBy'], code: value['verdict'] } : undefined,
    caller: callerOf(value),
    contentType: optional(value['contentType']),
    length: isNumber(value['length']) ? value['length'] : isNumber(value['receivedBytes']) ? value['receivedBytes'] : 0,
    headers: headersOf(value),
    generation: optional(value['generation']) ?? '',
  }
}

function callerOf(value: Readonly<Record<string, unknown>>): CallerFacts | undefined {
  const { subject, issuer, credential, claims } = value
  if (!isText(subject) || !isText(issuer) || !isText(credential)) return undefined
  return {
    kind: credential,
    issuer,
    subject,
    tenant: optional(value['tenant']),
    client: optional(value['client']),
    scopes: texts(value['scopes']),
    roles: texts(value['roles']),
    claims: isObject(claims) ? claims : {},
  }
}

function headersOf(value: Readonly<Record<string, unknown>>): (readonly [string, string])[] {
  const { headers, origin, site, asks } = value
  const lines: (readonly [string, string])[] = []
  if (isObject(headers)) {
    for (const [name, text] of Object.entries(headers)) if (isText(text) && isHeader(name, text)) lines.push([name, text])
  }
  const own = [
    ['origin', origin],
    ['sec-fetch-site', site],
    ['access-control-request-method', asks],
  ] as const
  for (const [name, text] of own) {
    if (isText(text) && isHeader(name, text) && !lines.some(([there]) => there === name)) lines.push([name, text])
  }
  return lines
}

/** A log that was tampered with must not stop what reads it. */
function isHeader(name: string, value: string): boolean {
  return /^[!#$%&'*+\-.^`|~0-9a-z]+$/.test(name) && /^[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?$/.test(value)
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter(isText) : []
}

function optional(value: unknown): string | undefined {
  return isText(value) ? value : undefined
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value)
}
