import type { Caller, Question, Reply } from './callers.ts'
import { isWhole } from './content.ts'
import type { Admin } from './gateway-process.ts'
import type { Arrival, Ledger } from './ledger.ts'
import type { Services, SoakTypes } from './services.ts'

/** Everything that activities use. */
export interface World {
  readonly ledger: Ledger
  readonly types: SoakTypes
  readonly services: Services
  readonly admin: Admin
  readonly plain: string
  readonly secure: string
  /** PEM of the authority of the gateway's certificates. */
  readonly ca: string
  readonly callers: {
    readonly http1: Caller
    readonly http1Secure: Caller
    readonly http1Fresh: Caller
    readonly http2: Caller
    readonly http2Plain: Caller
  }
  readonly isStopping: () => boolean
}

/** Something that clients do again and again. */
export interface Activity {
  readonly name: string
  readonly perSecond: number
  /** Does it once. What it must not meet it notes in the ledger; what it throws is noted for it. */
  run(): Promise<void>
}

export interface Expected {
  /** Default: 200. */
  readonly status?: number
  /** Default: once. */
  readonly arrival?: Arrival
  /** Whether the answer carries the fields by which it is known to be whole. Default: true for 200 and 201. */
  readonly isSealed?: boolean
}

/** One request whose answer, arrivals and bytes are compared with what is expected; undefined when there was none. */
export async function asked(
  { ledger }: World,
  activity: string,
  caller: Caller,
  question: Question,
  { status = 200, arrival = 'once', isSealed = status === 200 || status === 201 }: Expected = {},
): Promise<Reply | undefined> {
  const id = ledger.begin(activity)
  let reply: Reply
  try {
    reply = await caller.ask({ ...question, headers: { ...question.headers, 'x-soak-id': id } })
  } catch (thrown) {
    ledger.note(`${activity}: ${wordsOf(thrown)}`)
    ledger.settle(id, 'at-most-once')
    return undefined
  }
  if (reply.status !== status) {
    const words = `${activity}: ${reply.status} ${reply.status >= 400 ? titleOf(reply.body) : ''} in place of ${status}`
    if (reply.status === 503) ledger.unavailable(words)
    else ledger.note(words)
    ledger.settle(id, 'at-most-once')
    return reply
  }
  const tally = ledger.tally(activity)
  if (isSealed && !isWhole(reply.body, reply.headers)) ledger.note(`${activity}: the answer is not what the service sent`)
  else tally.good++
  if (status >= 400) tally.refused++
  tally.bytes += reply.body.length
  ledger.settle(id, arrival)
  return reply
}

/** Notes a status that is not due; gives whether it is. */
export function expectStatus({ ledger }: World, activity: string, what: string, seen: number, expected: number): boolean {
  if (seen === expected) return true
  const words = `${activity}: ${what}: ${seen} in place of ${expected}`
  if (seen === 503) ledger.unavailable(words)
  else ledger.note(words)
  return false
}

export function wordsOf(thrown: unknown): string {
  const { message, code, cause } = thrown as { message?: string; code?: string; cause?: { message?: string } }
  return [message ?? String(thrown), code, cause?.message].filter((word) => word !== undefined).join(' ')
}

function titleOf(body: Buffer): string {
  try {
    const { title, detail } = JSON.parse(body.toString()) as { title?: string; detail?: string }
    return `${title ?? ''} ${detail ?? ''}`.trim()
  } catch {
    return body.toString('latin1', 0, 60)
  }
}
